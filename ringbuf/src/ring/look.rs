//! An observer's look at a ring: a copy of a message that neither end knows of.
//!
//! The copy is made while the producer may be overwriting the slot, and judged afterwards. The producer says in `reserved`,
//! before it writes anything, which slots it may write from then on; a copy of position `q` holds if the slot's next position,
//! `q + capacity`, wasn't reserved by the time the copy was done. A second look at the sequence word is no substitute: the
//! next lap's payload is written long before its sequence.
//!
//! ```text
//! producer: reserved.store(r, Relaxed); fence(Release); stores into slots below r
//! observer: sequence (or tail), Acquire; copy, Relaxed; fence(Acquire); reserved, Relaxed
//! ```
//!
//! If any word of the copy is of a later lap, the two fences make the `reserved` that allowed it visible.

use bytemuck::Pod;

use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// What lies at a position, to somebody who only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look<T> {
    /// The message, as it was published.
    Message(T),
    /// Not published yet.
    Nothing,
    /// It was there; its slot may have been written again.
    Missed,
}

/// Looks at `position`.
pub(crate) fn look<S: Storage, T>(storage: &S, position: u64, copy: impl FnOnce() -> T) -> Look<T> {
    let ahead = if storage.is_contiguous() {
        // Acquire: the payload is complete (pairs with Outlet::publish_range).
        let tail = storage.tail().load(Ordering::Acquire);
        tail.wrapping_sub(position).cast_signed() - 1
    } else {
        // Acquire: as above.
        let sequence = storage.sequence(position).load(Ordering::Acquire);
        sequence
            .wrapping_sub(position.wrapping_add(1))
            .cast_signed()
    };
    if ahead < 0 {
        return Look::Nothing;
    }
    if ahead > 0 && !storage.is_contiguous() {
        return Look::Missed;
    }
    let copied = copy();
    // Acquire: the copy's loads come before the look at `reserved` (pairs with Outlet::reserve).
    S::Word::fence(Ordering::Acquire);
    let reserved = storage.reserved().load(Ordering::Relaxed);
    if position.wrapping_add(storage.capacity()) >= reserved {
        Look::Message(copied)
    } else {
        Look::Missed
    }
}

/// The oldest position that a look may still find; what it says may be gone at once.
pub(crate) fn oldest<S: Storage>(storage: &S) -> u64 {
    let reserved = storage.reserved().load(Ordering::Acquire);
    reserved.saturating_sub(storage.capacity())
}

/// Looks at `position` and copies a `T`.
pub(crate) fn look_at<S: Storage, T: Pod>(storage: &S, position: u64) -> Look<T> {
    look(storage, position, || storage.copy(position))
}
