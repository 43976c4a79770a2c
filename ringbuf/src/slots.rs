//! Where a ring's words and payloads lie.
//!
//! [`Storage`] is all that the algorithm (`ring/outlet.rs`, `ring/inlet.rs`, `ring/look.rs`) knows of memory; [`MappedRing`] is
//! the one in use, over heap or mapped spans, and the loom tests bring another.
//!
//! One slot of the sequenced layout, `stride` bytes, aligned to them up to 64:
//!
//! ```text
//! 0            size_of::<T>()          stride-16   stride-8
//! | payload  T | padding              | stamp     | sequence |
//! ```
//!
//! The sequence word of position `p` holds `p + 1` once `p` is published, something smaller before. It ends the payload's
//! last cache line, so that a receiver that waits on it gets message and signal in one transfer.
//!
//! A slot of the contiguous layout is the payload alone, rounded up to 8 bytes. There the tail word holds the first position
//! that isn't published.
//!
//! | word | writer | pairs |
//! |---|---|---|
//! | sequence, or tail | producer, Release | consumer's Acquire: `publish` -> payload reads |
//! | reserved | producer, Relaxed, then fence(Release) | observer's fence(Acquire), then Relaxed: slots written -> copy is void |
//! | sender's close | producer, Release | consumer's Acquire: everything published before it |
//! | credit | consumer, Release | producer's Acquire: payload reads -> the next lap's writes |
//! | receiver's close | consumer, Release | producer's Acquire |

#![allow(unsafe_code, reason = "payloads lie in shared memory")]

mod ahead;

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

use bytemuck::Pod;

use crate::layout::{Layout, RingShape, credit_word, ring_word};
use crate::memory::{Bytes, Memory, RangeError, WordArray};
use crate::slots::ahead::{AHEAD, LinesAhead, STRIDE_MIN, ask_for, slots_ahead};
use crate::word::{AtomicU64, Ordering, Word};

/// The memory of one ring, as the algorithm sees it.
pub(crate) trait Storage {
    type Word: Word;

    /// Slots; a power of two.
    fn capacity(&self) -> u64;
    /// Whether the tail word tells what is published; else each slot's sequence word does.
    fn is_contiguous(&self) -> bool;
    /// The sequence word of the slot of `position`. Not of a contiguous ring.
    fn sequence(&self, position: u64) -> &Self::Word;
    /// The first position that isn't published. Of a contiguous ring alone.
    fn tail(&self) -> &Self::Word;
    /// The producer writes nothing into slots of this position or later ones.
    fn reserved(&self) -> &Self::Word;
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

    /// Copies a payload out while anybody may be writing it: word by word, and what it says is nobody's promise.
    fn copy<T: Pod>(&self, position: u64) -> T;

    /// Notes in the sending end's own words that it gives the link up at `position`, for the word `found`.
    fn note_sender_fault(&self, position: u64, found: u64) {
        let _ = (position, found);
    }

    /// The same of the receiving end.
    fn note_receiver_fault(&self, position: u64, found: u64) {
        let _ = (position, found);
    }

    /// Asks for the slot of `position` to be fetched for writing. Changes nothing.
    #[inline]
    fn prefetch(&self, position: u64) {
        let _ = position;
    }

    /// Slots ahead of the claimed one whose fetching pays; 0 for none.
    #[inline]
    fn prefetch_distance(&self) -> u64 {
        0
    }
}

