//! Every point of every life, on the step as it is or with a mistake planted in it.

use crate::actors::{Incarnation, Plan, Sink, Source, Turn};
use crate::bus::{Bus, Images};
use crate::failure::Failure;
use crate::judge::{First, judge};
use crate::lives::{LIVES, Life, RECOVERY, body};
use crate::process::OneCore;
use crate::snapshot::{Point, Trace, kill_at, trace};
use crate::watch::Watch;

/// Incarnations: 1 may be before a life and 2 is killed in it.
const JUDGING: u64 = 3;
const SECOND: u64 = 4;
const JUDGING_SECOND: u64 = 5;

/// The marker at the start of a life.
const ATTACHING: usize = 0;

const ORDERS: [First; 2] = [First::Middle, First::Peers];

/// How much is done beyond judging the memory after each instruction. Each figure is "every so manieth"; 1 for all.
///
/// The time it takes is that of single-stepping: to kill for real, a life is led anew up to the
/// instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Instructions of recovery and steps at which a process is really killed, besides those that change memory and those
    /// right before them.
    pub(crate) kill_stride: usize,
    /// Instructions of attaching, tens of thousands that change no memory, at which a process is really killed.
    pub(crate) attach_kill_stride: usize,
    /// Memories that a kill can leave from which a second life, recovery and a step, is killed at each instruction in turn.
    pub(crate) second_life_stride: usize,
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
    /// Judgements in all.
    pub(crate) trials: usize,
}

/// How a planted mistake fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caught {
    /// What was done.
    pub(crate) tally: Tally,
    /// Promises found broken, in judgements and on the way to them.
    pub(crate) violations: usize,
    /// Where the first one was, and what it found.
    pub(crate) first: Option<String>,
}

/// Judges every instruction of every life, as if the middle had been killed after it, and really kills it after many.
/// `judged` hears of each life that was judged.
///
/// # Errors
///
/// The first [`Failure`], with its place.
pub(crate) fn every_instruction(
    budget: Budget,
    mut judged: impl FnMut(&Tally),
) -> Result<Tally, Failure> {
    let _pinned = OneCore::pin();
    let mut campaign = Campaign::<{ airssys_ringbuf::step::mistake::NONE }>::default();
    for (index, life) in LIVES.iter().enumerate() {
        // Attaching is the same code in every life, and changes no memory.
        let from = if index == 0 { ATTACHING } else { RECOVERY };
        let stage = campaign.first_lives(life, from, Err)?;
        let rest = campaign.second_lives(&stage, life, budget);
        let rest = rest.and_then(|()| campaign.real_kills(&stage, life, budget));
        judged(&campaign.tally);
        rest.map_err(|failure| failure.at(life.name))?;
    }
    Ok(campaign.tally)
}

/// The memory part of [`every_instruction`] on a step with a planted mistake.
///
/// # Errors
///
/// [`Failure::Broken`] alone: what is violated is what this is after.
pub(crate) fn catch_mistake<const MISTAKE: u8>() -> Result<Caught, Failure> {
    let _pinned = OneCore::pin();
    let mut campaign = Campaign::<MISTAKE>::default();
    let mut caught = Caught::default();
    for life in &LIVES {
        let mut note = |failure: Failure| match failure {
            Failure::Violated(what) => {
                caught.violations += 1;
                caught.first.get_or_insert(what);
                Ok(())
            }
            Failure::Broken(_) => Err(failure),
        };
        match campaign.first_lives(life, RECOVERY, &mut note) {
            Ok(_) => {}
            Err(failure) => note(failure.at(life.name))?,
        }
    }
    caught.tally = campaign.tally;
    Ok(caught)
}

#[derive(Debug, Default)]
struct Campaign<const MISTAKE: u8> {
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

impl<const MISTAKE: u8> Campaign<MISTAKE> {
    /// Traces a life from its marker `from` on and judges each memory in it; `note` says whether a failure there ends
    /// the campaign.
    fn first_lives(
        &mut self,
        life: &Life,
        from: usize,
        mut note: impl FnMut(Failure) -> Result<(), Failure>,
    ) -> Result<Stage, Failure> {
        let bus = Bus::create(life.capacities)?;
        let start = life.prepare::<MISTAKE>(&bus)?;
        let trace = trace(&bus, life.body::<MISTAKE>(&bus), from)?;
        let mut watch = Watch::new(&bus.middle)?;
        watch.look(start.middle())?;
        let stage = Stage {
            bus,
            start,
            trace,
            watch,
        };
        self.tally.points += stage.trace.points();
        self.tally.memories += stage.trace.snapshots.len();
        let place = |point: Point| format!("{}, killed at {point}", life.name);
        let mut watch = stage.watch.clone();
        for snapshot in &stage.trace.snapshots {
            if let Err(failure) = watch.look(&snapshot.image) {
                note(failure.at(place(snapshot.point)))?;
            }
            for first in ORDERS {
                stage
                    .bus
                    .restore(&stage.start.with_middle(&snapshot.image))?;
                let judged = self.judge(
                    &stage.bus,
                    &watch,
                    first,
                    Incarnation::new(JUDGING, life.limit),
                );
                judged.or_else(|failure| note(failure.at(place(snapshot.point))))?;
            }
        }
        Ok(stage)
    }

