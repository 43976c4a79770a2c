//! The middle's dead letters: what is held against its messages is carried out, as airssys-rt's runner does.

use airssys_ringbuf::blame::{Aside, ChargesView};
use airssys_ringbuf::step::{Attach, LetterNames, Letters};

use super::TALLY;
use crate::court::{Court, LETTERED, LETTERS, NOTES};
use crate::failure::Failure;
use crate::traffic::Item;

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) letters: Letters,
    pub(super) charges: ChargesView,
    /// What is to be set aside, unless it lies behind already.
    pub(super) aside: Option<Aside>,
    pub(super) drops: bool,
}

impl Desk {
    /// After all other ends.
    pub(super) fn attach<const MISTAKE: u8>(
        attach: &mut Attach<'_, MISTAKE>,
        court: &Court,
    ) -> Result<Self, Failure> {
        let names = LetterNames {
            letters: LETTERS,
            notes: NOTES,
            tally: TALLY,
            payload: size_of::<Item>(),
        };
        let charges = court.view()?;
        Ok(Self {
            letters: attach.letters(LETTERED, &names)?,
            aside: charges.aside(LETTERED),
            charges,
            drops: court.orders()?.drops,
        })
    }

    pub(super) fn has_drop(&self) -> bool {
        self.letters.oldest() < self.letters.end().min(self.charges.drop_to(LETTERED))
    }

    pub(super) fn has_requeue(&self) -> bool {
        self.letters.oldest() < self.requeue_to()
    }

    /// Whether the oldest letter is the last to be handled again.
    pub(super) fn is_last(&self) -> bool {
        self.letters.oldest() + 1 == self.requeue_to()
    }

    fn requeue_to(&self) -> u64 {
        let to = self.charges.requeue_to(LETTERED);
        self.letters.end().min(to)
    }
}
