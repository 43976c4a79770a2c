//! Ports of the program that launched the bus: each call is a step of its own.
//!
//! A host port is an actor with one end and no handler. It has an actor section of its own, named after its link, in the
//! host's region, and goes through the same step as every actor:
//!
//! ```text
//! begin -> claims or receives of this call -> finish: commit, publish, credit
//! ```
//!
//! so what holds for steps holds for calls. All that a call moved counts together or not at all; a call that returns an
//! error, or whose closure panics, moved nothing; a kill before the commit leaves nothing seen, and one after it is mended
//! by the next attach.
//!
//! Dropping a port leaves its link open, since another may be attached later and go on at its position; only `close` ends
//! it, by a commit that every later attach finds.
//!
//! A port doesn't wake anybody: what rings doorbells lies above this layer, and asks the port by `take_visible`. No call
//! allocates unless it fails for good, and none makes a system call (a stamped link reads the clock).

mod alone;
mod receiver;
mod sender;

use std::fmt;

pub use self::receiver::HostReceiver;
pub use self::sender::HostSender;
use crate::step::outcome::StepError;

/// A value that could not be sent, given back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError<T> {
    /// No room: the receiver has to give a slot back first.
    #[error("the link is full")]
    Full(T),
    /// The link is closed, by its receiver or by this port: nothing sent from now on would be received.
    #[error("the link is closed")]
    Closed(T),
    /// The link can't be used any more.
    #[error("{error}")]
    Fault {
        /// What was not sent.
        value: T,
        /// What was found.
        error: StepError,
    },
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Closed(value) | Self::Fault { value, .. } => value,
        }
    }

    /// The same error about another value.
    fn about<U>(self, value: U) -> SendError<U> {
        match self {
            Self::Full(_) => SendError::Full(value),
            Self::Closed(_) => SendError::Closed(value),
            Self::Fault { error, .. } => SendError::Fault { value, error },
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::Fault { error, .. } => f
                .debug_struct("Fault")
                .field("error", error)
                .finish_non_exhaustive(),
        }
    }
}
