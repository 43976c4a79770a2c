//! How a step is ended, and what comes of it.

/// How the author ended a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Commit, if the step touched anything.
    Keep,
    /// Leave everything as it was.
    Abort,
    /// Commit, and end the actor with it.
    Done,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "peers may have to be woken"]
pub struct Outcome {
    /// The step committed.
    pub committed: bool,
    /// Something that peers wait for was stored: messages, credit or a close. Their doorbells are due.
    pub visible: bool,
    /// A claim on a blocking link was refused: the output's index. Run it again when that link has news.
    pub refused: Option<usize>,
    /// A receiver met the limit given to [`StepCore::begin`](super::StepCore::begin).
    pub limited: bool,
}

/// A step that cannot be ended: the partition has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A peer wrote a position that cannot be.
    #[error(
        "link `{link}`: the position of its peer `{peer}` is {found}, impossible after {known} with capacity {capacity}; that \
         region is corrupt: stop the bus and start it anew"
    )]
    ImpossiblePosition {
        /// The link.
        link: String,
        /// The partition at its other end.
        peer: String,
        /// The word that was read.
        found: u64,
        /// This end's own position.
        known: u64,
        /// The link's capacity.
        capacity: u64,
    },
    /// One step needs more room than its link has.
    #[error(
        "link `{link}`: one step sends more than the link's capacity of {capacity} messages, which can never commit; raise \
         the capacity or send less in a step"
    )]
    Oversized {
        /// The link.
        link: String,
        /// Its capacity.
        capacity: u64,
    },
    /// A borrow or a claimed slot outlived the step.
    #[error(
        "`{port}`: a claimed slot or a borrow of it outlived its step; publish or drop it before the step returns"
    )]
    Leaked {
        /// The link or the cell.
        port: String,
    },
}
