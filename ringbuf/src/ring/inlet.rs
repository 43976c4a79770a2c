//! The consumer's end of a ring: peek, take, give back.
//!
//! ```text
//!      given             committed           cursor          limit
//!  ------+------------------+------------------+--------------+------
//!   free |  read, not given |  read this step  |  may be read |
//! ```
//!
//! - `given <= committed <= cursor`, always. What lies at or above `given` the producer doesn't overwrite: a step that is
//!   redone finds its input where it was.
//! - While the gate is shut (outside of a step) the limit is 0, so that the fast path needs no look at it.
//! - `tail` (of a contiguous ring) is what the tail word last said; the word is read only when the cursor meets it.
//! - An end that isn't trusting gives the link up when it meets an impossible word: what lies before counts, from `cut` on nothing
//!   is received, for good.
//!
//! A crash leaves `given` (shared) and what the commit record says; cursor and committed are made anew from the record.

use std::cell::Cell;

use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// What lies at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peek {
    /// A message, at this position.
    Ready(u64),
    /// Nothing yet, or nothing more.
    Empty,
    /// More may be there, but this step has had its share.
    Limited,
    /// Not inside a step.
    Shut,
    /// The sequence word, or the tail, is one that can't be.
    Fault(u64),
}

/// Cursors of the consuming end.
#[derive(Debug)]
pub(crate) struct Inlet<S> {
    pub(crate) storage: S,
    cursor: Cell<u64>,
    committed: Cell<u64>,
    given: Cell<u64>,
    limit: Cell<u64>,
    tail: Cell<u64>,
    shut: Cell<bool>,
    /// Committed messages that are given back while more come.
    chunk: u64,
    trusts: bool,
    fault: Cell<Option<u64>>,
    cut: Cell<u64>,
}

impl<S: Storage> Inlet<S> {
    /// An end that has consumed everything below `position`, with the gate shut.
    pub(crate) fn new(storage: S, position: u64, given: u64) -> Self {
        Self {
            chunk: (storage.capacity() / 8).max(1),
            storage,
            cursor: Cell::new(position),
            committed: Cell::new(position),
            given: Cell::new(given),
            limit: Cell::new(0),
            tail: Cell::new(position),
            shut: Cell::new(true),
            trusts: true,
            fault: Cell::new(None),
            cut: Cell::new(u64::MAX),
        }
    }

    /// The same, giving the link up where a trusting end would take the whole step for faulty; from `cut` on if it has before.
    pub(crate) fn untrusting(self, cut: Option<u64>) -> Self {
        self.cut.set(cut.unwrap_or(u64::MAX));
        Self {
            trusts: false,
            ..self
        }
    }

    pub(crate) fn trusts(&self) -> bool {
        self.trusts
    }

    /// Lets up to `most` messages through, from the first that isn't committed.
    #[inline]
    pub(crate) fn open(&self, most: u64) {
        self.shut.set(false);
        self.rewind();
        let limit = self.committed.get().saturating_add(most);
        self.limit.set(limit.min(self.end()));
    }

    /// Where a step ends whatever it may take: where the link was given up, and, so that a sender that doesn't wait for credit
    /// can't keep it busy for ever, after all that one can have sent that does.
    #[inline]
    fn end(&self) -> u64 {
        if self.trusts {
            return u64::MAX;
        }
        let lap = self.given.get().saturating_add(self.storage.capacity());
        lap.min(self.cut.get())
    }

    /// Refuses receives until the next `open`.
    #[inline]
    pub(crate) fn shut(&self) {
        self.shut.set(true);
        self.limit.set(0);
    }

    /// Looks at the cursor's slot.
    #[inline]
    pub(crate) fn peek(&self) -> Peek {
        let at = self.cursor.get();
        if at >= self.limit.get() {
            return self.at_limit();
        }
        if self.storage.is_contiguous() {
            if at < self.tail.get() {
                return Peek::Ready(at);
            }
            return self.look_at_tail(at);
        }
        // Acquire: the payload is complete once its sequence shows (pairs with Outlet::publish_range).
        let sequence = self.storage.sequence(at).load(Ordering::Acquire);
        // The wrapped difference, not equality: else the next position depends on the loaded word and the consumer
        // becomes a chain of loads.
        match sequence.wrapping_sub(at + 1).cast_signed() {
            0 => Peek::Ready(at),
            ahead if ahead > 0 => self.meet_fault(at, sequence),
            _ => Peek::Empty,
        }
    }

    /// Reads the tail, which can only lie between where it was and a capacity beyond what was given back.
    #[inline]
    fn look_at_tail(&self, at: u64) -> Peek {
        // Acquire: the payloads below are complete (pairs with Outlet::publish_range).
        let tail = self.storage.tail().load(Ordering::Acquire);
        if tail == at {
            return Peek::Empty;
        }
        if !self.can_be_tail(tail, at) {
            return self.meet_fault(at, tail);
        }
        self.tail.set(tail);
        Peek::Ready(at)
    }

    #[inline]
    fn can_be_tail(&self, tail: u64, at: u64) -> bool {
        let ahead = tail.wrapping_sub(self.given.get());
        tail >= at && ahead <= self.storage.capacity()
    }

