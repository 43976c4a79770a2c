//! The sending port.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use airssys_rt::{HostSender, Message, SendError, StepError};
use futures_sink::Sink;

use crate::error::{SinkError, WatchError};
use crate::watched::Watched;

/// The sending end of a link, for a Tokio task.
///
/// Each send commits by itself: once it is ready the message is in the receiver's inbox, which outlives the receiver's
/// restarts and this process's death.
///
/// As a [`Sink`] it buffers nothing: flushing has nothing to do, and [closing](Sink::poll_close) closes the link.
/// `StreamExt::forward` closes its sink when its stream ends; hand it `&mut` this and a `SinkExt::send_all` where the link is
/// to stay open. Dropping the sender leaves the link open, for the next one who takes the port.
pub struct AsyncSender<T: Message> {
    watched: Watched<HostSender<T>>,
}

impl<T: Message> fmt::Debug for AsyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncSender")
            .field(&self.watched.port)
            .finish()
    }
}

impl<T: Message> AsyncSender<T> {
    /// Makes a host port async. Its runtime is the one that this is called in.
    ///
    /// # Errors
    ///
    /// [`WatchError`]: there is no runtime here, it has no IO driver (Tokio panics inside and that is caught, so the panic hook
    /// reports it first), or the kernel refuses. The port is dropped, and may be taken again.
    pub fn new(port: HostSender<T>) -> Result<Self, WatchError> {
        Ok(Self {
            watched: Watched::new(port)?,
        })
    }

    /// Sends `value`, or gives it back at once.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value: `Full`; `Closed` once the receiver is done, or the bus drains or has ended; `Fault` if
    /// the receiver's region holds an impossible position.
    pub fn try_send(&mut self, value: T) -> Result<(), SendError<T>> {
        self.watched.port.try_send(value)
    }

    /// Sends `value`, and waits while the link is full.
    ///
    /// Dropped before it is ready, it has not sent. In a `select!` whose other branch may win, wait with
    /// [`ready`](Self::ready) and then [`try_send`](Self::try_send), and keep the message until then.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value: `Closed` or `Fault`.
    ///
    /// # Panics
    ///
    /// If it has to wait and its runtime has been shut down.
    pub async fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        poll_fn(|cx| {
            self.watched.poll(cx, |port| match port.try_send(value) {
                Err(SendError::Full(_)) => None,
                sent => Some(sent),
            })
        })
        .await
    }

    /// Waits until the next send won't be refused as full: there is room, which nobody else can take, or the send tells what is
    /// wrong. Dropped, it has done nothing.
    ///
    /// # Panics
    ///
    /// If it has to wait and its runtime has been shut down.
    pub async fn ready(&mut self) {
        poll_fn(|cx| self.poll_room(cx)).await;
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let has_room = |port: &mut HostSender<T>| port.is_ready().then_some(());
        self.watched.poll(cx, has_room)
    }

    /// Ends the link: the receiver sees it closed after the last message. Closing a closed one changes nothing.
    ///
    /// # Errors
    ///
    /// [`StepError::ImpossiblePosition`] if the peer's region holds one.
    pub fn close(&mut self) -> Result<(), StepError> {
        self.watched.get_up();
        self.watched.port.close()
    }

    /// Whether the receiver is done, the bus takes no more messages, or this end was closed.
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
    pub fn into_inner(self) -> HostSender<T> {
        self.watched.into_port()
    }
}

/// Nothing in it is ever pinned.
impl<T: Message> Unpin for AsyncSender<T> {}

impl<T: Message> Sink<T> for AsyncSender<T> {
    type Error = SinkError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        let sender = self.get_mut();
        sender.poll_room(cx).map(|()| {
            if sender.is_closed() {
                Err(SinkError::Closed)
            } else {
                Ok(())
            }
        })
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SinkError> {
        Ok(self.get_mut().try_send(item)?)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(self.get_mut().close().map_err(SinkError::Fault))
    }
}
