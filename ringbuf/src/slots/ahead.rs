//! Asking for cache lines ahead of what a producer writes.
//!
//! A processor fetches the lines that stores wait for as far as its store buffer reaches, which is a few messages. Whoever asks for
//! those beyond it has more of them on their way at once. Only lines of slots that the producer may claim already are asked for: any
//! other would be taken away from the consumer that reads it.

use std::ptr::NonNull;

use crate::layout::{Layout, RingShape};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Bytes ahead of what is written.
pub(super) const AHEAD: usize = 512;

/// The least stride at which a message, or a batch of them, is worth asking ahead for: several smaller ones share a line, which one
/// store fetches for all.
pub(super) const STRIDE_MIN: usize = 32;

/// Lines of one message after another: the hardware's own prefetcher fetches those of larger ones, and ours only gets in its way.
const STRIDE_MAX: usize = 320;

/// Slots ahead of the one that is claimed of which the lines are asked for; 0 for none.
pub(super) fn slots_ahead(shape: &RingShape) -> u64 {
    let shares_lines = shape.layout == Layout::Contiguous && shape.stride < STRIDE_MIN;
    if shares_lines || shape.stride > STRIDE_MAX {
        return 0;
    }
    (AHEAD / shape.stride).max(1) as u64
}

/// The lines ahead of a batch that is being written, each asked for once.
pub(super) struct LinesAhead {
    first: NonNull<u8>,
    asked: usize,
    end: usize,
}

impl LinesAhead {
    /// Of a batch at `first`, from where the producer owns `owned` bytes: those near its beginning the batch before has asked for.
    pub(super) fn new(first: NonNull<u8>, owned: usize) -> Self {
        Self {
            first,
            asked: AHEAD,
            end: owned,
        }
    }

    /// `written` bytes of the batch are about to be.
    #[inline]
    pub(super) fn ask(&mut self, written: usize) {
        let end = (written + AHEAD).min(self.end);
        self.asked = ask_between(self.first, self.asked, end);
    }
}

/// Asks for the lines of the slot at `slot`, which has `stride` bytes.
#[inline]
pub(super) fn ask_for(slot: NonNull<u8>, stride: usize) {
    prefetch_for_writing(slot);
    ask_between(slot, LINE, stride);
}

/// Asks for the lines that begin at `from` bytes after `first` and below `end`, all in the producer's slots; where the next one does.
#[inline]
fn ask_between(first: NonNull<u8>, mut from: usize, end: usize) -> usize {
    while from < end {
        // SAFETY: the slots reach `end` bytes from `first` on.
        prefetch_for_writing(unsafe { first.add(from) });
        from += LINE;
    }
    from
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn prefetch_for_writing(line: NonNull<u8>) {
    // SAFETY: a hint: it changes no register and no memory, and doesn't fault; processors without it do nothing.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) line.as_ptr(), options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
fn prefetch_for_writing(_: NonNull<u8>) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    #[test]
    fn a_batch_asks_for_each_line_once_and_for_none_beyond_what_is_owned() {
        let memory = [0_u8; 4096];
        let mut lines = LinesAhead::new(NonNull::from(&memory).cast(), 1000);
        let mut asked = Vec::new();
        for written in (100..=1000).step_by(100) {
            lines.ask(written);
            asked.push(lines.asked);
        }
        // 512 ahead of the batch's beginning are the batch's before; 960 is the last line below 1000.
        assert_eq!(asked[..5], [640, 768, 832, 960, 1024]);
        assert!(asked[4..].iter().all(|&asked| asked == 960 + LINE));
        let mut nothing = LinesAhead::new(NonNull::from(&memory).cast(), 0);
        nothing.ask(64);
        assert_eq!(nothing.asked, AHEAD);
    }

    #[test]
    fn small_messages_side_by_side_and_large_ones_are_not_asked_for() {
        let ahead = |payload, layout| {
            slots_ahead(&RingShape::with_layout(payload, 64, false, layout).unwrap())
        };
        assert_eq!(ahead(8, Layout::Contiguous), 0);
        assert_eq!(ahead(8, Layout::Sequenced), 32);
        assert_eq!(ahead(56, Layout::Contiguous), 9);
        assert_eq!(ahead(248, Layout::Sequenced), 2);
        assert_eq!(ahead(320, Layout::Contiguous), 1);
        assert_eq!(ahead(328, Layout::Contiguous), 0);
    }
}
