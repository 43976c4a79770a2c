//! crossbeam-queue's `ArrayQueue`: `push` and `pop`. It has no batches.

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Crossbeam;

impl<const W: usize> Tx<W> for Arc<ArrayQueue<[u64; W]>> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.push(value(write)).is_ok()
    }
}

impl<const W: usize> Rx<W> for Arc<ArrayQueue<[u64; W]>> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Some(words) = self.pop() else {
            return 0;
        };
        see(&words);
        1
    }
}

impl<const W: usize> Subject<W> for Crossbeam {
    type Tx = Arc<ArrayQueue<[u64; W]>>;
    type Rx = Arc<ArrayQueue<[u64; W]>>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        // A slot holds its stamp beside the message.
        let queue = Arc::new(ArrayQueue::new(place.slots(W * 8 + 8)));
        Ok(ready((Arc::clone(&queue), queue)))
    }
}
