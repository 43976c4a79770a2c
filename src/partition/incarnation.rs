//! One life of a partition, from the first mapped page to the last turn.
//!
//! Order of a start: pin, map, lock the region for life, say who we are, recover every actor, wake every peer, make the
//! actors, run. Recovery comes before anybody's own code: what was committed is shown even if an actor's factory then fails.

use std::path::PathBuf;

use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::pulse::{CommandView, Identity, Order, Phase, Pulse};
use airssys_ringbuf::region::{LockError, OpenError, SectionKind};
use airssys_ringbuf::step::StepError;

use crate::exit;
use crate::host::PinError;
use crate::host::cores::pin_current_thread;
use crate::host::process::process_start_time;
use crate::partition::bells::{self, BellError};
use crate::partition::idle::Idle;
use crate::partition::ports::{PortError, recover};
use crate::partition::runner::Runner;
use crate::partition::view::{BusView, Party, pulse};
use crate::topology::model::{ActorId, Plan, WaitKind};

/// Which life of which partition this is, and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) partition: usize,
    pub(crate) incarnation: u64,
    /// What `Wait::auto()` means on this machine, settled once for the whole bus.
    pub(crate) auto: WaitKind,
    /// What orders sleepers and wakers on this machine, settled once for the whole bus.
    pub(crate) barrier: Barrier,
    /// Do again what followed the last commits, and end: the partition will not live again.
    pub(crate) recovery_only: bool,
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

impl PartitionError {
    /// The exit code that says so.
    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Pin(_) => exit::CORE,
            Self::Region(_) | Self::Range(_) | Self::Lock(_) | Self::Port(_) => exit::REGION,
            Self::Step { .. } => exit::STEP,
        }
    }
}

/// Lives one life on the calling thread, which is the partition's own.
pub(crate) fn live(plan: &Plan, life: &Life) -> Result<Ending, PartitionError> {
    if let Some(core) = plan.partitions[life.partition].core {
        pin_current_thread(core)?;
    }
    let party = Party::Partition(life.partition);
    let view = BusView::open(&life.directory, plan, party, life.boot_id)?;
    let own = view.partition(life.partition);
    own.lock_for_life()?;
    let pulse = Pulse::new(own, pulse(own)?)?;
    pulse.begin(Identity {
        pid: u64::from(std::process::id()),
        start_time: process_start_time(),
        incarnation: life.incarnation,
    });
    let waker = bells::waker(plan, &view, life.partition, (life.auto, life.barrier))?;
    // Clears what a life that was killed asleep left, whether or not this one gets as far as sleeping.
    let sleeper = bells::sleeper(plan, &view, life.partition, life.barrier)?;
    pulse.phase(Phase::Recovering);
    let all_done = recover_all(plan, &view, life.partition)?;
    waker.wake_all();
    if all_done || life.recovery_only {
        pulse.phase(Phase::Stopping);
        return Ok(if all_done {
            Ending::Done
        } else {
            Ending::Stopped
        });
    }
    Turns::new(plan, &view, life, pulse, (waker, sleeper))?.run()
}

fn actors(plan: &Plan, partition: usize) -> impl Iterator<Item = ActorId> {
    (0..plan.partitions[partition].actors.len()).map(move |actor| ActorId { partition, actor })
}

fn recover_all(plan: &Plan, view: &BusView, partition: usize) -> Result<bool, PartitionError> {
    let mut all_done = true;
    for id in actors(plan, partition) {
        all_done &= recover(plan, view, id)?;
    }
    Ok(all_done)
}

/// The loop of one incarnation.
struct Turns<'a> {
    plan: &'a Plan,
    partition: usize,
    pulse: Pulse,
    beats: u64,
    waker: Waker,
    idle: Idle,
    command: CommandView,
    runners: Vec<Runner>,
    stepped: bool,
}

impl<'a> Turns<'a> {
    fn new(
        plan: &'a Plan,
        view: &BusView,
        life: &Life,
        pulse: Pulse,
        (waker, sleeper): (Waker, Sleeper),
    ) -> Result<Self, PartitionError> {
        let own = &plan.partitions[life.partition];
        let supervisor = view.supervisor();
        let command = supervisor.section(SectionKind::Command, &own.name)?;
        let runners = actors(plan, life.partition)
            .map(|id| Runner::new(plan, view, id))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            plan,
            partition: life.partition,
            beats: pulse.beats(),
            pulse,
            waker,
            idle: Idle::new(bells::settled(own.wait.kind(), life.auto), sleeper),
            command: CommandView::new(supervisor, command)?,
            runners,
            stepped: false,
        })
    }

    fn run(mut self) -> Result<Ending, PartitionError> {
        // An actor's factory may have shown its cells' first values, which nobody waits for; whatever its recovery showed
        // again, the peers were woken for.
        self.pulse.phase(Phase::Running);
        let ending = loop {
            let order = self.command.order();
            if order == Order::Stop {
                break Ending::Stopped;
            }
            let busy = self.turn(order)?;
            if busy {
                self.idle.reset();
            } else if self.runners.iter().all(Runner::is_done) {
                break Ending::Done;
            } else {
                self.rest(order);
            }
        };
        self.pulse.phase(Phase::Stopping);
        Ok(ending)
    }

    /// Runs each actor once; whether another turn at once may do something.
    #[inline]
    fn turn(&mut self, order: Order) -> Result<bool, PartitionError> {
        let (mut busy, mut visible) = (false, false);
        self.beats += 1;
        for (index, runner) in self.runners.iter_mut().enumerate() {
            self.pulse.beat(self.beats, index as u64, runner.steps());
            let turn = runner.turn(order).map_err(|source| {
                let actor = &self.plan.partitions[self.partition].actors[index];
                PartitionError::Step {
                    actor: actor.name.clone(),
                    source,
                }
            })?;
            busy |= turn.busy;
            visible |= turn.visible;
        }
        if !self.stepped {
            self.stepped = true;
            self.pulse.first_step();
        }
        if visible {
            self.waker.wake();
        }
        Ok(busy)
    }

    fn rest(&mut self, order: Order) {
        let (runners, command) = (&self.runners, &self.command);
        let polls = order == Order::Run && runners.iter().any(Runner::polls);
        self.idle.wait(&self.pulse, polls, || {
            command.order() != order || runners.iter().any(Runner::has_news)
        });
    }
}
