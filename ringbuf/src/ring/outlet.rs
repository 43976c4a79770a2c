//! The producer's end of a ring: claim, stage, publish.
//!
//! ```text
//!      credit            published           cursor        limit        credit + capacity
//!  ------+------------------+------------------+--------------+---------------+------
//!   free |     in flight    |      staged      |  claimable   |  not reserved |
//! ```
//!
//! - `published ..cursor` is staged: payloads are written, sequence words aren't, so no receiver sees them. `rewind` drops
//!   them, and the next try overwrites them.
//! - `limit` is what the shared `reserved` word says, unless the gate is shut: observers take a copy for void once its slot
//!   may have been reserved again. It is raised by an eighth of the ring at a time and never goes down, over all incarnations.
//! - The consumer's credit is read only when the cursor meets what its cache allows.
//! - The cursor may lie beyond the limit: a slot that outlived its step was staged after the gate was shut. Nothing is claimed
//!   there.
//! - While the gate is shut (outside of a step) the limit is 0, so that the fast path needs no look at it.
//!
//! - An end that isn't trusting gives the link up when it meets an impossible credit, for good: every claim is `Closed`.
//!
//! A crash leaves the staged part unseen. `publish` may be run again over a range that was published before: it stores the
//! same words.

use std::cell::Cell;

use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// What a publish is stored with: a mistake under the cfg with which `.ci/tsan` sees that the sanitizer would report one.
const PUBLISH: Ordering = if cfg!(planted_race) {
    Ordering::Relaxed
} else {
    Ordering::Release
};

/// Why a claim was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No room until the consumer gives back.
    Full,
    /// The receiver has ended; nothing sent from now on would be received.
    Closed,
    /// Not inside a step.
    Shut,
    /// The consumer's credit is impossible.
    Fault(u64),
}

/// Cursors of the producing end.
#[derive(Debug)]
pub(crate) struct Outlet<S> {
    pub(crate) storage: S,
    cursor: Cell<u64>,
    published: Cell<u64>,
    limit: Cell<u64>,
    reserved: Cell<u64>,
    credit: Cell<u64>,
    /// The credit at which the gate, since it was opened, first refused a claim.
    refused_at: Cell<Option<u64>>,
    shut: Cell<bool>,
    trusts: bool,
    fault: Cell<Option<u64>>,
}

impl<S: Storage> Outlet<S> {
    /// An end whose next message has position `position`, with the gate shut.
    pub(crate) fn new(storage: S, position: u64, credit: u64) -> Self {
        let reserved = storage.reserved().load(Ordering::Relaxed);
        Self {
            storage,
            cursor: Cell::new(position),
            published: Cell::new(position),
            limit: Cell::new(0),
            reserved: Cell::new(reserved),
            credit: Cell::new(credit),
            refused_at: Cell::new(None),
            shut: Cell::new(true),
            trusts: true,
            fault: Cell::new(None),
        }
    }

    /// The same, giving the link up where a trusting end would take the whole step for faulty; `fault` if it has before.
    pub(crate) fn untrusting(self, fault: Option<u64>) -> Self {
        self.fault.set(fault);
        Self {
            trusts: false,
            ..self
        }
    }

    /// Lets claims through; everything staged before is dropped.
    #[inline]
    pub(crate) fn open(&self) {
        self.shut.set(false);
        self.refused_at.set(None);
        self.rewind();
        // A receiver that has ended is met at once, not only when the credit runs out: the slow path says which it is.
        let end = if self.closed_by_receiver() || self.fault.get().is_some() {
            self.cursor.get()
        } else {
            self.allowed().min(self.reserved.get())
        };
        self.limit.set(end);
    }

    /// What the cached credit allows.
    #[inline]
    fn allowed(&self) -> u64 {
        self.credit.get() + self.storage.capacity()
    }

    /// Refuses claims until the next `open`.
    #[inline]
    pub(crate) fn shut(&self) {
        self.shut.set(true);
        self.limit.set(0);
    }

