//! ringfire: a ring in a file, lossless, so that a full one holds the producer up. `push_batch` and `recv_batch` for batches.

use std::fmt;

use ringfire::{
    FlowControl, RecvStatus, RingConsumer, RingConsumerBuilder, RingProducer, RingProducerBuilder,
};

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Mapped, Place, Rx, Subject, Tx, attached};

#[derive(Debug)]
pub(crate) struct Ringfire;

/// A producer, and the batch that is written before it is sent.
pub(crate) struct Pushing<const W: usize> {
    producer: RingProducer<[u64; W]>,
    batch: Vec<[u64; W]>,
}

impl<const W: usize> fmt::Debug for Pushing<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pushing")
    }
}

/// A consumer, and where batches are received.
pub(crate) struct Receiving<const W: usize> {
    consumer: RingConsumer<[u64; W]>,
    batch: Vec<[u64; W]>,
}

impl<const W: usize> fmt::Debug for Receiving<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiving")
    }
}

impl<const W: usize> Tx<W> for Pushing<W> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.producer.try_push(&value(write)).is_ok()
    }

    /// Waits by itself while the ring is full.
    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let batch = &mut self.batch[..count];
        for (index, words) in batch.iter_mut().enumerate() {
            write(index, words);
        }
        self.producer.push_batch(batch);
        count
    }
}

impl<const W: usize> Rx<W> for Receiving<W> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        match self.consumer.recv_status() {
            RecvStatus::Ok(words) => {
                see(&words);
                1
            }
            RecvStatus::Empty => 0,
            RecvStatus::Lapped { .. } => panic!("ringfire lost messages of a lossless ring"),
        }
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, see: impl FnMut(&[u64; W])) -> usize {
        let received = self.consumer.recv_batch(&mut self.batch[..most]);
        self.batch[..received].iter().for_each(see);
        received
    }
}

impl<const W: usize> Subject<W> for Ringfire {
    type Tx = Pushing<W>;
    type Rx = Receiving<W>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        Ok(attached::<Self, W>(place))
    }
}

impl<const W: usize> Mapped<W> for Ringfire {
    fn sender(place: &Place) -> Result<Self::Tx> {
        // A slot holds its sequence word beside the message.
        let producer = RingProducerBuilder::new(place.slots(W * 8 + 8) as u64)
            .flow_control(FlowControl::LosslessBackpressure)
            .build(place.path())?;
        Ok(Pushing {
            producer,
            batch: vec![[0; W]; crate::catalog::BATCH],
        })
    }

    fn receiver(place: &Place) -> Result<Self::Rx> {
        let consumer = RingConsumerBuilder::new()
            .start_from_oldest()
            .attach(place.path())?;
        Ok(Receiving {
            consumer,
            batch: vec![[0; W]; crate::catalog::BATCH],
        })
    }
}
