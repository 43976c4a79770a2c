//! Why a trial failed: by what the harness judges, or by the harness's own means.

use std::fmt::Display;

use airssys_ringbuf::region::{CreateError, OpenError};
use airssys_ringbuf::step::{AttachError, ObserveError, StepError};

/// A trial that didn't go well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A promise of the step was broken.
    #[error("{0}")]
    Violated(String),
    /// The harness could not do its part: no memory, no ptrace, no fork. Says nothing about the step.
    #[error("the harness could not judge: {0}")]
    Broken(String),
}

impl Failure {
    /// The harness's own means failed while `doing` something.
    pub(crate) fn broken(doing: impl Display, why: impl Display) -> Self {
        Self::Broken(format!("{doing}: {why}"))
    }

    /// This failure with `place` before what it says.
    #[must_use]
    pub(crate) fn at(self, place: impl Display) -> Self {
        match self {
            Self::Violated(what) => Self::Violated(format!("{place}: {what}")),
            Self::Broken(what) => Self::Broken(format!("{place}: {what}")),
        }
    }
}

/// `Violated` with the message unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => {
        if !$holds {
            return Err($crate::failure::Failure::Violated(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::Violated(format!("a step ended with an error: {error}"))
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Self {
        Self::Violated(format!("an actor could not attach: {error}"))
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        Self::broken("reading an actor's committed state", error)
    }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        Self::broken("creating a region", error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::broken("opening a region", error)
    }
}
