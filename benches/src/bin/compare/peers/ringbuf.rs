//! ringbuf: its `HeapRb`, split into halves that cache the other one's index; batches are pushed from an iterator, which
//! publishes them at its end, and read in place.

use ringbuf::traits::{Consumer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Ringbuf;

impl<const W: usize> Tx<W> for HeapProd<[u64; W]> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.try_push(value(write)).is_ok()
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        self.push_iter((0..count).map(|index| value(|words| write(index, words))))
    }
}

impl<const W: usize> Rx<W> for HeapCons<[u64; W]> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Some(words) = self.try_pop() else {
            return 0;
        };
        see(&words);
        1
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, mut see: impl FnMut(&[u64; W])) -> usize {
        let (first, second) = self.as_slices();
        let there = first.iter().chain(second).take(most);
        let mut shown = 0;
        for words in there {
            see(words);
            shown += 1;
        }
        self.skip(shown)
    }
}

impl<const W: usize> Subject<W> for Ringbuf {
    type Tx = HeapProd<[u64; W]>;
    type Rx = HeapCons<[u64; W]>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        Ok(ready(HeapRb::new(place.slots(W * 8)).split()))
    }
}
