//! The receiving host port.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::{self, LinkFault, StepError};

use crate::embed::bell::{PortBell, deadline};

/// The receiving end of a link, held by the launching program: for one of its threads at a time, any of them.
///
/// Each call commits by itself: what it returned counts as received, and isn't received again by whoever takes the port
/// next. Taken with [`Running::receiver`](crate::Running::receiver). It can be read out after the bus has ended, too.
///
/// Dropping it leaves the link open, for the next one who takes it; [`close`](Self::close) ends it for good.
pub struct HostReceiver<T: Message> {
    /// Before the port: it says that nobody sleeps here while nobody else can hold the port yet.
    bell: PortBell,
    port: step::HostReceiver<T>,
}

impl<T: Message> fmt::Debug for HostReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostReceiver")
            .field("link", &self.name())
            .field("received", &self.received())
            .finish_non_exhaustive()
    }
}

impl<T: Message> HostReceiver<T> {
    pub(super) fn new(port: step::HostReceiver<T>, bell: PortBell) -> Self {
        bell.ring_anyhow();
        Self { bell, port }
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// [`StepError::ImpossiblePosition`] if the sender's region holds one.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<T>, StepError> {
        let received = self.port.try_recv();
        self.ring();
        received
    }

    /// The next message, waited for; `None` once the link is closed and empty, or the bus has ended.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn recv(&mut self) -> Result<Option<T>, StepError> {
        loop {
            if let Some(message) = self.recv_until(None)? {
                return Ok(Some(message));
            }
            if self.is_closed() {
                return Ok(None);
            }
        }
    }

    /// The next message, waited for up to `timeout`; `None` after that, and where [`is_closed`](Self::is_closed).
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<T>, StepError> {
        self.recv_until(Some(deadline(timeout)))
    }

    fn recv_until(&mut self, until_ns: Option<u64>) -> Result<Option<T>, StepError> {
        if let Some(message) = self.try_recv()? {
            return Ok(Some(message));
        }
        self.bell.wait(until_ns, || self.is_ready());
        self.try_recv()
    }

    /// Shows up to `most` messages to `receive`, in place, and returns how many. All of them are one commit: if `receive`
    /// panics, none of them is received.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn drain(&mut self, most: usize, receive: impl FnMut(&T)) -> Result<usize, StepError> {
        let received = self.port.drain(most, receive);
        self.ring();
        received
    }

    /// Copies messages out into the front of `values`, in one commit, and returns how many.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn recv_slice(&mut self, values: &mut [T]) -> Result<usize, StepError> {
        let received = self.port.recv_slice(values);
        self.ring();
        received
    }

    #[inline]
    fn ring(&mut self) {
        if self.port.take_visible() {
            self.bell.ring();
        }
    }

    /// Ends the link: the sender sees it closed. Closing a closed one changes nothing.
    ///
    /// # Errors
    ///
    /// [`StepError::ImpossiblePosition`] if the peer's region holds one.
    pub fn close(&mut self) -> Result<(), StepError> {
        if self.port.close()? {
            self.bell.ring();
        }
        Ok(())
    }

    /// Whether a receive would get a message, or would find the link closed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.port.has_news() || self.bell.has_ended()
    }

    /// Whether nothing more will come: the sender is done, or the bus has ended, and every message is received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // The end first: whatever was sent came before it.
        self.port.is_closed() || self.bell.has_ended() && !self.port.has_news()
    }

    /// Messages received on this link so far, in all lives of this port.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.port.received()
    }

    /// Slots of the link.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.port.capacity()
    }

    /// Why this end gave the untrusted link up, if it did: it counts as closed then.
    #[must_use]
    pub fn fault(&self) -> Option<LinkFault> {
        self.port.fault()
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.port.name()
    }

    /// For event loops: a descriptor that gets readable when the port is rung for while it is armed.
    ///
    /// # Errors
    ///
    /// What the kernel says to opening it, the first time.
    pub fn descriptor(&mut self) -> io::Result<BorrowedFd<'_>> {
        self.bell.descriptor()
    }

    /// For event loops: says that this port sleeps until there is a message; false if there is, and it shouldn't. The
    /// descriptor has to be open.
    #[must_use]
    pub fn arm(&self) -> bool {
        self.bell.arm(|| self.is_ready())
    }

    /// For event loops: says that this port is awake, and makes its descriptor unreadable again.
    pub fn disarm(&self) {
        self.bell.disarm();
    }
}
