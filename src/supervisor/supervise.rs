//! The supervisor's loop and its stages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airssys_ringbuf::clock::monotonic_ns;
use airssys_ringbuf::park::Waker;
use airssys_ringbuf::pulse::{Command as OrderCell, Order, PulseView};
use airssys_ringbuf::region::SectionKind;
use tokio::sync::mpsc;

use crate::partition::view::{BusView, pulse};
use crate::partition::{Life, PartitionError, bells};
use crate::supervisor::cause::Cause;
use crate::supervisor::decide::{Backoff, Consequence, Intensity, consequence};
use crate::supervisor::lives::{Alive, End, LaunchMode, Lives};
use crate::supervisor::report::{Level, say};
use crate::supervisor::status::StatusBoard;
use crate::supervisor::watch::Watch;
use crate::topology::model::{Plan, WaitKind};

/// How often pulses and timers are looked at. It bounds no recovery: deaths are events.
const TICK: Duration = Duration::from_millis(10);

/// The same while partitions are started in order, each waiting for the one before.
const TICK_STARTING: Duration = Duration::from_millis(1);

/// A tick that comes this much too late means that the supervisor itself did not get on: deadlines grow by as much.
const LATE: Duration = Duration::from_millis(100);

/// What the launching program asks of the supervisor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Drain, then stop in reverse order of start.
    Stop,
    /// End now: kill every partition.
    Abort,
    /// Kill one partition: a fault injected, treated like any other death.
    Kill(usize),
}

/// How a bus's run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every partition ended by its own word.
    Done,
    /// Somebody asked for the end.
    Stopped,
    /// More failures than the intensity allows, or one that no restart can mend.
    Escalated(String),
}

/// A partition that did not get as far as its loop.
#[derive(Clone, Debug)]
pub(crate) struct StartFailure {
    pub(crate) partition: String,
    pub(crate) cause: String,
}

/// Where the run is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The partition of this index is starting; those before it run.
    Starting(usize),
    Running,
    Draining {
        until_ns: u64,
        /// Steps of all actors when every link was last seen empty.
        quiet_at: Option<u64>,
    },
    /// The partition of this index, and those before it, are still to be stopped.
    Stopping(usize),
}

/// One partition, as its supervisor knows it.
pub(super) struct Slot {
    pub(super) alive: Option<Alive>,
    pub(super) watch: Option<Watch>,
    pub(super) order: OrderCell,
    pub(super) incarnation: u64,
    pub(super) ended: bool,
    pub(super) killed_as_hung: bool,
    /// When a pending restart is due.
    pub(super) due_ns: Option<u64>,
    /// When a stop's patience ends.
    pub(super) kill_at_ns: Option<u64>,
    /// When the life before died; `None` once this one has made its first step.
    pub(super) died_at_ns: Option<u64>,
    killed_at_ns: Option<u64>,
    /// Beats when a drain was ordered.
    pub(super) beats_at_drain: u64,
    steps_at_birth: u64,
    last_rites: bool,
    backoff: Backoff,
}

/// What the supervisor's thread is made of.
pub(crate) struct Supervisor {
    pub(super) plan: Arc<Plan>,
    pub(super) view: BusView,
    pub(super) waker: Waker,
    pub(super) slots: Vec<Slot>,
    pub(super) stage: Stage,
    pub(super) outcome: Outcome,
    intensity: Intensity,
    lives: Lives,
    pub(super) status: Arc<StatusBoard>,
    directory: PathBuf,
    boot_id: [u8; 16],
    auto: WaitKind,
    started: Option<std::sync::mpsc::Sender<Result<(), StartFailure>>>,
    failed_start: Option<StartFailure>,
    ends: mpsc::UnboundedReceiver<(usize, u64, End)>,
    commands: mpsc::UnboundedReceiver<Command>,
}

/// What a supervisor is handed.
pub(crate) struct Charge {
    pub(crate) plan: Arc<Plan>,
    pub(crate) mode: LaunchMode,
    pub(crate) view: BusView,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) directory: PathBuf,
    pub(crate) boot_id: [u8; 16],
    pub(crate) auto: WaitKind,
    pub(crate) started: std::sync::mpsc::Sender<Result<(), StartFailure>>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

impl Supervisor {
    pub(crate) fn new(charge: Charge) -> Result<Self, PartitionError> {
        let Charge { plan, view, .. } = charge;
        let (send_end, ends) = mpsc::unbounded_channel();
        let slots = plan
            .partitions
            .iter()
            .map(|partition| {
                let section = view
                    .supervisor()
                    .section(SectionKind::Command, &partition.name)?;
                Ok(Slot::new(
                    OrderCell::new(view.supervisor(), section)?,
                    Backoff::new(plan.backoff_first, plan.backoff_max),
                ))
            })
            .collect::<Result<_, PartitionError>>()?;
        Ok(Self {
            waker: bells::supervisor_waker(&plan, &view, charge.auto)?,
            slots,
            stage: Stage::Starting(0),
            outcome: Outcome::Done,
            intensity: Intensity::new(plan.intensity, plan.period),
            lives: Lives::new(Arc::clone(&plan), charge.mode, send_end),
            status: charge.status,
            directory: charge.directory,
            boot_id: charge.boot_id,
            auto: charge.auto,
            started: Some(charge.started),
            failed_start: None,
            ends,
            commands: charge.commands,
            view,
            plan,
        })
    }

