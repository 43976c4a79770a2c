//! The supervisor's loop and its stages.

use std::sync::Arc;
use std::time::Duration;

use airssys_ringbuf::clock::monotonic_ns;
use airssys_ringbuf::park::Waker;
use airssys_ringbuf::pulse::{Command as OrderCell, Identity, Order, PulseView};
use airssys_ringbuf::region::SectionKind;
use tokio::sync::mpsc;

use crate::local::LocalRings;
use crate::partition::bells::Waiting;
use crate::partition::view::{BusView, pulse};
use crate::partition::{Life, PartitionError, Place};
use crate::supervisor::blame::{Blame, LetterOrder};
use crate::supervisor::control::Requests;
use crate::supervisor::decide::{Backoff, Intensity};
use crate::supervisor::faults::FaultWatch;
use crate::supervisor::hosted::HostedWatch;
use crate::supervisor::keep::PendingReset;
use crate::supervisor::lives::{Alive, End, LaunchMode, Lives};
use crate::supervisor::status::StatusBoard;
use crate::supervisor::watch::Watch;
use crate::supervisor::writer::{Kept, Writer};
use crate::topology::model::Plan;

/// How often pulses and timers are looked at. It bounds no recovery: deaths are events.
const TICK: Duration = Duration::from_millis(10);

/// The same while partitions are started in order, each waiting for the one before.
const TICK_STARTING: Duration = Duration::from_millis(1);

/// The longest tick, while only a hang is left to be seen: one is noticed this much late, or a tenth of its limit if that is
/// less.
const TICK_CALM: Duration = Duration::from_millis(250);

fn tick_calm(plan: &Plan) -> Duration {
    let limits = plan.partitions.iter().map(|one| one.hang_after / 10);
    limits.min().unwrap_or(TICK_CALM).clamp(TICK, TICK_CALM)
}

/// A tick that comes this much too late means that the supervisor itself did not get on: the deadlines of heartbeats grow by as much.
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
    /// Handle some of a link's dead letters again, or drop them.
    Letters {
        link: usize,
        order: LetterOrder,
        count: u64,
    },
    /// The launching program waits for the end: nobody will take a hosted partition from now on.
    Join,
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
    /// The number of the latest life. On a resumed bus it goes on from the last of the run before, whose pulse still lies
    /// there.
    pub(super) incarnation: u64,
    /// The number of the last life before this supervisor's first.
    incarnation_before: u64,
    pub(super) ended: bool,
    pub(super) killed_as_hung: bool,
    /// When a pending restart is due.
    pub(super) due_ns: Option<u64>,
    /// A restart that waits for a file.
    pub(super) reset: Option<PendingReset>,
    /// When a stop's patience ends.
    pub(super) kill_at_ns: Option<u64>,
    /// When the life before died; `None` once this one has made its first step.
    pub(super) died_at_ns: Option<u64>,
    pub(super) killed_at_ns: Option<u64>,
    /// Beats when a drain was ordered.
    pub(super) beats_at_drain: u64,
    pub(super) steps_at_birth: u64,
    pub(super) last_rites: bool,
    /// Last rites begun.
    pub(super) rites: u32,
    pub(super) backoff: Backoff,
    /// For a hosted partition, which has none of the above.
    pub(super) hosted: Option<HostedWatch>,
}

/// What the supervisor's thread is made of.
pub(crate) struct Supervisor {
    pub(super) plan: Arc<Plan>,
    pub(super) view: BusView,
    pub(super) waker: Waker,
    pub(super) slots: Vec<Slot>,
    pub(super) stage: Stage,
    pub(super) outcome: Outcome,
    pub(super) intensity: Intensity,
    pub(super) faults: FaultWatch,
    pub(super) blame: Blame,
    pub(super) writer: Writer,
    kept: mpsc::UnboundedReceiver<Kept>,
    tick_calm: Duration,
    lives: Lives,
    pub(super) locals: LocalRings,
    pub(super) status: Arc<StatusBoard>,
    pub(super) place: Place,
    waiting: Waiting,
    host_order: Option<OrderCell>,
    pub(super) is_joined: bool,
    started: Option<std::sync::mpsc::Sender<Result<(), StartFailure>>>,
    pub(super) failed_start: Option<StartFailure>,
    ends: mpsc::UnboundedReceiver<(usize, u64, End)>,
    commands: Requests,
}

/// What a supervisor is handed.
pub(crate) struct Charge {
    pub(crate) plan: Arc<Plan>,
    pub(crate) mode: LaunchMode,
    pub(crate) view: BusView,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) place: Place,
    pub(crate) locals: LocalRings,
    pub(crate) waiting: Waiting,
    pub(crate) started: std::sync::mpsc::Sender<Result<(), StartFailure>>,
    pub(crate) commands: Requests,
}

