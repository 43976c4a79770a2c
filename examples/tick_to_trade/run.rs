//! One run of a topology whose last stage hands its times to the launching program.

use std::error::Error;
use std::thread;

use airssys_rt::StepError;
use airssys_rt::prelude::*;

use crate::pipeline::schedule::Schedule;
use crate::pipeline::times::Times;

/// What a run has brought.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of what was due after the warm-up.
    pub(crate) times: Vec<Times>,
    /// Lives that partitions lost; what a killed one had kept is missing.
    pub(crate) restarts: u64,
}

/// Launches `topology`, takes what comes out of its link `times`, and waits for the end. `None` if it was stopped by a signal.
///
/// `sender` is the actor that keeps the schedule, and knows in its cell `began_ns` since when.
pub(crate) fn run(
    topology: &Topology,
    launch: Launch,
    sender: &str,
    schedule: Schedule,
) -> Result<Option<Outcome>, Box<dyn Error>> {
    let mut collector = None;
    let report = topology.run(launch, |running| {
        let port = running.receiver::<Times>("times");
        collector = Some(port.map(|port| thread::spawn(move || collect(port))));
    })?;
    let collector = collector.ok_or("the topology ended before it ran")??;
    let mut times = collector.join().map_err(|_| "the collector panicked")??;
    if report.stopped {
        return Ok(None);
    }
    let began_ns = report.monitor.read::<u64>(sender, "began_ns")?;
    let began_ns = began_ns.ok_or_else(|| format!("actor `{sender}` has never lived"))?;
    times.retain(|times| schedule.counts(began_ns, times.due_ns));
    let restarts = report.partitions.iter().map(|one| one.restarts).sum();
    Ok(Some(Outcome { times, restarts }))
}

/// Sleeps until there is something, and takes all that there is then.
fn collect(mut port: HostReceiver<Times>) -> Result<Vec<Times>, StepError> {
    let mut all = Vec::new();
    while let Some(times) = port.recv()? {
        all.push(times);
        port.drain(usize::MAX, |times| all.push(*times))?;
    }
    Ok(all)
}