    /// Runs the bus to its end.
    pub(crate) async fn run(mut self) -> Outcome {
        self.begin(0, false).await;
        let mut looked_ns = monotonic_ns();
        while !self.slots.iter().all(|slot| slot.ended) {
            let tick = match self.stage {
                Stage::Starting(_) => TICK_STARTING,
                Stage::Running | Stage::Draining { .. } | Stage::Stopping(_) => TICK,
            };
            tokio::select! {
                biased;
                Some((partition, incarnation, end)) = self.ends.recv() => {
                    self.on_end(partition, incarnation, &end).await;
                }
                Some(command) = self.commands.recv() => self.on_command(&command).await,
                () = tokio::time::sleep(tick) => {}
            }
            let now_ns = monotonic_ns();
            if now_ns - looked_ns >= tick.as_nanos() as u64 {
                let late_ns = (now_ns - looked_ns).saturating_sub((tick + LATE).as_nanos() as u64);
                looked_ns = now_ns;
                self.look(now_ns, late_ns).await;
            }
        }
        self.answer_start();
        self.outcome
    }

    /// Tells the launching thread that every partition runs, or why not.
    fn answer_start(&mut self) {
        if let Some(started) = self.started.take() {
            let answer = self.failed_start.take().map_or(Ok(()), Err);
            // A launch that was given up has dropped its end.
            let _ = started.send(answer);
        }
    }

    /// Begins the next life of `partition`; `last_rites` for one that only recovers.
    pub(super) async fn begin(&mut self, partition: usize, last_rites: bool) {
        let now_ns = monotonic_ns();
        let steps = self.steps_of(partition);
        let slot = &mut self.slots[partition];
        slot.incarnation += 1;
        slot.due_ns = None;
        slot.last_rites = last_rites;
        slot.killed_as_hung = false;
        slot.steps_at_birth = steps;
        let life = Life {
            partition,
            incarnation: slot.incarnation,
            auto: self.auto,
            recovery_only: last_rites,
            directory: self.directory.clone(),
            boot_id: self.boot_id,
        };
        match self.lives.begin(life).await {
            Ok(alive) => self.entered(partition, alive, now_ns),
            Err(error) => {
                let cause = Cause::Hopeless(error.to_string());
                Box::pin(self.on_death(partition, cause)).await;
            }
        }
    }

    fn entered(&mut self, partition: usize, alive: Alive, now_ns: u64) {
        let region = self.view.partition(partition);
        let slot = &mut self.slots[partition];
        slot.watch = pulse(region)
            .map_err(PartitionError::from)
            .and_then(|section| Ok(PulseView::new(region, section)?))
            .ok()
            .map(|pulse| Watch::new(pulse, slot.incarnation, now_ns));
        let (pid, incarnation) = (alive.pid, slot.incarnation);
        slot.alive = Some(alive);
        self.status.update(partition, |status| {
            status.pid = Some(pid);
            status.incarnations = incarnation;
        });
    }

    async fn on_end(&mut self, partition: usize, incarnation: u64, end: &End) {
        let slot = &self.slots[partition];
        if slot.incarnation != incarnation {
            return;
        }
        let cause = match end {
            _ if slot.killed_as_hung => Cause::Hung,
            End::Thread(cause) => cause.clone(),
            End::Process(status) => {
                let stopping = slot.watch.as_ref().is_some_and(Watch::is_stopping);
                Cause::of_process(*status, stopping, self.is_done(partition))
            }
        };
        // A short life may have ended between two looks: its pulse still tells how far it came.
        if let Some(at_ns) = slot.watch.as_ref().and_then(Watch::unseen_first_step) {
            self.recovered(partition, at_ns);
        }
        self.on_death(partition, cause).await;
    }

    /// A life is over and reaped, or could not begin.
    async fn on_death(&mut self, partition: usize, cause: Cause) {
        let now_ns = monotonic_ns();
        let slot = &mut self.slots[partition];
        let had_run = slot.watch.as_ref().is_some_and(Watch::has_run);
        slot.alive = None;
        slot.watch = None;
        slot.kill_at_ns = None;
        let killed_at_ns = slot.killed_at_ns.take();
        if cause.is_abnormal() {
            slot.died_at_ns
                .get_or_insert(killed_at_ns.unwrap_or(now_ns));
        }
        self.status.update(partition, |status| {
            status.pid = None;
            status.last_cause = Some(cause.clone());
        });
        if self.slots[partition].last_rites {
            self.end_of(partition, &cause).await;
            return;
        }
        match self.stage {
            Stage::Stopping(_) if cause.is_abnormal() => {
                self.say_death(partition, &cause, "the topology stops");
                self.begin(partition, true).await;
            }
            Stage::Stopping(_) => self.end_of(partition, &cause).await,
            Stage::Starting(index)
                if index == partition && !had_run && !cause.is_signal() && cause.is_abnormal() =>
            {
                self.fail_start(partition, &cause).await;
            }
            Stage::Starting(_) | Stage::Running | Stage::Draining { .. } => {
                self.decide(partition, &cause, now_ns).await;
            }
        }
    }

