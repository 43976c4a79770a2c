//! A ring alone: two ends over heap memory or one shared file, no region, no step.

#![allow(unsafe_code, reason = "payloads are read where they lie")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::layout::{RingShape, credit_word, ring_word};
use crate::memory::{LINE_PAIR, Memory};
use crate::message::Message;
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::Outlet;
use crate::ring::slot::Slot;
use crate::slots::{MappedRing, Storage};

/// A value that could not be sent, given back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The ring is full: the receiver has to give a slot back first.
    #[error("the ring is full")]
    Full(T),
    /// The receiver has ended: nothing sent from now on would be received.
    #[error("the receiver has ended")]
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

/// A ring cannot be made as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a ring of {capacity} messages of {payload} bytes aligned to {align}: the capacity must be a power of two up to \
     2^24, a message 1 byte to 1 MiB aligned to at most 64"
)]
pub struct ShapeError {
    capacity: u64,
    payload: usize,
    align: usize,
}

/// Makes rings.
///
/// ```
/// use airssys_ringbuf::Ring;
///
/// let (mut tx, mut rx) = Ring::<u64>::heap(1024).unwrap();
/// tx.try_send(7).unwrap();
/// assert_eq!(rx.try_recv(), Some(7));
/// ```
#[derive(Debug)]
pub struct Ring<T>(PhantomData<T>);

impl<T: Message> Ring<T> {
    /// A ring of `capacity` messages in this process's heap.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if `capacity` isn't a power of two up to 2^24 or the message's size or alignment is out of range.
    pub fn heap(capacity: usize) -> Result<(Producer<T>, Consumer<T>), ShapeError> {
        let refused = ShapeError {
            capacity: capacity as u64,
            payload: size_of::<T>(),
            align: align_of::<T>(),
        };
        let shape = RingShape::new(size_of::<T>(), capacity as u64, false)
            .filter(RingShape::holds::<T>)
            .ok_or(refused)?;
        let ring_at = (credit_word::COUNT * 8).next_multiple_of(LINE_PAIR);
        let memory = Arc::new(Memory::heap(ring_at + ring_word::SLOTS + shape.slots_len()));
        let end = || MappedRing::new(shape, (&memory, ring_at), (&memory, 0)).map_err(|_| refused);
        let outlet = Outlet::new(end()?, 0, 0);
        let inlet = Inlet::new(end()?, 0, 0);
        outlet.open();
        inlet.open(u64::MAX);
        Ok((
            Producer {
                outlet,
                held: Cell::new(false),
                message: PhantomData,
            },
            Consumer {
                inlet,
                message: PhantomData,
            },
        ))
    }
}

/// The sending end of a bare ring. One thread at a time owns it; it may be sent to another.
#[derive(Debug)]
pub struct Producer<T> {
    outlet: Outlet<MappedRing>,
    held: Cell<bool>,
    message: PhantomData<T>,
}

impl<T: Message> Producer<T> {
    /// Sends a copy of `value`. It is visible to the receiver on return.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value: `Full`, or `Closed` once the [`Consumer`] was dropped. A consumer that gives back at
    /// the same time may make the next try succeed.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        let Ok(position) = self.outlet.claim() else {
            return Err(self.refused(value));
        };
        // SAFETY: the one producer (`&mut self`), position just claimed, shape checked for `T` in `Ring::heap`.
        unsafe { self.outlet.storage.write(position, &value) };
        self.outlet.stage();
        self.outlet.publish();
        Ok(())
    }

    #[cold]
    fn refused(&self, value: T) -> TrySendError<T> {
        if self.outlet.closed_by_receiver() {
            TrySendError::Closed(value)
        } else {
            TrySendError::Full(value)
        }
    }

    /// Claims the next slot to write the message in place; `None` while the ring is full or the receiver gone.
    ///
    /// ```
    /// let (mut tx, mut rx) = airssys_ringbuf::Ring::<u64>::heap(2).unwrap();
    /// let mut slot = tx.claim().unwrap();
    /// *slot = 7;
    /// slot.publish();
    /// assert_eq!(rx.try_recv(), Some(7));
    /// ```
    #[inline]
    pub fn claim(&mut self) -> Option<Slot<'_, T>> {
        let position = self.outlet.claim().ok()?;
        Some(Slot::new(&self.outlet, position, &self.held, true))
    }

    /// Sends copies of the first values of `values` that there is room for, and returns how many.
    pub fn send_slice(&mut self, values: &[T]) -> usize {
        let mut sent = 0;
        for value in values {
            let Ok(position) = self.outlet.claim() else {
                break;
            };
            // SAFETY: the one producer (`&mut self`), position just claimed, shape checked for `T` in `Ring::heap`.
            unsafe { self.outlet.storage.write(position, value) };
            self.outlet.stage();
            sent += 1;
        }
        self.outlet.publish();
        sent
    }

    /// Whether the [`Consumer`] was dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.outlet.closed_by_receiver()
    }

    /// Messages sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.outlet.published()
    }

    /// Slots of the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.outlet.storage.capacity() as usize
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.outlet.close();
    }
}

/// The receiving end of a bare ring. One thread at a time owns it; it may be sent to another.
#[derive(Debug)]
pub struct Consumer<T> {
    inlet: Inlet<MappedRing>,
    message: PhantomData<T>,
}

impl<T: Message> Consumer<T> {
    /// The next message, copied out; `None` if there is none yet.
    #[inline]
    pub fn try_recv(&mut self) -> Option<T> {
        let Peek::Ready(position) = self.inlet.peek() else {
            self.inlet.settle(false);
            return None;
        };
        // SAFETY: the one consumer (`&mut self`), position just seen published, shape checked for `T` in `Ring::heap`.
        let value = unsafe { self.inlet.storage.read(position) };
        self.inlet.take();
        self.inlet.commit();
        self.inlet.settle(true);
        Some(value)
    }

    /// Shows up to `most` messages to `receive`, in place, and returns how many. Their slots are given back afterwards.
    pub fn drain(&mut self, most: usize, mut receive: impl FnMut(&T)) -> usize {
        let mut received = 0;
        while received < most {
            let Peek::Ready(position) = self.inlet.peek() else {
                break;
            };
            let payload = self.inlet.storage.payload(position).cast::<T>();
            // SAFETY: in bounds and aligned by the shape; seen published, and the producer doesn't write it before it is
            // given back below, after the reference has ended.
            receive(unsafe { payload.as_ref() });
            self.inlet.take();
            self.inlet.commit();
            received += 1;
        }
        self.inlet.settle(received > 0);
        received
    }

    /// Copies messages out into the front of `values` and returns how many.
    pub fn recv_slice(&mut self, values: &mut [T]) -> usize {
        let mut free = values.iter_mut();
        self.drain(free.len(), |message| {
            if let Some(place) = free.next() {
                *place = *message;
            }
        })
    }

    /// Whether the [`Producer`] was dropped and everything it sent was received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inlet.is_closed()
    }

    /// Messages received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.inlet.committed()
    }

    /// Slots of the ring.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inlet.storage.capacity() as usize
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.inlet.close();
    }
}
