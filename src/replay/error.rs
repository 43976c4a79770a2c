//! Why a capsule's step can't be run again.

use airssys_ringbuf::region::CreateError;
use airssys_ringbuf::step::{AttachError, ObserveError, StepError};

use crate::partition::ports::PortError;

/// A capsule's step can't be run in this topology.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The topology has no such actor.
    #[error("the capsule's actor `{actor}` isn't in topology `{topology}`, which has: {known}")]
    NoActor {
        /// The topology.
        topology: String,
        /// The capsule's actor.
        actor: String,
        /// The actors that there are.
        known: String,
    },
    /// The actor has no such end.
    #[error("actor `{actor}` has no {kind} `{name}`, which the capsule has; it has: {known}")]
    NoEnd {
        /// The actor.
        actor: String,
        /// "input", "output", "cell" or "section", which is a collection or the undo log.
        kind: &'static str,
        /// The capsule's.
        name: String,
        /// What there is.
        known: String,
    },
    /// The capsule has no value of a cell or a collection.
    #[error(
        "actor `{actor}` has the cell `{cell}`, of which the capsule has no value: what it held then can't be known"
    )]
    NoValue {
        /// The actor.
        actor: String,
        /// The cell, or the section of the collection.
        cell: String,
    },
    /// A message or a cell is of another type here.
    #[error("{kind} `{name}` of actor `{actor}`: {difference}")]
    Schema {
        /// The actor.
        actor: String,
        /// "input", "output", "cell" or "section", which is a collection.
        kind: &'static str,
        /// The link, the cell or the section.
        name: String,
        /// Both sides.
        difference: String,
    },
    /// The capsule holds fewer messages than the step had in work.
    #[error(
        "link `{link}`: the step had {in_work} messages in work, the capsule holds {kept} of them: it can't be run as it was"
    )]
    Incomplete {
        /// The link.
        link: String,
        /// Messages in work.
        in_work: u64,
        /// Those in the capsule.
        kept: usize,
    },
    /// A region can't be laid out.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The state doesn't fit the regions, such as more messages than the link has slots here.
    #[error("restoring the state of actor `{actor}`: {source}")]
    Restore {
        /// The actor.
        actor: String,
        /// Why.
        source: AttachError,
    },
    /// The actor's ends can't be opened.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The step can't be ended.
    #[error("actor `{actor}`: {source}")]
    Step {
        /// The actor.
        actor: String,
        /// Why.
        source: StepError,
    },
    /// What the step did can't be read.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The link carries another message than the one asked for.
    #[error(transparent)]
    Attach(#[from] AttachError),
}
