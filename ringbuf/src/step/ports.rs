//! The two ends of a link as an actor holds them.
//!
//! Ports stage: what is sent shows, and what is received counts as consumed, when the step commits. They work inside a step
//! only, aren't `Send`, and belong to one incarnation.
//!
//! A receiver that trusts its sender shows messages where they lie. One that doesn't makes a copy first, word by word: what a
//! hostile sender does to the slot meanwhile can make the copy nonsense, but not change under the reader's eyes.

#![allow(unsafe_code, reason = "payloads are read and written where they lie")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::clock::monotonic_ns;
use crate::latency::Latencies;
use crate::message::Message;
use crate::ring::bare::{TrySendError, run_of, stage_slice};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::{Outlet, Refusal};
use crate::ring::slot::Slot;
use crate::slots::{MappedRing, Storage};
use crate::step::core::StepError;
use crate::step::gate::Gate;
use crate::step::hints::Hinting;
use crate::word::Ordering;

/// A link refused to take a message. Returned from a step with `?`, it aborts the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No room: the whole step is aborted, and run again when the receiver has given back.
    #[error("the link is full")]
    Full,
    /// The receiver has ended. A step that returns this ends its actor: nobody is left to send to.
    #[error("the link's receiver has ended")]
    Closed,
}

/// Why an untrusted link was given up: its peer wrote a position that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "link `{link}`: its peer `{peer}` wrote position {found}, impossible at {position} with capacity {capacity}: the link has \
     ended"
)]
pub struct LinkFault {
    /// The link.
    pub link: String,
    /// The partition at its other end.
    pub peer: String,
    /// The word that was read.
    pub found: u64,
    /// This end's own position.
    pub position: u64,
    /// The link's capacity.
    pub capacity: u64,
}

/// The sending end, untyped.
#[derive(Debug)]
pub(crate) struct OutPort {
    pub(crate) name: String,
    /// The region's owner at the other end.
    pub(crate) peer: String,
    pub(crate) outlet: Outlet<MappedRing>,
    pub(crate) held: Cell<bool>,
    pub(crate) gate: Rc<Gate>,
    /// Its place among the actor's outputs.
    pub(crate) index: usize,
    /// Where the receiving partition has many links.
    pub(crate) hinting: Option<Hinting>,
}

impl OutPort {
    /// The next free position, if there is room; opens the port where this step hasn't used it yet.
    #[inline]
    fn claim(&self) -> Result<u64, Refusal> {
        match self.outlet.claim() {
            Err(Refusal::Shut) => self.enter_and_claim(),
            claimed => claimed,
        }
    }

    #[inline(never)]
    fn enter_and_claim(&self) -> Result<u64, Refusal> {
        self.enter();
        self.outlet.claim()
    }

    /// Opens the port for this step. Without a step it stays shut.
    fn enter(&self) {
        if self.gate.is_open() && self.outlet.is_shut() {
            self.outlet.open();
            self.gate.outputs.enter(self.index);
        }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.outlet.storage.capacity()
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            known: self.outlet.published(),
            capacity: self.capacity(),
        }
    }

    /// Why the link was given up, in this incarnation or an earlier one.
    pub(crate) fn link_fault(&self) -> Option<LinkFault> {
        let (position, found) = self.outlet.storage.sender_fault()?;
        Some(LinkFault {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            position,
            capacity: self.capacity(),
        })
    }
}

/// The receiving end, untyped.
#[derive(Debug)]
pub(crate) struct InPort {
    pub(crate) name: String,
    /// The region's owner at the other end.
    pub(crate) peer: String,
    /// Messages are copied before anybody looks at them.
    copies: bool,
    pub(crate) inlet: Inlet<MappedRing>,
    pub(crate) latencies: Option<Latencies>,
    gate: Rc<Gate>,
    /// Its place among the actor's inputs.
    index: usize,
    /// A step or a look has seen the link's close.
    close_seen: Cell<bool>,
    /// Among those that owe credit.
    pub(crate) owes: Cell<bool>,
    /// Below this every message has been seen by a look.
    looked_to: Cell<u64>,
}

