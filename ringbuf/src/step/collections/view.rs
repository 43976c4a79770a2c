//! Looking at an actor's collection from outside, while it runs or after it has died.
//!
//! Collections are changed in place, so what lies there may be half a step. What the undo log has of that step is put back in the
//! copy: it is what the last commit left, if neither a commit nor an undoing came in between.
//!
//! ```text
//! observer                                    owner
//! u = undone (Acquire)
//! c = control (Acquire)                       control = steps (Release); fence(Release)
//! reset (Acquire) = steps: all words are 0    reset = steps, before that control
//! copy words (Relaxed); fence(Acquire)        entries; count (Release); fence(Release); words
//! step, count (Acquire), entries, last first  undoing: words; undone + 1; count (Release); fence(Release)
//! fence(Acquire); undone = u and control = c: it counts
//! ```
//!
//! A word that this step has changed is seen after the count that takes its entry in. An entry that is gone since, by an undoing
//! or a commit, or overwritten after one, is seen after the number that tells of it. So a copy may fail, and is never wrong. It
//! fails for as long as its actor commits more often than the copy takes: of a large table look at some rows at a time.

use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use crate::layout::{collection_word, undo_entry_word, undo_word, value_words};
use crate::memory::Words;
use crate::message::Message;
use crate::region::{Region, SectionEntry, SectionKind};
use crate::schema::{self, Schema};
use crate::step::collections::map::{MapEntry, home_of, key_words};
use crate::step::collections::undo::Space;
use crate::step::observe::{ObserveError, attempt, records_of};
use crate::step::record::{Control, Records};
use crate::word::{Ordering, fence};

/// Words that an observer copies in vain before it gives up, and the fewest tries.
const WORDS_IN_VAIN: usize = 1 << 26;
const TRIES_MIN: usize = 8;
const TRIES_MAX: usize = 100_000;

/// A collection, seen from outside: what the last commit left, never half a step. The actor knows nothing of it.
pub struct CollectionView {
    kind: SectionKind,
    schema: String,
    /// Entries or slots.
    count: usize,
    /// Words from entry to entry.
    stride: usize,
    actor: Arc<str>,
    space: Space,
    undo: Words,
    /// Entries that the undo log has room for.
    bound: usize,
    records: Records,
}

