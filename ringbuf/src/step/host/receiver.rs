//! The receiving host port.

use std::fmt;

use super::alone::{Alone, Ended};
use crate::message::Message;
use crate::region::Region;
use crate::step::attach::Attach;
use crate::step::outcome::StepError;
use crate::step::ports::LinkFault;
use crate::step::receiver::Receiver;
use crate::step::sections::AttachError;

/// The receiving end of a link, held by the launching program. Each call commits by itself.
///
/// One thread at a time uses it; it may be handed to another. Dropping it leaves the link open: whoever attaches it again
/// goes on where it stopped. [`close`](Self::close) ends the link.
///
/// Slots are given back to the sender once an eighth of the link was received, and by every call that finds nothing: a
/// receiver that stops without having met an empty link may leave the sender with up to an eighth less room.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<airssys_ringbuf::step::HostReceiver<u64>>();
/// ```
pub struct HostReceiver<T: Message> {
    alone: Alone<Receiver<T>>,
}

impl<T: Message> HostReceiver<T> {
    /// Attaches the end of `link` whose credit and actor section, of one input and no outputs, lie in `own`; it is sent in
    /// the region `sender`. Recovers first: everything that an earlier port had received is given back.
    ///
    /// A port that was closed is attached all the same, receives nothing, and says so by [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    ///
    /// [`AttachError`]; `Attached` while another port of this process has the link.
    pub fn attach(own: &Region, link: &str, sender: &Region) -> Result<Self, AttachError> {
        Self::attach_as(own, link, sender, true)
    }

    /// As [`attach`](Self::attach), for a link whose peer isn't trusted: an impossible position closes the link.
    ///
    /// # Errors
    ///
    /// [`AttachError`].
    pub fn attach_untrusting(
        own: &Region,
        link: &str,
        sender: &Region,
    ) -> Result<Self, AttachError> {
        Self::attach_as(own, link, sender, false)
    }

    fn attach_as(
        own: &Region,
        link: &str,
        sender: &Region,
        trusts: bool,
    ) -> Result<Self, AttachError> {
        let mut attach = Attach::new(own, link, 1, 0)?;
        let port = attach.trusting(trusts).receiver(link, sender)?;
        Ok(Self {
            alone: Alone::new(attach.finish(), port),
        })
    }

    /// The next message, copied out; `None` if there is none at present. On return it counts as received.
    ///
    /// # Errors
    ///
    /// [`StepError`] if the link is faulty: nothing is received from it any more.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<T>, StepError> {
        self.step(Receiver::try_recv).map(Option::flatten)
    }

    /// Shows up to `most` messages to `receive`, in place and without a copy, receives them in one commit, and returns how
    /// many. If `receive` panics, none of them is received: the next call shows them again.
    ///
    /// # Errors
    ///
    /// [`StepError`] if the link is faulty: what was shown doesn't count as received, and nothing will.
    #[inline]
    pub fn drain(&mut self, most: usize, receive: impl FnMut(&T)) -> Result<usize, StepError> {
        let shown = self.step(|port| port.drain(most, receive))?;
        Ok(shown.unwrap_or(0))
    }

    /// Copies messages out into the front of `values`, receives them in one commit, and returns how many.
    ///
    /// # Errors
    ///
    /// [`StepError`], like [`drain`](Self::drain).
    pub fn recv_slice(&mut self, values: &mut [T]) -> Result<usize, StepError> {
        let copied = self.step(|port| port.recv_slice(values))?;
        Ok(copied.unwrap_or(0))
    }

    /// `None` where this end is closed.
    #[inline]
    fn step<R>(
        &mut self,
        call: impl FnOnce(&mut Receiver<T>) -> R,
    ) -> Result<Option<R>, StepError> {
        match self.alone.step(call) {
            Ok(result) => Ok(Some(result)),
            Err(Ended::Closed) => Ok(None),
            Err(Ended::Fault(error)) => Err(error),
        }
    }

    /// Whether a call would tell anything but "nothing yet": a message, a fault, or that the link is closed. Stays true
    /// until it was received. Reads the shared words themselves: for a receiver about to park.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.alone.port().is_ready() || self.is_closed()
    }

    /// Whether the sender has ended and its last message was received, or this end was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.alone.is_done() || self.alone.port().is_closed()
    }

    /// Messages received on this link since the bus was made: the position of the next one.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.alone.port().received()
    }

    /// Slots of the link.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.alone.port().capacity()
    }

    /// Why this end gave the untrusted link up, if it did.
    #[must_use]
    pub fn fault(&self) -> Option<LinkFault> {
        self.alone.port().fault()
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.alone.port().name()
    }

    /// Whether peers were shown anything since this was last asked: their doorbells are due. Once after attaching, too,
    /// since recovery may have shown something whose doorbell was never rung.
    #[inline]
    pub fn take_visible(&mut self) -> bool {
        self.alone.take_visible()
    }

    /// Ends the link for good: the sender is refused from now on, and what is left in the link is never received. Closing a
    /// closed one changes nothing.
    ///
    /// Returns whether peers were shown anything, like [`take_visible`](Self::take_visible).
    ///
    /// # Errors
    ///
    /// [`StepError`] if the link is faulty; it stays open then.
    pub fn close(&mut self) -> Result<bool, StepError> {
        self.alone.close()?;
        Ok(self.alone.take_visible())
    }
}

impl<T: Message> fmt::Debug for HostReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostReceiver")
            .field("link", &self.name())
            .field("received", &self.received())
            .field("closed", &self.is_closed())
            .finish()
    }
}
