//! A ring alone: two ends over heap memory or one shared file, no region, no step.

#![allow(unsafe_code, reason = "payloads are read where they lie")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::layout::{Layout, RingShape, credit_word, ring_word};
use crate::memory::{LINE_PAIR, Memory};
use crate::message::Message;
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::Outlet;
use crate::ring::slot::Slot;
use crate::slots::{MappedRing, Storage};

/// Where the producer's words lie, after the consumer's.
const RING_AT: usize = (credit_word::COUNT * 8).next_multiple_of(LINE_PAIR);

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
    /// A ring of `capacity` messages in this process's heap, in the layout that suits the message's size.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if `capacity` isn't a power of two up to 2^24 or the message's size or alignment is out of range.
    pub fn heap(capacity: usize) -> Result<(Producer<T>, Consumer<T>), ShapeError> {
        Self::heap_in(capacity, Layout::of(size_of::<T>()))
    }

    /// The same, in this layout.
    ///
    /// # Errors
    ///
    /// [`ShapeError`], like [`heap`](Self::heap).
    pub fn heap_in(
        capacity: usize,
        layout: Layout,
    ) -> Result<(Producer<T>, Consumer<T>), ShapeError> {
        let shape = Self::shape(capacity, layout)?;
        let memory = Arc::new(Memory::heap(Self::span(&shape)));
        let end = || Self::ring_at(&memory, 0, shape);
        Ok((Producer::new(end()), Consumer::new(end())))
    }

    pub(crate) fn shape(capacity: usize, layout: Layout) -> Result<RingShape, ShapeError> {
        RingShape::with_layout(size_of::<T>(), capacity as u64, false, layout)
            .filter(RingShape::holds::<T>)
            .ok_or(ShapeError {
                capacity: capacity as u64,
                payload: size_of::<T>(),
                align: align_of::<T>(),
            })
    }

    /// Bytes of a bare ring: the consumer's words, the producer's, the slots.
    pub(crate) fn span(shape: &RingShape) -> usize {
        RING_AT + ring_word::SLOTS + shape.slots_len()
    }

    /// A view of the ring at byte `start`, with [`span`](Self::span) bytes from there on.
    pub(crate) fn ring_at(memory: &Arc<Memory>, start: usize, shape: RingShape) -> MappedRing {
        MappedRing::new(shape, (memory, start + RING_AT), (memory, start))
            .expect("a span made for this shape")
    }
}

/// Stages copies of the first values of `values` that there is room for. The outlet's ring has a shape for `T`.
#[inline]
pub(crate) fn stage_slice<T: Message>(outlet: &Outlet<MappedRing>, values: &[T]) -> usize {
    let mut rest = values;
    while !rest.is_empty() {
        let Ok((position, granted)) = outlet.claim_run(rest.len() as u64) else {
            break;
        };
        let ring = &outlet.storage;
        let dense = ring.shape().is_dense::<T>();
        let most = if dense {
            ring.until_wrap(position)
        } else {
            u64::MAX
        };
        let (run, later) = rest.split_at(granted.min(most) as usize);
        if dense {
            // SAFETY: the one producer's outlet, positions just claimed, dense for `T`, no longer than to the wrap.
            unsafe { ring.write_run(position, run, outlet.claimable()) };
        } else {
            for (position, value) in (position..).zip(run) {
                // SAFETY: the one producer's outlet, position just claimed, and the shape is one for `T`.
                unsafe { ring.write(position, value) };
            }
        }
        outlet.stage_run(run.len() as u64);
        rest = later;
    }
    values.len() - rest.len()
}

/// Stages what `values` yields while there is room, and returns how many, and whether that was all: nothing is taken out that
/// there is no room for. The outlet's ring has a shape for `T`.
#[inline]
pub(crate) fn stage_iter<T: Message>(
    outlet: &Outlet<MappedRing>,
    values: &mut impl Iterator<Item = T>,
) -> (usize, bool) {
    let mut staged = 0;
    loop {
        let (least, most) = values.size_hint();
        if most == Some(0) {
            return (staged, true);
        }
        let Ok((position, granted)) = outlet.claim_run(least.max(1) as u64) else {
            return (staged, false);
        };
        let ring = &outlet.storage;
        let most = granted.min(ring.until_wrap(position)) as usize;
        // SAFETY: the one producer's outlet, positions just claimed, not beyond the wrap, and the shape is one for `T`.
        let written = unsafe { ring.write_from(position, most, outlet.claimable(), values) };
        outlet.stage_run(written as u64);
        staged += written;
        if written < most {
            return (staged, true);
        }
    }
}

/// Drops what is staged and wasn't published: a panic has come between.
struct Staging<'a>(&'a Outlet<MappedRing>);

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        self.0.rewind();
    }
}

/// The next messages that lie side by side, `most` at most: the first one's position, and how many.
#[inline]
pub(crate) fn run_of<T: Message>(inlet: &Inlet<MappedRing>, most: u64) -> Option<(u64, u64)> {
    let (position, count) = inlet.peek_run(most)?;
    let ring = &inlet.storage;
    let side_by_side = if ring.shape().is_dense::<T>() {
        ring.until_wrap(position)
    } else {
        1
    };
    Some((position, count.min(side_by_side)))
}

/// The sending end of a bare ring. One thread at a time owns it; it may be sent to another.
pub struct Producer<T> {
    outlet: Outlet<MappedRing>,
    held: Cell<bool>,
    message: PhantomData<T>,
}

