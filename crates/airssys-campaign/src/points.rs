//! Every point of every life, on the step as it is or with a mistake planted in it.

use airssys_ringbuf::step::mistake;

use crate::actors::{Plan, Sink, Source};
use crate::bus::{Bus, Images};
use crate::failure::Failure;
use crate::judge::{First, Kill, judge};
use crate::process::OneCore;
use crate::scenarios::{Life, RECOVERY, Scenario, body};
use crate::snapshot::{Point, Snapshot, Trace, kill_at, trace};
use crate::watch::Watch;

/// Incarnations: those before are a life's own.
const JUDGING: u64 = 3;
const SECOND: u64 = 4;
const JUDGING_SECOND: u64 = 5;

/// The marker at the start of a life.
const ATTACHING: usize = 0;

const ORDERS: [First; 3] = [First::Middle, First::Peers, First::Waiting];

/// How much is done beyond judging the memory after each instruction. Each figure is "every so manieth"; 1 for all.
///
/// The time it takes is that of single-stepping: to kill for real, a life is led anew up to the
/// instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Instructions of recovery and steps at which a process is really killed.
    pub(crate) kill_stride: usize,
    /// Instructions that change memory, and those right before them, at which a process is really killed besides.
    pub(crate) change_kill_stride: usize,
    /// Instructions of attaching, tens of thousands that change no memory, at which a process is really killed.
    pub(crate) attach_kill_stride: usize,
    /// Of each life, memories that a kill can leave from which a second life, recovery and a step, is killed at each instruction
    /// in turn: so many, not every so manieth.
    pub(crate) second_lives: usize,
    /// Attaching is judged, of the lives that say so.
    pub(crate) attaching: bool,
    /// Where the first of every so many lies: another one reaches other points.
    pub(crate) offset: usize,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Instructions after which the memory was judged.
    pub(crate) points: usize,
    /// Different memories among those.
    pub(crate) memories: usize,
    /// Processes that were killed for real at an instruction.
    pub(crate) kills: usize,
    /// Instructions of lives that began with what a kill had left.
    pub(crate) second_points: usize,
    /// Different memories among those.
    pub(crate) second_memories: usize,
    /// Comparisons of what is said to be in work with what the handler has.
    pub(crate) looks: usize,
    /// Judgements in all, without these.
    pub(crate) trials: usize,
}

/// How a planted mistake fared in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    /// Judgements up to the one that caught it; 0 if it kept a life from being led at all.
    pub(crate) trials: usize,
    /// Where that was, and what it found.
    pub(crate) how: String,
}

/// Judges every instruction of a scenario's lives, as if the middle had been killed after it, and really kills it after many.
/// What is drawn follows from `seed`; `judged` hears of each life that was judged.
///
/// # Errors
///
/// The first [`Failure`], with its place.
pub(crate) fn every_instruction(
    scenario: &Scenario,
    budget: Budget,
    seed: u64,
    mut judged: impl FnMut(&Tally),
) -> Result<Tally, Failure> {
    let _pinned = OneCore::pin();
    let mut campaign = Campaign::new(mistake::NONE, seed);
    for life in scenario.lives {
        // Attaching is about the same code in every life, and changes no memory: once is enough.
        let from = if budget.attaching && life.judges_attaching {
            ATTACHING
        } else {
            RECOVERY
        };
        let judging = campaign.first_lives(life, from).and_then(|stage| {
            campaign.second_lives(&stage, life, budget)?;
            campaign.real_kills(&stage, life, budget)
        });
        judged(&campaign.tally);
        judging.map_err(|failure| failure.at(format_args!("{}, {}", scenario.name, life.name)))?;
    }
    Ok(campaign.tally)
}

/// The memory part of [`every_instruction`] on a step with a planted mistake, up to the judgement that catches it.
///
/// # Errors
///
/// [`Failure::Broken`] alone: what is violated is what this is after.
pub(crate) fn catch_mistake(
    mistake: u8,
    scenario: &Scenario,
    seed: u64,
) -> Result<Option<Caught>, Failure> {
    let _pinned = OneCore::pin();
    let mut campaign = Campaign::new(mistake, seed);
    for life in scenario.lives {
        match campaign.first_lives(life, RECOVERY) {
            Ok(_) => {}
            Err(Failure::Violated(how)) => {
                return Ok(Some(Caught {
                    trials: campaign.tally.trials,
                    how: format!("{}, {how}", life.name),
                }));
            }
            Err(failure @ Failure::Broken(_)) => return Err(failure),
        }
    }
    Ok(None)
}

