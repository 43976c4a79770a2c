//! An actor with one collection of each kind, killed after every instruction of its steps and of what undoes them.
//!
//! Its state is a function of the steps that it has committed, which a cell counts: whatever a kill leaves, the next
//! incarnation finds the state of a whole number of steps, that number never goes down, and the steps after it come out the
//! same as if nobody had been killed.

mod lives;
mod owner;

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::step::mistake;

use self::lives::{Does, LIVES, Life, RECOVERY, RESET, body, resumed};
use self::owner::{Bus, Kept, Owner, Plan};
use crate::failure::{Failure, ensure};
use crate::instructions::{Stepped, Stop};
use crate::points::Caught;
use crate::process::{End, OneCore};
use crate::snapshot::Point;

/// How much is done beyond judging the memory after each instruction of each life: every so manieth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Memories that a kill can leave from which a second life, that undoes what is there, is killed at each instruction.
    pub(crate) second_life_stride: usize,
    /// Memories that a kill can leave of which a process is really killed at the instruction.
    pub(crate) kill_stride: usize,
    /// Where the first of every so many lies.
    pub(crate) offset: usize,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Instructions after which the memory was judged.
    pub(crate) points: usize,
    /// Different memories among those.
    pub(crate) memories: usize,
    /// The same, of lives that began with what a kill had left.
    pub(crate) second_points: usize,
    /// Different memories among those.
    pub(crate) second_memories: usize,
    /// Processes that were really killed.
    pub(crate) kills: usize,
    /// Judgements in all.
    pub(crate) trials: usize,
}

/// A memory, and the first instruction after which it was so.
struct Snapshot {
    point: Point,
    image: Vec<u8>,
}

/// Leads every life and judges what a kill at each of its instructions leaves. `note` says whether a failure, met with so many
/// judgements, ends it.
///
/// # Errors
///
/// What `note` makes of a failure; [`Failure::Broken`] if a life can't be led.
pub(crate) fn every_instruction<const MISTAKE: u8>(
    budget: Option<Budget>,
    mut note: impl FnMut(Failure, usize) -> Result<(), Failure>,
) -> Result<Tally, Failure> {
    let _pinned = OneCore::pin();
    let expected = owner::undisturbed()?;
    let mut campaign = Campaign::<MISTAKE> {
        expected,
        tally: Tally::default(),
    };
    // Each mistake is one of the lives that it can show in.
    let of_resets = mistake::RESETS.contains(&MISTAKE);
    let lives = LIVES.iter().filter(|_| !of_resets);
    let resets = of_resets || MISTAKE == mistake::NONE;
    for life in lives.chain(resets.then_some(&RESET)) {
        let mut at_life = |failure: Failure, trials| note(failure.at(life.name), trials);
        let led = campaign.lead(life, budget, &mut at_life);
        led.or_else(|failure| at_life(failure, campaign.tally.trials))?;
    }
    Ok(campaign.tally)
}

struct Campaign<const MISTAKE: u8> {
    /// What is kept after so many steps.
    expected: Vec<Kept>,
    tally: Tally,
}

