//! The receiving end of a link, as an actor holds it.
//!
//! A receiver that trusts its sender shows messages where they lie. One that doesn't makes a copy first, word by word: what a
//! hostile sender does to the slot meanwhile can make the copy nonsense, but not change under the reader's eyes.

#![allow(unsafe_code, reason = "payloads are read where they lie")]

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::message::Message;
use crate::ring::bare::run_of;
use crate::slots::Storage;
use crate::step::key::Key;
use crate::step::ports::{InPort, LinkFault};

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
        let (port, position) = self.next()?;
        port.record_latency(position);
        let value = if port.copies {
            port.inlet.storage.copy(position)
        } else {
            // SAFETY: ports are the one consumer (one `Receiver` an inlet, not `Send`), the position was just seen published
            // by a trusted sender and is given back after the commit at the earliest, and the shape was checked for `T` when
            // the port was made.
            unsafe { port.inlet.storage.read(position) }
        };
        port.inlet.take();
        Some(value)
    }

    /// The next message and where it lies: on the link, or among its letters in a step that takes one of them up again.
    #[inline]
    fn next(&self) -> Option<(&InPort, u64)> {
        if let Some(position) = self.port.next() {
            return Some((&self.port, position));
        }
        let letters = self.port.requeued()?;
        Some((letters, letters.next()?))
    }

    pub(super) fn port(&self) -> &InPort {
        &self.port
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
            let Some((port, position)) = self.next() else {
                break;
            };
            port.record_latency(position);
            let received = if port.copies {
                receive(&port.inlet.storage.copy(position))
            } else {
                let payload = port.inlet.storage.payload(position).cast::<T>();
                // SAFETY: in bounds and aligned by the shape; seen published by a trusted sender, and not overwritten before it
                // is given back, which the end of the step does at the earliest, when `receive` has long returned.
                receive(unsafe { payload.as_ref() })
            };
            if let Err(error) = received {
                port.leave();
                return Err(error);
            }
            port.inlet.take();
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
        if self.port.copies || !dense || self.port.requeued().is_some() {
            return self.drain(most, |message| receive(std::slice::from_ref(message)));
        }
        let mut shown = 0;
        while shown < most && self.port.next().is_some() {
            let most = (most - shown) as u64;
            let Some((position, count)) = run_of::<T>(&self.port.inlet, most) else {
                break;
            };
            self.port.show_run(position, count);
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
        let mut filled = 0;
        self.drain_slices(values.len(), |run| {
            let end = filled + run.len();
            values[filled..end].copy_from_slice(run);
            filled = end;
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

    /// News of this link is hinted at.
    pub(crate) fn hinted(&self) {
        self.port.hinted.set(true);
    }

    /// Whether a look at the shared words finds something to receive, in a step or not.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.port.inlet.is_ready_at(self.port.inlet.cursor())
    }

    /// Messages received on this link, this step's included: the position of the next one. A dead letter that is handled again
    /// isn't counted: it was, when it was set aside.
    #[inline]
    #[must_use]
    pub fn received(&self) -> u64 {
        self.port.inlet.cursor()
    }

    /// The message that was received last: the one in hand after a [`try_recv`](Self::try_recv). `None` before the link's
    /// first. Its sequence is one less than [`received`](Self::received), but for a dead letter that is handled again: that
    /// keeps the key that it had.
    ///
    /// Inside of a `drain`'s closure the receiver can't be asked: take `received()` before it, and count on from there. A dead
    /// letter comes alone in its step, and leaves `received()` as it is: who drains asks for the key afterwards.
    #[must_use]
    pub fn key(&self) -> Option<Key<'_>> {
        let sequence = self.port.last_received()?;
        Some(self.key_of(sequence))
    }

    /// What names the message of that sequence on this link.
    #[must_use]
    pub fn key_of(&self, sequence: u64) -> Key<'_> {
        Key {
            bus: self.port.gate.instance.get(),
            link: &self.port.name,
            sequence,
        }
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
