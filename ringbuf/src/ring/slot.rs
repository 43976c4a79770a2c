//! A claimed slot, written in place.

#![allow(unsafe_code, reason = "the payload is written where it lies")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;

use crate::clock::monotonic_ns;
use crate::ring::outlet::Outlet;
use crate::slots::MappedRing;
use crate::word::Ordering;

/// A slot of the ring, claimed and not yet published.
///
/// It derefs to the message, which at first holds whatever bytes the slot held before. [`publish`](Slot::publish) sends it;
/// dropping it gives the slot back unsent. A crash before `publish` leaves nothing seen.
pub struct Slot<'a, T: Pod> {
    outlet: &'a Outlet<MappedRing>,
    position: u64,
    held: &'a Cell<bool>,
    at_once: bool,
    payload: PhantomData<&'a mut T>,
}

impl<'a, T: Pod> Slot<'a, T> {
    /// Wraps the slot at `position`, which the caller has claimed from `outlet`. `held` is true while the slot lives, so that
    /// a leaked one is found. `at_once` publishes without waiting for a commit: the bare ring.
    #[inline]
    pub(crate) fn new(
        outlet: &'a Outlet<MappedRing>,
        position: u64,
        held: &'a Cell<bool>,
        at_once: bool,
    ) -> Self {
        held.set(true);
        Self {
            outlet,
            position,
            held,
            at_once,
            payload: PhantomData,
        }
    }

    /// Sends the message: at once from a bare ring, with the step's commit from an actor.
    #[inline]
    pub fn publish(self) {
        if let Some(stamp) = self.outlet.storage.stamp(self.position) {
            stamp.store(monotonic_ns(), Ordering::Relaxed);
        }
        self.outlet.stage();
        if self.at_once {
            self.outlet.publish();
        }
    }

    /// The position that the message will have on its link: 0 for the first.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl<T: Pod> Drop for Slot<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.held.set(false);
    }
}

impl<T: Pod> Deref for Slot<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        let payload = self.outlet.storage.payload(self.position).cast::<T>();
        // SAFETY: in bounds and aligned by the ring's shape; any bytes are a `T: Pod`; the slot is claimed by this value
        // alone and unpublished, so nobody else reads or writes it.
        unsafe { payload.as_ref() }
    }
}

impl<T: Pod> DerefMut for Slot<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        let mut payload = self.outlet.storage.payload(self.position).cast::<T>();
        // SAFETY: as for `deref`, and `&mut self` makes it the only reference. The outlet's end holds a writable span:
        // ends are made for the region's owner alone.
        unsafe { payload.as_mut() }
    }
}

impl<T: Pod> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
