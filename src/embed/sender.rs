//! The sending host port.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::{self, LinkFault, SendError, StepError};

use crate::embed::bell::{PortBell, deadline};

/// The sending end of a link, held by the launching program: for one of its threads at a time, any of them.
///
/// Each call commits by itself: on return its messages are in the receiver's inbox, which outlives the receiver's restarts
/// and this process's death. Taken with [`Running::sender`](crate::Running::sender).
///
/// Dropping it leaves the link open, for the next one who takes it; [`close`](Self::close) ends it for good.
pub struct HostSender<T: Message> {
    /// Before the port: it says that nobody sleeps here while nobody else can hold the port yet.
    bell: PortBell,
    port: step::HostSender<T>,
}

impl<T: Message> fmt::Debug for HostSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSender")
            .field("link", &self.name())
            .field("sent", &self.sent())
            .finish_non_exhaustive()
    }
}

impl<T: Message> HostSender<T> {
    pub(super) fn new(port: step::HostSender<T>, bell: PortBell) -> Self {
        bell.ring_anyhow();
        Self { bell, port }
    }

    /// Sends `value`, or gives it back at once.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value: `Full`; `Closed` once the receiver is done, or the bus drains or has ended; `Fault` if
    /// the receiver's region holds an impossible position.
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<(), SendError<T>> {
        if self.bell.is_draining() {
            return Err(SendError::Closed(value));
        }
        let sent = self.port.try_send(value);
        self.ring();
        sent
    }

    /// Sends `value`, and waits while the link is full.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value: `Closed` or `Fault`.
    pub fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.send_until(value, None)
    }

    /// Sends `value`, and waits up to `timeout` while the link is full.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value; `Full` after the timeout.
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_until(value, Some(deadline(timeout)))
    }

    fn send_until(&mut self, mut value: T, until_ns: Option<u64>) -> Result<(), SendError<T>> {
        loop {
            match self.try_send(value) {
                Err(SendError::Full(back)) => value = back,
                sent => return sent,
            }
            if !self.bell.wait(until_ns, || self.is_ready()) {
                return Err(SendError::Full(value));
            }
        }
    }

    /// Sends copies of the first values of `values` that there is room for, all of them in one commit, and returns how many.
    ///
    /// # Errors
    ///
    /// [`SendError`]: as [`try_send`](Self::try_send); `Full` if there is no room at all.
    pub fn send_slice(&mut self, values: &[T]) -> Result<usize, SendError<()>> {
        if self.bell.is_draining() {
            return Err(SendError::Closed(()));
        }
        let sent = self.port.send_slice(values);
        self.ring();
        sent
    }

    /// Has `write` make the message in its slot, without a copy.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send); `write` isn't called then.
    pub fn send_with(&mut self, write: impl FnOnce(&mut T)) -> Result<(), SendError<()>> {
        if self.bell.is_draining() {
            return Err(SendError::Closed(()));
        }
        let sent = self.port.send_with(write);
        self.ring();
        sent
    }

    #[inline]
    fn ring(&mut self) {
        if self.port.take_visible() {
            self.bell.ring();
        }
    }

    /// Ends the link: the receiver sees it closed after the last message. Closing a closed one changes nothing.
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

    /// Whether a send would not be refused as full.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.port.has_room() || self.bell.is_draining()
    }

    /// Whether the receiver is done, or the bus takes no more messages.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.port.is_closed() || self.bell.is_draining()
    }

    /// Free slots, after a look at what the receiver has given back; 0 once the link is closed.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.bell.is_draining() {
            return 0;
        }
        self.port.room()
    }

    /// Messages sent on this link so far, in all lives of this port.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.port.sent()
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

    /// For event loops: says that this port sleeps until there is room; false if there is, and it shouldn't. The descriptor
    /// has to be open.
    #[must_use]
    pub fn arm(&self) -> bool {
        self.bell.arm(|| self.is_ready())
    }

    /// For event loops: says that this port is awake, and makes its descriptor unreadable again.
    pub fn disarm(&self) {
        self.bell.disarm();
    }
}
