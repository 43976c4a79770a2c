//! rtrb: `push` and `pop`; batches by chunks, filled from an iterator and read in place.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Rtrb;

impl<const W: usize> Tx<W> for Producer<[u64; W]> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.push(value(write)).is_ok()
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let Ok(chunk) = self.write_chunk_uninit(count) else {
            return 0;
        };
        chunk.fill_from_iter((0..count).map(|index| value(|words| write(index, words))))
    }
}

impl<const W: usize> Rx<W> for Consumer<[u64; W]> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Ok(words) = self.pop() else {
            return 0;
        };
        see(&words);
        1
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, mut see: impl FnMut(&[u64; W])) -> usize {
        let there = match self.cached_slots() {
            0 => self.slots(),
            cached => cached,
        };
        let Ok(chunk) = self.read_chunk(there.min(most)) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(&mut see);
        let read = chunk.len();
        chunk.commit_all();
        read
    }
}

impl<const W: usize> Subject<W> for Rtrb {
    type Tx = Producer<[u64; W]>;
    type Rx = Consumer<[u64; W]>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        Ok(ready(RingBuffer::new(place.slots(W * 8))))
    }
}
