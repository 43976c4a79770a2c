//! Where a ring's words and payloads lie.
//!
//! [`Storage`] is all that the algorithm (`ring/outlet.rs`, `ring/inlet.rs`) knows of memory; [`MappedRing`] is the one in
//! use, over heap or mapped spans, and the loom tests bring another.
//!
//! One slot, `stride` bytes, 64-aligned:
//!
//! ```text
//! 0            size_of::<T>()          stride-16   stride-8
//! | payload  T | padding              | stamp     | sequence |
//! ```
//!
//! The sequence word of position `p` holds `p + 1` once `p` is published, something smaller before. It ends the payload's
//! last cache line, so that a receiver that waits on it gets message and signal in one transfer.
//!
//! | word | writer | pairs |
//! |---|---|---|
//! | sequence | producer, Release | consumer's Acquire: `publish` -> payload reads |
//! | sender's close | producer, Release | consumer's Acquire: everything published before it |
//! | credit | consumer, Release | producer's Acquire: payload reads -> the next lap's writes |
//! | receiver's close | consumer, Release | producer's Acquire |

#![allow(unsafe_code, reason = "payloads lie in shared memory")]

use std::ptr::NonNull;
use std::sync::Arc;

use bytemuck::Pod;

use crate::layout::{RingShape, credit_word, ring_word};
use crate::memory::{Bytes, Memory, RangeError, Words};
use crate::word::{AtomicU64, Word};

/// The memory of one ring, as the algorithm sees it.
pub(crate) trait Storage {
    type Word: Word;

    /// Slots; a power of two.
    fn capacity(&self) -> u64;
    /// The sequence word of the slot of `position`.
    fn sequence(&self, position: u64) -> &Self::Word;
    /// The position that the consumer has given back.
    fn credit(&self) -> &Self::Word;
    /// 0 while the sender may send, else one more than the position it ended at.
    fn sender_close(&self) -> &Self::Word;
    /// 0 while the receiver may receive, else one more than the position it ended at.
    fn receiver_close(&self) -> &Self::Word;

    /// Writes a payload.
    ///
    /// # Safety
    ///
    /// The caller is the ring's one producer, `position` is claimed and not published, and `T` fits the slot.
    unsafe fn write<T: Pod>(&self, position: u64, value: &T);

    /// Copies a payload out.
    ///
    /// # Safety
    ///
    /// The caller is the ring's one consumer, `position` was seen published and isn't given back, and `T` fits the slot.
    unsafe fn read<T: Pod>(&self, position: u64) -> T;
}

/// A ring over one or two spans: slots and the sender's words in one, the receiver's words in the other.
///
/// One end always holds read-only spans for what the other end writes; a store of the wrong end would fault there.
#[derive(Debug)]
pub(crate) struct MappedRing {
    slots: Bytes,
    shape: RingShape,
    mask: u64,
    sender: Words,
    receiver: Words,
}

impl MappedRing {
    /// A view of the ring section at `ring` of `slots_in` and of the credit section at `credit` of `credit_in`.
    pub(crate) fn new(
        shape: RingShape,
        (slots_in, ring): (&Arc<Memory>, usize),
        (credit_in, credit): (&Arc<Memory>, usize),
    ) -> Result<Self, RangeError> {
        let slots = Bytes::new(
            slots_in,
            ring.saturating_add(ring_word::SLOTS),
            shape.slots_len(),
            64,
        )?;
        Ok(Self {
            slots,
            shape,
            mask: shape.capacity - 1,
            sender: Words::any(slots_in, ring, ring_word::COUNT)?,
            receiver: Words::any(credit_in, credit, credit_word::COUNT)?,
        })
    }

    /// The address of the payload of `position`: always inside the section, whatever the position.
    #[inline]
    pub(crate) fn payload(&self, position: u64) -> NonNull<u8> {
        let offset = (position & self.mask) as usize * self.shape.stride;
        // SAFETY: the index is below the capacity after masking, and `slots` covers capacity * stride bytes.
        unsafe { self.slots.first().add(offset) }
    }

    /// The word `from_end` bytes before the end of the slot of `position`.
    #[inline]
    fn tail_word(&self, position: u64, from_end: usize) -> &AtomicU64 {
        let offset =
            (position & self.mask) as usize * self.shape.stride + self.shape.stride - from_end;
        // SAFETY: inside the slot as for `payload`; from_end is 8 or 16 and a stride is at least 64.
        let word = unsafe { self.slots.first().add(offset) }.cast::<AtomicU64>();
        // SAFETY: aligned to 8 (slots to 64, strides multiples of 64), kept by `slots`, only accessed as an atomic: no
        // payload reaches into a slot's tail, by `RingShape::new`.
        unsafe { word.as_ref() }
    }

    /// The stamp of `position`, where the ring has stamps.
    #[inline]
    pub(crate) fn stamp(&self, position: u64) -> Option<&AtomicU64> {
        self.shape.stamped.then(|| self.tail_word(position, 16))
    }
}

impl Storage for MappedRing {
    type Word = AtomicU64;

    #[inline]
    fn capacity(&self) -> u64 {
        self.shape.capacity
    }

    #[inline]
    fn sequence(&self, position: u64) -> &AtomicU64 {
        self.tail_word(position, 8)
    }

    #[inline]
    fn credit(&self) -> &AtomicU64 {
        self.receiver.at(credit_word::CREDIT)
    }

    #[inline]
    fn sender_close(&self) -> &AtomicU64 {
        self.sender.at(ring_word::CLOSE)
    }

    #[inline]
    fn receiver_close(&self) -> &AtomicU64 {
        self.receiver.at(credit_word::CLOSE)
    }

    #[inline]
    unsafe fn write<T: Pod>(&self, position: u64, value: &T) {
        debug_assert!(self.shape.holds::<T>());
        // SAFETY: in bounds and aligned by `payload` and the shape; nobody reads a claimed slot until it is published.
        unsafe { self.payload(position).cast::<T>().write(*value) };
    }

    #[inline]
    unsafe fn read<T: Pod>(&self, position: u64) -> T {
        debug_assert!(self.shape.holds::<T>());
        // SAFETY: in bounds and aligned by `payload` and the shape; the producer doesn't write a slot before it is given
        // back, and any bytes are a `T: Pod`.
        unsafe { self.payload(position).cast::<T>().read() }
    }
}
