//! The receiving port.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use airssys_rt::{HostReceiver, Message, StepError};
use futures_core::Stream;

use crate::error::WatchError;
use crate::watched::Watched;

/// The receiving end of a link, for a Tokio task.
///
/// Each receive commits by itself: what it returned counts as received, and isn't received again by whoever takes the port
/// next.
///
/// As a [`Stream`] it ends where [`recv`](Self::recv) returns `None`, and after its first error, which would come again and
/// again. Dropping the receiver leaves the link open, for the next one who takes the port.
pub struct AsyncReceiver<T: Message> {
    watched: Watched<HostReceiver<T>>,
    /// As a stream: it has told its error.
    failed: bool,
}

impl<T: Message> fmt::Debug for AsyncReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncReceiver")
            .field(&self.watched.port)
            .finish()
    }
}

impl<T: Message> AsyncReceiver<T> {
    /// Makes a host port async. Its runtime is the one that this is called in.
    ///
    /// # Errors
    ///
    /// [`WatchError`]: there is no runtime here, it has no IO driver (Tokio panics inside and that is caught, so the panic hook
    /// reports it first), or the kernel refuses. The port is dropped, and may be taken again.
    pub fn new(port: HostReceiver<T>) -> Result<Self, WatchError> {
        Ok(Self {
            watched: Watched::new(port)?,
            failed: false,
        })
    }

    /// The next message, if there is one.
    ///
    /// # Errors
    ///
    /// [`StepError::ImpossiblePosition`] if the sender's region holds one.
    pub fn try_recv(&mut self) -> Result<Option<T>, StepError> {
        self.watched.port.try_recv()
    }

    /// The next message, waited for; `None` once the link is closed and empty, or the bus has ended.
    ///
    /// Dropped before it is ready, it has received nothing.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    ///
    /// # Panics
    ///
    /// If it has to wait and its runtime has been shut down.
    pub async fn recv(&mut self) -> Result<Option<T>, StepError> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, StepError>> {
        self.watched.poll(cx, |port| match port.try_recv() {
            Ok(None) => port.is_closed().then_some(Ok(None)),
            received => Some(received),
        })
    }

    /// Appends up to `most` messages to `messages`, in one commit, and returns how many; waits for the first one. 0 only once
    /// the link is closed and empty, or the bus has ended, or if `most` is 0.
    ///
    /// Dropped before it is ready, it has received nothing.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    ///
    /// # Panics
    ///
    /// If it has to wait and its runtime has been shut down.
    pub async fn recv_many(
        &mut self,
        messages: &mut Vec<T>,
        most: usize,
    ) -> Result<usize, StepError> {
        if most == 0 {
            return Ok(0);
        }
        let before = messages.len();
        poll_fn(|cx| {
            self.watched.poll(cx, |port| {
                let received = port.drain(most, |message| messages.push(*message));
                match received {
                    Ok(0) => port.is_closed().then_some(Ok(0)),
                    Ok(count) => Some(Ok(count)),
                    Err(error) => {
                        // What was shown doesn't count as received.
                        messages.truncate(before);
                        Some(Err(error))
                    }
                }
            })
        })
        .await
    }

    /// Ends the link: the sender sees it closed. Closing a closed one changes nothing.
    ///
    /// # Errors
    ///
    /// [`StepError::ImpossiblePosition`] if the peer's region holds one.
    pub fn close(&mut self) -> Result<(), StepError> {
        self.watched.get_up();
        self.watched.port.close()
    }

    /// Whether nothing more will come: the sender is done, or the bus has ended, and every message is received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.watched.port.is_closed()
    }

    /// The link's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.watched.port.name()
    }

    /// The port itself, for a thread or another runtime.
    #[must_use]
    pub fn into_inner(self) -> HostReceiver<T> {
        self.watched.into_port()
    }
}

/// Nothing in it is ever pinned.
impl<T: Message> Unpin for AsyncReceiver<T> {}

impl<T: Message> Stream for AsyncReceiver<T> {
    type Item = Result<T, StepError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let receiver = self.get_mut();
        if receiver.failed {
            return Poll::Ready(None);
        }
        receiver.poll_recv(cx).map(|received| {
            receiver.failed = received.is_err();
            received.transpose()
        })
    }
}
