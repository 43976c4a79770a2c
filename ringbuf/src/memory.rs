//! An owned span of memory, heap or mapped, and bounds-checked views of the words in it.
//!
//! Everything that lies in shared memory is reached through this file. A view is made once, at setup, where its range
//! and alignment are checked against the span; from then on an access is one pointer addition.
//!
//! Invariants
//! - `base .. base + len` stays mapped, at the same address, until the last `Arc<Memory>` is dropped; every view holds one.
//! - A read-only span is never written: [`Words::new`] refuses it, and where the crate itself makes words over any span
//!   (`Words::any`), the end that holds them only loads; a stray store would fault.
//! - A mapped span has inaccessible pages on both sides (`memory/pages.rs`).
//! - Words are only ever accessed as atomics; payload bytes follow the ring's protocol (`slots.rs`).
//!
//! Where a span's pages lie, and whether they are huge or locked, is `memory/pages.rs`'s business.

#![allow(
    unsafe_code,
    reason = "this file turns checked ranges of a span into references"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

use crate::word::{AtomicU32, AtomicU64, Run};

/// Bytes that separate words with different writers: two cache lines, since hardware prefetches lines in pairs.
pub const LINE_PAIR: usize = 128;

mod pages;

pub use pages::HUGE_PAGE;

const PAGE: usize = 4096;

/// Whether a span may be written through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Loads only: what a peer gets.
    ReadOnly,
    /// Loads and stores: what the owner gets.
    ReadWrite,
}

/// A span of zero-initialised heap memory or a mapped file.
///
/// Dropping the last reference frees or unmaps it. Somebody who truncates a mapped file makes later accesses fault
/// (`SIGBUS`); that is out of scope, see the crate's documentation.
#[derive(Debug)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
    access: Access,
    owner: Owner,
}

#[derive(Debug)]
enum Owner {
    Heap(Layout),
    /// The span lies in a reservation of addresses, between guard pages, that is unmapped as one.
    Reserved {
        _reserved: pages::Reserved,
    },
}

// SAFETY: a `Memory` is an address range and its owner; it gives access only through atomics and through the ring's
// protocol, both made for several threads.
unsafe impl Send for Memory {}
// SAFETY: as for `Send`; no method takes `&self` and touches non-atomic memory.
unsafe impl Sync for Memory {}

impl Memory {
    /// `len` zeroed, page-aligned bytes of this process's heap.
    ///
    /// # Panics
    ///
    /// If `len` is zero or above `isize::MAX` rounded down to a page.
    #[must_use]
    pub fn heap(len: usize) -> Self {
        assert!(len > 0, "a span has at least one byte");
        let layout = Layout::from_size_align(len, PAGE).expect("a length below isize::MAX");
        // SAFETY: the layout's size is not zero, asserted above.
        let raw = unsafe { alloc_zeroed(layout) };
        let base = NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout));
        Self {
            base,
            len,
            access: Access::ReadWrite,
            owner: Owner::Heap(layout),
        }
    }

    /// Maps the first `len` bytes of `file`, shared, with its pages populated; from [`HUGE_PAGE`] bytes on where huge pages of
    /// the file can be mapped as such. The pages before and behind it fault when they are accessed.
    ///
    /// # Errors
    ///
    /// What `mmap` says, and `InvalidInput` if `len` is zero.
    ///
    /// # Panics
    ///
    /// Never: the kernel maps nothing at address zero unless asked to.
    pub fn map(file: &File, len: usize, access: Access) -> io::Result<Self> {
        if len == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an empty file cannot be mapped as a region",
            ));
        }
        let (base, reserved) = pages::map(file, len, access)?;
        Ok(Self {
            base,
            len,
            access,
            owner: Owner::Reserved {
                _reserved: reserved,
            },
        })
    }

    /// The span's length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a span is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether stores are allowed.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Where the span starts in this process: no other living span has it.
    pub(crate) fn address(&self) -> usize {
        self.base.as_ptr().addr()
    }

    /// Checks a range and returns the address of its first byte.
    fn range(&self, offset: usize, len: usize, align: usize) -> Result<NonNull<u8>, RangeError> {
        let fits = offset
            .checked_add(len)
            .is_some_and(|end| end <= self.len && offset.is_multiple_of(align));
        if !fits {
            return Err(RangeError {
                offset,
                len,
                align,
                span: self.len,
            });
        }
        // SAFETY: offset <= offset + len <= self.len, so the result stays inside the span.
        Ok(unsafe { self.base.add(offset) })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Owner::Heap(layout) = self.owner {
            // SAFETY: `base` came from `alloc_zeroed` with this layout, and no view is left: each holds an `Arc`.
            unsafe { dealloc(self.base.as_ptr(), layout) };
        }
    }
}