    /// The messages that lie at the cursor side by side, up to `most`: the first, and how many.
    #[inline]
    pub(crate) fn peek_run(&self, most: u64) -> Option<(u64, u64)> {
        let Peek::Ready(at) = self.peek() else {
            return None;
        };
        let end = if self.storage.is_contiguous() {
            self.tail.get().min(self.limit.get())
        } else {
            at + 1
        };
        Some((at, most.min(end - at)))
    }

    #[cold]
    #[inline(never)]
    fn at_limit(&self) -> Peek {
        if self.shut.get() {
            return Peek::Shut;
        }
        if self.cursor.get() >= self.end() {
            return Peek::Empty;
        }
        Peek::Limited
    }

    #[cold]
    #[inline(never)]
    fn meet_fault(&self, at: u64, found: u64) -> Peek {
        self.fault.set(Some(found));
        if self.trusts {
            return Peek::Fault(found);
        }
        self.cut.set(at);
        self.limit.set(at);
        self.storage.note_receiver_fault(at, found);
        self.close();
        Peek::Empty
    }

    /// Moves past the message at the cursor.
    #[inline]
    pub(crate) fn take(&self) {
        self.take_run(1);
    }

    /// Moves past so many messages.
    #[inline]
    pub(crate) fn take_run(&self, count: u64) {
        self.cursor.set(self.cursor.get() + count);
    }

    /// Makes what was taken count as consumed.
    #[inline]
    pub(crate) fn commit(&self) {
        self.committed.set(self.cursor.get());
    }

    /// Forgets what was taken since the last commit.
    #[inline]
    pub(crate) fn rewind(&self) {
        self.cursor.set(self.committed.get());
    }

    /// Gives back everything committed, if that is due: an eighth of the ring is behind, or nothing `moved` and anything is.
    ///
    /// Judged per link. Stored each time it would cost the producer its cached line each time; never stored while idle it
    /// would leave a producer that needs one more slot waiting for ever.
    #[inline]
    pub(crate) fn settle(&self, moved: bool) -> bool {
        let behind = self.committed.get() - self.given.get();
        let due = if moved {
            behind >= self.chunk
        } else {
            behind > 0
        };
        if due {
            self.give_back();
        }
        due
    }

    /// Gives back everything committed.
    #[inline]
    pub(crate) fn give_back(&self) {
        // Release: our reads of the slots happen before the producer's next writes (pairs with Outlet::refill).
        self.storage
            .credit()
            .store(self.committed.get(), Ordering::Release);
        self.given.set(self.committed.get());
    }

    /// Tells the sender that nothing more is received.
    pub(crate) fn close(&self) {
        self.storage
            .receiver_close()
            .store(self.committed.get() + 1, Ordering::Release);
    }

    /// Whether nothing will come any more and everything that came lies below the cursor: the sender has ended, or the link
    /// was given up.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with Outlet::close: the final position covers every message.
        let close = self.storage.sender_close().load(Ordering::Acquire);
        let cursor = self.cursor.get();
        close == cursor + 1 || cursor >= self.cut.get()
    }

    /// Whether a look at the slot of `at`, which no sender has overwritten, would find a message, or a word that can't be.
    #[inline]
    pub(crate) fn is_ready_at(&self, at: u64) -> bool {
        if at >= self.cut.get() {
            return false;
        }
        if self.storage.is_contiguous() {
            return self.storage.tail().load(Ordering::Acquire) != at;
        }
        let sequence = self.storage.sequence(at).load(Ordering::Acquire);
        sequence.wrapping_sub(at + 1).cast_signed() >= 0
    }

    /// The first position from `from` on at which no message lies; a word that can't be passes for one message.
    pub(crate) fn ready_from(&self, from: u64) -> u64 {
        let end = self
            .cut
            .get()
            .min(self.committed.get() + self.storage.capacity());
        if self.storage.is_contiguous() {
            let tail = self.storage.tail().load(Ordering::Acquire);
            let tail = if self.can_be_tail(tail, self.committed.get()) {
                tail
            } else {
                from + 1
            };
            return tail.clamp(from, end.max(from));
        }
        let missing = |&position: &u64| {
            let sequence = self.storage.sequence(position).load(Ordering::Acquire);
            sequence.wrapping_sub(position + 1).cast_signed() < 0
        };
        (from..end).find(missing).unwrap_or(end.max(from))
    }

    #[inline]
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    #[inline]
    pub(crate) fn committed(&self) -> u64 {
        self.committed.get()
    }

    /// Whether anything was taken since the last commit.
    #[inline]
    pub(crate) fn has_moved(&self) -> bool {
        self.cursor.get() != self.committed.get()
    }

    /// Whether more is consumed than was given back.
    #[inline]
    pub(crate) fn owes(&self) -> bool {
        self.committed.get() != self.given.get()
    }

    /// The word that was impossible, if one was met and the link isn't given up for it.
    pub(crate) fn fault(&self) -> Option<u64> {
        self.fault.get().filter(|_| self.trusts)
    }
}