impl<const MISTAKE: u8> Campaign<MISTAKE> {
    fn lead(
        &mut self,
        life: &Life,
        budget: Option<Budget>,
        note: &mut impl FnMut(Failure, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let bus = Bus::create()?;
        life.prepare::<MISTAKE>(&bus)?;
        let start = bus.image()?;
        let from = match life.does {
            Does::Steps(_) => RECOVERY,
            Does::Reset => 0,
        };
        let (points, snapshots) = trace(&bus, body::<MISTAKE>(&bus, life), from)?;
        self.tally.points += points;
        self.tally.memories += snapshots.len();
        let mut far = Far::new(life);
        for snapshot in &snapshots {
            let judged = self.judge(&bus, &snapshot.image, &mut far);
            judged.or_else(|failure| note(failure.at(snapshot.point), self.tally.trials))?;
        }
        let Some(budget) = budget else {
            return Ok(());
        };
        let is_due = |index: usize, stride: usize| (index + budget.offset).is_multiple_of(stride);
        for (index, killed) in snapshots.iter().enumerate() {
            if is_due(index, budget.second_life_stride) {
                let judged = self.second_life(&bus, life, &killed.image);
                let place = format!("{}, again", killed.point);
                judged.or_else(|failure| note(failure.at(place), self.tally.trials))?;
            }
            if is_due(index, budget.kill_stride) {
                bus.restore(&start)?;
                kill_at(body::<MISTAKE>(&bus, life), killed.point)?;
                self.tally.kills += 1;
                let image = bus.image()?;
                let judged = self.judge(&bus, &image, &mut Far::new(life));
                let place = format!("{}, really", killed.point);
                judged.or_else(|failure| note(failure.at(place), self.tally.trials))?;
            }
        }
        Ok(())
    }

    /// From what a kill has left: a life from its very start, each memory of which is judged.
    fn second_life(&mut self, bus: &Bus, life: &Life, killed: &[u8]) -> Result<(), Failure> {
        bus.restore(killed)?;
        let (points, snapshots) = trace(bus, body::<MISTAKE>(bus, &resumed(life)), 0)?;
        self.tally.second_points += points;
        self.tally.second_memories += snapshots.len();
        let mut far = Far::new(life);
        for snapshot in &snapshots {
            let judged = self.judge(bus, &snapshot.image, &mut far);
            judged.map_err(|failure| failure.at(snapshot.point))?;
        }
        Ok(())
    }

    /// Whether the next incarnation finds the state after a whole number of steps, no less than before, and goes on; and whether one
    /// that is told to have it start anew does, if this one was.
    fn judge(&mut self, bus: &Bus, image: &[u8], far: &mut Far) -> Result<(), Failure> {
        self.tally.trials += 1;
        let judged = catch_unwind(AssertUnwindSafe(|| {
            bus.restore(image)?;
            self.goes_on(bus, far)?;
            if let Some(after) = far.resets_after {
                bus.restore(image)?;
                bus.reset::<MISTAKE>(after)?;
                self.goes_on(bus, &mut Far { done: 1, ..*far })?;
            }
            Ok(())
        }));
        judged.unwrap_or_else(|_| Err(Failure::Violated("the next life panicked".to_owned())))
    }

    fn goes_on(&self, bus: &Bus, far: &mut Far) -> Result<(), Failure> {
        let mut owner = Owner::<MISTAKE>::attach(bus)?;
        let steps = owner.steps();
        far.has_come(steps)?;
        self.is_as_expected(&owner, steps)?;
        // What is tried and given up is another thing than what is done then.
        owner.step(Plan::Abort)?;
        self.is_as_expected(&owner, steps)?;
        owner.step(Plan::Work)?;
        self.is_as_expected(&owner, steps + 1)?;
        drop(owner);
        self.is_as_expected(&Owner::<MISTAKE>::attach(bus)?, steps + 1)
    }

    fn is_as_expected(&self, owner: &Owner<MISTAKE>, steps: u64) -> Result<(), Failure> {
        let (found, expected) = (owner.kept(), &self.expected[steps as usize]);
        ensure!(
            found == *expected,
            "after {steps} steps there is {found:?}, expected {expected:?}"
        );
        Ok(())
    }
}

/// How far a life has come.
#[derive(Clone, Copy, Debug)]
struct Far {
    /// Steps that it has committed; or, if it has the state start anew, 0 before that and one more than the steps after it.
    done: u64,
    /// After how many steps it has, if it has.
    resets_after: Option<u64>,
}

impl Far {
    fn new(life: &Life) -> Self {
        Self {
            done: 0,
            resets_after: match life.does {
                Does::Steps(_) => None,
                Does::Reset => Some(life.committed()),
            },
        }
    }

