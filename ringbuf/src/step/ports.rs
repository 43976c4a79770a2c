//! The two ends of a link as an actor holds them.
//!
//! Ports stage: what is sent shows, and what is received counts as consumed, when the step commits. They work inside a step
//! only, aren't `Send`, and belong to one incarnation.

#![allow(unsafe_code, reason = "payloads are read and written where they lie")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::clock::monotonic_ns;
use crate::latency::Latencies;
use crate::message::Message;
use crate::ring::bare::TrySendError;
use crate::ring::inlet::Inlet;
use crate::ring::outlet::{Outlet, Refusal};
use crate::ring::slot::Slot;
use crate::slots::{MappedRing, Storage};
use crate::step::enter::used_outside;
use crate::step::gate::Gate;
use crate::step::hints::Hinting;
use crate::step::outcome::StepError;
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

/// The sending end, untyped.
#[derive(Debug)]
pub(crate) struct OutPort {
    pub(crate) name: String,
    pub(crate) outlet: Outlet<MappedRing>,
    pub(crate) held: Cell<bool>,
    pub(crate) gate: Rc<Gate>,
    /// Its place among the actor's outputs.
    pub(crate) index: usize,
    /// Where the receiving partition has many links.
    pub(crate) hinting: Option<Hinting>,
}

impl OutPort {
    pub(crate) fn capacity(&self) -> u64 {
        self.outlet.storage.capacity()
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            found,
            known: self.outlet.published(),
            capacity: self.capacity(),
        }
    }
}

/// The receiving end, untyped.
#[derive(Debug)]
pub(crate) struct InPort {
    pub(crate) name: String,
    pub(crate) inlet: Inlet<MappedRing>,
    pub(crate) latencies: Option<Latencies>,
    pub(super) gate: Rc<Gate>,
    /// Its place among the actor's inputs.
    pub(super) index: usize,
    /// A step or a look has seen the link's close.
    pub(super) close_seen: Cell<bool>,
    /// Among those that owe credit.
    pub(crate) owes: Cell<bool>,
    /// Below this every message has been seen by a look.
    pub(super) looked_to: Cell<u64>,
}

impl InPort {
    pub(crate) fn new(
        name: String,
        inlet: Inlet<MappedRing>,
        latencies: Option<Latencies>,
        (gate, index): (Rc<Gate>, usize),
    ) -> Self {
        Self {
            name,
            inlet,
            latencies,
            gate,
            index,
            close_seen: Cell::new(false),
            owes: Cell::new(false),
            looked_to: Cell::new(0),
        }
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            found,
            known: self.inlet.cursor(),
            capacity: self.inlet.storage.capacity(),
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
        values.iter().try_for_each(|value| self.send(*value))
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

    /// Whether the receiver has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.outlet.closed_by_receiver()
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
        // SAFETY: ports are the one consumer (one `Receiver` an inlet, not `Send`), the position was just seen published and
        // is given back after the commit at the earliest, and the shape was checked for `T` when the port was made.
        let value = unsafe { self.port.inlet.storage.read(position) };
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
            let payload = self.port.inlet.storage.payload(position).cast::<T>();
            // SAFETY: in bounds and aligned by the shape; seen published, and not overwritten before it is given back,
            // which the end of the step does at the earliest, when `receive` has long returned.
            receive(unsafe { payload.as_ref() })?;
            self.port.inlet.take();
            shown += 1;
        }
        Ok(shown)
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

    /// Whether the sender has ended and its last message lies behind, this step's receives included.
    #[inline]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.is_closed()
    }

    /// Whether a look at the shared words finds something to receive, in a step or not.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.port.inlet.is_ready()
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
