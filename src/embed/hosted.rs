//! A partition that a thread of the launching program drives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::partition::{Begun, Ending, PartitionError, Pass, Turns};
use crate::topology::model::Plan;

/// A partition can't go on.
#[derive(Debug, thiserror::Error)]
#[error("bus `{bus}`, partition `{partition}`: {source}")]
pub struct TurnError {
    bus: String,
    partition: String,
    source: Box<PartitionError>,
}

impl TurnError {
    pub(super) fn new(plan: &Plan, partition: usize, source: PartitionError) -> Self {
        Self {
            bus: plan.bus.clone(),
            partition: plan.party_name(partition).to_owned(),
            source: Box::new(source),
        }
    }
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Another turn at once may do something.
    Busy,
    /// There is nothing to do until a peer has done something.
    Idle,
    /// Every actor is done, or the bus stops: there are no more turns.
    Ended,
}

/// One incarnation of a hosted partition: its actors, on the thread that took it.
///
/// Made by [`Running::hosted`](crate::Running::hosted). Its steps are as atomic as any other's. Nobody watches it or restarts
/// it: after a panic of an actor, or whenever it was dropped, taking it again begins the next incarnation, which recovers
/// what the last one left.
pub struct Hosted {
    plan: Arc<Plan>,
    partition: usize,
    turns: Option<Box<Turns>>,
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted")
            .field("partition", &self.plan.party_name(self.partition))
            .field("ended", &self.turns.is_none())
            .finish()
    }
}

impl Hosted {
    pub(super) fn new(plan: &Arc<Plan>, partition: usize, begun: Begun) -> Self {
        Self {
            plan: Arc::clone(plan),
            partition,
            turns: match begun {
                Begun::Live(turns) => Some(turns),
                Begun::Ended(_) => None,
            },
        }
    }

    /// Runs each of the partition's actors once.
    ///
    /// # Errors
    ///
    /// [`TurnError`] if a peer's region holds what can't be, or a step can never commit; the incarnation is over then.
    ///
    /// # Panics
    ///
    /// If an actor does; the incarnation is over then.
    pub fn turn(&mut self) -> Result<Turned, TurnError> {
        // Put back only if it can go on.
        let Some(mut turns) = self.turns.take() else {
            return Ok(Turned::Ended);
        };
        let pass = turns.pass();
        match pass.map_err(|source| TurnError::new(&self.plan, self.partition, source))? {
            Pass::Busy => {
                self.turns = Some(turns);
                Ok(Turned::Busy)
            }
            Pass::Idle => {
                self.turns = Some(turns);
                Ok(Turned::Idle)
            }
            Pass::Ended(Ending::Done | Ending::Stopped) => Ok(Turned::Ended),
        }
    }

    /// Sleeps until a turn may find something to do, at most for `at_most`.
    ///
    /// An actor without inputs waits for something that nobody is rung for: with one, a sleep is at most a millisecond long.
    pub fn wait(&mut self, at_most: Duration) {
        if let Some(turns) = &mut self.turns {
            turns.sleep(at_most);
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if let Some(turns) = &self.turns {
            turns.leave();
        }
    }
}
