//! Our ring alone, in both layouts, used as its documentation says: claimed and written in place, received by value one by one
//! and in place by batches.

use airssys_ringbuf::{Consumer, Producer, Ring};

use crate::Result;
use crate::control::open;
use crate::subject::{Make, Mapped, Place, Rx, Subject, Tx, ready};

/// The sequence word in the message's own last line.
#[derive(Debug)]
pub(crate) struct Sequenced;

impl Sequenced {
    pub(crate) fn stride(payload: usize) -> usize {
        (payload + 8).next_multiple_of(64)
    }
}

/// A producer, and the batch that is written before it is sent.
#[derive(Debug)]
pub(crate) struct Sending<const W: usize> {
    producer: Producer<[u64; W]>,
    batch: Vec<[u64; W]>,
}

impl<const W: usize> Sending<W> {
    fn new(producer: Producer<[u64; W]>) -> Self {
        Self {
            producer,
            batch: vec![[0; W]; 64],
        }
    }
}

impl<const W: usize> Tx<W> for Sending<W> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        let Some(mut slot) = self.producer.claim() else {
            return false;
        };
        write(&mut slot);
        slot.publish();
        true
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let count = count.min(self.batch.len());
        let batch = &mut self.batch[..count];
        for (index, words) in batch.iter_mut().enumerate() {
            write(index, words);
        }
        self.producer.send_slice(batch)
    }
}

/// A consumer.
#[derive(Debug)]
pub(crate) struct Receiving<const W: usize>(Consumer<[u64; W]>);

impl<const W: usize> Rx<W> for Receiving<W> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        self.0.drain(1, &mut see)
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, see: impl FnMut(&[u64; W])) -> usize {
        self.0.drain(most, see)
    }
}

impl<const W: usize> Subject<W> for Sequenced {
    type Tx = Sending<W>;
    type Rx = Receiving<W>;

    fn channel(place: &Place) -> Result<(Make<Sending<W>>, Make<Receiving<W>>)> {
        let (tx, rx) = Ring::heap(place.slots(Self::stride(W * 8)))?;
        Ok(ready((Sending::new(tx), Receiving(rx))))
    }
}

impl<const W: usize> Mapped<W> for Sequenced {
    fn sender(place: &Place) -> Result<Sending<W>> {
        let slots = place.slots(Self::stride(W * 8));
        let tx = Ring::producer_in(&open(&place.path())?, slots)?;
        Ok(Sending::new(tx))
    }

    fn receiver(place: &Place) -> Result<Receiving<W>> {
        let slots = place.slots(Self::stride(W * 8));
        let rx = Ring::consumer_in(&open(&place.path())?, slots)?;
        Ok(Receiving(rx))
    }
}