impl InPort {
    pub(crate) fn new(
        name: String,
        peer: String,
        inlet: Inlet<MappedRing>,
        latencies: Option<Latencies>,
        (gate, index): (Rc<Gate>, usize),
    ) -> Self {
        Self {
            name,
            peer,
            copies: !inlet.trusts(),
            inlet,
            latencies,
            gate,
            index,
            close_seen: Cell::new(false),
            owes: Cell::new(false),
            looked_to: Cell::new(0),
        }
    }

    /// Whether the sender has ended and everything it sent lies behind. A step that is told so has seen it.
    #[inline]
    fn is_closed(&self) -> bool {
        let closed = self.inlet.is_closed();
        if closed && self.gate.is_open() {
            self.close_seen.set(true);
        }
        closed
    }

    /// Whether something came that no look has seen yet: after a look that finds something there is a step. A message that
    /// the author left where it is, waiting for another link's, is none, nor is a close that the author doesn't ask for: else
    /// the partition would never park.
    pub(crate) fn has_news(&self) -> bool {
        let from = self.looked_to.get().max(self.inlet.cursor());
        let to = self.inlet.ready_from(from);
        self.looked_to.set(to);
        let closed = !self.close_seen.get() && self.inlet.is_closed();
        if closed {
            self.close_seen.set(true);
        }
        to > from || closed
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            known: self.inlet.cursor(),
            capacity: self.inlet.storage.capacity(),
        }
    }

    /// Why the link was given up, in this incarnation or an earlier one.
    pub(crate) fn link_fault(&self) -> Option<LinkFault> {
        let (position, found) = self.inlet.storage.receiver_fault()?;
        Some(LinkFault {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            position,
            capacity: self.inlet.storage.capacity(),
        })
    }

    /// The position of the next message, if this step may have it.
    #[inline]
    fn next(&self) -> Option<u64> {
        match self.inlet.peek() {
            Peek::Ready(position) => Some(position),
            Peek::Shut => self.enter_and_next(),
            Peek::Empty | Peek::Limited | Peek::Fault(_) => None,
        }
    }

    /// Opens the port, which this step hasn't used yet.
    #[inline(never)]
    fn enter_and_next(&self) -> Option<u64> {
        if !self.gate.is_open() {
            used_outside(&self.name);
        }
        self.inlet.open(self.gate.most());
        self.gate.inputs.enter(self.index);
        match self.inlet.peek() {
            Peek::Ready(position) => Some(position),
            _ => None,
        }
    }

    #[inline]
    fn record_latency(&self, position: u64) {
        if let (Some(latencies), Some(stamp)) =
            (&self.latencies, self.inlet.storage.stamp(position))
            && !self.gate.rehearses()
        {
            let sent = stamp.load(Ordering::Relaxed);
            latencies.record(monotonic_ns().saturating_sub(sent));
        }
    }
}

#[cold]
fn used_outside(link: &str) -> ! {
    panic!("link `{link}`: a port was used outside of a step: only a step can commit what it does")
}

/// The sending end of a link, held by an actor.
///
/// What is sent in a step shows when the step commits; if the step is aborted, panics or is killed, it was never sent.
pub struct Sender<T: Message> {
    port: Rc<OutPort>,
    message: PhantomData<T>,
}

impl<T: Message> Sender<T> {
    /// The caller has checked that the ring's shape holds `T`.
    pub(crate) fn new(port: Rc<OutPort>) -> Self {
        Self {
            port,
            message: PhantomData,
        }
    }

