//! What can go wrong.

use std::io;

use airssys_rt::{SendError, StepError};

/// A port can't sleep in a Tokio runtime. It was dropped, and may be taken again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// No runtime.
    #[error(
        "host port of link `{link}`: there is no Tokio runtime on this thread; make it async in a task, or enter a runtime \
         first (`Handle::enter`)"
    )]
    NoRuntime {
        /// The link.
        link: String,
    },
    /// A runtime that watches no descriptors.
    #[error(
        "host port of link `{link}`: the Tokio runtime here has no IO driver; build it with `enable_io` or `enable_all`"
    )]
    NoIo {
        /// The link.
        link: String,
    },
    /// The kernel refuses.
    #[error("host port of link `{link}`: its descriptor can't be opened or watched: {source}")]
    Descriptor {
        /// The link.
        link: String,
        /// What the kernel says.
        source: io::Error,
    },
}

/// What a `Sink` can't do. [`AsyncSender::send`](crate::AsyncSender::send) gives the message back as well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The receiver is done, the bus takes no more messages, or the sink was closed.
    #[error("the link is closed")]
    Closed,
    /// A message was started without `poll_ready` saying that there is room.
    #[error("the link is full; a sink takes an item only once `poll_ready` has said so")]
    NotReady,
    /// The link can't be used any more.
    #[error(transparent)]
    Fault(StepError),
}

impl<T> From<SendError<T>> for SinkError {
    fn from(error: SendError<T>) -> Self {
        match error {
            SendError::Full(_) => Self::NotReady,
            SendError::Closed(_) => Self::Closed,
            SendError::Fault { error, .. } => Self::Fault(error),
        }
    }
}