    fn judge(
        &mut self,
        bus: &Bus,
        watch: &Watch,
        first: First,
        life: Incarnation,
    ) -> Result<(), Failure> {
        self.tally.trials += 1;
        judge::<MISTAKE>(bus, watch, first, life)
            .map_err(|failure| failure.at(format!("{first:?} first")))
    }

    /// From memories that a kill can leave: a second life, each memory of which is judged.
    fn second_lives(&mut self, stage: &Stage, life: &Life, budget: Budget) -> Result<(), Failure> {
        let bus = &stage.bus;
        let mut watch = stage.watch.clone();
        for (index, killed) in stage.trace.snapshots.iter().enumerate() {
            watch.look(&killed.image)?;
            if !(index + budget.offset).is_multiple_of(budget.second_life_stride.max(1)) {
                continue;
            }
            let first = ORDERS[index % 2];
            let place = |failure: Failure| {
                failure.at(format!(
                    "killed at {}, then {first:?} first, killed again",
                    killed.point
                ))
            };
            bus.restore(&stage.start.with_middle(&killed.image))?;
            if first == First::Peers {
                peers_move(bus).map_err(place)?;
            }
            let start = bus.images()?;
            let life_again = Incarnation::new(SECOND, life.limit);
            let body = body::<MISTAKE>(bus, life_again, &[Plan::Work]);
            let second = trace(bus, body, RECOVERY).map_err(place)?;
            self.second_life(bus, &watch, &start, &second, life.limit)
                .map_err(place)?;
        }
        Ok(())
    }

    fn second_life(
        &mut self,
        bus: &Bus,
        watch: &Watch,
        start: &Images,
        second: &Trace,
        limit: u64,
    ) -> Result<(), Failure> {
        self.tally.second_points += second.points();
        self.tally.second_memories += second.snapshots.len();
        let mut watch = watch.clone();
        for (snapshot, first) in second.snapshots.iter().zip(ORDERS.into_iter().cycle()) {
            let at = |failure: Failure| failure.at(format_args!("at {}", snapshot.point));
            watch.look(&snapshot.image).map_err(at)?;
            bus.restore(&start.with_middle(&snapshot.image))?;
            self.judge(bus, &watch, first, Incarnation::new(JUDGING_SECOND, limit))
                .map_err(at)?;
        }
        Ok(())
    }

    /// Really kills the middle in this life: at all instructions that change memory, right before those, and at every so
    /// manieth of the others.
    fn real_kills(&mut self, stage: &Stage, life: &Life, budget: Budget) -> Result<(), Failure> {
        let bus = &stage.bus;
        let points = kill_points(&stage.trace, budget).into_iter();
        for (point, first) in points.zip(ORDERS.into_iter().cycle()) {
            bus.restore(&stage.start)?;
            kill_at(life.body::<MISTAKE>(bus), point)?;
            self.tally.kills += 1;
            let judged = self.judge(
                bus,
                &stage.watch,
                first,
                Incarnation::new(JUDGING, life.limit),
            );
            judged.map_err(|failure| failure.at(format_args!("really killed at {point}")))?;
        }
        Ok(())
    }
}

fn kill_points(trace: &Trace, budget: Budget) -> Vec<Point> {
    let mut points: Vec<Point> = trace
        .snapshots
        .iter()
        .map(|snapshot| snapshot.point)
        .collect();
    let before = points
        .iter()
        .filter(|point| point.instruction > 0)
        .map(|point| Point {
            instruction: point.instruction - 1,
            ..*point
        });
    let before: Vec<Point> = before.collect();
    points.extend(before);
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
fn peers_move(bus: &Bus) -> Result<(), Failure> {
    let mut sink = Sink::attach(bus)?;
    while sink.step(u64::MAX)? == Turn::Busy {}
    Source::attach(bus, 0)?.step(u64::MAX, false)?;
    Ok(())
}