    /// Whether it refuses claims until the next `open`.
    #[inline]
    pub(crate) fn is_shut(&self) -> bool {
        self.shut.get()
    }

    /// The next free position, if there is room.
    #[inline]
    pub(crate) fn claim(&self) -> Result<u64, Refusal> {
        let at = self.cursor.get();
        if at >= self.limit.get() {
            self.refill(1)?;
        }
        let ahead = self.storage.prefetch_distance();
        if ahead > 0 && at + ahead < self.limit.get() {
            self.storage.prefetch(at + ahead);
        }
        Ok(at)
    }

    /// The next free positions, `most` of them or as many as there is room for: the first, and how many.
    #[inline]
    pub(crate) fn claim_run(&self, most: u64) -> Result<(u64, u64), Refusal> {
        let at = self.cursor.get();
        if at.saturating_add(most) > self.limit.get() {
            let refilled = self.refill(most);
            if at >= self.limit.get() {
                refilled?;
            }
        }
        Ok((at, most.min(self.limit.get() - at)))
    }

    /// Positions from the cursor on that are claimed without another look at the credit.
    #[inline]
    pub(crate) fn claimable(&self) -> u64 {
        self.limit.get().saturating_sub(self.cursor.get())
    }

    /// Makes room for `want` messages, or for as many as there is.
    #[cold]
    #[inline(never)]
    fn refill(&self, want: u64) -> Result<(), Refusal> {
        self.look(want)?;
        self.reserve(want);
        self.limit.set(self.allowed().min(self.reserved.get()));
        Ok(())
    }

    /// Whether there is room for one message; reads the consumer's credit if its cache doesn't allow `want`. What the consumer
    /// wrote is checked: it can only lie between what it last was and what is published.
    fn look(&self, want: u64) -> Result<(), Refusal> {
        if self.shut.get() {
            return Err(Refusal::Shut);
        }
        if self.closed_by_receiver() || self.is_given_up() {
            return Err(Refusal::Closed);
        }
        let at = self.cursor.get();
        if at + want > self.allowed() {
            // Acquire: the consumer's reads of a slot happen before our writes of the next lap (pairs with
            // Inlet::give_back).
            let credit = self.storage.credit().load(Ordering::Acquire);
            if credit < self.credit.get() || credit > self.published.get() {
                return Err(self.meet_fault(credit));
            }
            self.credit.set(credit);
        }
        if at < self.allowed() {
            return Ok(());
        }
        if self.refused_at.get().is_none() {
            self.refused_at.set(Some(self.credit.get()));
        }
        Err(Refusal::Full)
    }

    /// Says to observers which slots may be written from now on.
    fn reserve(&self, want: u64) {
        let chunk = (self.storage.capacity() / 8).max(want);
        let end = (self.cursor.get() + chunk).min(self.allowed());
        if end <= self.reserved.get() {
            return;
        }
        self.storage.reserved().store(end, Ordering::Relaxed);
        // Release: whoever sees a byte of what is written from here on sees the word above (pairs with ring/look.rs).
        S::Word::fence(Ordering::Release);
        self.reserved.set(end);
    }

    fn meet_fault(&self, credit: u64) -> Refusal {
        self.fault.set(Some(credit));
        if self.trusts {
            return Refusal::Fault(credit);
        }
        self.limit.set(self.cursor.get());
        self.storage.note_sender_fault(self.published.get(), credit);
        self.close();
        Refusal::Closed
    }

    /// Counts the claimed slot as staged: its payload is written.
    #[inline]
    pub(crate) fn stage(&self) {
        self.stage_run(1);
    }

    /// Counts so many claimed slots as staged.
    #[inline]
    pub(crate) fn stage_run(&self, count: u64) {
        self.cursor.set(self.cursor.get() + count);
    }

    /// Makes the staged messages visible, in order.
    #[inline]
    pub(crate) fn publish(&self) {
        self.publish_range(self.published.get(), self.cursor.get());
        self.published.set(self.cursor.get());
    }

