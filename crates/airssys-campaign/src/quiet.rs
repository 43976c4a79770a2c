//! Whether a spinning step allocates or calls the kernel: counted, in a traced child between two markers.

use crate::actors::{Incarnation, Plan, Receives, Sends, Sink, Source, Style, attach};
use crate::bus::{Bus, Shape, Wire};
use crate::failure::{Failure, ensure};
use crate::instructions::{Stepped, marker};
use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{actor_section, cell_section, clock_section};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{Attach, Clock, ClockSource, Durable, StepCore, Verdict, mistake};

/// Rounds of all actors between two markers.
const ROUNDS: u64 = 2_000;

const SHAPE: Shape = Shape {
    inputs: &[Wire::sequenced(64), Wire::contiguous(64)],
    outputs: &[Wire::contiguous(64), Wire::sequenced(64)],
};

const STYLE: Style = Style {
    receives: Receives::Drain,
    sends: Sends::Claim,
};

/// Exit code of a child in which something was allocated.
const ALLOCATED: i32 = 4;

/// What is planted among the steps, to see it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Nothing.
    Nothing,
    /// One system call.
    SystemCall,
    /// One allocation.
    Allocation,
}

/// Steps a source, a middle, a sink and an actor that reads its clock, with receives, claims, sends, durable changes, commits, aborts and idle steps, and
/// says what was found: system calls beyond a marker's own, and whether anything was allocated.
///
/// `allocations` counts those of this process so far.
///
/// # Errors
///
/// What kept it from judging, as text.
pub fn quiet_steps(planted: Planted, allocations: impl Fn() -> u64) -> Result<(u64, bool), String> {
    judge(planted, allocations).map_err(|failure| failure.to_string())
}

fn judge(planted: Planted, allocations: impl Fn() -> u64) -> Result<(u64, bool), Failure> {
    let bus = Bus::create(SHAPE)?;
    let body = || live(&bus, planted, &allocations).unwrap_or(1);
    let mut child = Stepped::spawn(body)?;
    // The first span has nothing in it but what a marker needs itself.
    let (own, _) = child.calls_to_marker()?;
    let (calls, ended) = child.calls_to_marker()?;
    ensure!(ended.is_none(), "the child ended early: {ended:?}");
    let (_, ended) = child.calls_to_marker()?;
    let code = ended.map(crate::process::End::code);
    ensure!(
        matches!(code, Some(Some(0 | ALLOCATED))),
        "the child ended with {ended:?}"
    );
    Ok((calls.abs_diff(own), code == Some(Some(ALLOCATED))))
}

fn live(bus: &Bus, planted: Planted, allocations: &impl Fn() -> u64) -> Result<i32, Failure> {
    let mut source = Source::attach(bus, 0)?;
    let life = Incarnation {
        nonce: 1,
        limit: u64::MAX,
        style: STYLE,
        seed: 0,
        pause: || {},
        skip: || {},
    };
    let mut middle = attach(mistake::NONE, bus, life)?;
    let mut sink = Sink::attach(bus, u64::MAX)?;
    let region = Timed::region()?;
    let mut timed = Timed::attach(&region)?;
    let mut round = |number: u64| -> Result<(), Failure> {
        source.step(1 + number % 5, false)?;
        middle.step(match number % 7 {
            3 => Plan::Retry,
            5 => Plan::Idle,
            _ => Plan::Work,
        })?;
        // Now and then the outputs fill up, and sends are refused.
        if number % 50 > 30 {
            sink.step(usize::MAX)?;
        }
        timed.step()
    };
    round(0)?;
    marker();
    marker();
    let before = allocations();
    for number in 0..ROUNDS {
        round(number)?;
        if number == ROUNDS / 2 {
            match planted {
                Planted::Nothing => {}
                Planted::SystemCall => std::thread::yield_now(),
                Planted::Allocation => drop(std::hint::black_box(Box::new(number))),
            }
        }
    }
    let allocated = allocations() != before;
    marker();
    Ok(if allocated { ALLOCATED } else { 0 })
}

/// An actor that reads its clock.
struct Timed {
    core: StepCore,
    clock: Clock,
    last: Durable<u64>,
}

impl Timed {
    fn region() -> Result<Region, Failure> {
        let mut plan = RegionPlan::new("quiet", "timed", 1);
        plan.add(actor_section("timed", 0, 0))
            .add(cell_section("timed/last", &u64::SCHEMA.to_text(), 8))
            .add(clock_section("timed"));
        Ok(Region::heap(&plan)?)
    }

    fn attach(region: &Region) -> Result<Self, Failure> {
        let mut attach = Attach::new(region, "timed", 0, 0)?;
        let clock = attach.clock(&ClockSource::System)?;
        let last = attach.durable("last", 0)?;
        Ok(Self {
            core: attach.finish(),
            clock,
            last,
        })
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.core.begin(u64::MAX);
        self.last.set(self.clock.now() ^ self.clock.realtime());
        let _ = self.core.finish(Verdict::Keep)?;
        Ok(())
    }
}
