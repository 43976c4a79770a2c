//! The sending end of a link, as an actor holds it.

#![allow(unsafe_code, reason = "payloads are written where they lie")]

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::clock::monotonic_ns;
use crate::message::Message;
use crate::ring::bare::{TrySendError, stage_iter, stage_slice};
use crate::ring::outlet::Refusal;
use crate::ring::slot::Slot;
use crate::slots::Storage;
use crate::step::key::Key;
use crate::step::ports::{LinkFault, OutPort, Refused, used_outside};
use crate::word::Ordering;

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
            Ok(position) => Ok(self.slot(position)),
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }

    #[inline]
    fn slot(&mut self, position: u64) -> Slot<'_, T> {
        Slot::new(&self.port.outlet, position, &self.port.held, false)
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
        self.port.enter();
        let mut rest = values;
        loop {
            rest = &rest[stage_slice(&self.port.outlet, rest)..];
            if rest.is_empty() {
                return Ok(());
            }
            if let Err(refusal) = self.port.claim() {
                return Err(self.refuse(refusal));
            }
        }
    }

    /// Sends all that `values` yields, written where it will lie, or aborts the step; then a part of `values` is used up.
    ///
    /// # Errors
    ///
    /// [`Refused`]; `Full` aborts the whole step, whatever it returns.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), Refused> {
        let mut values = values.into_iter();
        if self.port.outlet.storage.shape().stamped {
            return values.try_for_each(|value| self.send(value));
        }
        self.port.enter();
        loop {
            let (_, all) = stage_iter(&self.port.outlet, &mut values);
            if all {
                return Ok(());
            }
            if let Err(refusal) = self.port.claim() {
                return values.next().map_or(Ok(()), |_| Err(self.refuse(refusal)));
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
            Ok(position) => Ok(self.slot(position)),
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
            Refusal::Full => Refused::Full,
            Refusal::Fault(_) => {
                // It ends the partition when this step ends; until then there is no room.
                self.port.gate.mark();
                Refused::Full
            }
            Refusal::Closed => Refused::Closed,
            Refusal::Shut => used_outside(&self.port.name),
        }
    }

    /// Free slots, after a look at what the receiver has given back.
    #[must_use]
    pub fn room(&self) -> usize {
        self.port.room() as usize
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

    /// What names the message that is sent next, if its step commits.
    #[must_use]
    pub fn next_key(&self) -> Key<'_> {
        Key {
            bus: self.port.gate.instance.get(),
            link: &self.port.name,
            sequence: self.sent(),
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::layout::{RingShape, actor_section, credit_section, latency_section, ring_section};
    use crate::region::{Region, RegionPlan};
    use crate::step::{Attach, Outcome, Receiver, StepCore, Verdict};

    /// An actor that sends to itself over a link of four slots.
    struct Own {
        core: StepCore,
        out: Sender<u64>,
        input: Receiver<u64>,
    }

    fn own(layout: crate::Layout, stamped: bool) -> Own {
        let schema = u64::SCHEMA.to_text();
        let shape = RingShape::with_layout(8, 4, stamped, layout).unwrap();
        let mut plan = RegionPlan::new("sender", "own", 1);
        plan.add(actor_section("actor", 1, 1))
            .add(ring_section("loop", &schema, &shape))
            .add(credit_section("loop"));
        if stamped {
            plan.add(latency_section("loop"));
        }
        let region = Region::heap(&plan).unwrap();
        let mut attach = Attach::new(&region, "actor", 1, 1).unwrap();
        let input = attach.receiver::<u64>("loop", &region).unwrap();
        let out = attach.sender::<u64>("loop", &region).unwrap();
        Own {
            core: attach.finish(),
            out,
            input,
        }
    }

    impl Own {
        fn sends(&mut self, values: impl Iterator<Item = u64>) -> (Result<(), Refused>, Outcome) {
            self.core.begin(u64::MAX);
            let sent = self.out.send_iter(values);
            (sent, self.core.finish(Verdict::Keep).unwrap())
        }

        fn receives(&mut self) -> Vec<u64> {
            self.core.begin(u64::MAX);
            let received = std::iter::from_fn(|| self.input.try_recv()).collect();
            let _ = self.core.finish(Verdict::Keep).unwrap();
            self.core.begin(u64::MAX);
            let _ = self.core.finish(Verdict::Keep).unwrap(); // gives back
            received
        }
    }

    #[test]
    fn an_iterator_is_sent_whole_or_aborts_the_step() {
        for (layout, stamped) in [
            (crate::Layout::Sequenced, false),
            (crate::Layout::Sequenced, true),
            (crate::Layout::Contiguous, false),
        ] {
            let mut own = own(layout, stamped);
            assert_eq!(own.sends(0..3).0, Ok(()), "{layout:?}");
            assert_eq!(own.receives(), [0, 1, 2]);
            // Without a length, over the ring's end, and exactly as many as there is room for.
            let (sent, outcome) = own.sends((0..8).filter(|number| number % 2 == 1));
            assert_eq!((sent, outcome.committed), (Ok(()), true), "{layout:?}");
            let (sent, outcome) = own.sends([9].into_iter());
            assert_eq!(sent, Err(Refused::Full), "{layout:?}");
            assert_eq!((outcome.committed, outcome.refused), (false, Some(0)));
            assert_eq!(own.sends(std::iter::empty()).0, Ok(()), "needs no room");
            assert_eq!(own.receives(), [1, 3, 5, 7]);
            assert_eq!(own.sends([10].into_iter()).0, Ok(()));
            assert_eq!(own.sends(0..4).0, Err(Refused::Full), "one too many");
            let hidden = (0..9).filter(|number| number % 2 == 0);
            assert_eq!(own.sends(hidden).0, Err(Refused::Full));
            assert_eq!(
                own.receives(),
                [10],
                "{layout:?}: nothing of either is seen"
            );
        }
    }
}