    /// The next incarnation has found the state after so many steps.
    fn has_come(&mut self, steps: u64) -> Result<(), Failure> {
        let done = match self.resets_after {
            None => steps,
            Some(after) if after == steps => 0,
            Some(_) => steps + 1,
        };
        ensure!(done >= self.done, "{steps} steps, {self:?} before");
        self.done = done;
        Ok(())
    }
}

/// Executes a life one instruction at a time from its marker `from` on: how many those were, and every memory.
fn trace(
    bus: &Bus,
    body: impl Fn() -> i32,
    from: usize,
) -> Result<(usize, Vec<Snapshot>), Failure> {
    let mut child = Stepped::spawn(body)?;
    child.pass(from)?;
    let mut point = Point {
        marker: from,
        instruction: 0,
    };
    let mut points = 0;
    let mut snapshots = vec![Snapshot {
        point,
        image: bus.image()?,
    }];
    loop {
        match child.step()? {
            Stop::Instruction => {
                point.instruction += 1;
                points += 1;
            }
            Stop::Marker => {
                point = Point {
                    marker: point.marker + 1,
                    instruction: 0,
                };
            }
            Stop::Ended(end) => {
                ensure!(
                    end == End::Exited(0),
                    "a life that nobody cut short ended with {end:?}"
                );
                return Ok((points, snapshots));
            }
        }
        let image = bus.image()?;
        if snapshots.last().is_none_or(|last| last.image != image) {
            snapshots.push(Snapshot { point, image });
        }
    }
}

fn kill_at(body: impl Fn() -> i32, point: Point) -> Result<(), Failure> {
    crate::snapshot::kill_at(body, point)
}

/// How a planted mistake fared: violations, and the first one.
///
/// # Errors
///
/// [`Failure::Broken`] alone.
pub(crate) fn catch(number: u8) -> Result<(Tally, Vec<String>), Failure> {
    let mut violations = Vec::new();
    let tally = planted(number, |failure, _| match failure {
        Failure::Violated(what) => {
            violations.push(what);
            Ok(())
        }
        Failure::Broken(_) => Err(failure),
    });
    Ok((tally?, violations))
}

/// A planted mistake, up to the judgement that catches it.
///
/// # Errors
///
/// [`Failure::Broken`] alone.
pub(crate) fn catch_first(number: u8) -> Result<Option<Caught>, Failure> {
    let mut caught = None;
    let led = planted(number, |failure, trials| {
        if let Failure::Violated(how) = &failure {
            let how = how.clone();
            caught.get_or_insert(Caught { trials, how });
        }
        Err(failure)
    });
    match led {
        Err(failure @ Failure::Broken(_)) => Err(failure),
        _ => Ok(caught),
    }
}

fn planted(
    number: u8,
    note: impl FnMut(Failure, usize) -> Result<(), Failure>,
) -> Result<Tally, Failure> {
    match number {
        mistake::CHANGED_BEFORE_LOGGED => {
            every_instruction::<{ mistake::CHANGED_BEFORE_LOGGED }>(None, note)
        }
        mistake::COUNTED_BEFORE_LOGGED => {
            every_instruction::<{ mistake::COUNTED_BEFORE_LOGGED }>(None, note)
        }
        mistake::UNDO_UNTAGGED => every_instruction::<{ mistake::UNDO_UNTAGGED }>(None, note),
        mistake::UNDO_KEPT => every_instruction::<{ mistake::UNDO_KEPT }>(None, note),
        mistake::UNDO_FORWARD => every_instruction::<{ mistake::UNDO_FORWARD }>(None, note),
        mistake::UNDO_EMPTIED_EARLY => {
            every_instruction::<{ mistake::UNDO_EMPTIED_EARLY }>(None, note)
        }
        mistake::RESET_BEFORE_COMMIT => {
            every_instruction::<{ mistake::RESET_BEFORE_COMMIT }>(None, note)
        }
        mistake::RESET_NOT_RESUMED => {
            every_instruction::<{ mistake::RESET_NOT_RESUMED }>(None, note)
        }
        mistake::RESET_KEPT => every_instruction::<{ mistake::RESET_KEPT }>(None, note),
        _ => every_instruction::<{ mistake::NONE }>(None, note),
    }
}