    /// A mistake: what was reserved beyond the published part doesn't count.
    pub(crate) fn forget_reserved(&self) {
        self.reserved.set(self.published.get());
    }

    /// A mistake: the last of the staged messages shows, and not those before.
    pub(crate) fn publish_last(&self) {
        let cursor = self.cursor.get();
        self.publish_range(self.published.get().max(cursor.saturating_sub(1)), cursor);
        self.published.set(cursor);
    }

    /// A mistake: staged messages show, and go on being staged.
    pub(crate) fn publish_staged(&self) {
        self.publish_range(self.published.get(), self.cursor.get());
    }

    /// Stores the sequence words of a range whose payloads are complete, or the tail after it. Idempotent.
    #[inline]
    pub(crate) fn publish_range(&self, from: u64, to: u64) {
        if self.storage.is_contiguous() {
            if from < to {
                // Release: the payloads are complete before the tail shows (pairs with Inlet::look_at_tail).
                self.storage.tail().store(to, PUBLISH);
            }
            return;
        }
        for position in from..to {
            // Release: the payload is complete before its sequence shows (pairs with Inlet::peek).
            self.storage.sequence(position).store(position + 1, PUBLISH);
        }
    }

    /// Drops what is staged.
    #[inline]
    pub(crate) fn rewind(&self) {
        self.cursor.set(self.published.get());
    }

    /// Tells the receiver that nothing follows what is published.
    pub(crate) fn close(&self) {
        // Release: every sequence word below is visible to whom sees the close (pairs with Inlet::is_closed).
        self.storage
            .sender_close()
            .store(self.published.get() + 1, Ordering::Release);
    }

    /// Whether the receiver has ended.
    #[inline]
    pub(crate) fn closed_by_receiver(&self) -> bool {
        self.storage.receiver_close().load(Ordering::Acquire) != 0
    }

    /// Whether the consumer has given back since a claim was refused, or has ended: reads the shared words.
    pub(crate) fn has_news(&self) -> bool {
        // Not against the cache: a look at the room may have renewed it after the refusal.
        let known = self.refused_at.get().unwrap_or(self.credit.get());
        self.storage.credit().load(Ordering::Acquire) != known || self.closed_by_receiver()
    }

    /// Whether a claim, or a look at the room, that found none since the gate was opened would find some now.
    pub(crate) fn has_room_again(&self) -> bool {
        self.refused_at.get().is_some() && self.has_news()
    }

    /// Free slots that a claim would find, after a look at the consumer's credit.
    pub(crate) fn room(&self) -> u64 {
        match self.look(self.storage.capacity()) {
            Ok(()) => self.allowed().saturating_sub(self.cursor.get()),
            Err(_) => 0,
        }
    }

    /// Free slots beyond what is published, from the shared words alone; `None` if the receiver has ended or its credit is
    /// impossible: a claim tells which.
    pub(crate) fn shared_room(&self) -> Option<u64> {
        let credit = self.storage.credit().load(Ordering::Acquire);
        let taken = self.published.get().checked_sub(credit)?;
        let room = self.storage.capacity().checked_sub(taken)?;
        (!self.closed_by_receiver()).then_some(room)
    }

    #[inline]
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.get()
    }

    #[inline]
    pub(crate) fn published(&self) -> u64 {
        self.published.get()
    }

    /// Whether anything is staged.
    #[inline]
    pub(crate) fn has_moved(&self) -> bool {
        self.cursor.get() != self.published.get()
    }

    /// The credit word that was impossible, if one was met and the link isn't given up for it.
    pub(crate) fn fault(&self) -> Option<u64> {
        self.fault.get().filter(|_| self.trusts)
    }

    /// Whether an impossible credit has ended the link.
    pub(crate) fn is_given_up(&self) -> bool {
        !self.trusts && self.fault.get().is_some()
    }
}
