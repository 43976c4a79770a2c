//! What a sender pays because its peer may sleep in an event loop, while it doesn't.
//!
//! Two buses of one sender each, which this thread drives; its link is empty and wide enough for a round, and nobody receives
//! while it is timed; in between the messages are taken on the last CPU, so that the slots come from there for both, while
//! this thread is on the first. One peer is a partition that spins and never parks, so nobody asks whether to ring; the other
//! is a host port that has its descriptor open and is awake.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use airssys_benches::median;
use airssys_rt::prelude::*;
use airssys_rt::{HostReceiver, Hosted, Running, Turned};
use core_affinity::CoreId;
use serde_json::json;

use crate::part::{Part, Result, Settings};
use crate::wake::stamper::Place;

type Failure = Box<dyn Error + Send + Sync>;

/// Short, so that most rounds are over before anybody else gets the CPU.
const ROUND: u64 = 1 << 12;

/// Messages before each round that aren't timed.
const BEFORE: u64 = ROUND / 2;

/// Messages in a step.
const BATCHES: [u64; 2] = [1, 64];

/// Whether the sink takes what there is: between the rounds.
static TAKES: AtomicBool = AtomicBool::new(false);

struct Source {
    out: Sender<u64>,
    batch: u64,
}

impl Actor for Source {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        for _ in 0..self.batch {
            self.out.send(self.out.sent())?;
        }
        Ok(Step::Busy)
    }
}

struct Sink {
    input: Receiver<u64>,
}

impl Actor for Sink {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        if !TAKES.load(Ordering::Relaxed) {
            return Ok(Step::Idle);
        }
        Ok(self.input.drain(1024, |_| ()).into())
    }
}

/// A bus ends when no partition is left that its supervisor started; it counts no others.
struct Bystander;

impl Actor for Bystander {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        Ok(Step::Idle)
    }
}

/// A sender with its peer.
struct Pair {
    source: Hosted,
    batch: u64,
    /// Where the peer is a host port.
    port: Option<HostReceiver<u64>>,
    /// Last: the others end before the bus does.
    bus: Running,
}

impl Pair {
    fn new(batch: u64, to_port: bool) -> std::result::Result<Self, Failure> {
        let peer = if to_port { "port" } else { "spin" };
        let mut plan = Topology::builder(format!("embedding-wake-cost-{peer}-{batch}"));
        plan.leftover(Leftover::Discard); // of a run that was killed
        let (out, input) = plan.link::<u64>("messages", 2 * ROUND);
        if to_port {
            plan.host().receives(input);
            plan.partition("bystander")
                .wait(Wait::spin_then_park())
                .actor("bystander", (), |()| Bystander);
        } else {
            let mut partition = plan.partition("sink");
            partition.wait(Wait::spin());
            if let Some(cpu) = Place::LastCpu.cpu() {
                partition.core(cpu);
            }
            partition.actor("sink", input, |input| Sink { input });
        }
        plan.partition("source")
            .hosted()
            .actor("source", out, move |out| Source { out, batch });
        let bus = plan.build()?.launch(Launch::Threads)?;
        let mut port = to_port.then(|| bus.receiver("messages")).transpose()?;
        if let Some(port) = &mut port {
            port.descriptor()?;
        }
        Ok(Self {
            source: bus.hosted("source")?,
            batch,
            port,
            bus,
        })
    }

    /// Nanoseconds a message, over one round.
    fn round(&mut self) -> std::result::Result<f64, Failure> {
        self.send(BEFORE)?;
        let began = Instant::now();
        self.send(ROUND)?;
        let elapsed = began.elapsed();
        self.empty()?;
        Ok(elapsed.as_nanos() as f64 / ROUND as f64)
    }

    fn send(&mut self, messages: u64) -> std::result::Result<(), Failure> {
        for _ in 0..messages / self.batch {
            let turned = self.source.turn()?;
            if turned != Turned::Busy {
                return Err(
                    format!("the source's turn was {turned:?}: {:?}", self.bus.links()).into(),
                );
            }
        }
        Ok(())
    }

    fn empty(&mut self) -> std::result::Result<(), Failure> {
        if let Some(port) = &mut self.port {
            return thread::scope(|scope| {
                let taking = scope.spawn(|| take(port));
                taking.join().map_err(|_| "the receiving thread panicked")?
            });
        }
        TAKES.store(true, Ordering::Relaxed);
        while self.bus.links()[0].depth() > 0 {
            thread::yield_now();
        }
        TAKES.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Empties the port's link, on the last CPU.
fn take(port: &mut HostReceiver<u64>) -> std::result::Result<(), Failure> {
    if let Some(id) = Place::LastCpu.cpu() {
        core_affinity::set_for_current(CoreId { id });
    }
    while port.drain(1024, |_| ())? > 0 {}
    Ok(())
}

/// On a thread of its own, which it pins.
pub(super) fn measure(settings: &Settings) -> Result<Part> {
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            let first = core_affinity::get_core_ids().and_then(|cpus| cpus.first().copied());
            if let Some(cpu) = first {
                core_affinity::set_for_current(cpu);
            }
            measure_here(settings)
        });
        let measured = measuring
            .join()
            .map_err(|_| "the sending thread panicked")?;
        measured.map_err(|error| error as Box<dyn Error>)
    })
}

fn measure_here(settings: &Settings) -> std::result::Result<Part, Failure> {
    let rounds = if settings.short { 50 } else { 500 };
    let mut text = format!(
        "What a message costs a sender whose peer spins, and one whose peer is a host port that could sleep in an event loop \
         and is awake: nanoseconds, medians of {rounds} rounds of {ROUND} messages, in turn, by a partition that this thread \
         drives. Nobody receives meanwhile.\n\n| messages a step | to a spinning partition | to a host port | more |\n\
         |---|---|---|---|\n"
    );
    let mut figures = Vec::new();
    for batch in BATCHES {
        let (mut spin, mut port) = (Pair::new(batch, false)?, Pair::new(batch, true)?);
        let mut measured = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            // In turn, too: what goes before leaves its traces.
            for index in [round % 2, (round + 1) % 2] {
                let pair = if index == 0 { &mut spin } else { &mut port };
                measured[index].push(pair.round()?);
            }
        }
        let [spin_ns, port_ns] = measured.map(|rounds| median(&rounds));
        let more_ns = port_ns - spin_ns;
        writeln!(
            text,
            "| {batch} | {spin_ns:.1} | {port_ns:.1} | {more_ns:+.2} |"
        )?;
        figures.push(json!({
            "messages_a_step": batch, "to_spinning_partition_ns": spin_ns, "to_host_port_ns": port_ns,
        }));
    }
    Ok(Part {
        figures: figures.into(),
        text,
    })
}
