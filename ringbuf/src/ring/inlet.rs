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
//! - While the gate is shut (outside of a step) `limit == cursor`.
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
    /// The sequence word is ahead of what can be.
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
    shut: Cell<bool>,
    limited: Cell<bool>,
    fault: Cell<Option<u64>>,
}

impl<S: Storage> Inlet<S> {
    /// An end that has consumed everything below `position`, with the gate shut.
    pub(crate) fn new(storage: S, position: u64, given: u64) -> Self {
        Self {
            storage,
            cursor: Cell::new(position),
            committed: Cell::new(position),
            given: Cell::new(given),
            limit: Cell::new(position),
            shut: Cell::new(true),
            limited: Cell::new(false),
            fault: Cell::new(None),
        }
    }

    /// Lets up to `most` messages through, from the first that isn't committed.
    #[inline]
    pub(crate) fn open(&self, most: u64) {
        self.shut.set(false);
        self.limited.set(false);
        self.rewind();
        self.limit.set(self.committed.get().saturating_add(most));
    }

    /// Refuses receives until the next `open`.
    #[inline]
    pub(crate) fn shut(&self) {
        self.shut.set(true);
        self.limit.set(self.cursor.get());
    }

    /// Looks at the cursor's slot.
    #[inline]
    pub(crate) fn peek(&self) -> Peek {
        let at = self.cursor.get();
        if at >= self.limit.get() {
            return self.at_limit();
        }
        // Acquire: the payload is complete once its sequence shows (pairs with Outlet::publish_range).
        let sequence = self.storage.sequence(at).load(Ordering::Acquire);
        // The wrapped difference, not equality: else the next position depends on the loaded word and the consumer
        // becomes a chain of loads.
        match sequence.wrapping_sub(at + 1).cast_signed() {
            0 => Peek::Ready(at),
            ahead if ahead > 0 => self.meet_fault(sequence),
            _ => Peek::Empty,
        }
    }

    #[cold]
    #[inline(never)]
    fn at_limit(&self) -> Peek {
        if self.shut.get() {
            return Peek::Shut;
        }
        self.limited.set(true);
        Peek::Limited
    }

    #[cold]
    #[inline(never)]
    fn meet_fault(&self, sequence: u64) -> Peek {
        self.fault.set(Some(sequence));
        Peek::Fault(sequence)
    }

    /// Moves past the message at the cursor.
    #[inline]
    pub(crate) fn take(&self) {
        self.cursor.set(self.cursor.get() + 1);
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
            behind >= (self.storage.capacity() / 8).max(1)
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

    /// Whether the sender has ended and everything it published lies below the cursor.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with Outlet::close: the final position covers every message.
        self.storage.sender_close().load(Ordering::Acquire) == self.cursor.get() + 1
    }

    /// Whether a look at the cursor's slot would find a message, or a sequence word that can't be.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        let at = self.cursor.get();
        let sequence = self.storage.sequence(at).load(Ordering::Acquire);
        sequence.wrapping_sub(at + 1).cast_signed() >= 0
    }

    /// The first position from `from` on at which no message lies.
    pub(crate) fn ready_from(&self, from: u64) -> u64 {
        let end = self.committed.get() + self.storage.capacity();
        (from..end)
            .find(|&position| {
                self.storage.sequence(position).load(Ordering::Acquire) != position + 1
            })
            .unwrap_or(end)
    }

    /// Whether this step met its limit of messages.
    pub(crate) fn was_limited(&self) -> bool {
        self.limited.get()
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

    /// The sequence word that was ahead of what can be, if one was met.
    pub(crate) fn fault(&self) -> Option<u64> {
        self.fault.get()
    }
}
