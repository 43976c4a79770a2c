//! A bounded vector.

use std::fmt;
use std::marker::PhantomData;

use crate::message::Message;
use crate::step::collections::store::{CollectionError, Store};
use crate::step::mistake;

/// A vector of fixed capacity that survives its actor's restart and is part of the step's commit.
///
/// It lies in the actor's region: its methods change it in place, and an undo log keeps what they overwrite until the step
/// commits. So a step costs what it changes, whatever the capacity. A step that doesn't commit, for whatever reason, leaves no
/// change; a kill at any instruction leaves what the last commit left. Values are copied out and in, in whole words of 8
/// bytes.
///
/// Methods that change it return [`CollectionError::TooManyChanges`] if the step's bound doesn't allow for it, and panic
/// outside of a step. Whatever they return an error for has changed nothing. They may be called from within a step only;
/// reading is possible whenever the value is at hand.
pub struct DurableVec<T: Message, const MISTAKE: u8 = { mistake::NONE }> {
    store: Store<MISTAKE>,
    value: PhantomData<T>,
}

impl<T: Message, const MISTAKE: u8> fmt::Debug for DurableVec<T, MISTAKE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableVec").field(&self.store).finish()
    }
}

impl<T: Message, const MISTAKE: u8> DurableVec<T, MISTAKE> {
    pub(crate) fn new(store: Store<MISTAKE>) -> Self {
        Self {
            store,
            value: PhantomData,
        }
    }

    /// Values that there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.store.len() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.store.count
    }

    /// A copy of the value at `index`, if there is one.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<T> {
        (index < self.len()).then(|| self.store.read(self.store.at(index)))
    }

    /// A copy of the last value, if there is one.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Copies of all values, in order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = T> + ExactSizeIterator + '_ {
        (0..self.len()).map(|index| self.store.read(self.store.at(index)))
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// [`CollectionError::Full`], [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), CollectionError> {
        let len = self.len();
        if len >= self.store.count {
            return Err(self.store.full(self.store.count));
        }
        let at = self.store.at(len);
        self.store.change(|writer| {
            writer.value(at, &value)?;
            writer.set_len(len as u64 + 1)
        })
    }

    /// Takes the last value away; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn pop(&mut self) -> Result<Option<T>, CollectionError> {
        let last = self.last();
        let left = self.len().saturating_sub(1);
        self.truncate(left)?;
        Ok(last)
    }

    /// Replaces the value at `index`.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OutOfRange`], [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn set(&mut self, index: usize, value: T) -> Result<(), CollectionError> {
        let at = self.existing(index)?;
        self.store.change(|writer| writer.value(at, &value))
    }

    /// Changes the value at `index` by way of a copy, of which what differs is written back: nothing, if `change` panics.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OutOfRange`], and then `change` isn't called; [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn update<R>(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, CollectionError> {
        let at = self.existing(index)?;
        let mut value = self.store.read(at);
        let result = change(&mut value);
        self.store.change(|writer| writer.value(at, &value))?;
        Ok(result)
    }

    /// Takes the value at `index` away and puts the last one in its place.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OutOfRange`], [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn swap_remove(&mut self, index: usize) -> Result<T, CollectionError> {
        let at = self.existing(index)?;
        let value = self.store.read(at);
        let last = self.len() - 1;
        let (from, words) = (self.store.at(last), self.store.stride);
        self.store.change(|writer| {
            writer.copy(from, at, words)?;
            writer.set_len(last as u64)
        })?;
        Ok(value)
    }

    /// Keeps the first `len` values; all of them, if there are no more.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn truncate(&mut self, len: usize) -> Result<(), CollectionError> {
        let len = len.min(self.len()) as u64;
        self.store.change(|writer| writer.set_len(len))
    }

    /// Takes all values away.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn clear(&mut self) -> Result<(), CollectionError> {
        self.truncate(0)
    }

    fn existing(&self, index: usize) -> Result<usize, CollectionError> {
        let len = self.len();
        if index >= len {
            return Err(self.store.out_of_range(index, len));
        }
        Ok(self.store.at(index))
    }
}
