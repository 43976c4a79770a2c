//! What every collection is over: entries of so many words, behind its length, written through the undo log.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::layout::{CELL_SIZE_MAX, collection_word};
use crate::message::Message;
use crate::region::{Region, Section};
use crate::step::cell::Buffer;
use crate::step::collections::undo::{Space, Spent, UndoLog};
use crate::step::sections::{AttachError, check_schema_text, off, section_of};

/// A durable collection did not do what was asked. It is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// It holds as many entries as it has room for.
    #[error(
        "durable collection `{collection}` is full: it holds {capacity} entries, its capacity; remove some first, or declare \
         it with a larger capacity"
    )]
    Full {
        /// "actor/collection".
        collection: Arc<str>,
        /// Entries that it has room for.
        capacity: usize,
    },
    /// There is no such entry.
    #[error(
        "durable collection `{collection}` has no entry {index}: it holds {len}, from 0; check the index before"
    )]
    OutOfRange {
        /// "actor/collection".
        collection: Arc<str>,
        /// The entry that was asked for.
        index: usize,
        /// Entries that there are.
        len: usize,
    },
    /// The step has changed as many words as its undo log has room for. What it did before still holds, and may be committed.
    #[error(
        "durable collection `{collection}`: the step has changed {changed} words of 8 bytes of actor `{actor}`'s collections, \
         and this takes it above its bound of {bound}; do less in one step, or declare a higher bound with \
         `durable::changes(..)`"
    )]
    TooManyChanges {
        /// "actor/collection".
        collection: Arc<str>,
        /// Whose undo log it is.
        actor: Arc<str>,
        /// Words that the step has changed before.
        changed: usize,
        /// Words that a step may change.
        bound: usize,
    },
}

/// One collection's section.
pub(crate) struct Store<const MISTAKE: u8> {
    log: Rc<UndoLog<MISTAKE>>,
    pub(crate) space: Space,
    /// Entries or slots.
    pub(crate) count: usize,
    /// Words from entry to entry.
    pub(crate) stride: usize,
}

impl<const MISTAKE: u8> fmt::Debug for Store<MISTAKE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.space.name)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<const MISTAKE: u8> Store<MISTAKE> {
    /// The collection that the region should have as `expected`.
    pub(crate) fn open(
        own: &Region,
        log: &Rc<UndoLog<MISTAKE>>,
        expected: &Section,
    ) -> Result<Self, AttachError> {
        let entry = section_of(own, expected.kind, &expected.name, expected.len)?;
        check_schema_text(entry, &expected.schema)?;
        if (entry.count, entry.stride, entry.len) != (expected.count, expected.stride, expected.len)
        {
            let problem = format!(
                "{} entries of {} bytes, {} of {} expected",
                entry.count, entry.stride, expected.count, expected.stride
            );
            return Err(off(own, entry, problem));
        }
        let space = log.space(&entry.name);
        let space = space.ok_or_else(|| off(own, entry, "it has no whole line pairs"))?;
        Ok(Self {
            log: Rc::clone(log),
            space,
            count: entry.count as usize,
            stride: (entry.stride / 8) as usize,
        })
    }

    /// What the collection's length word says.
    #[inline]
    pub(crate) fn len(&self) -> u64 {
        self.space.load(collection_word::LEN)
    }

    /// The place of an entry's first word.
    #[inline]
    pub(crate) fn at(&self, entry: usize) -> usize {
        debug_assert!(entry < self.count);
        collection_word::ENTRIES + entry * self.stride
    }

    /// Copies a value out.
    #[inline]
    pub(crate) fn read<T: Message>(&self, first: usize) -> T {
        let mut value = T::zeroed();
        let words = &self.space.words;
        Buffer { words, first }.load(bytemuck::bytes_of_mut(&mut value));
        value
    }

    /// Does `work`, which may change this collection, as a whole or not at all.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub(crate) fn change<R>(
        &mut self,
        work: impl FnOnce(&Writer<'_, MISTAKE>) -> Result<R, Spent>,
    ) -> Result<R, CollectionError> {
        assert!(
            self.log.is_open(),
            "durable collection `{}` changed outside of a step: only a step can commit it",
            self.space.name
        );
        let mark = self.log.count();
        let writer = Writer {
            log: &self.log,
            space: &self.space,
        };
        work(&writer).map_err(|Spent| self.too_much(mark))
    }

    #[cold]
    fn too_much(&self, mark: usize) -> CollectionError {
        self.log.undo_to(mark);
        CollectionError::TooManyChanges {
            collection: Arc::clone(&self.space.name),
            actor: Arc::clone(self.log.actor()),
            changed: mark,
            bound: self.log.bound(),
        }
    }

    #[cold]
    pub(crate) fn full(&self, capacity: usize) -> CollectionError {
        CollectionError::Full {
            collection: Arc::clone(&self.space.name),
            capacity,
        }
    }

    #[cold]
    pub(crate) fn out_of_range(&self, index: usize, len: usize) -> CollectionError {
        CollectionError::OutOfRange {
            collection: Arc::clone(&self.space.name),
            index,
            len,
        }
    }
}

/// Changes a collection within one [`Store::change`].
pub(crate) struct Writer<'a, const MISTAKE: u8> {
    log: &'a UndoLog<MISTAKE>,
    space: &'a Space,
}

impl<const MISTAKE: u8> Writer<'_, MISTAKE> {
    #[inline]
    pub(crate) fn load(&self, word: usize) -> u64 {
        self.space.load(word)
    }

    #[inline]
    pub(crate) fn word(&self, word: usize, value: u64) -> Result<(), Spent> {
        self.log.write(self.space, word, std::iter::once(value))
    }

    #[inline]
    pub(crate) fn set_len(&self, len: u64) -> Result<(), Spent> {
        self.word(collection_word::LEN, len)
    }

    /// Changes what differs of a value.
    #[inline]
    pub(crate) fn value<T: Message>(&self, first: usize, value: &T) -> Result<(), Spent> {
        self.log.write(self.space, first, words_of(value))
    }

    /// Changes what differs of an entry to what another one has.
    pub(crate) fn copy(&self, from: usize, to: usize, words: usize) -> Result<(), Spent> {
        let space = self.space;
        let values = (from..from + words).map(|word| space.load(word));
        self.log.write(space, to, values)
    }
}

/// A value's words; the last one is filled up with zeros.
#[inline]
pub(crate) fn words_of<T: Message>(value: &T) -> impl Iterator<Item = u64> + Clone + '_ {
    let (words, rest) = bytemuck::bytes_of(value).as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then_some(u64::from_ne_bytes(last));
    words
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .chain(last)
}

/// Refuses, at compile time, what doesn't belong in a collection.
pub(crate) const fn assert_fits<T: Message>() {
    assert!(
        size_of::<T>() <= CELL_SIZE_MAX,
        "an entry of a durable collection is at most 4 KiB: it is read and written as a whole"
    );
    assert!(
        size_of::<T>() > 0,
        "an entry of a durable collection has at least one byte"
    );
}
