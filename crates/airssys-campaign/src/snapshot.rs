//! What the middle's memory is after each instruction of a life.
//!
//! A killed process leaves the memory of its last instruction, and nothing else that anybody sees: the bytes after an
//! instruction are what a kill there leaves. Instructions that change none are covered by the last one that did.

use crate::bus::Bus;
use crate::court::{Court, LETTERED};
use crate::failure::{Failure, ensure};
use crate::instructions::{Stepped, Stop};
use crate::process::End;
use crate::scenarios::RECOVERY;
use crate::witness::Looker;

/// A place in a life: after so many instructions behind a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    /// Markers passed before: see [`RECOVERY`].
    pub(crate) marker: usize,
    /// Instructions executed since.
    pub(crate) instruction: usize,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "instruction {} of ", self.instruction)?;
        // The steps are counted from 1.
        let step = self.marker / 2;
        match self.marker {
            0 => write!(f, "attaching"),
            RECOVERY => write!(f, "recovery"),
            marker if marker % 2 == 0 => write!(f, "step {step}"),
            _ => write!(f, "the end of step {step}"),
        }
    }
}

/// The memory from one instruction on.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The first instruction after which it was so.
    pub(crate) point: Point,
    /// The middle's bytes.
    pub(crate) image: Vec<u8>,
    /// Below which place letters were to be handled again.
    pub(crate) requeue_to: u64,
}

impl Snapshot {
    /// Puts all of it back.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if it can't be written.
    pub(crate) fn restore(&self, bus: &Bus) -> Result<(), Failure> {
        bus.middle.restore(&self.image)?;
        bus.requeue_below(self.requeue_to)
    }
}

/// A life, instruction by instruction.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Instructions behind each marker.
    pub(crate) instructions: Vec<usize>,
    /// Every state of the memory, in order; the first is what the life started with.
    pub(crate) snapshots: Vec<Snapshot>,
    /// How often what is in work was compared with what the handler has.
    pub(crate) looks: usize,
    /// Where it first wasn't that, and how.
    pub(crate) misjudged: Option<(Point, String)>,
}

impl Trace {
    /// Instructions in all: the points at which a kill is judged.
    #[must_use]
    pub(crate) fn points(&self) -> usize {
        self.instructions.iter().sum()
    }
}

/// Executes a life one instruction at a time, from its marker `from` on; what is before it runs at full speed.
///
/// # Errors
///
/// [`Failure::Violated`] if it fails by itself, [`Failure::Broken`] if it can't be traced.
pub(crate) fn trace(bus: &Bus, body: impl Fn() -> i32, from: usize) -> Result<Trace, Failure> {
    let mut child = Stepped::spawn(body)?;
    let mut now = bus.middle.image()?;
    let mut point = Point {
        marker: from,
        instruction: 0,
    };
    child.pass(from)?;
    let mut trace = Trace {
        instructions: vec![0; from + 1],
        snapshots: vec![Snapshot {
            point,
            image: now.clone(),
            requeue_to: bus.requeue_to()?,
        }],
        looks: 0,
        misjudged: None,
    };
    let mut looker = Looker::new(bus)?;
    let charges = bus.court.as_ref().map(Court::view).transpose()?;
    loop {
        match child.step()? {
            Stop::Instruction => {
                point.instruction += 1;
                trace.instructions[point.marker] += 1;
            }
            Stop::Marker => {
                point = Point {
                    marker: point.marker + 1,
                    instruction: 0,
                };
                trace.instructions.push(0);
            }
            Stop::Ended(end) => {
                ensure!(
                    end == End::Exited(0),
                    "a life that nobody cut short ended with {end:?}"
                );
                return Ok(trace);
            }
        }
        bus.middle.image_into(&mut now)?;
        let requeue_to = charges
            .as_ref()
            .map_or(0, |charges| charges.requeue_to(LETTERED));
        let last = trace.snapshots.last();
        let moved = last.is_none_or(|last| last.image != now || last.requeue_to != requeue_to);
        if let Some(open) = &mut looker {
            let compared = open.look(&now, moved);
            trace.looks = open.looks;
            if let Err(failure) = compared {
                trace.misjudged = Some((point, failure.to_string()));
                looker = None;
            }
        }
        if moved {
            trace.snapshots.push(Snapshot {
                point,
                image: now.clone(),
                requeue_to,
            });
        }
    }
}

/// Leads a life up to `point` and kills it there.
///
/// # Errors
///
/// [`Failure::Broken`] if it can't be traced.
pub(crate) fn kill_at(body: impl Fn() -> i32, point: Point) -> Result<(), Failure> {
    let mut child = Stepped::spawn(body)?;
    child.pass(point.marker)?;
    for _ in 0..point.instruction {
        // An allocator that needs fewer instructions this time, or a sink that has made room, brings the next marker early.
        match child.step()? {
            Stop::Instruction => {}
            Stop::Marker => break,
            // As for a kill right behind the last instruction.
            Stop::Ended(_) => return Ok(()),
        }
    }
    child.kill()
}
