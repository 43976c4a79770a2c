//! The standard library's bounded channel, as a floor. It has no batches.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::Result;
use crate::message::value;
use crate::subject::{Ends, Place, Rx, Subject, Tx, ready};

#[derive(Debug)]
pub(crate) struct StdMpsc;

impl<const W: usize> Tx<W> for SyncSender<[u64; W]> {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        SyncSender::try_send(self, value(write)).is_ok()
    }
}

impl<const W: usize> Rx<W> for Receiver<[u64; W]> {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let Ok(words) = Receiver::try_recv(self) else {
            return 0;
        };
        see(&words);
        1
    }
}

impl<const W: usize> Subject<W> for StdMpsc {
    type Tx = SyncSender<[u64; W]>;
    type Rx = Receiver<[u64; W]>;

    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>> {
        // A slot holds its stamp beside the message.
        Ok(ready(sync_channel(place.slots(W * 8 + 8))))
    }
}
