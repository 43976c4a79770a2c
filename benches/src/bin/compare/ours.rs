//! Our ring alone, in both layouts, used as its documentation says: claimed and written in place, received by value one by one
//! and in place by batches.

use airssys_ringbuf::{Consumer, Layout, Producer, Ring};

use crate::Result;
use crate::catalog::BATCH;
use crate::control::open;
use crate::subject::{Make, Mapped, Place, Rx, Subject, Tx, ready};

/// The sequence word in the message's own last line.
pub(crate) type Sequenced = Bare<false>;

/// Messages side by side, and a word that says how far they are published.
pub(crate) type Contiguous = Bare<true>;

/// Our ring, in one of its layouts.
#[derive(Debug)]
pub(crate) struct Bare<const CONTIGUOUS: bool>;

impl<const CONTIGUOUS: bool> Bare<CONTIGUOUS> {
    const LAYOUT: Layout = if CONTIGUOUS {
        Layout::Contiguous
    } else {
        Layout::Sequenced
    };

    fn slots(place: &Place, payload: usize) -> usize {
        place.slots(stride(Self::LAYOUT, payload))
    }
}

/// Bytes of a slot.
pub(crate) fn stride(layout: Layout, payload: usize) -> usize {
    match layout {
        Layout::Sequenced => (payload + 8).next_multiple_of(64),
        Layout::Contiguous => payload,
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
            batch: vec![[0; W]; BATCH],
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
pub(crate) struct Receiving<const W: usize, const CONTIGUOUS: bool>(Consumer<[u64; W]>);

impl<const W: usize, const CONTIGUOUS: bool> Rx<W> for Receiving<W, CONTIGUOUS> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        self.0.drain(1, &mut see)
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, mut see: impl FnMut(&[u64; W])) -> usize {
        if CONTIGUOUS {
            self.0
                .drain_slices(most, |messages| messages.iter().for_each(&mut see))
        } else {
            self.0.drain(most, see)
        }
    }
}

impl<const W: usize, const CONTIGUOUS: bool> Subject<W> for Bare<CONTIGUOUS> {
    type Tx = Sending<W>;
    type Rx = Receiving<W, CONTIGUOUS>;

    fn channel(place: &Place) -> Result<(Make<Self::Tx>, Make<Self::Rx>)> {
        let (tx, rx) = Ring::heap_in(Self::slots(place, W * 8), Self::LAYOUT)?;
        Ok(ready((Sending::new(tx), Receiving(rx))))
    }
}

impl<const W: usize, const CONTIGUOUS: bool> Mapped<W> for Bare<CONTIGUOUS> {
    fn sender(place: &Place) -> Result<Self::Tx> {
        let (file, slots) = (open(&place.path())?, Self::slots(place, W * 8));
        let tx = Ring::producer_in_as(&file, slots, Self::LAYOUT)?;
        Ok(Sending::new(tx))
    }

    fn receiver(place: &Place) -> Result<Self::Rx> {
        let (file, slots) = (open(&place.path())?, Self::slots(place, W * 8));
        let rx = Ring::consumer_in_as(&file, slots, Self::LAYOUT)?;
        Ok(Receiving(rx))
    }
}