    /// Claims the next slot, to write the message in place.
    ///
    /// # Errors
    ///
    /// [`Refused`]; `Full` aborts the whole step, whatever it returns.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn claim(&mut self) -> Result<Slot<'_, T>, Refused> {
        match self.port.claim() {
            Ok(position) => Ok(Slot::new(
                &self.port.outlet,
                position,
                &self.port.held,
                false,
            )),
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    /// Sends a copy of `value`.
    ///
    /// # Errors
    ///
    /// [`Refused`]; `Full` aborts the whole step, whatever it returns.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<(), Refused> {
        match self.port.claim() {
            Ok(position) => {
                self.stage(position, &value);
                Ok(())
            }
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    /// Sends copies of all of `values`, or aborts the step.
    ///
    /// # Errors
    ///
    /// [`Refused`]; `Full` aborts the whole step, whatever it returns.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn send_slice(&mut self, values: &[T]) -> Result<(), Refused> {
        if self.port.outlet.storage.shape().stamped {
            return values.iter().try_for_each(|value| self.send(*value));
        }
        let mut rest = values;
        loop {
            rest = &rest[stage_slice(&self.port.outlet, rest)..];
            if rest.is_empty() {
                return Ok(());
            }
            if let Err(refusal) = self.port.outlet.claim() {
                return Err(self.refuse(refusal));
            }
        }
    }

    /// Claims the next slot, or leaves the step as it is: `Full` does not abort it.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn try_claim(&mut self) -> Result<Slot<'_, T>, Refused> {
        match self.port.claim() {
            Ok(position) => Ok(Slot::new(
                &self.port.outlet,
                position,
                &self.port.held,
                false,
            )),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// Sends a copy of `value`, or gives it back: `Full` does not abort the step.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        match self.port.claim() {
            Ok(position) => {
                self.stage(position, &value);
                Ok(())
            }
            Err(refusal) => Err(match self.refused(refusal) {
                Refused::Full => TrySendError::Full(value),
                Refused::Closed => TrySendError::Closed(value),
            }),
        }
    }

    #[inline]
    fn stage(&self, position: u64, value: &T) {
        // SAFETY: ports are the one producer (one `Sender` an outlet, not `Send`), the position was just claimed, and the
        // shape was checked for `T` when the port was made.
        unsafe { self.port.outlet.storage.write(position, value) };
        if let Some(stamp) = self.port.outlet.storage.stamp(position) {
            stamp.store(monotonic_ns(), Ordering::Relaxed);
        }
        self.port.outlet.stage();
    }

    #[cold]
    fn refuse(&self, refusal: Refusal) -> Refused {
        let refused = self.refused(refusal);
        if refused == Refused::Full {
            self.port.gate.refuse(self.port.index);
        }
        refused
    }

    #[cold]
    fn refused(&self, refusal: Refusal) -> Refused {
        match refusal {
            // A fault ends the partition when this step ends; until then there is no room.
            Refusal::Full | Refusal::Fault(_) => Refused::Full,
            Refusal::Closed => Refused::Closed,
            Refusal::Shut => used_outside(&self.port.name),
        }
    }

    /// Free slots, after a look at what the receiver has given back.
    #[must_use]
    pub fn room(&self) -> usize {
        self.port.enter();
        self.port.outlet.room() as usize
    }

    /// Free slots by the shared words, in a step or not; `None` if a claim would be refused for another reason.
    pub(crate) fn shared_room(&self) -> Option<u64> {
        self.port.outlet.shared_room()
    }

    /// Messages sent on this link, this step's included: the position of the next one.
    #[inline]
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.port.outlet.cursor()
    }

    /// Whether the receiver has ended, or this end gave the link up.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.outlet.closed_by_receiver() || self.port.outlet.is_given_up()
    }

    /// Why this end gave the untrusted link up, if it did: it counts as closed then.
    #[must_use]
    pub fn fault(&self) -> Option<LinkFault> {
        self.port.link_fault()
    }

    /// Slots of the link.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.port.capacity() as usize
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.port.name
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("link", &self.port.name)
            .field("sent", &self.sent())
            .finish_non_exhaustive()
    }
}

/// The receiving end of a link, held by an actor.
///
/// What is received in a step counts as consumed when the step commits; if the step is aborted, panics or is killed, the
/// next one receives it again.
pub struct Receiver<T: Message> {
    port: Rc<InPort>,
    message: PhantomData<T>,
}

impl<T: Message> Receiver<T> {
    /// The caller has checked that the ring's shape holds `T`.
    pub(crate) fn new(port: Rc<InPort>) -> Self {
        Self {
            port,
            message: PhantomData,
        }
    }

