//! The last so many of a row of values.

use std::fmt;
use std::marker::PhantomData;

use crate::message::Message;
use crate::step::collections::store::{CollectionError, Store};
use crate::step::mistake;

/// The last n values that were pushed; survives its actor's restart and is part of the step's commit.
///
/// It is never full: a push beyond n takes the place of the oldest. For what holds of it otherwise, see
/// [`DurableVec`](super::DurableVec).
pub struct DurableRing<T: Message, const MISTAKE: u8 = { mistake::NONE }> {
    store: Store<MISTAKE>,
    value: PhantomData<T>,
}

impl<T: Message, const MISTAKE: u8> fmt::Debug for DurableRing<T, MISTAKE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableRing").field(&self.store).finish()
    }
}

impl<T: Message, const MISTAKE: u8> DurableRing<T, MISTAKE> {
    pub(crate) fn new(store: Store<MISTAKE>) -> Self {
        Self {
            store,
            value: PhantomData,
        }
    }

    /// Values pushed so far, those included that others have taken the place of.
    #[must_use]
    #[inline]
    pub fn pushed(&self) -> u64 {
        self.store.len()
    }

    /// Values that there are, n at most.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pushed().min(self.store.count as u64) as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushed() == 0
    }

    /// n.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.store.count
    }

    /// A copy of the value at `index`, the oldest of those that are left being at 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<T> {
        let len = self.len();
        (index < len).then(|| {
            let number = self.pushed() - len as u64 + index as u64;
            self.store.read(self.place(number))
        })
    }

    /// A copy of the value that was pushed last.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Copies of all values, the oldest first.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_ {
        let len = self.len();
        let first = self.pushed() - len as u64;
        (0..len).map(move |index| self.store.read(self.place(first + index as u64)))
    }

    /// Adds a value, in the place of the oldest if there are n.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), CollectionError> {
        let pushed = self.pushed();
        let at = self.place(pushed);
        self.store.change(|writer| {
            writer.value(at, &value)?;
            writer.set_len(pushed + 1)
        })
    }

    /// Takes all values away, and counts from 0 again.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn clear(&mut self) -> Result<(), CollectionError> {
        self.store.change(|writer| writer.set_len(0))
    }

    #[inline]
    fn place(&self, number: u64) -> usize {
        self.store.at((number % self.store.count as u64) as usize)
    }
}
