//! Messages set aside: the rings of a link's dead letters, and the steps that fill and empty them.
//!
//! Both rings, of the letters and of the notes about them, lead from the receiving actor to itself, and a durable cell counts.
//! So whatever happens to a letter is one atomic step of that actor, recovered like all others:
//!
//! | step | receives from | sends to | runs the handler |
//! |---|---|---|---|
//! | set aside | the link | letters, notes | no |
//! | drop | letters, notes | | no |
//! | requeue | letters in place of the link, notes | whatever the handler sends | yes |
//!
//! Letters are copied as bytes: nobody here knows their type.

use std::rc::Rc;

use super::attach::Attach;
use super::cell::Durable;
use super::core::StepCore;
use super::mistake;
use super::outcome::{Outcome, StepError, Verdict};
use super::ports::{InPort, OutPort};
use super::receiver::Receiver;
use super::sections::{AttachError, ring_between};
use super::sender::Sender;
use crate::blame::Aside;
use crate::ring::inlet::Peek;
use crate::slots::Storage as _;

/// What a note says: the position that the message had on its link, attempts, cause, and the actor's steps by then.
pub type Note = [u64; 4];

/// What has become of a link's letters: set aside, dropped since there was no room, handled again, dropped on command.
pub type Tally = [u64; 4];

const SET_ASIDE: usize = 0;
const OVERFLOWED: usize = 1;
const REQUEUED: usize = 2;
const DROPPED: usize = 3;

/// The names of a link's dead letters, and the size of its messages.
#[derive(Clone, Copy, Debug)]
pub struct LetterNames<'a> {
    /// The ring of the letters.
    pub letters: &'a str,
    /// The ring of the notes.
    pub notes: &'a str,
    /// The cell of the counts.
    pub tally: &'a str,
    /// Bytes of a message.
    pub payload: usize,
}

/// The dead letters of one incoming link, as its actor's step holds them.
#[derive(Debug)]
pub struct Letters {
    source: Rc<InPort>,
    inlet: Rc<InPort>,
    outlet: Rc<OutPort>,
    notes_in: Receiver<Note>,
    notes_out: Sender<Note>,
    tally: Durable<Tally>,
}

impl Letters {
    /// Messages received on the link itself.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.source.inlet.cursor()
    }

    /// The oldest letter's position in its ring.
    #[inline]
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.inlet.inlet.cursor()
    }

    /// Whether there is a letter.
    #[must_use]
    pub fn has_letter(&self) -> bool {
        self.inlet.inlet.is_ready_at(self.oldest())
    }

    /// Copies the message at that position of the link to that of the letters.
    fn copy(&self, to: u64, position: u64) {
        let (to_ring, from_ring) = (&self.outlet.outlet.storage, &self.source.inlet.storage);
        to_ring.copy_payload(to, from_ring, position);
    }

    /// The position that the next letter will have.
    #[inline]
    #[must_use]
    pub fn end(&self) -> u64 {
        self.outlet.outlet.cursor()
    }
}

impl<const MISTAKE: u8> Attach<'_, MISTAKE> {
    /// The dead letters of input `source`: attached after all other ends, in the order of their inputs.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    ///
    /// # Panics
    ///
    /// If there is no such input, or its letters were attached already.
    pub fn letters(
        &mut self,
        source: usize,
        names: &LetterNames<'_>,
    ) -> Result<Letters, AttachError> {
        let own = self.own();
        self.trusting(true);
        let ring = || ring_between(own, own, names.letters, names.payload);
        let inlet = self.add_input(names.letters, own.owner(), ring()?)?;
        let outlet = self.add_output(names.letters, own, ring()?)?;
        let source = Rc::clone(self.input(source));
        let linked = source.letters.set(Rc::clone(&inlet));
        assert!(linked.is_ok(), "an input's letters are attached once");
        Ok(Letters {
            source,
            inlet,
            outlet,
            notes_in: self.receiver(names.notes, own)?,
            notes_out: self.sender(names.notes, own)?,
            tally: self.durable(names.tally, [0; 4])?,
        })
    }
}

/// What came of setting a message aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// It lies among the letters.
    Kept(Outcome),
    /// There was no room, so it was dropped.
    Dropped(Outcome),
    /// There is no room; nothing was done.
    Full(Outcome),
    /// It lies behind already.
    Behind,
}