#[derive(Debug)]
struct Campaign {
    mistake: u8,
    seed: u64,
    tally: Tally,
}

/// A life that was traced, on the bus where it was.
struct Stage {
    bus: Bus,
    start: Images,
    trace: Trace,
    /// The words that never go back, as they were before the life.
    watch: Watch,
}

/// Where a judged kill was.
#[derive(Clone, Copy)]
struct At<'a> {
    life: &'a Life,
    bus: &'a Bus,
    /// What lay in the regions when the killed life began.
    start: &'a Images,
    watch: &'a Watch,
}

impl Campaign {
    fn new(mistake: u8, seed: u64) -> Self {
        Self {
            mistake,
            seed,
            tally: Tally::default(),
        }
    }

    /// Traces a life from its marker `from` on and judges each memory in it.
    fn first_lives(&mut self, life: &Life, from: usize) -> Result<Stage, Failure> {
        let bus = life.bus()?;
        let start = life.prepare(self.mistake, &bus, self.seed)?;
        let trace = trace(&bus, life.body(self.mistake, &bus, self.seed), from)?;
        let mut watch = Watch::new(&bus)?;
        watch.look(start.middle())?;
        self.tally.points += trace.points();
        self.tally.memories += trace.snapshots.len();
        self.in_work(&trace)?;
        let mut seen = watch.clone();
        for snapshot in &trace.snapshots {
            let place = |failure: Failure| failure.at(format_args!("killed at {}", snapshot.point));
            seen.look(&snapshot.image).map_err(place)?;
            let at = At {
                life,
                bus: &bus,
                start: &start,
                watch: &seen,
            };
            for first in ORDERS {
                self.judge_memory(at, snapshot, first, JUDGING)
                    .map_err(place)?;
            }
        }
        Ok(Stage {
            bus,
            start,
            trace,
            watch,
        })
    }

    /// What was in work in a life, told after each instruction.
    fn in_work(&mut self, trace: &Trace) -> Result<(), Failure> {
        self.tally.looks += trace.looks;
        let Some((point, why)) = &trace.misjudged else {
            return Ok(());
        };
        // That was found with so many looks, and nothing else.
        self.tally.trials += trace.looks;
        Err(Failure::Violated(format!("killed at {point}: {why}")))
    }

    /// Judges a kill that left this memory.
    fn judge_memory(
        &mut self,
        at: At<'_>,
        snapshot: &Snapshot,
        first: First,
        nonce: u64,
    ) -> Result<(), Failure> {
        at.bus.restore(at.start)?;
        let waiting = at.waiting(first)?;
        snapshot.restore(at.bus)?;
        self.judge(at, first, waiting, nonce)
    }

    fn judge(
        &mut self,
        at: At<'_>,
        first: First,
        waiting: Option<Sink>,
        nonce: u64,
    ) -> Result<(), Failure> {
        self.tally.trials += 1;
        let kill = Kill {
            mistake: self.mistake,
            bus: at.bus,
            watch: at.watch,
            sink_ends: at.life.sink_ends,
            next: at.life.incarnation(nonce, self.seed),
        };
        judge(kill, first, waiting).map_err(|failure| failure.at(format_args!("{first:?} first")))
    }

