//! disruptor: a single producer that writes in place, and an event poller, which shows all that is there, or up to a limit.

use std::fmt;

use disruptor::{
    BusySpin, EventPoller, Producer, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};

use crate::Result;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct Disruptor;

pub(crate) struct Publishing<const W: usize>(SingleProducer<[u64; W], SingleConsumerBarrier>);

impl<const W: usize> fmt::Debug for Publishing<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Publishing")
    }
}

pub(crate) struct Polling<const W: usize>(EventPoller<[u64; W], SingleProducerBarrier>);

impl<const W: usize> fmt::Debug for Polling<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Polling")
    }
}

impl<const W: usize> Tx<W> for Publishing<W> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        self.0.try_publish(write).is_ok()
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let published = self.0.try_batch_publish(count, |events| {
            for (index, words) in events.enumerate() {
                write(index, words);
            }
        });
        if published.is_ok() { count } else { 0 }
    }
}

impl<const W: usize> Rx<W> for Polling<W> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Ok(mut events) = self.0.poll() else {
            return 0;
        };
        let mut shown = 0;
        for words in &mut events {
            see(words);
            shown += 1;
        }
        shown
    }

    #[inline]
    fn try_recv_batch(&mut self, most: usize, mut see: impl FnMut(&[u64; W])) -> usize {
        let Ok(mut events) = self.0.take(most as u64) else {
            return 0;
        };
        let mut shown = 0;
        for words in &mut events {
            see(words);
            shown += 1;
        }
        shown
    }
}

impl<const W: usize> Subject<W> for Disruptor {
    type Tx = Publishing<W>;
    type Rx = Polling<W>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        let builder = build_single_producer(place.slots(W * 8), || [0; W], BusySpin);
        let (poller, builder) = builder.new_event_poller();
        Ok(ready((Publishing(builder.build()), Polling(poller))))
    }
}