impl<const MISTAKE: u8> StepCore<MISTAKE> {
    /// Moves the next message of a link to its letters, in one step and past the handler. `drops` it instead if there is no
    /// room.
    ///
    /// # Errors
    ///
    /// [`StepError`], as from [`finish`](Self::finish).
    pub fn set_aside(
        &mut self,
        letters: &mut Letters,
        aside: &Aside,
        drops: bool,
    ) -> Result<SetAside, StepError> {
        self.begin(0);
        letters.source.admit(1);
        let found = letters.source.inlet.peek();
        let blind = MISTAKE == mistake::ASIDE_UNCHECKED && matches!(found, Peek::Ready(_));
        if found != Peek::Ready(aside.position) && !blind {
            let _ = self.finish(Verdict::Abort)?;
            return Ok(SetAside::Behind);
        }
        let note = [
            aside.position,
            aside.attempts,
            aside.cause,
            self.control.steps,
        ];
        let kept = letters.outlet.claim().ok();
        let kept = kept.filter(|_| letters.notes_out.try_send(note).is_ok());
        let kind = match kept {
            Some(to) => {
                if MISTAKE != mistake::LETTER_COPIED_LATE {
                    letters.copy(to, aside.position);
                }
                letters.outlet.outlet.stage();
                SET_ASIDE
            }
            None if drops => OVERFLOWED,
            None => return self.finish(Verdict::Abort).map(SetAside::Full),
        };
        if MISTAKE == mistake::ASIDE_IN_TWO_STEPS {
            let _ = self.finish(Verdict::Keep)?;
            self.begin(0);
            letters.source.admit(1);
        }
        if MISTAKE != mistake::ASIDE_NOT_TAKEN {
            letters.source.inlet.take();
        }
        letters.tally.borrow_mut()[kind] += 1;
        let outcome = self.finish(Verdict::Keep)?;
        if let (mistake::LETTER_COPIED_LATE, Some(to)) = (MISTAKE, kept) {
            letters.copy(to, aside.position);
        }
        Ok(if kind == SET_ASIDE {
            SetAside::Kept(outcome)
        } else {
            SetAside::Dropped(outcome)
        })
    }

    /// Drops the oldest letter, in one step.
    ///
    /// # Errors
    ///
    /// [`StepError`], as from [`finish`](Self::finish).
    pub fn drop_letter(&mut self, letters: &mut Letters) -> Result<Outcome, StepError> {
        self.begin(0);
        letters.inlet.admit(1);
        if matches!(letters.inlet.inlet.peek(), Peek::Ready(_)) {
            letters.inlet.inlet.take();
            if MISTAKE == mistake::DROP_IN_TWO_STEPS {
                let _ = self.finish(Verdict::Keep)?;
                self.begin(0);
            }
            take_note(letters);
            letters.tally.borrow_mut()[DROPPED] += 1;
        }
        self.finish(Verdict::Keep)
    }

    /// Begins a step in which the actor's receiver of the link gets the oldest letter instead of what lies on the link. Other
    /// receivers get one message each.
    pub fn begin_requeue(&mut self, letters: &Letters) {
        self.begin(1);
        letters.source.admit(0);
        letters.inlet.admit(1);
        // The note was sent with the letter.
        let notes = &letters.notes_in.port().inlet;
        let [position, ..] = notes.storage.copy::<Note>(notes.cursor());
        self.gate.requeue(Some((letters.source.place(), position)));
    }

    /// Ends it, and says whether the handler received the letter.
    ///
    /// # Errors
    ///
    /// [`StepError`], as from [`finish`](Self::finish).
    pub fn finish_requeue(
        &mut self,
        letters: &mut Letters,
        verdict: Verdict,
    ) -> Result<(Outcome, bool), StepError> {
        self.gate.requeue(None);
        let taken = letters.inlet.inlet.has_moved();
        if taken && MISTAKE == mistake::REQUEUE_IN_TWO_STEPS {
            letters.inlet.inlet.rewind();
            let _ = self.finish(verdict)?;
            self.begin(0);
            letters.inlet.admit(1);
            letters.inlet.inlet.take();
        }
        if taken && MISTAKE == mistake::REQUEUE_NOT_TAKEN {
            letters.inlet.inlet.rewind();
        }
        if taken {
            take_note(letters);
            letters.tally.borrow_mut()[REQUEUED] += 1;
        }
        let outcome = self.finish(verdict)?;
        Ok((outcome, taken && outcome.committed))
    }
}

/// The note moves with its letter.
fn take_note(letters: &mut Letters) {
    letters.notes_in.port().admit(1);
    let _ = letters.notes_in.try_recv();
}
