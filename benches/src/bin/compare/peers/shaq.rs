//! shaq: its queue for one producer and one consumer, in heap memory between threads and in a file between processes. It says
//! to prefer batches for several messages; one by one it synchronises each time.
//!
//! A file is attached by functions that are unsafe to call, since nothing in it says what its messages are: this file is one
//! of those that may.

#![allow(unsafe_code, reason = "shaq attaches a file by unsafe functions")]

use std::fmt;
use std::num::NonZeroUsize;

use shaq::spsc::{Consumer, Producer, minimum_file_size, pair};

use crate::Result;
use crate::control::open;
use crate::message::value;
use crate::subject::{Ends, Mapped, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Shaq;

pub(crate) struct Writing<const W: usize>(Producer<[u64; W]>);

impl<const W: usize> fmt::Debug for Writing<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writing")
    }
}

pub(crate) struct Reading<const W: usize>(Consumer<[u64; W]>);

impl<const W: usize> fmt::Debug for Reading<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

impl<const W: usize> Tx<W> for Writing<W> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.0.try_write(value(write)).is_ok()
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let mut batch = self.0.write_batch();
        let room = (0..count).take_while(|&index| {
            let words = value(|words| write(index, words));
            batch.try_write(words).is_ok()
        });
        room.count()
    }
}

impl<const W: usize> Rx<W> for Reading<W> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Some(words) = self.0.try_read() else {
            return 0;
        };
        see(&words);
        1
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, mut see: impl FnMut(&[u64; W])) -> usize {
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let Some(batch) = self.0.try_reserve_read_batch(most) else {
            return 0;
        };
        let (first, second) = batch.as_slices();
        first.iter().chain(second).for_each(&mut see);
        batch.len()
    }
}

impl<const W: usize> Subject<W> for Shaq {
    type Tx = Writing<W>;
    type Rx = Reading<W>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        let (tx, rx) = pair(place.slots(W * 8)).map_err(|error| format!("shaq: {error:?}"))?;
        Ok(ready((Writing(tx), Reading(rx))))
    }
}

impl<const W: usize> Mapped<W> for Shaq {
    fn sender(place: &Place) -> Result<Self::Tx> {
        let bytes = minimum_file_size::<[u64; W]>(place.slots(W * 8));
        let file = open(&place.path())?;
        // SAFETY: of a measurement's two sides one makes the sending end, once, in a new file, before the other attaches; and
        // both have the same `W`, by the same arguments.
        let producer = unsafe { Producer::create(&file, bytes) };
        Ok(Writing(
            producer.map_err(|error| format!("shaq: {error:?}"))?,
        ))
    }

    fn receiver(place: &Place) -> Result<Self::Rx> {
        let file = open(&place.path())?;
        // SAFETY: as above: the other side makes the receiving end, once, and messages are words.
        let consumer = unsafe { Consumer::join(&file) };
        Ok(Reading(
            consumer.map_err(|error| format!("shaq: {error:?}"))?,
        ))
    }
}
