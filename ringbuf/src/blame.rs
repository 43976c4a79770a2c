//! What a supervisor holds against the messages of an actor, and what is to become of those that were set aside.
//!
//! The words lie in the supervisor's region, so they outlive every life of the actor's partition. All of them are positions
//! that hold for good, never "once": a life that is killed before it has done what they say leaves it to the next one, and one
//! that was killed afterwards finds it done.
//!
//! What is held against a message changes only while no life of the partition exists; the rest at any time.
//!
//! The supervisor's own account, by which it counts, has two records and a word that says which one counts: so it outlives
//! the supervisor, killed wherever it may be. It is written last of all that a death leads to: a death is judged as a whole, or again.

use crate::layout::{account_at, account_word, blame_word, blame_words, tally_word, tally_words};
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
}

/// What a supervisor counts of an actor's deaths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The last life of the partition whose end was judged.
    pub judged: u64,
    /// Deaths that count as attempts, with the same first messages in work.
    pub attempts: u64,
    /// Times in a row that messages were set aside.
    pub row: u64,
    /// The actor's steps once the last of them is set aside.
    pub steps: u64,
    /// The first messages in work at the last death that was blamed on any, by input.
    pub starts: Vec<(usize, u64)>,
}

/// The supervisor's hold on what it holds against one actor's messages.
#[derive(Clone, Debug)]
pub struct Charges {
    words: Words,
    inputs: usize,
}

/// A partition's view of it.
#[derive(Clone, Debug)]
pub struct ChargesView {
    words: PeerWords,
    inputs: usize,
}

/// The words of a section about so many inputs, if it has them.
fn words_of(section: &SectionEntry, inputs: usize) -> Result<usize, RangeError> {
    let words = section.len / 8;
    // No more inputs than words: the sum can't overflow.
    let needed = blame_words(inputs.min(words));
    if inputs > words || needed > words {
        let needed = (section.offset, needed.saturating_mul(8));
        return Err(RangeError::short(needed, section.len));
    }
    Ok(needed)
}

fn place(input: usize, word: usize) -> usize {
    input * blame_word::COUNT + word
}

/// The record that counts once the account was written so often.
fn record_at(inputs: usize, written: u64) -> usize {
    let records = account_at(inputs) + account_word::RECORDS;
    records + (written & 1) as usize * tally_words(inputs)
}

impl Charges {
    /// A blame section of the supervisor's own region, for an actor with so many inputs.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it doesn't lie in the region, or has no room for them.
    pub fn new(own: &Region, section: &SectionEntry, inputs: usize) -> Result<Self, RangeError> {
        let words = Words::new(own.memory(), section.offset, words_of(section, inputs)?)?;
        Ok(Self { words, inputs })
    }

    fn set(&self, input: usize, word: usize, value: u64, order: Ordering) {
        self.words.at(place(input, word)).store(value, order);
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
        // Release: what belongs to it shows with it (pairs with `ChargesView::aside`).
        self.set(
            input,
            blame_word::ASIDE,
            aside.position + 1,
            Ordering::Release,
        );
    }

    /// Has the actor's state start anew, if so many steps are committed when its next life begins.
    pub fn reset_after(&self, steps: u64) {
        let word = account_at(self.inputs) + account_word::RESET;
        self.words.at(word).store(steps + 1, Ordering::Relaxed);
    }

    /// Writes the account, whole or not at all.
    pub fn write(&self, account: &Account) {
        let first = account_at(self.inputs);
        let written = self.words.at(first + account_word::WRITTEN);
        let next = written.load(Ordering::Relaxed).wrapping_add(1);
        let record = record_at(self.inputs, next);
        let store = |word, value| self.words.at(record + word).store(value, Ordering::Relaxed);
        store(tally_word::JUDGED, account.judged);
        store(tally_word::ATTEMPTS, account.attempts);
        store(tally_word::ROW, account.row);
        store(tally_word::STEPS, account.steps);
        for input in 0..self.inputs {
            let mut starts = account.starts.iter();
            let start = starts.find(|(of, _)| *of == input);
            store(
                tally_word::STARTS + input,
                start.map_or(0, |(_, at)| at + 1),
            );
        }
        // Release: the record is whole before it counts.
        written.store(next, Ordering::Release);
    }