/// A ring over one or two spans: slots and the sender's words in one, the receiver's words in the other.
///
/// One end always holds read-only spans for what the other end writes; a store of the wrong end would fault there.
#[derive(Debug)]
pub(crate) struct MappedRing {
    slots: Bytes,
    shape: RingShape,
    mask: u64,
    /// Slots between the one that is claimed and the one whose lines are asked for; 0 if none are.
    ahead: u64,
    sender: WordArray<{ ring_word::COUNT }>,
    receiver: WordArray<{ credit_word::COUNT }>,
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
            ahead: slots_ahead(&shape),
            sender: WordArray::any(slots_in, ring)?,
            receiver: WordArray::any(credit_in, credit)?,
        })
    }

    #[inline]
    pub(crate) fn shape(&self) -> &RingShape {
        &self.shape
    }

    /// Slots from `position` to where the ring's memory ends.
    #[inline]
    pub(crate) fn until_wrap(&self, position: u64) -> u64 {
        self.shape.capacity - (position & self.mask)
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
        // SAFETY: inside the slot as for `payload`; from_end is 8 or 16, and only sequenced slots are asked for it, which have
        // room for a payload and so many bytes.
        let word = unsafe { self.slots.first().add(offset) }.cast::<AtomicU64>();
        // SAFETY: aligned to 8 (the first slot to 64, strides multiples of 16), kept by `slots`, only accessed as an atomic: no
        // payload reaches into a sequenced slot's tail, by `RingShape::with_layout`.
        unsafe { word.as_ref() }
    }

    /// The stamp of `position`, where the ring has stamps.
    #[inline]
    pub(crate) fn stamp(&self, position: u64) -> Option<&AtomicU64> {
        self.shape.stamped.then(|| self.tail_word(position, 16))
    }

    /// For a batch from `position` on, where `claimable` positions are the producer's.
    #[inline]
    fn lines_ahead<T>(&self, position: u64, claimable: u64) -> LinesAhead {
        let owned = claimable.min(self.until_wrap(position)) as usize;
        LinesAhead::new(self.payload(position), owned * size_of::<T>())
    }

    /// Writes payloads side by side, as far as the ring's memory goes; `values` is no longer than that, and `claimable`
    /// positions from `position` on are the producer's.
    ///
    /// # Safety
    ///
    /// As for [`Storage::write`], for each of the positions, and the shape is dense for `T`.
    pub(crate) unsafe fn write_run<T: Pod>(&self, position: u64, values: &[T], claimable: u64) {
        debug_assert!(self.shape.is_dense::<T>());
        debug_assert!(values.len() as u64 <= self.until_wrap(position));
        let first = self.payload(position);
        let mut lines = self.lines_ahead::<T>(position, claimable);
        let many = if size_of::<T>() < STRIDE_MIN {
            values.len().max(1)
        } else {
            (2 * AHEAD / size_of::<T>()).max(1)
        };
        let mut written = 0;
        for part in values.chunks(many) {
            if size_of::<T>() >= STRIDE_MIN {
                lines.ask((written + part.len()) * size_of::<T>());
            }
            // SAFETY: a dense run that doesn't wrap is `values.len()` values from `first` on, inside the section.
            let slots = unsafe { first.cast::<T>().add(written) };
            // SAFETY: as above; they are claimed by this producer, so `values`, a live borrow, isn't among them.
            unsafe {
                slots
                    .as_ptr()
                    .copy_from_nonoverlapping(part.as_ptr(), part.len());
            }
            written += part.len();
        }
    }

    /// Writes what `values` yields into the slots from `position` on, `most` at most, and returns how many that were. `claimable`
    /// positions from there on are the producer's.
    ///
    /// # Safety
    ///
    /// As for [`Storage::write`], for each of `most` positions; dense for `T`, they end where the ring's memory does at the latest.
    pub(crate) unsafe fn write_from<T: Pod>(
        &self,
        position: u64,
        most: usize,
        claimable: u64,
        values: &mut impl Iterator<Item = T>,
    ) -> usize {
        if !self.shape.is_dense::<T>() {
            for (written, position) in (position..).take(most).enumerate() {
                let Some(value) = values.next() else {
                    return written;
                };
                // SAFETY: as for this function.
                unsafe { self.write(position, &value) };
            }
            return most;
        }
        debug_assert!(most as u64 <= self.until_wrap(position));
        let first = self.payload(position).cast::<T>();
        let mut lines = self.lines_ahead::<T>(position, claimable);
        for written in 0..most {
            if size_of::<T>() >= STRIDE_MIN {
                lines.ask((written + 1) * size_of::<T>());
            }
            let Some(value) = values.next() else {
                return written;
            };
            // SAFETY: a dense run that doesn't wrap is `most` values from `first` on, inside the section.
            let slot = unsafe { first.add(written) };
            // SAFETY: claimed by this producer: nobody reads it before it is published.
            unsafe { slot.write(value) };
        }
        most
    }

    /// Copies a payload over from a ring of messages of the same size, word by word.
    ///
    /// The caller has claimed `to` and doesn't give `position` back meanwhile. Whoever else writes or reads there makes the
    /// copy nonsense at most.
    pub(crate) fn copy_payload(&self, to: u64, from: &Self, position: u64) {
        assert_eq!(
            self.shape.payload, from.shape.payload,
            "messages of one size"
        );
        let (source, target) = (
            from.payload(position).cast::<AtomicU64>(),
            self.payload(to).cast::<AtomicU64>(),
        );
        // Strides are multiples of 8, and no payload, rounded up to that, reaches into a slot's tail.
        for index in 0..self.shape.payload.div_ceil(8) {
            // SAFETY: word `index` lies in the slot of `position`.
            let source = unsafe { source.add(index) };
            // SAFETY: the payload begins on 8 bytes, is kept by `from.slots`, and is only read, as an atomic.
            let word = unsafe { source.as_ref() }.load(Ordering::Relaxed);
            // SAFETY: word `index` lies in the slot of `to`.
            let target = unsafe { target.add(index) };
            // SAFETY: as for the source; this ring's one producer is the caller, who has claimed the slot.
            unsafe { target.as_ref() }.store(word, Ordering::Relaxed);
        }
    }

    /// Writes a payload's bytes.
    ///
    /// # Safety
    ///
    /// As for [`Storage::write`]; `bytes` is as long as the shape's payload.
    pub(crate) unsafe fn write_bytes(&self, position: u64, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.shape.payload, "a message of this ring");
        let to = self.payload(position).as_ptr();
        // SAFETY: the payload lies in the slot by the shape; it is claimed by this producer, so `bytes`, a live borrow, isn't it.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies a payload's bytes out, as [`Storage::copy`] does.
    pub(crate) fn copy_bytes(&self, position: u64) -> Vec<u8> {
        let len = self.shape.payload;
        let from = self.payload(position).cast::<AtomicU64>();
        let word = |index| {
            // SAFETY: strides are multiples of 8, so each word of which a part is payload lies in the slot.
            let word = unsafe { from.add(index) };
            // SAFETY: the payload begins on 8 bytes and is kept by `slots`.
            unsafe { word.as_ref() }
                .load(Ordering::Relaxed)
                .to_ne_bytes()
        };
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(word).collect();
        bytes.truncate(len);
        bytes
    }

    /// The position at which the sending end gave the link up, and the word that was impossible.
    pub(crate) fn sender_fault(&self) -> Option<(u64, u64)> {
        fault_of(&*self.sender, ring_word::FAULT, ring_word::FOUND)
    }

    /// The same of the receiving end.
    pub(crate) fn receiver_fault(&self) -> Option<(u64, u64)> {
        fault_of(&*self.receiver, credit_word::FAULT, credit_word::FOUND)
    }
}

