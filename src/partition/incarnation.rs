//! One life of a partition, from the first mapped page to the last turn.
//!
//! Order of a start: pin, map, lock the region for life, say who we are, recover every actor, wake every peer, take the
//! region's pages, have state start anew that is to, make the actors, warm them up, run. Recovery comes before anybody's own code: what was committed is shown even
//! if an actor's factory then fails.

use std::path::PathBuf;
use std::sync::Arc;

use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::pulse::{Phase, Pulse};
use airssys_ringbuf::region::{LockError, OpenError};
use airssys_ringbuf::step::StepError;

use crate::exit;
use crate::host::cores::pin_current_thread;
use crate::host::process::identity;
use crate::host::{MemoryError, PinError};
use crate::local::LocalRings;
use crate::partition::bells::{BellError, Waiting};
use crate::partition::letters::charges;
use crate::partition::pages;
use crate::partition::ports::{PortError, recover, start_anew};
use crate::partition::turns::{Turns, actors};
use crate::partition::view::{BusView, Party, pulse};
use crate::topology::model::Plan;

/// Which life of which partition this is, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) partition: usize,
    pub(crate) incarnation: u64,
    pub(crate) waiting: Waiting,
    /// Do again what followed the last commits, and end: the partition will not live again.
    pub(crate) recovery_only: bool,
}

/// Where a bus lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) boot_id: [u8; 16],
}

/// How a life ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every actor is done.
    Done,
    /// As the supervisor asked, or there was nothing but recovery to do.
    Stopped,
}

/// Why a partition can't live, or not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionError {
    #[error(transparent)]
    Pin(#[from] PinError),
    #[error(transparent)]
    Region(#[from] OpenError),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Memory(Box<MemoryError>),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("actor `{actor}`: {source}")]
    Step { actor: String, source: StepError },
}

impl From<BellError> for PartitionError {
    fn from(error: BellError) -> Self {
        match error {
            BellError::Region(error) => Self::Region(error),
            BellError::Range(error) => Self::Range(error),
        }
    }
}

impl From<MemoryError> for PartitionError {
    fn from(error: MemoryError) -> Self {
        Self::Memory(Box::new(error))
    }
}

impl PartitionError {
    pub(super) fn step(actor: &str, source: StepError) -> Self {
        Self::Step {
            actor: actor.to_owned(),
            source,
        }
    }

    /// The exit code that says so.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Pin(_) => exit::CORE,
            Self::Region(_) | Self::Range(_) | Self::Lock(_) | Self::Memory(_) | Self::Port(_) => {
                exit::REGION
            }
            Self::Step { .. } => exit::STEP,
        }
    }
}

/// Lives one life on the calling thread, which is the partition's own.
pub(crate) fn live(
    plan: &Arc<Plan>,
    place: &Place,
    life: &Life,
    locals: &LocalRings,
) -> Result<Ending, PartitionError> {
    if let Some(core) = plan.partitions[life.partition].core {
        pin_current_thread(core)?;
    }
    let party = Party::Partition(life.partition);
    let view = BusView::open(&place.directory, plan, party, place.boot_id)?;
    match begin(plan, view, life, locals)? {
        Begun::Ended(ending) => Ok(ending),
        Begun::Live(turns) => turns.run(),
    }
}

/// What came of beginning an incarnation.
pub(crate) enum Begun {
    /// Recovery was all there was to do.
    Ended(Ending),
    Live(Box<Turns>),
}

/// Begins an incarnation over its mapped regions: recovers, makes the actors and warms them up.
pub(crate) fn begin(
    plan: &Arc<Plan>,
    view: BusView,
    life: &Life,
    locals: &LocalRings,
) -> Result<Begun, PartitionError> {
    let own = view.partition(life.partition);
    own.lock_for_life()?;
    let pulse = Pulse::new(own, pulse(own)?)?;
    pulse.begin(identity(life.incarnation));
    let waker = life.waiting.waker(plan, &view, life.partition)?;
    // Clears what a life that was killed asleep left, whether or not this one gets as far as sleeping.
    let sleeper = life.waiting.sleeper(plan, &view, life.partition)?;
    pulse.phase(Phase::Recovering);
    let all_done = recover_all(plan, &view, life.partition, locals)?;
    waker.wake_all();
    if all_done || life.recovery_only {
        pulse.phase(Phase::Stopping);
        return Ok(Begun::Ended(if all_done {
            Ending::Done
        } else {
            Ending::Stopped
        }));
    }
    pages::take(plan, view.partition(life.partition), &pulse)?;
    reset_due(plan, &view, life.partition)?;
    let turns = Turns::new(plan, view, life, locals, pulse, (waker, sleeper))?;
    Ok(Begun::Live(Box::new(turns)))
}

/// Has the state of those actors start anew whose supervisor wants that. No code of theirs has seen it in this life.
fn reset_due(plan: &Plan, view: &BusView, partition: usize) -> Result<(), PartitionError> {
    for id in actors(plan, partition) {
        if let Some(after) = charges(plan, view, id).and_then(|charges| charges.reset_after()) {
            // If it isn't the last step any more, an earlier life has done it.
            let _ = start_anew(plan, view, id, after)?;
        }
    }
    Ok(())
}

fn recover_all(
    plan: &Plan,
    view: &BusView,
    partition: usize,
    locals: &LocalRings,
) -> Result<bool, PartitionError> {
    let mut all_done = true;
    for id in actors(plan, partition) {
        let done = recover(plan, view, id)?;
        if done {
            // On a resumed bus the local links are new, and know of no end.
            locals.close(plan, id);
        }
        all_done &= done;
    }
    Ok(all_done)
}
