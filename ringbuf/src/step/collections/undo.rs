//! The undo log: what a step has overwritten in its actor's collections, until the step commits.
//!
//! ```text
//! step: u64        the step whose changes these are: one more than the steps that were committed before it
//! count: u64       how many entries are in force
//! undone: u64      how often entries were undone
//! reset: u64       a step that starts all collections anew, until that is done
//! entry[]: { place: byte offset in the region, old: the word that was there }
//! ```
//!
//! A change is made in this order: the entry, then the count that takes it in, then the word in place. The log is of a step:
//! as soon as the control word says that this step is committed, no entry is in force any more, and nothing has to be
//! written for that. So the one store that commits messages and cells commits the collections too. What is found of a step
//! that isn't committed is undone, last entry first, and only then the count goes back to zero: done twice, it does the same.
//!
//! A step that starts everything anew logs nothing, since it may change gigabytes: it says before its commit that it does, and
//! empties the collections afterwards. A life that finds such a step committed does it again, from the start, before it looks at
//! anything; one that finds it not committed forgets it.
//!
//! Everything is a relaxed store of a word, in an order that a Release store or fence keeps.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::layout::{undo_entry_word, undo_section, undo_word};
use crate::memory::{LINE_PAIR, Words};
use crate::region::{Region, SectionEntry, SectionKind};
use crate::step::gate::Gate;
use crate::step::mistake;
use crate::step::sections::{AttachError, in_range, off};
use crate::word::{Ordering, fence};

/// The words of one collection.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// "actor/collection".
    pub(crate) name: Arc<str>,
    pub(crate) words: Words,
    /// Bytes from the start of the region.
    offset: usize,
    len: usize,
}

impl Space {
    pub(crate) fn new(own: &Region, entry: &SectionEntry) -> Result<Self, AttachError> {
        let words = Words::new(own.memory(), entry.offset, entry.len / 8);
        Ok(Self::over(entry, in_range(own, entry, words)?))
    }

    /// Over the words of its section, which may be read-only: then only loads are made.
    pub(crate) fn over(entry: &SectionEntry, words: Words) -> Self {
        Self {
            name: entry.name.as_str().into(),
            words,
            offset: entry.offset,
            len: entry.len,
        }
    }

    #[inline]
    pub(crate) fn load(&self, word: usize) -> u64 {
        self.words.at(word).load(Ordering::Relaxed)
    }

    /// Which of its words begins at byte `place` of the region.
    pub(crate) fn word_at(&self, place: u64) -> Option<usize> {
        let at = usize::try_from(place).ok()?.checked_sub(self.offset)?;
        (at < self.len && at.is_multiple_of(8)).then_some(at / 8)
    }

    /// Makes it what it was at first.
    fn empty(&self) {
        for word in self.words.as_slice() {
            // A page that nobody has written to isn't made dirty.
            if word.load(Ordering::Relaxed) != 0 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }
}

/// A step has changed as many words as it may.
pub(crate) struct Spent;

/// One actor's undo log, in one incarnation. `MISTAKE` as for [`StepCore`](crate::step::StepCore).
#[derive(Debug)]
pub(crate) struct UndoLog<const MISTAKE: u8> {
    actor: Arc<str>,
    words: Words,
    bound: usize,
    /// All of the actor's collections.
    spaces: Box<[Space]>,
    gate: Rc<Gate>,
    /// The number that the running step will have once it is committed.
    step: Cell<u64>,
    /// Whether the log is of that step already.
    tagged: Cell<bool>,
    /// Entries in force.
    count: Cell<usize>,
}

impl<const MISTAKE: u8> UndoLog<MISTAKE> {
    /// The log of `actor`, if it has one, with everything undone that no commit followed; `steps` are committed.
    pub(crate) fn open(
        own: &Region,
        actor: &str,
        gate: &Rc<Gate>,
        steps: u64,
    ) -> Result<Option<Rc<Self>>, AttachError> {
        let Ok(entry) = own.section(SectionKind::Undo, actor) else {
            return Ok(None);
        };
        if entry.len != undo_section(actor, entry.count).len {
            let problem = format!("{} bytes don't hold {} changes", entry.len, entry.count);
            return Err(off(own, entry, problem));
        }
        let words = Words::new(own.memory(), entry.offset, entry.len / 8);
        let log = Self {
            actor: actor.into(),
            words: in_range(own, entry, words)?,
            bound: entry.count as usize,
            spaces: spaces(own, actor)?,
            gate: Rc::clone(gate),
            step: Cell::new(steps + 1),
            tagged: Cell::new(false),
            count: Cell::new(0),
        };
        log.recover().map_err(|problem| off(own, entry, problem))?;
        if MISTAKE != mistake::RESET_NOT_RESUMED {
            log.finish_reset(steps);
        }
        Ok(Some(Rc::new(log)))
    }

