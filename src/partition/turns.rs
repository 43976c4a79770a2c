//! The loop of one incarnation: each actor once a turn.

use std::sync::Arc;

use airssys_ringbuf::park::{Sleeper, Waker};
use airssys_ringbuf::pulse::{CommandView, Order, Phase, Pulse};
use airssys_ringbuf::region::SectionKind;

use crate::local::LocalRings;
use crate::partition::idle::Idle;
use crate::partition::incarnation::{Ending, Life, PartitionError};
use crate::partition::runner::Runner;
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, Plan};

/// What a pass over the actors came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Another one at once may do something.
    Busy,
    /// There is nothing to do until a peer, or the supervisor, has done something.
    Idle,
    /// The incarnation has ended by its own word.
    Ended(Ending),
}

/// The actors of one incarnation, made and running. It stays on the thread that made it.
pub(crate) struct Turns {
    plan: Arc<Plan>,
    partition: usize,
    /// Keeps the region's lock, which says that this partition lives.
    _view: BusView,
    pulse: Pulse,
    beats: u64,
    waker: Waker,
    idle: Idle,
    command: CommandView,
    order: Order,
    runners: Vec<Runner>,
    /// Those that aren't done.
    going_on: usize,
    stepped: bool,
}

impl Turns {
    /// Makes the actors, which are recovered already.
    pub(super) fn new(
        plan: &Arc<Plan>,
        view: BusView,
        life: &Life,
        locals: &LocalRings,
        pulse: Pulse,
        (waker, sleeper): (Waker, Sleeper),
    ) -> Result<Self, PartitionError> {
        let own = &plan.partitions[life.partition];
        let supervisor = view.supervisor();
        let command = supervisor.section(SectionKind::Command, &own.name)?;
        let command = CommandView::new(supervisor, command)?;
        let runners: Vec<_> = actors(plan, life.partition)
            .map(|id| Runner::new(plan, &view, locals, id))
            .collect::<Result<_, _>>()?;
        // An actor's factory may have shown its cells' first values, which nobody waits for; whatever its recovery showed
        // again, the peers were woken for.
        let mut turns = Self {
            plan: Arc::clone(plan),
            partition: life.partition,
            _view: view,
            beats: pulse.beats(),
            pulse,
            waker,
            idle: Idle::new(
                life.waiting.settled(own.wait.kind()),
                sleeper,
                own.share_core,
            ),
            order: command.order(),
            command,
            going_on: runners.iter().filter(|runner| !runner.is_done()).count(),
            runners,
            stepped: false,
        };
        turns.warm_up(own.warm_up)?;
        turns.pulse.phase(Phase::Running);
        Ok(turns)
    }

    /// Runs each actor's step so many times, and rolls each back.
    fn warm_up(&mut self, steps: u32) -> Result<(), PartitionError> {
        let mut visible = false;
        for _ in 0..steps {
            self.beats += 1;
            for (index, runner) in self.runners.iter_mut().enumerate() {
                self.pulse.beat(self.beats, index as u64, runner.steps());
                let rehearsed = runner.rehearse();
                visible |= rehearsed.map_err(|source| {
                    let actor = &self.plan.partitions[self.partition].actors[index];
                    PartitionError::step(&actor.name, source)
                })?;
            }
        }
        if visible {
            self.waker.wake();
        }
        Ok(())
    }

    /// Runs until the incarnation ends.
    pub(super) fn run(mut self) -> Result<Ending, PartitionError> {
        loop {
            match self.pass()? {
                Pass::Busy => {}
                Pass::Idle => self.rest(),
                Pass::Ended(ending) => return Ok(ending),
            }
        }
    }

    /// Looks at the supervisor's order and runs each actor once.
    #[inline]
    pub(crate) fn pass(&mut self) -> Result<Pass, PartitionError> {
        self.order = self.command.order();
        if self.order == Order::Stop {
            return Ok(self.end(Ending::Stopped));
        }
        if self.turn()? {
            self.idle.reset();
            return Ok(Pass::Busy);
        }
        if self.going_on == 0 {
            return Ok(self.end(Ending::Done));
        }
        Ok(Pass::Idle)
    }

    fn end(&self, ending: Ending) -> Pass {
        self.pulse.phase(Phase::Stopping);
        Pass::Ended(ending)
    }

    /// Runs each actor once; whether another turn at once may do something.
    #[inline]
    fn turn(&mut self) -> Result<bool, PartitionError> {
        let (mut busy, mut visible) = (false, false);
        self.beats += 1;
        for (index, runner) in self.runners.iter_mut().enumerate() {
            self.pulse.beat(self.beats, index as u64, runner.steps());
            let turn = runner.turn(self.order).map_err(|source| {
                let actor = &self.plan.partitions[self.partition].actors[index];
                PartitionError::step(&actor.name, source)
            })?;
            busy |= turn.busy;
            visible |= turn.visible;
            if turn.ended {
                self.going_on -= 1;
            }
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

    /// What the wait strategy does after a pass that found nothing.
    ///
    /// A spinning partition makes its whole pass again, and doesn't look at the shared words alone in a tighter loop: it would
    /// fetch the line that it waits on so often that the sender loses it between the message and its publication.
    #[inline]
    fn rest(&mut self) {
        if self.idle.looks_again() {
            return;
        }
        let (polls, has_news) = outlook(&self.runners, &self.command, self.order);
        self.idle.wait(&self.pulse, polls, has_news);
    }

    /// Sleeps until there is something to do, or `at_most` has passed.
    pub(crate) fn sleep(&mut self, at_most: std::time::Duration) {
        let (polls, has_news) = outlook(&self.runners, &self.command, self.order);
        self.idle.sleep(&self.pulse, polls, at_most, has_news);
    }

    /// Ends the incarnation between two steps, for somebody who doesn't drive it on.
    pub(crate) fn leave(&self) {
        self.pulse.phase(Phase::Stopping);
    }
}

/// Whether an actor waits for something that rings no doorbell, and the look at all shared words that a turn would look at.
fn outlook(
    runners: &[Runner],
    command: &CommandView,
    order: Order,
) -> (bool, impl FnOnce() -> bool) {
    let polls = runners.iter().any(|runner| runner.polls(order));
    let has_news = move || command.order() != order || runners.iter().any(Runner::has_news);
    (polls, has_news)
}

pub(super) fn actors(plan: &Plan, partition: usize) -> impl Iterator<Item = ActorId> {
    (0..plan.partitions[partition].actors.len()).map(move |actor| ActorId { partition, actor })
}