impl Supervisor {
    /// `before` is who supervised the bus before, if anybody did.
    pub(crate) fn new(charge: Charge, before: &Identity) -> Result<Self, PartitionError> {
        let Charge { plan, view, .. } = charge;
        let (send_end, ends) = mpsc::unbounded_channel();
        let (send_kept, kept) = mpsc::unbounded_channel();
        let orders = (0..plan.parties())
            .map(|party| {
                let supervisor = view.supervisor();
                let section = supervisor.section(SectionKind::Command, plan.party_name(party))?;
                let order = OrderCell::new(supervisor, section)?;
                order.give(Order::Run);
                Ok(order)
            })
            .collect::<Result<Vec<_>, PartitionError>>()?;
        let mut orders = orders.into_iter();
        let slots = plan.partitions.iter().enumerate().zip(orders.by_ref());
        let slots = slots
            .map(|((index, partition), order)| {
                let region = view.partition(index);
                let before = PulseView::new(region, pulse(region)?)?.vitals().identity;
                let backoff = Backoff::new(plan.backoff_first, plan.backoff_max);
                let hosted = partition.hosted.then(|| HostedWatch::new(&view, index));
                Ok(Slot::new(
                    order,
                    before.incarnation,
                    backoff,
                    hosted.transpose()?,
                ))
            })
            .collect::<Result<_, PartitionError>>()?;
        let mut supervisor = Self {
            waker: charge.waiting.supervisor_waker(&plan, &view)?,
            slots,
            host_order: orders.next(),
            is_joined: false,
            stage: Stage::Starting(0),
            outcome: Outcome::Done,
            intensity: Intensity::new(plan.intensity, plan.period),
            faults: FaultWatch::new(&plan),
            blame: Blame::new(&plan, &view)?,
            writer: Writer::new(Arc::clone(&plan), Arc::clone(&charge.status), send_kept),
            kept,
            tick_calm: tick_calm(&plan),
            lives: Lives::new(
                Arc::clone(&plan),
                charge.mode,
                (charge.place.clone(), charge.locals.clone()),
                send_end,
            ),
            locals: charge.locals,
            status: charge.status,
            place: charge.place,
            waiting: charge.waiting,
            started: Some(charge.started),
            failed_start: None,
            ends,
            commands: charge.commands,
            view,
            plan,
        };
        supervisor.judge_left(before);
        Ok(supervisor)
    }

    /// Runs the bus to its end.
    pub(crate) async fn run(mut self) -> Outcome {
        self.begin_from(0).await;
        let mut looked_ns = monotonic_ns();
        let (mut awake_ns, mut late_ns) = (looked_ns, 0);
        while !self.slots.iter().all(|slot| slot.ended) || self.awaits_hosted(monotonic_ns()) {
            let tick = self.tick();
            tokio::select! {
                biased;
                Some((partition, incarnation, end)) = self.ends.recv() => {
                    self.on_end(partition, incarnation, &end).await;
                }
                Some(kept) = self.kept.recv() => self.on_kept(kept).await,
                command = self.commands.recv() => self.on_command(&command).await,
                () = tokio::time::sleep(tick) => {}
            }
            let now_ns = monotonic_ns();
            late_ns += (now_ns - awake_ns).saturating_sub((tick + LATE).as_nanos() as u64);
            awake_ns = now_ns;
            if now_ns - looked_ns >= tick.as_nanos() as u64 {
                looked_ns = now_ns;
                self.look(now_ns, std::mem::take(&mut late_ns)).await;
            }
        }
        self.answer_start();
        // What the last lives met.
        self.faults.look(&self.plan, &self.view);
        self.outcome.clone()
    }

    /// How long the loop may sleep if nothing happens: as long as no deadline is nearer.
    fn tick(&self) -> Duration {
        match self.stage {
            Stage::Starting(_) => TICK_STARTING,
            Stage::Running if self.is_calm() => self.tick_calm,
            Stage::Running | Stage::Draining { .. } | Stage::Stopping(_) => TICK,
        }
    }

    /// Whether nothing but a hang is left to be seen: neither a restart, nor the end of a hosted partition that is the last.
    fn is_calm(&self) -> bool {
        !self.slots.iter().any(Slot::is_awaited) && !self.slots.iter().all(|slot| slot.ended)
    }

    /// Tells the launching thread that every partition runs, or why not. A bus that gave up over a partition whose loop had
    /// begun did start: its join says how it ended.
    fn answer_start(&mut self) {
        if let Some(started) = self.started.take() {
            let answer = self.failed_start.take().map_or(Ok(()), Err);
            // A launch that was given up has dropped its end.
            let _ = started.send(answer);
        }
    }