impl<T: Message> Producer<T> {
    /// The end of a ring that nothing was sent on yet. The caller makes one only, and has checked the shape for `T`.
    pub(crate) fn new(ring: MappedRing) -> Self {
        let outlet = Outlet::new(ring, 0, 0);
        outlet.open();
        Self {
            outlet,
            held: Cell::new(false),
            message: PhantomData,
        }
    }

    /// Sends a copy of `value`. It is visible to the receiver on return.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value: `Full`, or `Closed` instead of it once the [`Consumer`] was dropped; while there is
    /// room a dropped one goes unnoticed, [`is_closed`](Self::is_closed) tells. A consumer that gives back at the same time
    /// may make the next try succeed.
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

    /// Sends copies of the first values of `values` that there is room for, and returns how many. They are visible to the
    /// receiver together, in the contiguous layout by one store.
    pub fn send_slice(&mut self, values: &[T]) -> usize {
        let sent = stage_slice(&self.outlet, values);
        self.outlet.publish();
        sent
    }

    /// Sends what `values` yields, written where it will lie, as long as there is room, and returns how many. They are visible to
    /// the receiver together, like a slice's; if `values` panics, none of this call is.
    ///
    /// Nothing is taken out of `values` that there is no room for. An iterator that knows its length (`size_hint`) has room made for
    /// all of it at once. It saves the copy that a slice takes; messages of kilobytes go faster by [`send_slice`](Self::send_slice)
    /// if they lie in a slice already, and by [`claim`](Self::claim), one by one, if they are made on the way.
    ///
    /// ```
    /// let (mut tx, mut rx) = airssys_ringbuf::Ring::<u64>::heap(4).unwrap();
    /// let mut squares = (0..6).map(|number| number * number);
    /// assert_eq!(tx.send_iter(squares.by_ref()), 4);
    /// rx.drain(4, |_| ());
    /// assert_eq!(tx.send_iter(squares), 2);
    /// assert_eq!(rx.try_recv(), Some(16));
    /// ```
    #[inline]
    pub fn send_iter(&mut self, values: impl IntoIterator<Item = T>) -> usize {
        let staging = Staging(&self.outlet);
        let (sent, _) = stage_iter(staging.0, &mut values.into_iter());
        staging.0.publish();
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

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("sent", &self.outlet.published())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.outlet.close();
    }
}

/// The receiving end of a bare ring. One thread at a time owns it; it may be sent to another.
pub struct Consumer<T> {
    inlet: Inlet<MappedRing>,
    message: PhantomData<T>,
}

impl<T: Message> Consumer<T> {
    /// The end of a ring that nothing was received from yet. The caller makes one only, and has checked the shape for `T`.
    pub(crate) fn new(ring: MappedRing) -> Self {
        let inlet = Inlet::new(ring, 0, 0);
        inlet.open(u64::MAX);
        Self {
            inlet,
            message: PhantomData,
        }
    }

    /// The next message, copied out; `None` if there is none yet.
    ///
    /// Slots are given back to the sender once an eighth of the ring was received, and when nothing is found: a receiver
    /// that stops without having met `None` may leave the sender with up to an eighth less room.
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

    /// Shows up to `most` messages to `receive`, in place, and returns how many. Their slots are given back afterwards, as by
    /// [`try_recv`](Self::try_recv). If `receive` panics, the message it was shown stays and those before it are received.
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
        let mut filled = 0;
        self.drain_slices(values.len(), |run| {
            let end = filled + run.len();
            values[filled..end].copy_from_slice(run);
            filled = end;
        })
    }

    /// Shows up to `most` messages to `receive` as slices, in place, and returns how many: as many a slice as lie side by side
    /// in the contiguous layout, one a slice in the sequenced. Otherwise like [`drain`](Self::drain), of which a message is a
    /// slice.
    ///
    /// ```
    /// use airssys_ringbuf::{Layout, Ring};
    ///
    /// let (mut tx, mut rx) = Ring::<u32>::heap_in(64, Layout::Sequenced).unwrap();
    /// let (mut dense, mut of_dense) = Ring::<u64>::heap_in(64, Layout::Contiguous).unwrap();
    /// tx.send_slice(&[1, 2, 3]);
    /// dense.send_slice(&[1, 2, 3]);
    /// let mut lengths = Vec::new();
    /// rx.drain_slices(8, |run| lengths.push(run.len()));
    /// of_dense.drain_slices(8, |run| lengths.push(run.len()));
    /// assert_eq!(lengths, [1, 1, 1, 3]);
    /// ```
    pub fn drain_slices(&mut self, most: usize, mut receive: impl FnMut(&[T])) -> usize {
        let mut received = 0;
        while received < most {
            let Some((position, count)) = run_of::<T>(&self.inlet, (most - received) as u64) else {
                break;
            };
            let first = self.inlet.storage.payload(position).cast::<T>().as_ptr();
            // SAFETY: `count` messages lie side by side from `first` on (one, where the ring isn't dense for `T`), aligned by the
            // shape; all seen published, and given back below, after the slice has ended.
            receive(unsafe { std::slice::from_raw_parts(first, count as usize) });
            self.inlet.take_run(count);
            self.inlet.commit();
            received += count as usize;
        }
        self.inlet.settle(received > 0);
        received
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

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("received", &self.inlet.committed())
            .finish_non_exhaustive()
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.inlet.close();
    }
}
