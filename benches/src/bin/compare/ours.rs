//! Our ring alone, in both layouts, used as its documentation says: written in place, one by one or from an iterator, and shown in
//! place.

use airssys_ringbuf::layout::RingShape;
use airssys_ringbuf::{Consumer, Layout, Producer, Ring};

use crate::Result;
use crate::control::open;
use crate::message::value;
use crate::subject::{Ends, Mapped, Place, Rx, Subject, Tx, ready};

/// The sequence word in the message's own last line.
pub(crate) type Sequenced = Bare<false>;

/// Messages side by side, and a word that says how far they are published.
pub(crate) type Contiguous = Bare<true>;

/// Words beyond which messages of a batch are claimed one by one: an iterator's would be copied from the stack.
const IN_PLACE_FROM: usize = 256;

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
    RingShape::with_layout(payload, 1, false, layout).map_or(payload, |shape| shape.stride)
}

impl<const W: usize> Tx<W> for Producer<[u64; W]> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        let Some(mut slot) = self.claim() else {
            return false;
        };
        write(&mut slot);
        slot.publish();
        true
    }

    #[inline]
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        if W > IN_PLACE_FROM {
            let mut send = |index| Tx::try_send(self, |words| write(index, words));
            return (0..count).take_while(|&index| send(index)).count();
        }
        self.send_iter((0..count).map(|index| value(|words| write(index, words))))
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
    type Tx = Producer<[u64; W]>;
    type Rx = Receiving<W, CONTIGUOUS>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        let (tx, rx) = Ring::heap_in(Self::slots(place, W * 8), Self::LAYOUT)?;
        Ok(ready((tx, Receiving(rx))))
    }
}

impl<const W: usize, const CONTIGUOUS: bool> Mapped<W> for Bare<CONTIGUOUS> {
    fn sender(place: &Place) -> Result<Self::Tx> {
        let (file, slots) = (open(&place.path())?, Self::slots(place, W * 8));
        Ok(Ring::producer_in_as(&file, slots, Self::LAYOUT)?)
    }

    fn receiver(place: &Place) -> Result<Self::Rx> {
        let (file, slots) = (open(&place.path())?, Self::slots(place, W * 8));
        let rx = Ring::consumer_in_as(&file, slots, Self::LAYOUT)?;
        Ok(Receiving(rx))
    }
}