    /// Undoes what a step has changed that was killed before its commit. Idempotent.
    fn recover(&self) -> Result<(), String> {
        let step = self.words.at(undo_word::STEP).load(Ordering::Relaxed);
        if step != self.step.get() && MISTAKE != mistake::UNDO_UNTAGGED {
            return Ok(());
        }
        let count = self.words.at(undo_word::COUNT).load(Ordering::Relaxed);
        if count > self.bound as u64 {
            let bound = self.bound;
            return Err(format!(
                "{count} changes of step {step}, which may make {bound}"
            ));
        }
        for entry in 0..count as usize {
            let place = self
                .entry(entry, undo_entry_word::PLACE)
                .load(Ordering::Relaxed);
            if self.find(place).is_none() {
                return Err(format!(
                    "change {entry} of step {step} is at byte {place}, where none of the actor's collections is"
                ));
            }
        }
        self.count.set(count as usize);
        self.undo_to(0);
        Ok(())
    }

    /// The collection of that name.
    pub(crate) fn space(&self, name: &str) -> Option<Space> {
        self.spaces
            .iter()
            .find(|space| *space.name == *name)
            .cloned()
    }

    pub(crate) fn actor(&self) -> &Arc<str> {
        &self.actor
    }

    pub(crate) fn bound(&self) -> usize {
        self.bound
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.gate.is_open()
    }

    /// Changes that this step has made so far.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.count.get()
    }

    /// The step is committed, as number `steps`: none of its changes is undone any more.
    #[inline]
    pub(crate) fn committed(&self, steps: u64) {
        self.step.set(steps + 1);
        self.tagged.set(false);
        self.count.set(0);
    }

    /// Says that the running step, which changes no collection otherwise, starts all of them anew, if it is committed.
    pub(crate) fn announce_reset(&self) {
        if MISTAKE == mistake::RESET_BEFORE_COMMIT {
            self.spaces.iter().for_each(Space::empty);
        }
        // The commit's Release store orders it before the step counts.
        self.words
            .at(undo_word::RESET)
            .store(self.step.get(), Ordering::Relaxed);
    }

    /// Does what a step has announced that is the last one committed, number `steps`; forgets what no commit followed. Idempotent.
    pub(crate) fn finish_reset(&self, steps: u64) {
        let word = self.words.at(undo_word::RESET);
        let step = word.load(Ordering::Relaxed);
        if step == 0 {
            return;
        }
        if step == steps {
            self.spaces.iter().for_each(Space::empty);
        }
        if step == steps || MISTAKE != mistake::RESET_KEPT {
            // Release: whoever finds nothing announced finds it done.
            word.store(0, Ordering::Release);
        }
    }

    /// The mistake of that name.
    pub(crate) fn empty(&self) {
        self.words.at(undo_word::COUNT).store(0, Ordering::Release);
    }

    /// Undoes all that the running step has changed.
    pub(crate) fn undo(&self) {
        if self.count.get() > 0 {
            self.undo_to(0);
        }
    }

    /// Undoes the changes from number `mark` on.
    pub(crate) fn undo_to(&self, mark: usize) {
        let mut left = self.count.get();
        while left > mark {
            left -= 1;
            let entry = match MISTAKE {
                mistake::UNDO_FORWARD => mark + self.count.get() - 1 - left,
                _ => left,
            };
            let place = self
                .entry(entry, undo_entry_word::PLACE)
                .load(Ordering::Relaxed);
            let old = self
                .entry(entry, undo_entry_word::OLD)
                .load(Ordering::Relaxed);
            if let Some((space, word)) = self.find(place) {
                space.words.at(word).store(old, Ordering::Relaxed);
            }
        }
        self.count.set(mark);
        let undone = self.words.at(undo_word::UNDONE);
        // Before the count: an observer that has seen what is undone here, and no entry for it, finds another number.
        undone.store(
            undone.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Relaxed,
        );
        if MISTAKE != mistake::UNDO_KEPT {
            // Release: what was undone is in place before the entries are out of force.
            self.words
                .at(undo_word::COUNT)
                .store(mark as u64, Ordering::Release);
        }
        #[cfg(test)]
        super::halt::pass();
        // Release: entries are out of force before others take their place.
        fence(Ordering::Release);
    }

