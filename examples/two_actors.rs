//! Two actors in two processes: one sends ticks, the other keeps the last one in durable state.
//!
//! ```text
//! cargo run --release --example two_actors
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use airssys_rt::prelude::*;

const TICKS: u64 = 1_000_000;

#[message]
struct Tick {
    seq: u64,
    price: f64,
}

struct Feed {
    ticks: Sender<Tick>,
}

impl Actor for Feed {
    fn step(&mut self) -> Result<Step, Refused> {
        let seq = self.ticks.sent();
        if seq == TICKS {
            return Ok(Step::Done);
        }
        let mut slot = self.ticks.claim()?; // no room: the step is run again when there is
        *slot = Tick {
            seq,
            price: 100.0 + f64::from((seq % 100) as u32) / 100.0,
        };
        slot.publish(); // seen by the receiver when this step commits
        Ok(Step::Busy)
    }
}

struct Book {
    ticks: Receiver<Tick>,
    last: Durable<Tick>, // survives a restart; a plain field would not
}

impl Actor for Book {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = self.ticks.drain(64, |tick| self.last.set(*tick));
        if seen == 0 && self.ticks.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}

fn quotes() -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("two-actors");
    plan.leftover(Leftover::Discard); // of a run that was killed
    let (tick_out, tick_in) = plan.link::<Tick>("ticks", 1024);
    plan.partition("feed")
        .actor("feed", tick_out, |ticks| Feed { ticks });
    plan.partition("book").actor(
        "book",
        (tick_in, durable::<Tick>("last")),
        |(ticks, last)| Book { ticks, last },
    );
    plan.build()
}

fn main() -> ExitCode {
    if let Err(error) = run() {
        let _ = writeln!(std::io::stderr(), "two_actors: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run() -> Result<(), Box<dyn Error>> {
    airssys_rt::enter(quotes)?; // in a partition's process: runs it and never returns

    let report = quotes()?.run(Launch::Processes, |_| ())?; // or Launch::Threads
    let mut out = std::io::stdout().lock();
    for link in &report.links {
        writeln!(
            out,
            "{}: {} sent, {} received",
            link.name, link.sent, link.received
        )?;
    }
    if let Some(last) = report.monitor.read::<Tick>("book", "last")? {
        writeln!(out, "the last tick: seq {}, price {}", last.seq, last.price)?;
    }
    Ok(())
}