fn note_fault(
    words: &[AtomicU64],
    (fault_at, found_at): (usize, usize),
    (position, found): (u64, u64),
) {
    words[found_at].store(found, Ordering::Relaxed);
    // Release: what was found shows with the position (pairs with fault_of).
    words[fault_at].store(position + 1, Ordering::Release);
}

fn fault_of(words: &[AtomicU64], fault: usize, found: usize) -> Option<(u64, u64)> {
    let position = words[fault].load(Ordering::Acquire).checked_sub(1)?;
    Some((position, words[found].load(Ordering::Relaxed)))
}

impl Storage for MappedRing {
    type Word = AtomicU64;

    #[inline]
    fn capacity(&self) -> u64 {
        self.shape.capacity
    }

    #[inline]
    fn is_contiguous(&self) -> bool {
        self.shape.layout == Layout::Contiguous
    }

    #[inline]
    fn sequence(&self, position: u64) -> &AtomicU64 {
        self.tail_word(position, 8)
    }

    #[inline]
    fn tail(&self) -> &AtomicU64 {
        &self.sender[ring_word::TAIL]
    }

    #[inline]
    fn reserved(&self) -> &AtomicU64 {
        &self.sender[ring_word::RESERVED]
    }

    #[inline]
    fn credit(&self) -> &AtomicU64 {
        &self.receiver[credit_word::CREDIT]
    }

    #[inline]
    fn sender_close(&self) -> &AtomicU64 {
        &self.sender[ring_word::CLOSE]
    }

    #[inline]
    fn receiver_close(&self) -> &AtomicU64 {
        &self.receiver[credit_word::CLOSE]
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

    #[inline]
    fn copy<T: Pod>(&self, position: u64) -> T {
        assert!(self.shape.holds::<T>(), "a message of this ring");
        let mut value = MaybeUninit::<T>::uninit();
        let from = self.payload(position).cast::<AtomicU64>();
        let to = value.as_mut_ptr().cast::<u8>();
        let (whole, rest) = (size_of::<T>() / 8, size_of::<T>() % 8);
        for index in 0..whole {
            // SAFETY: word `index` lies in the payload.
            let word = unsafe { from.add(index) };
            // SAFETY: the payload begins on 8 bytes and is kept by `slots`.
            let word = unsafe { word.as_ref() }.load(Ordering::Relaxed);
            // SAFETY: bytes `8 * index ..` up to 8 of them lie in the value.
            let place = unsafe { to.add(8 * index) };
            // SAFETY: eight bytes of the value, which nobody else knows; unaligned for types of less alignment.
            unsafe { place.cast::<u64>().write_unaligned(word) };
        }
        if rest > 0 {
            // SAFETY: strides are multiples of 8, so the word that holds the payload's last bytes lies in the slot.
            let word = unsafe { from.add(whole) };
            // SAFETY: as for the others.
            let word = unsafe { word.as_ref() }.load(Ordering::Relaxed);
            // SAFETY: the value's last bytes begin here.
            let place = unsafe { to.add(8 * whole) };
            // SAFETY: `rest` bytes, fewer than a word has, up to the value's end.
            unsafe { place.copy_from_nonoverlapping(word.to_ne_bytes().as_ptr(), rest) };
        }
        // SAFETY: every byte was written above, and any bytes are a `T: Pod`.
        unsafe { value.assume_init() }
    }

    #[cold]
    fn note_sender_fault(&self, position: u64, found: u64) {
        note_fault(
            &*self.sender,
            (ring_word::FAULT, ring_word::FOUND),
            (position, found),
        );
    }

    #[cold]
    fn note_receiver_fault(&self, position: u64, found: u64) {
        note_fault(
            &*self.receiver,
            (credit_word::FAULT, credit_word::FOUND),
            (position, found),
        );
    }

    #[inline]
    fn prefetch(&self, position: u64) {
        ask_for(self.payload(position), self.shape.stride);
    }

    #[inline]
    fn prefetch_distance(&self) -> u64 {
        self.ahead
    }
}