    /// From memories that a kill can leave: a second life, each memory of which is judged.
    fn second_lives(&mut self, stage: &Stage, life: &Life, budget: Budget) -> Result<(), Failure> {
        let bus = &stage.bus;
        let mut watch = stage.watch.clone();
        let stride = (stage.trace.snapshots.len() / budget.second_lives.max(1)).max(1);
        for (index, killed) in stage.trace.snapshots.iter().enumerate() {
            watch.look(&killed.image)?;
            if !(index + budget.offset).is_multiple_of(stride) {
                continue;
            }
            let peers = (index / stride).is_multiple_of(2);
            let place = |failure: Failure| {
                let who = if peers { "the peers" } else { "the middle" };
                let point = killed.point;
                failure.at(format_args!(
                    "killed at {point}, then {who} first, killed again"
                ))
            };
            bus.restore(&stage.start)?;
            killed.restore(bus)?;
            if peers {
                peers_move(bus, life).map_err(place)?;
            }
            let start = bus.images()?;
            let again = life.incarnation(SECOND, self.seed);
            let second = trace(bus, body(self.mistake, bus, again, &[Plan::Work]), RECOVERY);
            let at = At {
                life,
                bus,
                start: &start,
                watch: &watch,
            };
            self.second_life(at, &second.map_err(place)?)
                .map_err(place)?;
        }
        Ok(())
    }

    fn second_life(&mut self, at: At<'_>, second: &Trace) -> Result<(), Failure> {
        self.tally.second_points += second.points();
        self.tally.second_memories += second.snapshots.len();
        self.in_work(second)?;
        let mut watch = at.watch.clone();
        for (snapshot, first) in second.snapshots.iter().zip(ORDERS.into_iter().cycle()) {
            let place = |failure: Failure| failure.at(format_args!("at {}", snapshot.point));
            watch.look(&snapshot.image).map_err(place)?;
            let at = At {
                watch: &watch,
                ..at
            };
            self.judge_memory(at, snapshot, first, JUDGING_SECOND)
                .map_err(place)?;
        }
        Ok(())
    }

    /// Really kills the middle in this life: at instructions that change memory, right before those, and at others.
    fn real_kills(&mut self, stage: &Stage, life: &Life, budget: Budget) -> Result<(), Failure> {
        let at = At {
            life,
            bus: &stage.bus,
            start: &stage.start,
            watch: &stage.watch,
        };
        let points = kill_points(&stage.trace, budget).into_iter();
        for (point, first) in points.zip(ORDERS.into_iter().cycle()) {
            at.bus.restore(at.start)?;
            let waiting = at.waiting(first)?;
            kill_at(life.body(self.mistake, at.bus, self.seed), point)?;
            self.tally.kills += 1;
            self.judge(at, first, waiting, JUDGING)
                .map_err(|failure| failure.at(format_args!("really killed at {point}")))?;
        }
        Ok(())
    }
}

impl At<'_> {
    /// A sink that is there before the killed life, where one shall be.
    fn waiting(&self, first: First) -> Result<Option<Sink>, Failure> {
        if first != First::Waiting {
            return Ok(None);
        }
        let mut sink = Sink::attach(self.bus, self.life.sink_ends)?;
        sink.drain()?;
        Ok(Some(sink))
    }
}

fn kill_points(trace: &Trace, budget: Budget) -> Vec<Point> {
    // Of however few, one at least.
    let every = |stride: usize, count: usize| {
        let stride = stride.clamp(1, count.max(1));
        (budget.offset % stride, stride)
    };
    let (first, stride) = every(budget.change_kill_stride, trace.snapshots.len());
    let changes = trace.snapshots.iter().skip(first).step_by(stride);
    let mut points: Vec<Point> = changes
        .map(|snapshot| snapshot.point)
        .flat_map(|point| {
            let before = Point {
                instruction: point.instruction.saturating_sub(1),
                ..point
            };
            [before, point]
        })
        .collect();
    for (marker, instructions) in trace.instructions.iter().enumerate() {
        let stride = match marker {
            ATTACHING => budget.attach_kill_stride,
            _ => budget.kill_stride,
        };
        let stride = stride.max(1);
        let every = (budget.offset % stride..=*instructions).step_by(stride);
        points.extend(every.map(|instruction| Point {
            marker,
            instruction,
        }));
    }
    points.sort_unstable();
    points.dedup();
    points
}

/// The sink takes all that it sees, and the source overwrites all that was given back.
fn peers_move(bus: &Bus, life: &Life) -> Result<(), Failure> {
    Sink::attach(bus, life.sink_ends)?.drain()?;
    Source::attach(bus, 0)?.step(u64::MAX, false).map(drop)
}