/// A range that doesn't lie in its span, or not on its alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "bytes {offset}..{} aligned to {align} do not lie in a span of {span} bytes",
    offset.saturating_add(*len)
)]
pub struct RangeError {
    offset: usize,
    len: usize,
    align: usize,
    span: usize,
}

impl RangeError {
    /// So many bytes at `offset` are more than the `span` that is there for them.
    pub(crate) fn short((offset, len): (usize, usize), span: usize) -> Self {
        Self {
            offset,
            len,
            align: 8,
            span,
        }
    }
}

/// A checked run of 64-bit words that this partition writes.
#[derive(Clone, Debug)]
pub struct Words {
    first: NonNull<AtomicU64>,
    count: usize,
    _memory: Arc<Memory>,
}

// SAFETY: words are accessed as atomics alone, and the span they lie in is kept by `_memory`.
unsafe impl Send for Words {}
// SAFETY: as for `Send`.
unsafe impl Sync for Words {}

/// A checked run of 64-bit words that a peer writes: loads only.
#[derive(Clone, Debug)]
pub struct PeerWords(Words);

impl Words {
    /// `count` words at byte `offset` of a writable span.
    ///
    /// # Errors
    ///
    /// [`RangeError`] when they don't lie in it or not on 8 bytes.
    ///
    /// # Panics
    ///
    /// If the span is read-only: only its owner asks for words to write.
    pub fn new(memory: &Arc<Memory>, offset: usize, count: usize) -> Result<Self, RangeError> {
        assert!(
            memory.access() == Access::ReadWrite,
            "words to write in a read-only span"
        );
        Self::any(memory, offset, count)
    }

    pub(crate) fn any(
        memory: &Arc<Memory>,
        offset: usize,
        count: usize,
    ) -> Result<Self, RangeError> {
        let first = memory.range(offset, count.saturating_mul(8), 8)?.cast();
        Ok(Self {
            first,
            count,
            _memory: Arc::clone(memory),
        })
    }

    /// The `index`-th word.
    ///
    /// # Panics
    ///
    /// If `index` is not below the count.
    #[inline]
    #[must_use]
    pub fn at(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.count, "word index within its run");
        // SAFETY: index < count, and all `count` words were checked to lie in the span.
        let word = unsafe { self.first.add(index) };
        // SAFETY: aligned and in bounds as above, alive while `_memory` is, and only ever accessed as an atomic.
        unsafe { word.as_ref() }
    }

    /// All of them.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[AtomicU64] {
        // SAFETY: `count` aligned words from `first` on were checked to lie in the span, which `_memory` keeps alive, and they
        // are only ever accessed as atomics.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

/// A checked run of exactly `N` words: a constant index needs no check.
#[derive(Clone, Debug)]
pub(crate) struct WordArray<const N: usize>(Words);

impl<const N: usize> WordArray<N> {
    /// The words at byte `offset` of a writable span; panics as [`Words::new`] does.
    pub(crate) fn new(memory: &Arc<Memory>, offset: usize) -> Result<Self, RangeError> {
        Words::new(memory, offset, N).map(Self)
    }

    /// The words at byte `offset` of any span. Whoever maps it read-only stores nothing.
    pub(crate) fn any(memory: &Arc<Memory>, offset: usize) -> Result<Self, RangeError> {
        Words::any(memory, offset, N).map(Self)
    }
}

