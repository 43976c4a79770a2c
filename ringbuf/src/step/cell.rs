//! Durable cells: plain data that a step changes together with its messages.
//!
//! The actor works on a copy in its own memory; the commit writes a changed copy into the buffer that the active record
//! doesn't select, with relaxed word stores, and flips the cell's bit. So nobody ever holds a reference into shared memory,
//! and an observer may copy the selected buffer at any time. An aborted step that changed a copy fills it anew.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

use crate::memory::Words;
use crate::message::Message;
use crate::step::gate::Gate;
use crate::word::{AtomicU64, Ordering};

/// A value that survives its actor's restart: part of the step's commit.
///
/// Plain fields of an actor are caches; they start anew with each incarnation and an aborted step doesn't undo them. What a
/// `Durable` holds is always what the last committed step left. It is at most 4 KiB: a step copies all of it, once, if it changes
/// it. What is larger lies in a collection, such as [`DurableTable`](super::DurableTable).
pub struct Durable<S: Message> {
    cell: Rc<CellState<S>>,
    gate: Rc<Gate>,
    /// The cell's bit in the record and among the gate's dirty ones.
    bit: u64,
}

impl<S: Message> Durable<S> {
    /// The cell with place `index` among its actor's.
    pub(crate) fn new(cell: Rc<CellState<S>>, gate: Rc<Gate>, index: usize) -> Self {
        let bit = 1 << index;
        Self { cell, gate, bit }
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Like [`borrow_mut`](Self::borrow_mut), while a borrow of it lives.
    #[must_use]
    #[inline]
    pub fn get(&self) -> S {
        *self.borrow()
    }

    /// Replaces the value, if this step commits.
    ///
    /// # Panics
    ///
    /// Outside of a step, and while a borrow of it lives.
    #[inline]
    pub fn set(&mut self, value: S) {
        *self.borrow_mut() = value;
    }

    /// The value as this step has it.
    ///
    /// # Panics
    ///
    /// If a mutable borrow of it was leaked.
    #[must_use]
    #[inline]
    pub fn borrow(&self) -> Ref<'_, S> {
        self.cell.value.borrow()
    }

    /// The value, to be changed in place; the change counts if this step commits.
    ///
    /// A borrow that is leaked beyond the step makes the partition fail rather than commit half a change.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn borrow_mut(&mut self) -> RefMut<'_, S> {
        assert!(
            self.gate.is_open(),
            "durable cell `{}` changed outside of a step: only a step can commit it",
            self.cell.name
        );
        self.gate.dirty.set(self.gate.dirty.get() | self.bit);
        self.cell.value.borrow_mut()
    }
}

impl<S: Message + fmt::Debug> fmt::Debug for Durable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Durable").field(&self.cell.value).finish()
    }
}

/// The working copy of one cell.
#[derive(Debug)]
pub(crate) struct CellState<S> {
    pub(crate) name: String,
    value: RefCell<S>,
}

impl<S: Message> CellState<S> {
    pub(crate) fn new(name: String, initial: S) -> Self {
        Self {
            name,
            value: RefCell::new(initial),
        }
    }
}

