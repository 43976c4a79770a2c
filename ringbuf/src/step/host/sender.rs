//! The sending host port.

use std::fmt;

use super::SendError;
use super::alone::{Alone, Ended};
use crate::message::Message;
use crate::region::Region;
use crate::ring::bare::TrySendError;
use crate::step::attach::Attach;
use crate::step::outcome::StepError;
use crate::step::ports::{LinkFault, Refused};
use crate::step::sections::AttachError;
use crate::step::sender::Sender;

/// The sending end of a link, held by the launching program. Each call commits by itself.
///
/// One thread at a time uses it; it may be handed to another. Dropping it leaves the link open: whoever attaches it again
/// goes on where it stopped. [`close`](Self::close) ends the link.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<airssys_ringbuf::step::HostSender<u64>>();
/// ```
pub struct HostSender<T: Message> {
    alone: Alone<Sender<T>>,
}

impl<T: Message> HostSender<T> {
    /// Attaches the end of `link` whose ring and actor section, of no inputs and one output, lie in `own`; it is received in
    /// the region `receiver`. Recovers first: what an earlier port had committed and not shown yet is shown now.
    ///
    /// A port that was closed is attached all the same, refuses everything with `Closed`, and says so by
    /// [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    ///
    /// [`AttachError`]; `Attached` while another port of this process has the link.
    pub fn attach(own: &Region, link: &str, receiver: &Region) -> Result<Self, AttachError> {
        Self::attach_as(own, link, receiver, true)
    }

    /// As [`attach`](Self::attach), for a link whose peer isn't trusted: an impossible position closes the link.
    ///
    /// # Errors
    ///
    /// [`AttachError`].
    pub fn attach_untrusting(
        own: &Region,
        link: &str,
        receiver: &Region,
    ) -> Result<Self, AttachError> {
        Self::attach_as(own, link, receiver, false)
    }

    fn attach_as(
        own: &Region,
        link: &str,
        receiver: &Region,
        trusts: bool,
    ) -> Result<Self, AttachError> {
        let mut attach = Attach::new(own, link, 0, 1)?;
        let port = attach.trusting(trusts).sender(link, receiver)?;
        Ok(Self {
            alone: Alone::new(attach.finish(), port),
        })
    }

    /// Sends a copy of `value`. On return the receiver can see it.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value. After `Full` a later try may succeed at any time; `Closed` and `Fault` stay.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), SendError<T>> {
        match self.alone.step(|port| port.try_send(value)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(TrySendError::Full(value))) => Err(SendError::Full(value)),
            Ok(Err(TrySendError::Closed(value))) => Err(SendError::Closed(value)),
            Err(ended) => Err(refused(ended).about(value)),
        }
    }

    /// Sends a message that `write` writes in place. It finds whatever the slot held before, so it has to set every field.
    /// If it panics, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], like [`try_send`](Self::try_send); `write` was not called then, but for `Fault`.
    #[inline]
    pub fn send_with(&mut self, write: impl FnOnce(&mut T)) -> Result<(), SendError<()>> {
        self.step(|port| {
            let mut slot = port.try_claim()?;
            write(&mut slot);
            slot.publish();
            Ok(())
        })
    }

    /// Sends copies of the first values of `values` that there is room for, in one commit, and returns how many: at least
    /// one, unless `values` is empty.
    ///
    /// # Errors
    ///
    /// [`SendError`] if none was sent, like [`try_send`](Self::try_send).
    pub fn send_slice(&mut self, values: &[T]) -> Result<usize, SendError<()>> {
        self.step(|port| {
            for (sent, value) in values.iter().enumerate() {
                match port.try_claim() {
                    Ok(mut slot) => {
                        *slot = *value;
                        slot.publish();
                    }
                    Err(refused) if sent == 0 => return Err(refused),
                    Err(_) => return Ok(sent),
                }
            }
            Ok(values.len())
        })
    }

    #[inline]
    fn step<R>(
        &mut self,
        call: impl FnOnce(&mut Sender<T>) -> Result<R, Refused>,
    ) -> Result<R, SendError<()>> {
        match self.alone.step(call) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Refused::Full)) => Err(SendError::Full(())),
            Ok(Err(Refused::Closed)) => Err(SendError::Closed(())),
            Err(ended) => Err(refused(ended)),
        }
    }

    /// Free slots, after a look at what the receiver has given back; 0 once the link is closed.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.alone.is_done() {
            return 0;
        }
        self.alone.port().shared_room().unwrap_or(0) as usize
    }

    /// Whether a send would not be refused as `Full`: there is room, or the link is closed or faulty, which the send tells.
    /// Reads the shared words themselves: for a sender about to park.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.alone.is_done() || self.alone.port().shared_room() != Some(0)
    }

    /// Whether the receiver has ended, or this end was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.alone.is_done() || self.alone.port().is_closed()
    }

    /// Messages sent on this link since the bus was made: the position of the next one.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.alone.port().sent()
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

    /// Ends the link for good: the receiver sees it closed after the last message. Closing a closed one changes nothing.
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

#[cold]
fn refused(ended: Ended) -> SendError<()> {
    match ended {
        Ended::Closed => SendError::Closed(()),
        Ended::Fault(error) => SendError::Fault { value: (), error },
    }
}

impl<T: Message> fmt::Debug for HostSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSender")
            .field("link", &self.name())
            .field("sent", &self.sent())
            .field("closed", &self.is_closed())
            .finish()
    }
}