impl<const N: usize> Deref for WordArray<N> {
    type Target = [AtomicU64; N];

    #[inline]
    fn deref(&self) -> &[AtomicU64; N] {
        // SAFETY: the run was made with `N` words, aligned and inside the span that it keeps; they are only ever accessed as
        // atomics.
        unsafe { self.0.first.cast::<[AtomicU64; N]>().as_ref() }
    }
}

impl Run for Words {
    type Word = AtomicU64;

    #[inline]
    fn at(&self, index: usize) -> &AtomicU64 {
        Words::at(self, index)
    }
}

/// For loads alone.
impl Run for PeerWords {
    type Word = AtomicU64;

    #[inline]
    fn at(&self, index: usize) -> &AtomicU64 {
        self.0.at(index)
    }
}

impl PeerWords {
    /// Our own words, for loads alone.
    pub(crate) fn of(words: &Words) -> Self {
        Self(words.clone())
    }

    /// `count` words at byte `offset` of any span, for loads.
    ///
    /// # Errors
    ///
    /// [`RangeError`] when they don't lie in it or not on 8 bytes.
    pub fn new(memory: &Arc<Memory>, offset: usize, count: usize) -> Result<Self, RangeError> {
        Words::any(memory, offset, count).map(Self)
    }

    /// Loads the `index`-th word.
    ///
    /// # Panics
    ///
    /// If `index` is not below the count.
    #[inline]
    #[must_use]
    pub fn load(&self, index: usize, order: crate::word::Ordering) -> u64 {
        self.0.at(index).load(order)
    }

    /// The `index`-th word, of which nothing but loads are asked.
    #[inline]
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        self.0.at(index)
    }
}

/// A checked run of 32-bit words: doorbells, which the kernel's futex needs to be of that size.
#[derive(Clone, Debug)]
pub struct Bells {
    first: NonNull<AtomicU32>,
    count: usize,
    _memory: Arc<Memory>,
}

// SAFETY: doorbells are accessed as atomics alone, and the span they lie in is kept by `_memory`.
unsafe impl Send for Bells {}
// SAFETY: as for `Send`.
unsafe impl Sync for Bells {}

impl Bells {
    /// `count` doorbells at byte `offset`. Storing to them is left to [`crate::park`], which rings only its own.
    ///
    /// # Errors
    ///
    /// [`RangeError`] when they don't lie in the span or not on 4 bytes.
    pub fn new(memory: &Arc<Memory>, offset: usize, count: usize) -> Result<Self, RangeError> {
        let first = memory.range(offset, count.saturating_mul(4), 4)?.cast();
        Ok(Self {
            first,
            count,
            _memory: Arc::clone(memory),
        })
    }

    /// The `index`-th doorbell.
    ///
    /// # Panics
    ///
    /// If `index` is not below the count.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &AtomicU32 {
        assert!(index < self.count, "doorbell index within its run");
        // SAFETY: index < count, and all `count` doorbells were checked to lie in the span.
        let bell = unsafe { self.first.add(index) };
        // SAFETY: aligned and in bounds as above, alive while `_memory` is, and only ever accessed as an atomic.
        unsafe { bell.as_ref() }
    }
}

/// The address of a checked byte range, for the ring's slots. Not `Copy`: the holder keeps the span.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    first: NonNull<u8>,
    _memory: Arc<Memory>,
}

// SAFETY: an address and the span it lies in; what is done with it is `slots.rs`'s business.
unsafe impl Send for Bytes {}
// SAFETY: as for `Send`.
unsafe impl Sync for Bytes {}

impl Bytes {
    pub(crate) fn new(
        memory: &Arc<Memory>,
        offset: usize,
        len: usize,
        align: usize,
    ) -> Result<Self, RangeError> {
        Ok(Self {
            first: memory.range(offset, len, align)?,
            _memory: Arc::clone(memory),
        })
    }

    #[inline]
    pub(crate) fn first(&self) -> NonNull<u8> {
        self.first
    }
}
