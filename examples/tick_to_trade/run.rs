//! One run of a topology whose last stage hands its times to the launching program.

use std::error::Error;
use std::thread;
use std::time::Duration;

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
    let joined = topology.run(launch, |running| {
        let port = running.receiver::<Times>("times");
        let lasts = schedule.warm_up + schedule.lasts;
        collector = Some(port.map(|port| thread::spawn(move || collect(port, lasts))));
    });
    if let Some(Ok(collector)) = &collector {
        collector.thread().unpark();
    }
    let report = joined?;
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

/// Sleeps until the schedule's end, or until it is woken, and takes all that comes from then on.
///
/// It doesn't wait at the port meanwhile: a partition whose peer does so looks after it in every turn, which would be measured.
fn collect(mut port: HostReceiver<Times>, lasts: Duration) -> Result<Vec<Times>, StepError> {
    thread::park_timeout(lasts);
    let mut all = Vec::new();
    while let Some(times) = port.recv()? {
        all.push(times);
        port.drain(usize::MAX, |times| all.push(*times))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::cores::{self, Placement};
    use crate::pipeline::{PARTITIONS, topology};

    #[test]
    fn every_tick_that_leads_to_an_order_comes_out_with_its_times() {
        let schedule = Schedule {
            rate: 10_000,
            warm_up: Duration::from_millis(20),
            lasts: Duration::from_millis(80),
        };
        let placement = Placement::new(PARTITIONS.len(), &cores::allowed());
        let topology =
            topology("tick_to_trade-test", schedule, &placement).expect("a plan that is valid");
        let outcome = run(&topology, Launch::Threads, "feed", schedule)
            .expect("nothing fails")
            .expect("nobody stops it");
        assert_eq!(outcome.restarts, 0);
        // Which ticks lead to an order follows from their numbers.
        assert_eq!(outcome.times.len(), 395);
        assert!(outcome.times.is_sorted_by_key(|times| times.due_ns));
        let right = |times: &Times| times.due_ns <= times.sent_ns && times.sent_ns <= times.done_ns;
        assert!(outcome.times.iter().all(right), "{:?}", outcome.times);
    }
}