impl fmt::Debug for CollectionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectionView")
            .field("name", &self.space.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl CollectionView {
    /// The collection of that name of `actor`, which has so many inputs and outputs.
    ///
    /// # Errors
    ///
    /// [`ObserveError`] if a section is missing or too small.
    pub fn new(
        region: &Region,
        actor: &str,
        (inputs, outputs): (usize, usize),
        (kind, name): (SectionKind, &str),
    ) -> Result<Self, ObserveError> {
        let entry = region.section(kind, &format!("{actor}/{name}"))?;
        let log = region.section(SectionKind::Undo, actor)?;
        let words = |entry: &SectionEntry| {
            Words::any(region.memory(), entry.offset, entry.len / 8).map_err(|problem| {
                ObserveError::Section {
                    region: region.owner().to_owned(),
                    problem,
                }
            })
        };
        let (undo, stride) = (words(log)?, (entry.stride / 8) as usize);
        let entries = |words: usize, each: usize| {
            words.saturating_sub(collection_word::ENTRIES) / each.max(1)
        };
        let room = entries(entry.len / 8, stride);
        Ok(Self {
            kind,
            schema: entry.schema.clone(),
            count: usize::try_from(entry.count).map_or(room, |count| count.min(room)),
            stride,
            actor: actor.into(),
            space: Space::over(entry, words(entry)?),
            bound: entries(undo.as_slice().len(), undo_entry_word::COUNT),
            undo,
            records: records_of(region, actor, inputs, outputs)?,
        })
    }

    /// The values of a vector.
    ///
    /// # Errors
    ///
    /// [`ObserveError`]: it is no vector, or not of this type; or its actor commits faster than it can be copied.
    pub fn vector<T: Message>(&self) -> Result<Vec<T>, ObserveError> {
        self.check(SectionKind::Vector, T::SCHEMA)?;
        let (_, words) = self.copy_filled()?;
        Ok(words.chunks_exact(self.stride).map(value).collect())
    }

    /// How many values were ever pushed into a ring of the last n, and those that are left, the oldest first.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn last<T: Message>(&self) -> Result<(u64, Vec<T>), ObserveError> {
        self.check(SectionKind::Last, T::SCHEMA)?;
        let (pushed, words) = self.copy_filled()?;
        let mut values: Vec<T> = words.chunks_exact(self.stride).map(value).collect();
        if pushed > values.len() as u64 {
            let oldest = pushed % values.len().max(1) as u64;
            values.rotate_left(oldest as usize);
        }
        Ok((pushed, values))
    }

    /// The entries of a map, in no order.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn map<K: Message, V: Message>(&self) -> Result<Vec<(K, V)>, ObserveError> {
        self.check_map::<K, V>()?;
        let (_, words) = self.copy(&[self.entries(0..self.count)])?;
        let slots = words.chunks_exact(self.stride);
        let entries = slots.filter_map(|slot| {
            let (mark, entry) = slot.split_first()?;
            let (key, held) = entry.split_at(value_words(size_of::<K>()));
            (*mark != 0).then(|| (value(key), value(held)))
        });
        Ok(entries.collect())
    }

    /// What a map has for a key: a look at some slots instead of all.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn get<K: Message, V: Message>(&self, key: &K) -> Result<Option<V>, ObserveError> {
        self.check_map::<K, V>()?;
        if self.count == 0 {
            return Ok(None);
        }
        let (home, sought) = (home_of(key, self.count), key_words(key));
        let mut slots = self.count.min(8);
        loop {
            let behind = (home + slots).saturating_sub(self.count);
            let runs = [home..home + slots - behind, 0..behind];
            let (_, words) = self.copy(&runs.map(|run| self.entries(run)))?;
            for slot in words.chunks_exact(self.stride) {
                let (found, held) = slot.split_at(sought.len());
                if found[0] == 0 {
                    return Ok(None);
                }
                if *found == *sought {
                    return Ok(Some(value(held)));
                }
            }
            if slots == self.count {
                return Ok(None);
            }
            slots = self.count.min(2 * slots);
        }
    }

    /// Some rows of a table, or all: those of `rows` that it has. Of a large one whose actor is busy, ask for as many as are needed.
    ///
    /// # Errors
    ///
    /// As for [`vector`](Self::vector).
    pub fn rows<R: Message>(&self, rows: impl RangeBounds<usize>) -> Result<Vec<R>, ObserveError> {
        self.check(SectionKind::Table, R::SCHEMA)?;
        let from = match rows.start_bound() {
            Bound::Included(row) => *row,
            Bound::Excluded(row) => row.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match rows.end_bound() {
            Bound::Included(row) => row.saturating_add(1),
            Bound::Excluded(row) => *row,
            Bound::Unbounded => self.count,
        };
        let from = from.min(self.count);
        let run = self.entries(from..to.clamp(from, self.count));
        let (_, words) = self.copy(&[run])?;
        Ok(words.chunks_exact(self.stride).map(value).collect())
    }

    /// Its length word and all words of its entries, whatever they are.
    ///
    /// # Errors
    ///
    /// [`ObserveError::Moving`].
    pub fn words(&self) -> Result<(u64, Vec<u64>), ObserveError> {
        self.copy(&[self.entries(0..self.count)])
    }

    /// Words from entry to entry.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The places of the words of some entries.
    fn entries(&self, entries: Range<usize>) -> Range<usize> {
        let at = |entry| collection_word::ENTRIES + entry * self.stride;
        at(entries.start)..at(entries.end)
    }

    fn check_map<K: Message, V: Message>(&self) -> Result<(), ObserveError> {
        self.check(SectionKind::Map, MapEntry::<K, V>::SCHEMA)
    }

    fn check(&self, kind: SectionKind, expected: Schema) -> Result<(), ObserveError> {
        let name = || (*self.space.name).to_owned();
        if self.kind != kind {
            return Err(ObserveError::Kind {
                name: name(),
                found: self.kind,
                expected: kind,
            });
        }
        let marks = usize::from(kind == SectionKind::Map);
        let needed = value_words(expected.size) + marks;
        let difference = schema::difference(&expected.to_text(), &self.schema).or_else(|| {
            let found = self.stride;
            (found < needed).then(|| format!("an entry takes {found} words, {needed} expected"))
        });
        match difference {
            None => Ok(()),
            Some(difference) => Err(ObserveError::Schema {
                name: name(),
                difference,
            }),
        }
    }

    /// The length word, and the words of as many entries as it says, if there are so many.
    fn copy_filled(&self) -> Result<(u64, Vec<u64>), ObserveError> {
        let mut filled = 0;
        loop {
            let (len, mut words) = self.copy(&[self.entries(0..filled)])?;
            let found = usize::try_from(len).map_or(self.count, |len| len.min(self.count));
            if found <= filled {
                words.truncate(found * self.stride);
                return Ok((len, words));
            }
            filled = found;
        }
    }

    /// The length word, and the words of these places, as one commit has left them.
    fn copy(&self, runs: &[Range<usize>]) -> Result<(u64, Vec<u64>), ObserveError> {
        let len: usize = runs.iter().map(Range::len).sum();
        let tries = (WORDS_IN_VAIN / len.max(1)).clamp(TRIES_MIN, TRIES_MAX);
        let mut words = Vec::with_capacity(len);
        for _ in 0..tries {
            if let Some(len) = self.try_copy(runs, &mut words) {
                return Ok((len, words));
            }
            std::hint::spin_loop();
        }
        Err(ObserveError::Moving {
            name: (*self.space.name).to_owned(),
            actor: (*self.actor).to_owned(),
            tries,
            bytes: 8 * len,
        })
    }

    fn try_copy(&self, runs: &[Range<usize>], words: &mut Vec<u64>) -> Option<u64> {
        let undone = self.undo.at(undo_word::UNDONE);
        let before = undone.load(Ordering::Acquire);
        let copied = attempt(&self.records, |control| {
            let len = self.copy_as_of(control, runs, words);
            // Acquire: as in the file's table.
            fence(Ordering::Acquire);
            (undone.load(Ordering::Relaxed) == before).then_some(len)
        });
        copied.flatten()
    }

    fn copy_as_of(&self, control: Control, runs: &[Range<usize>], words: &mut Vec<u64>) -> u64 {
        words.clear();
        let places = || runs.iter().cloned().flatten();
        let reset = self.undo.at(undo_word::RESET).load(Ordering::Acquire);
        if reset != 0 && reset == control.steps {
            words.extend(places().map(|_| 0));
            return 0;
        }
        let mut len = self.space.load(collection_word::LEN);
        for run in runs {
            let found = &self.space.words.as_slice()[run.clone()];
            words.extend(found.iter().map(|word| word.load(Ordering::Relaxed)));
        }
        #[cfg(test)]
        super::halt::pass();
        fence(Ordering::Acquire);
        let step = self.undo.at(undo_word::STEP).load(Ordering::Acquire);
        if step != control.steps + 1 {
            return len;
        }
        let count = self.undo.at(undo_word::COUNT).load(Ordering::Acquire);
        let count = usize::try_from(count).map_or(self.bound, |count| count.min(self.bound));
        for entry in (0..count).rev() {
            let at = |word| undo_word::ENTRIES + entry * undo_entry_word::COUNT + word;
            let load = |word| self.undo.at(at(word)).load(Ordering::Relaxed);
            let Some(word) = self.space.word_at(load(undo_entry_word::PLACE)) else {
                continue;
            };
            if word == collection_word::LEN {
                len = load(undo_entry_word::OLD);
            }
            let mut first = 0;
            for run in runs {
                if run.contains(&word) {
                    words[first + word - run.start] = load(undo_entry_word::OLD);
                }
                first += run.len();
            }
        }
        len
    }
}

/// The value that begins at the first of these words.
fn value<T: Message>(words: &[u64]) -> T {
    bytemuck::pod_read_unaligned(&bytemuck::cast_slice(words)[..size_of::<T>()])
}

#[cfg(test)]
mod tests;
