//! Two actors and a link between them, as a topology launches them: with steps, commits, heartbeat, counters and supervisor.
//!
//! The topology runs in a process of this program of its own, so that partitions that are processes find it by the arguments
//! that they are started with. What the measuring actor recorded it writes to a file in its last step.

mod actors;
mod outcome;

use std::path::PathBuf;

use airssys_rt::prelude::*;
use airssys_rt::ringbuf::Layout;
use airssys_rt::{LinkIn, LinkOut, TopologyBuilder};
use nix::sys::signal::Signal;

use crate::Result;
use crate::catalog::by_payload;
use crate::cell::{Cell, Metric, Mode, Sample};
use crate::link::actors::{Echo, Ping, Sink, Source};
use crate::ours::stride;
use crate::processes;
use crate::sides::Job;

/// What the actors are made from.
#[derive(Clone, Debug)]
struct Plan {
    job: Job,
    result: PathBuf,
    alone: PathBuf,
}

/// Runs the topology in a process of its own and reads what came of it.
pub(crate) fn measure(cell: &Cell) -> Result<Sample> {
    processes::end(processes::start("link", cell)?)?;
    let files = cell.files();
    outcome::read(&files.path("result"), &files.path("alone"), cell.metric)
}

/// In that process, and in those of its partitions.
pub(crate) fn run(cell: &Cell) -> Result<()> {
    by_payload!(cell, [run_topology], ())
}

#[allow(
    clippy::extra_unused_type_parameters,
    reason = "called by the macro that calls functions of subjects"
)]
fn run_topology<S, const W: usize>(cell: &Cell) -> Result<()> {
    airssys_rt::enter(|| topology::<W>(cell))?; // in a partition's process: runs it and never returns
    // It stops its partitions then, and removes its bus.
    processes::end_with(cell.parent, Signal::SIGTERM)?;
    let launch = match cell.mode {
        Mode::Threads => Launch::Threads,
        Mode::Processes => Launch::Processes,
    };
    let report = topology::<W>(cell)?.run(launch, |_| ())?;
    for link in &report.links {
        if link.sent != link.received {
            return Err(format!(
                "link {}: {} sent, {} received",
                link.name, link.sent, link.received
            )
            .into());
        }
    }
    Ok(())
}

fn topology<const W: usize>(cell: &Cell) -> std::result::Result<Topology, TopologyError> {
    let mut plan = Topology::builder(cell.name.as_str());
    plan.leftover(Leftover::Discard);
    let slots = cell.place("out").slots(stride(Layout::of(W * 8), W * 8)) as u64;
    let setting = Plan {
        job: cell.job(),
        result: cell.files().path("result"),
        alone: cell.files().path("alone"),
    };
    let (out, into) = plan.link::<[u64; W]>("out", slots);
    if cell.metric == Metric::Rtt {
        let (back_out, back_into) = plan.link::<[u64; W]>("back", slots);
        round_trip(&mut plan, cell, setting, (out, into), (back_out, back_into));
    } else {
        stream(&mut plan, cell, setting, (out, into));
    }
    plan.build()
}

type Ends<const W: usize> = (LinkOut<[u64; W]>, LinkIn<[u64; W]>);

fn round_trip<const W: usize>(
    plan: &mut TopologyBuilder,
    cell: &Cell,
    setting: Plan,
    (out, into): Ends<W>,
    (back_out, back_into): Ends<W>,
) {
    let mut far = plan.partition("far");
    place(&mut far, cell, 1);
    far.actor("echo", (into, back_out), |(from, to)| Echo::new(from, to));
    let mut near = plan.partition("near");
    place(&mut near, cell, 0);
    near.actor("ping", (out, back_into), move |(to, from)| {
        Ping::new(setting.clone(), to, from)
    });
}

fn stream<const W: usize>(
    plan: &mut TopologyBuilder,
    cell: &Cell,
    setting: Plan,
    (out, into): Ends<W>,
) {
    let mut near = plan.partition("near");
    place(&mut near, cell, 0);
    let sink = setting.clone();
    near.actor("sink", into, move |from| Sink::new(sink.clone(), from));
    let mut far = plan.partition("far");
    place(&mut far, cell, 1);
    far.actor("source", out, move |to| Source::new(&setting, to));
}

/// Pinned and spinning, where there are two cores.
fn place(partition: &mut airssys_rt::PartitionBuilder<'_>, cell: &Cell, side: usize) {
    partition.restart(Restart::temporary());
    match cell.cores.get(side) {
        Some(&core) => partition.core(core).wait(Wait::spin()),
        None => partition.wait(Wait::spin_then_yield()),
    };
}
