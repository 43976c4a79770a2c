//! The one door to the atomics.
//!
//! The ring's and the parking protocol's code is generic over `Word`, so that the same lines run over words in mapped
//! memory and over loom's modelled ones.

pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A 64-bit atomic word.
pub(crate) trait Word {
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    /// The fence that orders accesses of such words.
    fn fence(order: Ordering);
}

/// A run of words, by their places.
pub(crate) trait Run {
    type Word: Word;
    /// The `index`-th word.
    fn at(&self, index: usize) -> &Self::Word;
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        AtomicU64::load(self, order)
    }
    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        AtomicU64::store(self, value, order);
    }
    #[inline]
    fn fence(order: Ordering) {
        fence(order);
    }
}

/// The standard fence.
#[inline]
pub(crate) fn fence(order: Ordering) {
    std::sync::atomic::fence(order);
}

/// The fence that binds the compiler alone.
#[inline]
pub(crate) fn compiler_fence(order: Ordering) {
    std::sync::atomic::compiler_fence(order);
}
