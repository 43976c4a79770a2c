//! What is measured: a channel from one side to the other, with messages of `W` words.

use std::path::PathBuf;

use crate::Result;
use crate::nameless::Files;

/// The sending end.
pub(crate) trait Tx<const W: usize> {
    /// Sends a message that `write` writes, in place where the subject lets it; false if there is no room. `write` may be
    /// called for a message that is refused.
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool;

    /// Sends up to `count` messages at once, the i-th written by `write(i, ..)`, and says how many.
    fn try_send_batch(&mut self, count: usize, write: impl Fn(usize, &mut [u64; W])) -> usize {
        let _ = (count, write);
        unreachable!("asked for batches of a subject that the catalog says has none")
    }
}

/// The receiving end.
pub(crate) trait Rx<const W: usize> {
    /// Shows the next message to `see`, in place where the subject lets it, and says how many were shown: 0 or 1, or more
    /// where the subject's way of receiving always takes all that is there.
    fn try_recv(&mut self, see: impl FnMut(&[u64; W])) -> usize;

    /// Shows up to `most` messages and says how many.
    fn try_recv_batch(&mut self, most: usize, see: impl FnMut(&[u64; W])) -> usize {
        let _ = (most, see);
        unreachable!("asked for batches of a subject that the catalog says has none")
    }
}

/// Where a channel lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Of this measurement alone.
    pub(crate) files: Files,
    /// What that measurement is called.
    pub(crate) measurement: String,
    /// "out" from the near side to the far one, "back" the other way.
    pub(crate) name: &'static str,
    /// Bytes that its slots may take.
    pub(crate) bytes: usize,
}

impl Place {
    pub(crate) fn path(&self) -> PathBuf {
        self.files.path(self.name)
    }

    /// Slots of `stride` bytes: the most that fit, rounded down to a power of two.
    pub(crate) fn slots(&self, stride: usize) -> usize {
        1 << (self.bytes / stride).max(2).ilog2()
    }
}

/// Bytes of every ring: inside the second-level cache with a ring each way, larger than the first, and at least 32 messages.
pub(crate) fn ring_bytes(payload: usize) -> usize {
    if payload <= 256 { 64 << 10 } else { 256 << 10 }
}

/// Makes an end, on the thread that will use it.
pub(crate) type Make<T> = Box<dyn FnOnce() -> Result<T> + Send>;

/// Both ends of a channel.
pub(crate) type Ends<T, R> = (Make<T>, Make<R>);

/// Something that connects two threads.
pub(crate) trait Subject<const W: usize> {
    type Tx: Tx<W> + 'static;
    type Rx: Rx<W> + 'static;

    /// A new channel.
    fn channel(place: &Place) -> Result<Ends<Self::Tx, Self::Rx>>;
}

/// Something that connects two processes. Both senders of a measurement are made before any receiver.
pub(crate) trait Mapped<const W: usize>: Subject<W> {
    fn sender(place: &Place) -> Result<Self::Tx>;
    fn receiver(place: &Place) -> Result<Self::Rx>;
}

/// The ends of a channel that both are ready and may move to another thread.
pub(crate) fn ready<T: Send + 'static, R: Send + 'static>((tx, rx): (T, R)) -> Ends<T, R> {
    (Box::new(move || Ok(tx)), Box::new(move || Ok(rx)))
}

/// The ends of a channel that are made where they are used.
pub(crate) fn attached<S: Mapped<W> + 'static, const W: usize>(
    place: &Place,
) -> Ends<S::Tx, S::Rx> {
    let (out, back) = (place.clone(), place.clone());
    (
        Box::new(move || S::sender(&out)),
        Box::new(move || S::receiver(&back)),
    )
}
