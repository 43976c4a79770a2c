//! nexus-queue: `push` and `pop` of its ring for one producer and one consumer. It has no batches.

use nexus_queue::spsc::{Consumer, Producer, ring_buffer};

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Nexus;

impl<const W: usize> Tx<W> for Producer<[u64; W]> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.push(value(write)).is_ok()
    }
}

impl<const W: usize> Rx<W> for Consumer<[u64; W]> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Some(words) = self.pop() else {
            return 0;
        };
        see(&words);
        1
    }
}

impl<const W: usize> Subject<W> for Nexus {
    type Tx = Producer<[u64; W]>;
    type Rx = Consumer<[u64; W]>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        Ok(ready(ring_buffer(place.slots(W * 8))))
    }
}