    /// Changes the words from `first` on to `values`, all of them or none.
    #[inline]
    pub(crate) fn write(
        &self,
        space: &Space,
        first: usize,
        values: impl Iterator<Item = u64> + Clone,
    ) -> Result<(), Spent> {
        if MISTAKE == mistake::CHANGED_BEFORE_LOGGED {
            return self.write_before_logging(space, first, values);
        }
        let run = &space.words.as_slice()[first..];
        let mut count = self.count.get();
        let (mut from, mut to) = (usize::MAX, 0);
        for (index, (word, value)) in run.iter().zip(values.clone()).enumerate() {
            let old = word.load(Ordering::Relaxed);
            if old != value {
                self.note(count, space.offset + 8 * (first + index), old)?;
                count += 1;
                from = from.min(index);
                to = index + 1;
            }
        }
        if to == 0 {
            return Ok(());
        }
        self.take_in(count);
        // Those between that don't differ get what they have.
        for (word, value) in run.iter().zip(values).take(to).skip(from) {
            word.store(value, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes an entry that isn't in force yet.
    #[inline]
    fn note(&self, entry: usize, place: usize, old: u64) -> Result<(), Spent> {
        if entry == self.bound {
            return Err(Spent);
        }
        if !self.tagged.get() {
            self.tag();
        }
        if MISTAKE == mistake::COUNTED_BEFORE_LOGGED {
            self.take_in(entry + 1);
        }
        self.entry(entry, undo_entry_word::PLACE)
            .store(place as u64, Ordering::Relaxed);
        self.entry(entry, undo_entry_word::OLD)
            .store(old, Ordering::Relaxed);
        Ok(())
    }

    /// Makes the log the running step's, with no entry in force.
    fn tag(&self) {
        // The step before is committed, or has left no entry in force: whichever the log is of meanwhile, nothing is undone.
        self.words.at(undo_word::COUNT).store(0, Ordering::Relaxed);
        // Release: no entry of an earlier step is in force in this one.
        self.words
            .at(undo_word::STEP)
            .store(self.step.get(), Ordering::Release);
        self.tagged.set(true);
    }

    /// Puts the entries below `count` in force.
    #[inline]
    fn take_in(&self, count: usize) {
        self.count.set(count);
        // Release: the entries, and the step that they are of, come before the count.
        self.words
            .at(undo_word::COUNT)
            .store(count as u64, Ordering::Release);
        // Release: the count comes before what is changed in place.
        fence(Ordering::Release);
    }

    #[inline]
    fn entry(&self, entry: usize, word: usize) -> &crate::word::AtomicU64 {
        self.words
            .at(undo_word::ENTRIES + entry * undo_entry_word::COUNT + word)
    }

    /// Where byte `place` of the region is: in which collection, and which word of it.
    fn find(&self, place: u64) -> Option<(&Space, usize)> {
        let mut spaces = self.spaces.iter();
        spaces.find_map(|space| Some((space, space.word_at(place)?)))
    }

    /// The mistake of that name.
    fn write_before_logging(
        &self,
        space: &Space,
        first: usize,
        values: impl Iterator<Item = u64>,
    ) -> Result<(), Spent> {
        for (word, value) in (first..).zip(values) {
            let old = space.load(word);
            if old != value {
                space.words.at(word).store(value, Ordering::Relaxed);
                fence(Ordering::Release);
                self.note(self.count.get(), space.offset + 8 * word, old)?;
                self.take_in(self.count.get() + 1);
            }
        }
        Ok(())
    }
}

/// All collections of `actor`, as the region's directory has them.
fn spaces(own: &Region, actor: &str) -> Result<Box<[Space]>, AttachError> {
    let is_its = |entry: &&SectionEntry| {
        let owner = entry.name.split_once('/').map(|(actor, _)| actor);
        entry.kind.is_collection() && owner == Some(actor) && entry.len.is_multiple_of(LINE_PAIR)
    };
    let entries = own.sections().iter().filter(is_its);
    entries.map(|entry| Space::new(own, entry)).collect()
}