    async fn decide(&mut self, partition: usize, cause: &Cause, now_ns: u64) {
        let restart = self.plan.partitions[partition].restart;
        match consequence(restart.kind(), cause) {
            Consequence::Ended => self.end_of(partition, cause).await,
            Consequence::LastRites => {
                self.say_death(partition, cause, &format!("{restart}: not restarted"));
                self.begin(partition, true).await;
            }
            Consequence::Escalate => {
                self.say_death(partition, cause, "a restart would meet the same");
                self.escalate(partition, &format!("{cause}")).await;
            }
            Consequence::Restart => self.restart(partition, cause, now_ns).await,
        }
    }

    async fn restart(&mut self, partition: usize, cause: &Cause, now_ns: u64) {
        let failures = self.intensity.count(now_ns);
        let (most, period) = (self.plan.intensity, self.plan.period);
        if self.intensity.is_exceeded_by(failures) {
            self.say_death(partition, cause, "one failure too many");
            let why =
                format!("{failures} failures within {period:?}, {most} allowed; the last: {cause}");
            self.escalate(partition, &why).await;
            return;
        }
        let progressed = self.steps_of(partition) > self.slots[partition].steps_at_birth;
        let delay = self.slots[partition].backoff.delay(progressed);
        let when = if delay.is_zero() {
            "at once".to_owned()
        } else {
            format!("in {delay:?}: no step was committed since the start before")
        };
        self.say_death(
            partition,
            cause,
            &format!("restart {failures} of at most {most} in {period:?}, {when}"),
        );
        self.status.update(partition, |status| status.restarts += 1);
        if delay.is_zero() {
            self.begin(partition, false).await;
        } else {
            self.slots[partition].due_ns = Some(now_ns + delay.as_nanos() as u64);
        }
    }

    fn say_death(&self, partition: usize, cause: &Cause, then: &str) {
        say(
            Level::Warn,
            format_args!(
                "{}/{} #{}: {cause}; {then}",
                self.plan.bus,
                self.plan.partitions[partition].name,
                self.slots[partition].incarnation
            ),
        );
    }

    pub(super) async fn escalate(&mut self, partition: usize, why: &str) {
        let name = &self.plan.partitions[partition].name;
        say(
            Level::Error,
            format_args!(
                "{}: gives up because of `{name}`: {why}; stops everything and leaves the bus in {} for a look",
                self.plan.bus,
                self.directory.display()
            ),
        );
        self.outcome = Outcome::Escalated(format!("partition `{name}`: {why}"));
        self.give_up(partition).await;
    }

    async fn fail_start(&mut self, partition: usize, cause: &Cause) {
        self.failed_start = Some(StartFailure {
            partition: self.plan.partitions[partition].name.clone(),
            cause: cause.to_string(),
        });
        self.give_up(partition).await;
    }

    /// Stops everything else in reverse order; `partition` is dead already and gets its last rites.
    async fn give_up(&mut self, partition: usize) {
        self.stop_in_reverse().await;
        // If a stop was under way, it may have waited for this one.
        self.go_on_stopping().await;
        if !self.slots[partition].ended {
            Box::pin(self.begin(partition, true)).await;
        }
    }

    async fn on_command(&mut self, command: &Command) {
        match command {
            Command::Stop => self.drain(monotonic_ns()).await,
            Command::Abort => self.abort().await,
            Command::Kill(partition) => {
                let slot = &mut self.slots[*partition];
                if let Some(alive) = &slot.alive {
                    slot.killed_at_ns.get_or_insert_with(monotonic_ns);
                    alive.signal(9);
                }
            }
        }
    }

    pub(super) async fn start_next(&mut self) {
        let Stage::Starting(index) = self.stage else {
            return;
        };
        if index + 1 < self.slots.len() {
            self.stage = Stage::Starting(index + 1);
            self.begin(index + 1, false).await;
        } else {
            self.stage = Stage::Running;
            self.answer_start();
        }
    }

    /// The partition will not live again.
    async fn end_of(&mut self, partition: usize, cause: &Cause) {
        self.slots[partition].ended = true;
        if self.slots[partition].last_rites && cause.is_abnormal() {
            self.say_death(
                partition,
                cause,
                "its recovery failed: what it had committed last may not have been shown",
            );
        }
        if let Stage::Starting(index) = self.stage
            && index == partition
        {
            Box::pin(self.start_next()).await;
        }
        self.go_on_stopping().await;
    }
}

impl Slot {
    fn new(order: OrderCell, backoff: Backoff) -> Self {
        order.give(Order::Run);
        Self {
            alive: None,
            watch: None,
            order,
            incarnation: 0,
            ended: false,
            killed_as_hung: false,
            due_ns: None,
            kill_at_ns: None,
            died_at_ns: None,
            killed_at_ns: None,
            beats_at_drain: 0,
            steps_at_birth: 0,
            last_rites: false,
            backoff,
        }
    }
}