    /// The account as it was last written.
    #[must_use]
    pub fn read(&self) -> Account {
        let written = account_at(self.inputs) + account_word::WRITTEN;
        let record = record_at(self.inputs, self.words.at(written).load(Ordering::Acquire));
        let load = |word| self.words.at(record + word).load(Ordering::Relaxed);
        let starts = (0..self.inputs).filter_map(|input| {
            let start = load(tally_word::STARTS + input).checked_sub(1)?;
            Some((input, start))
        });
        Account {
            judged: load(tally_word::JUDGED),
            attempts: load(tally_word::ATTEMPTS),
            row: load(tally_word::ROW),
            steps: load(tally_word::STEPS),
            starts: starts.collect(),
        }
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
        ChargesView {
            words: PeerWords::of(&self.words),
            inputs: self.inputs,
        }
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
        let words = PeerWords::new(supervisor.memory(), section.offset, words)?;
        Ok(Self { words, inputs })
    }

    #[inline]
    fn get(&self, input: usize, word: usize, order: Ordering) -> u64 {
        self.words.load(place(input, word), order)
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
        })
    }

    /// The number of committed steps at which the actor's state starts anew when a life begins.
    #[must_use]
    pub fn reset_after(&self) -> Option<u64> {
        let word = account_at(self.inputs) + account_word::RESET;
        self.words.load(word, Ordering::Relaxed).checked_sub(1)
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
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::layout::blame_section;
    use crate::region::{RegionPlan, SectionKind};

    #[test]
    fn an_account_is_the_last_one_that_was_written_whole() {
        let mut plan = RegionPlan::new("blame", "supervisor", 1);
        plan.add(blame_section("book", 13));
        let region = Region::heap(&plan).unwrap();
        let section = region.section(SectionKind::Blame, "book").unwrap();
        let charges = Charges::new(&region, section, 13).unwrap();
        assert_eq!(charges.read(), Account::default());
        let account = |judged: u64| Account {
            judged,
            attempts: judged + 1,
            row: judged + 2,
            steps: judged + 3,
            starts: vec![(0, 0), (12, judged)],
        };
        for judged in 1..4 {
            charges.write(&account(judged));
            // What comes with it is another's.
            charges.set_aside(
                12,
                Aside {
                    position: judged,
                    attempts: 1,
                    cause: 4,
                },
            );
            charges.reset_after(judged);
            let again = Charges::new(&region, section, 13).unwrap();
            assert_eq!(again.read(), account(judged));
            // Killed while it wrote the next: all of the record but the word that selects it.
            let next = record_at(13, judged + 1);
            for word in next..next + tally_words(13) {
                charges.words.at(word).store(99, Ordering::Relaxed);
            }
            assert_eq!(again.read(), account(judged));
            let view = ChargesView::new(&region, section, 13).unwrap();
            assert_eq!(view.reset_after(), Some(judged));
            assert_eq!(view.aside(12).unwrap().position, judged);
        }
    }

    #[test]
    fn charges_against_more_inputs_than_the_section_holds_are_refused() {
        let mut plan = RegionPlan::new("charges", "supervisor", 1);
        plan.add(blame_section("book", 2));
        let region = Region::heap(&plan).unwrap();
        let section = region.section(SectionKind::Blame, "book");
        let section = section.unwrap();
        for (inputs, fits) in [(0, true), (2, true), (3, false), (usize::MAX, false)] {
            assert_eq!(Charges::new(&region, section, inputs).is_ok(), fits);
            assert_eq!(ChargesView::new(&region, section, inputs).is_ok(), fits);
        }
    }
}
