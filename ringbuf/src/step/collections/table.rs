//! A table of rows.

use std::fmt;
use std::marker::PhantomData;

use crate::message::Message;
use crate::step::collections::store::{CollectionError, Store};
use crate::step::mistake;

/// Rows by their index, all of them there from the start and zeroed; survives its actor's restart and is part of the step's
/// commit.
///
/// For what holds of it otherwise, see [`DurableVec`](super::DurableVec).
pub struct DurableTable<R: Message, const MISTAKE: u8 = { mistake::NONE }> {
    store: Store<MISTAKE>,
    row: PhantomData<R>,
}

impl<R: Message, const MISTAKE: u8> fmt::Debug for DurableTable<R, MISTAKE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableTable").field(&self.store).finish()
    }
}

impl<R: Message, const MISTAKE: u8> DurableTable<R, MISTAKE> {
    pub(crate) fn new(store: Store<MISTAKE>) -> Self {
        Self {
            store,
            row: PhantomData,
        }
    }

    /// Rows that there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.store.count
    }

    /// A copy of a row, if there is such a one.
    #[must_use]
    #[inline]
    pub fn get(&self, row: usize) -> Option<R> {
        (row < self.rows()).then(|| self.store.read(self.store.at(row)))
    }

    /// Copies of all rows, in order.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = R> + ExactSizeIterator + '_ {
        (0..self.rows()).map(|row| self.store.read(self.store.at(row)))
    }

    /// Replaces a row.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OutOfRange`], [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn set(&mut self, row: usize, value: R) -> Result<(), CollectionError> {
        let at = self.existing(row)?;
        self.store.change(|writer| writer.value(at, &value))
    }

    /// Changes a row by way of a copy, of which what differs is written back.
    ///
    /// # Errors
    ///
    /// [`CollectionError::OutOfRange`], and then `change` isn't called; [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn update<T>(
        &mut self,
        row: usize,
        change: impl FnOnce(&mut R) -> T,
    ) -> Result<T, CollectionError> {
        let at = self.existing(row)?;
        let mut value = self.store.read(at);
        let result = change(&mut value);
        self.store.change(|writer| writer.value(at, &value))?;
        Ok(result)
    }

    fn existing(&self, row: usize) -> Result<usize, CollectionError> {
        if row >= self.rows() {
            return Err(self.store.out_of_range(row, self.rows()));
        }
        Ok(self.store.at(row))
    }
}