    /// The next message, copied out; `None` if this step gets no more.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn try_recv(&mut self) -> Option<T> {
        let position = self.port.next()?;
        self.port.record_latency(position);
        let value = if self.port.copies {
            self.port.inlet.storage.copy(position)
        } else {
            // SAFETY: ports are the one consumer (one `Receiver` an inlet, not `Send`), the position was just seen published
            // by a trusted sender and is given back after the commit at the earliest, and the shape was checked for `T` when
            // the port was made.
            unsafe { self.port.inlet.storage.read(position) }
        };
        self.port.inlet.take();
        Some(value)
    }

    /// Shows up to `most` messages to `receive`, in place and without a copy, and returns how many.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn drain(&mut self, most: usize, mut receive: impl FnMut(&T)) -> usize {
        let shown = self.try_drain(most, |message| {
            receive(message);
            Ok::<(), std::convert::Infallible>(())
        });
        match shown {
            Ok(count) => count,
            Err(never) => match never {},
        }
    }

    /// Like [`drain`](Self::drain), but stops at the first error and returns it, for handlers that send.
    ///
    /// # Errors
    ///
    /// What `receive` returned. The message it returned it for isn't consumed; those before it are, if the step commits.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn try_drain<E>(
        &mut self,
        most: usize,
        mut receive: impl FnMut(&T) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut shown = 0;
        while shown < most {
            let Some(position) = self.port.next() else {
                break;
            };
            self.port.record_latency(position);
            if self.port.copies {
                receive(&self.port.inlet.storage.copy(position))?;
            } else {
                let payload = self.port.inlet.storage.payload(position).cast::<T>();
                // SAFETY: in bounds and aligned by the shape; seen published by a trusted sender, and not overwritten before it
                // is given back, which the end of the step does at the earliest, when `receive` has long returned.
                receive(unsafe { payload.as_ref() })?;
            }
            self.port.inlet.take();
            shown += 1;
        }
        Ok(shown)
    }

    /// Shows up to `most` messages to `receive` as slices and returns how many: in place and as many a slice as lie side by side
    /// in the contiguous layout, one a slice elsewhere.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn drain_slices(&mut self, most: usize, mut receive: impl FnMut(&[T])) -> usize {
        let dense = self.port.inlet.storage.shape().is_dense::<T>();
        if self.port.copies || !dense {
            return self.drain(most, |message| receive(std::slice::from_ref(message)));
        }
        let mut shown = 0;
        while shown < most && self.port.next().is_some() {
            let most = (most - shown) as u64;
            let Some((position, count)) = run_of::<T>(&self.port.inlet, most) else {
                break;
            };
            let first = self
                .port
                .inlet
                .storage
                .payload(position)
                .cast::<T>()
                .as_ptr();
            // SAFETY: `count` messages of a dense ring side by side from `first` on; otherwise as in `try_drain`.
            receive(unsafe { std::slice::from_raw_parts(first, count as usize) });
            self.port.inlet.take_run(count);
            shown += count as usize;
        }
        shown
    }

    /// Copies messages out into the front of `values` and returns how many.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn recv_slice(&mut self, values: &mut [T]) -> usize {
        let mut free = values.iter_mut();
        self.drain(free.len(), |message| {
            if let Some(place) = free.next() {
                *place = *message;
            }
        })
    }

    /// Why this end gave the untrusted link up, if it did: it counts as closed after the last message before.
    #[must_use]
    pub fn fault(&self) -> Option<LinkFault> {
        self.port.link_fault()
    }

    /// Whether the sender has ended, or this end gave the link up, and the last message lies behind, this step's receives
    /// included.
    #[inline]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.is_closed()
    }

    /// Whether a look at the shared words finds something to receive, in a step or not.
    pub(crate) fn is_ready(&self) -> bool {
        self.port.inlet.is_ready()
    }

    /// Whether this step has received anything.
    #[inline]
    pub(crate) fn has_moved(&self) -> bool {
        self.port.inlet.has_moved()
    }

    /// Messages received on this link, this step's included: the position of the next one.
    #[inline]
    #[must_use]
    pub fn received(&self) -> u64 {
        self.port.inlet.cursor()
    }

    /// Slots of the link.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.port.inlet.storage.capacity() as usize
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.port.name
    }
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("link", &self.port.name)
            .field("received", &self.received())
            .finish_non_exhaustive()
    }
}
