//! What a supervisor holds against the messages of an actor, and what is to become of those that were set aside.
//!
//! The words lie in the supervisor's region, so they outlive every life of the actor's partition. All of them are positions
//! that hold for good, never "once": a life that is killed before it has done what they say leaves it to the next one, and one
//! that was killed afterwards finds it done.
//!
//! What is held against a message changes only while no life of the partition exists; the rest at any time.

use crate::layout::blame_word;
use crate::memory::{PeerWords, RangeError, Words};
use crate::region::{Region, SectionEntry};
use crate::word::Ordering;

/// A message to be set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Its position on the link.
    pub position: u64,
    /// Deaths laid to its charge.
    pub attempts: u64,
    /// What the last one was, as the supervisor codes it.
    pub cause: u64,
    /// Whether the actor's durable state starts anew in the same step.
    pub resets: bool,
}

/// The supervisor's hold on what it holds against one actor's messages.
#[derive(Clone, Debug)]
pub struct Charges(Words);

/// A partition's view of it.
#[derive(Clone, Debug)]
pub struct ChargesView(PeerWords);

/// The words of so many inputs, if the section has them.
fn words_of(section: &SectionEntry, inputs: usize) -> Result<usize, RangeError> {
    let words = inputs.saturating_mul(blame_word::COUNT);
    if words > section.len / 8 {
        let needed = (section.offset, words.saturating_mul(8));
        return Err(RangeError::short(needed, section.len));
    }
    Ok(words)
}

fn place(input: usize, word: usize) -> usize {
    input * blame_word::COUNT + word
}

impl Charges {
    /// A blame section of the supervisor's own region, for an actor with so many inputs.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it doesn't lie in the region, or has no room for them.
    pub fn new(own: &Region, section: &SectionEntry, inputs: usize) -> Result<Self, RangeError> {
        Words::new(own.memory(), section.offset, words_of(section, inputs)?).map(Self)
    }

    fn set(&self, input: usize, word: usize, value: u64, order: Ordering) {
        self.0.at(place(input, word)).store(value, order);
    }

    /// Has messages of `input` below `to` received one at a time.
    pub fn suspect(&self, input: usize, to: u64) {
        self.set(input, blame_word::SUSPECT_TO, to, Ordering::Relaxed);
    }

    /// Has a message of `input` set aside.
    pub fn set_aside(&self, input: usize, aside: Aside) {
        let set = |word, value| self.set(input, word, value, Ordering::Relaxed);
        set(blame_word::ATTEMPTS, aside.attempts);
        set(blame_word::CAUSE, aside.cause);
        set(blame_word::RESETS, u64::from(aside.resets));
        // Release: what belongs to it shows with it (pairs with `ChargesView::aside`).
        self.set(
            input,
            blame_word::ASIDE,
            aside.position + 1,
            Ordering::Release,
        );
    }

    /// Has messages set aside from `input` handled again, below position `to` of their ring.
    pub fn requeue(&self, input: usize, to: u64) {
        self.set(input, blame_word::REQUEUE_TO, to, Ordering::Release);
    }

    /// Has them dropped.
    pub fn drop_letters(&self, input: usize, to: u64) {
        self.set(input, blame_word::DROP_TO, to, Ordering::Release);
    }

    /// The same words, to be read.
    #[must_use]
    pub fn view(&self) -> ChargesView {
        ChargesView(PeerWords::of(&self.0))
    }
}

impl ChargesView {
    /// A blame section of the supervisor's region, for an actor with so many inputs.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it doesn't lie in the region, or has no room for them.
    pub fn new(
        supervisor: &Region,
        section: &SectionEntry,
        inputs: usize,
    ) -> Result<Self, RangeError> {
        let words = words_of(section, inputs)?;
        PeerWords::new(supervisor.memory(), section.offset, words).map(Self)
    }

    #[inline]
    fn get(&self, input: usize, word: usize, order: Ordering) -> u64 {
        self.0.load(place(input, word), order)
    }

    /// Below which position messages of `input` are received one at a time.
    #[must_use]
    pub fn suspect_to(&self, input: usize) -> u64 {
        self.get(input, blame_word::SUSPECT_TO, Ordering::Relaxed)
    }

    /// The message of `input` to be set aside; nothing has to be done if it lies behind.
    #[must_use]
    pub fn aside(&self, input: usize) -> Option<Aside> {
        let position = self
            .get(input, blame_word::ASIDE, Ordering::Acquire)
            .checked_sub(1)?;
        let get = |word| self.get(input, word, Ordering::Relaxed);
        Some(Aside {
            position,
            attempts: get(blame_word::ATTEMPTS),
            cause: get(blame_word::CAUSE),
            resets: get(blame_word::RESETS) != 0,
        })
    }

    /// Below which position of their ring messages set aside from `input` are to be handled again.
    #[inline]
    #[must_use]
    pub fn requeue_to(&self, input: usize) -> u64 {
        self.get(input, blame_word::REQUEUE_TO, Ordering::Acquire)
    }

    /// Below which they are to be dropped.
    #[inline]
    #[must_use]
    pub fn drop_to(&self, input: usize) -> u64 {
        self.get(input, blame_word::DROP_TO, Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::blame_section;
    use crate::region::{RegionPlan, SectionKind};

    #[test]
    fn charges_against_more_inputs_than_the_section_holds_are_refused() {
        let mut plan = RegionPlan::new("charges", "supervisor", 1);
        plan.add(blame_section("book", 2));
        let region = Region::heap(&plan).expect("a sound plan");
        let section = region.section(SectionKind::Blame, "book");
        let section = section.expect("planned");
        for (inputs, fits) in [(0, true), (2, true), (3, false), (usize::MAX, false)] {
            assert_eq!(Charges::new(&region, section, inputs).is_ok(), fits);
            assert_eq!(ChargesView::new(&region, section, inputs).is_ok(), fits);
        }
    }
}