    /// Begins the next life of `partition`; `last_rites` for one that only recovers.
    pub(super) async fn begin(&mut self, partition: usize, last_rites: bool) {
        let begun_ns = monotonic_ns();
        let steps = self.steps_of(partition);
        let slot = &mut self.slots[partition];
        // Whatever number lies in the region: the next one is another.
        slot.incarnation = slot.incarnation.wrapping_add(1);
        slot.due_ns = None;
        slot.reset = None;
        slot.last_rites = last_rites;
        slot.rites += u32::from(last_rites);
        slot.killed_as_hung = false;
        slot.steps_at_birth = steps;
        let life = Life {
            partition,
            incarnation: slot.incarnation,
            waiting: self.waiting,
            recovery_only: last_rites,
        };
        match self.lives.begin(life).await {
            Ok(alive) => self.entered(partition, alive, begun_ns),
            Err(error) => {
                let cause = error.cause();
                Box::pin(self.on_death(partition, cause)).await;
            }
        }
    }

    fn entered(&mut self, partition: usize, alive: Alive, begun_ns: u64) {
        let region = self.view.partition(partition);
        let slot = &mut self.slots[partition];
        slot.watch = pulse(region)
            .map_err(PartitionError::from)
            .and_then(|section| Ok(PulseView::new(region, section)?))
            .ok()
            .map(|pulse| Watch::new(pulse, slot.incarnation, begun_ns, monotonic_ns()));
        let (pid, incarnation) = (alive.pid, slot.incarnation);
        slot.alive = Some(alive);
        self.status.update(partition, |status| {
            status.pid = Some(pid);
            status.incarnations = incarnation;
        });
    }

    async fn on_command(&mut self, command: &Command) {
        match command {
            Command::Stop => self.drain(monotonic_ns()).await,
            Command::Abort => self.abort().await,
            Command::Join => self.is_joined = true,
            Command::Letters { link, order, count } => {
                let order = (*order, *count);
                self.blame.order(&self.plan, &self.view, *link, order);
                self.waker.wake();
            }
            Command::Kill(partition) => {
                let slot = &mut self.slots[*partition];
                if let Some(alive) = &slot.alive {
                    let now_ns = monotonic_ns();
                    if alive.signal(9) {
                        slot.killed_at_ns.get_or_insert(now_ns);
                    }
                }
            }
        }
    }

    /// `partition` has got as far as its loop, or to its end: if the start waited for it, the next one begins.
    pub(super) async fn started(&mut self, partition: usize) {
        match self.stage {
            Stage::Starting(index) if index == partition => {}
            Stage::Starting(_) | Stage::Running | Stage::Draining { .. } | Stage::Stopping(_) => {
                return;
            }
        }
        self.begin_from(partition + 1).await;
    }

    /// Begins the first partition from `first` on that is the supervisor's to begin; if there is none, all of them run.
    async fn begin_from(&mut self, first: usize) {
        let supervised = |&partition: &usize| !self.plan.partitions[partition].hosted;
        if let Some(partition) = (first..self.slots.len()).find(supervised) {
            self.stage = Stage::Starting(partition);
            Box::pin(self.begin(partition, false)).await;
        } else {
            self.stage = Stage::Running;
            self.answer_start();
        }
    }

    /// Orders to the host's threads: its ports, and the partitions that they drive.
    pub(super) fn order_host(&self, order: Order) {
        if let Some(host) = &self.host_order {
            host.give(order);
        }
        for (slot, partition) in self.slots.iter().zip(&self.plan.partitions) {
            if partition.hosted {
                slot.order.give(order);
            }
        }
        self.waker.wake();
    }
}

/// A supervisor that is gone, whatever it died of, leaves none of the host's threads waiting.
impl Drop for Supervisor {
    fn drop(&mut self) {
        self.order_host(Order::Stop);
    }
}

impl Slot {
    /// Whether a restart is due, or a life's first step is waited for.
    fn is_awaited(&self) -> bool {
        !self.ended && (self.due_ns.is_some() || self.died_at_ns.is_some())
    }

    /// `incarnation` is the last one of an earlier run. A hosted partition is none of the supervisor's to start, to wait for
    /// or to bury.
    fn new(
        order: OrderCell,
        incarnation: u64,
        backoff: Backoff,
        hosted: Option<HostedWatch>,
    ) -> Self {
        Self {
            alive: None,
            watch: None,
            order,
            incarnation,
            incarnation_before: incarnation,
            ended: hosted.is_some(),
            killed_as_hung: false,
            due_ns: None,
            reset: None,
            kill_at_ns: None,
            died_at_ns: None,
            killed_at_ns: None,
            beats_at_drain: 0,
            steps_at_birth: 0,
            last_rites: false,
            rites: 0,
            backoff,
            hosted,
        }
    }

    /// Whether this supervisor has begun a life of it.
    pub(super) fn has_begun(&self) -> bool {
        self.incarnation != self.incarnation_before
    }
}
