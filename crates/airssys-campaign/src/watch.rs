//! Words of the middle's region that never go back, whoever was killed when.

use airssys_ringbuf::region::SectionKind;

use crate::actors::MIDDLE;
use crate::bus::Bus;
use crate::failure::{Failure, ensure};
use crate::place::word_at;

/// The words, and what they last were.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    what: String,
    offset: usize,
    last: u64,
}

impl Watch {
    /// Over the control word, credits, closes, `reserved`, sequence words or tails, and the count of hints.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the middle's region isn't of this harness.
    pub(crate) fn new(bus: &Bus) -> Result<Self, Failure> {
        let middle = &bus.middle;
        let control = middle.offset(SectionKind::Actor, MIDDLE)?;
        let mut words = vec![Word::new("the control word", control)];
        for (link, _) in bus.inputs() {
            let (credit, close) = middle.credit_words(link)?;
            words.push(Word::new(format!("the credit of `{link}`"), credit));
            words.push(Word::new(format!("the end of `{link}`"), close));
        }
        for (link, payload) in bus.outputs() {
            let ring = middle.ring_words(link, payload)?;
            words.push(Word::new(format!("the close of `{link}`"), ring.close));
            let what = format!("what is reserved of `{link}`");
            words.push(Word::new(what, ring.reserved));
            for (slot, offset) in ring.shows.into_iter().enumerate() {
                let what = format!("the word of slot {slot} of `{link}`");
                words.push(Word::new(what, offset));
            }
        }
        if let Some(hints) = bus.hints()? {
            words.push(Word::new("the count of hints", hints));
        }
        Ok(Self { words })
    }

    /// Looks at a later image.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a word went back.
    pub(crate) fn look(&mut self, image: &[u8]) -> Result<(), Failure> {
        for word in &mut self.words {
            let now = word_at(image, word.offset);
            ensure!(
                now >= word.last,
                "{} went back from {} to {now}",
                word.what,
                word.last
            );
            word.last = now;
        }
        Ok(())
    }
}

impl Word {
    fn new(what: impl Into<String>, offset: usize) -> Self {
        Self {
            what: what.into(),
            offset,
            last: 0,
        }
    }
}