/// A cell of whatever type, as the commit sees it.
pub(crate) trait AnyCell {
    fn name(&self) -> &str;
    /// Whether a borrow lives on; the copy can't be read then.
    fn is_borrowed(&self) -> bool;
    /// Writes the copy into a buffer.
    fn store(&self, buffer: &Buffer<'_>);
    /// Fills the copy from a buffer.
    fn load(&self, buffer: &Buffer<'_>);
}

/// What a cell of whatever type is to hold from the next commit on. No actor has it.
pub(crate) struct ValueToSet {
    pub(crate) name: String,
    pub(crate) bytes: Box<[u8]>,
}

impl AnyCell for ValueToSet {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_borrowed(&self) -> bool {
        false
    }

    fn store(&self, buffer: &Buffer<'_>) {
        buffer.store(&self.bytes);
    }

    fn load(&self, _: &Buffer<'_>) {}
}

impl<S: Message> AnyCell for CellState<S> {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_borrowed(&self) -> bool {
        self.value.try_borrow_mut().is_err()
    }

    fn store(&self, buffer: &Buffer<'_>) {
        buffer.store(bytemuck::bytes_of(&*self.value.borrow()));
    }

    fn load(&self, buffer: &Buffer<'_>) {
        buffer.load(bytemuck::bytes_of_mut(&mut *self.value.borrow_mut()));
    }
}

/// One of the two buffers of a cell section.
pub(crate) struct Buffer<'a> {
    pub(crate) words: &'a Words,
    pub(crate) first: usize,
}

impl Buffer<'_> {
    fn word(&self, index: usize) -> &AtomicU64 {
        self.words.at(self.first + index)
    }

    pub(crate) fn store(&self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for (index, word) in words.iter().enumerate() {
            self.word(index)
                .store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.word(words.len())
                .store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
    }

    pub(crate) fn load(&self, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut::<8>();
        let run = &self.words.as_slice()[self.first..][..words.len()];
        for (word, place) in words.iter_mut().zip(run) {
            *word = place.load(Ordering::Relaxed).to_ne_bytes();
        }
        if !rest.is_empty() {
            let word = self.word(words.len()).load(Ordering::Relaxed);
            rest.copy_from_slice(&word.to_ne_bytes()[..rest.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use std::cell::Cell;

    use super::*;
    use crate::layout::{actor_section, cell_section};
    use crate::region::{Region, RegionPlan};
    use crate::step::{Attach, StepCore, Verdict};

    /// Counts the copies out of a cell and into it.
    struct Counted {
        cell: Rc<dyn AnyCell>,
        stored: Cell<u32>,
        loaded: Cell<u32>,
    }

    impl AnyCell for Counted {
        fn name(&self) -> &str {
            self.cell.name()
        }
        fn is_borrowed(&self) -> bool {
            self.cell.is_borrowed()
        }
        fn store(&self, buffer: &Buffer<'_>) {
            self.stored.set(self.stored.get() + 1);
            self.cell.store(buffer);
        }
        fn load(&self, buffer: &Buffer<'_>) {
            self.loaded.set(self.loaded.get() + 1);
            self.cell.load(buffer);
        }
    }

    #[test]
    fn a_step_copies_each_cell_that_it_changes_once_and_no_other() {
        type Large = [u64; 512];
        let schema = Large::SCHEMA.to_text();
        let mut plan = RegionPlan::new("cells", "own", 1);
        plan.add(actor_section("actor", 0, 0))
            .add(cell_section("actor/changed", &schema, 4096))
            .add(cell_section("actor/other", &schema, 4096));
        let region = Region::heap(&plan).unwrap();
        let mut attach = Attach::new(&region, "actor", 0, 0).unwrap();
        let mut changed = attach.durable::<Large>("changed", [0; 512]).unwrap();
        let other = attach.durable::<Large>("other", [0; 512]).unwrap();
        let mut core: StepCore = attach.finish();
        let counted = core.cells.iter_mut().map(|port| {
            let counted = Rc::new(Counted {
                cell: Rc::clone(&port.cell),
                stored: Cell::new(0),
                loaded: Cell::new(0),
            });
            port.cell = Rc::clone(&counted) as Rc<dyn AnyCell>;
            counted
        });
        let counted: Vec<_> = counted.collect();
        let copies = || -> Vec<_> {
            let counted = counted.iter();
            counted
                .map(|one| (one.stored.take(), one.loaded.take()))
                .collect()
        };
        let mut step = |changes: u64, verdict| {
            core.begin(0);
            let sum: u64 = other.borrow().iter().sum();
            for change in 0..changes {
                changed.borrow_mut()[7] = change + sum;
            }
            let _ = core.finish(verdict).unwrap();
            copies()
        };
        assert_eq!(step(5, Verdict::Keep), [(1, 0), (0, 0)]);
        assert_eq!(step(0, Verdict::Keep), [(0, 0), (0, 0)]);
        assert_eq!(step(5, Verdict::Abort), [(0, 1), (0, 0)]);
    }
}
