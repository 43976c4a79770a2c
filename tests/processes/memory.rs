//! What processes have of the machine's memory, in each of their lives.

use airssys_rt::prelude::*;
use airssys_rt::{Had, LaunchError, Monitor, RegionMemory, TopologyBuilder, Want};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::common::{Item, Seen, Sink, Source, assert_no_trace, await_that, bus_name, join};

/// Endless traffic through a link of 4 MiB, warmed up.
pub(crate) fn large() -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("large");
    plan.bus(bus_name("large"));
    pair(&mut plan, 1 << 17);
    plan.build()
}

fn pair(plan: &mut TopologyBuilder, capacity: u64) {
    let (out, input) = plan.link::<Item>("items", capacity);
    plan.partition("source")
        .warm_up(20)
        .actor("source", out, |out| Source {
            out,
            total: u64::MAX,
            batch: 4,
        });
    plan.partition("sink")
        .warm_up(20)
        .actor("sink", (input, durable("seen")), |(input, seen)| Sink {
            input,
            seen,
            batch: 8,
        });
}

/// Kills the partition, and waits until its next life has ended a step.
fn kill(monitor: &Monitor, partition: usize) {
    let before = monitor.partitions()[partition].clone();
    monitor.kill(&before.name).unwrap();
    await_that("a life after the kill", || {
        monitor.partitions()[partition].recoveries.len() > before.recoveries.len()
    });
}

pub(crate) fn of_each_life() {
    let topology = large().unwrap();
    let predicted = topology.check(Launch::Processes).unwrap().memory;
    let running = topology.launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let found = monitor.memory();
    assert_eq!(found.regions.len(), predicted.regions.len());
    for (found, predicted) in found.regions.iter().zip(&predicted.regions) {
        // Huge pages may run out between the prediction and the launch; with memory as free as on any machine that
        // builds this they don't.
        let had = |region: &RegionMemory| {
            let huge = region.huge == Had::Yes;
            (region.locked == Had::Yes, huge, region.huge_bytes)
        };
        assert_eq!(had(found), had(predicted), "{found:?}");
    }
    for partition in [0, 1] {
        let before = monitor.links()[0].received;
        kill(&monitor, partition);
        await_that("traffic", || monitor.links()[0].received > before + 1_000);
        assert_eq!(monitor.memory(), found, "the next life has the same");
    }
    running.stop();
    let report = join(running).unwrap();
    let sent = report.links[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
}

/// In this process, as threads: a new program might get the capability back.
pub(crate) fn beyond_the_limit() {
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();
    let limit = Rlimit {
        current: Some(64 << 10),
        ..getrlimit(Resource::Memlock)
    };
    setrlimit(Resource::Memlock, limit).unwrap();
    let topology = |tag: &str, want| {
        let mut plan = Topology::builder(tag);
        plan.bus(bus_name(tag)).lock_memory(want);
        pair(&mut plan, 8192);
        plan.build().unwrap()
    };

    let tries = topology("tries", Want::Try);
    let predicted = tries.check(Launch::Threads).unwrap();
    assert_eq!(predicted.lock_limit, Some(64 << 10));
    let running = tries.launch(Launch::Threads).unwrap();
    let found = running.memory();
    let source = "no: Cannot allocate memory (os error 12); RLIMIT_MEMLOCK is 64 KiB";
    assert_eq!(found.regions[0].locked.to_string(), source);
    assert_eq!(
        predicted.memory.regions[0].locked.to_string(),
        "no: RLIMIT_MEMLOCK leaves 64 KiB to this process"
    );
    for (found, predicted) in found.regions.iter().zip(&predicted.memory.regions).skip(1) {
        assert_eq!((&found.locked, &predicted.locked), (&Had::Yes, &Had::Yes));
    }
    drop(running);

    let requires = topology("requires", Want::Require);
    for refused in [
        requires.check(Launch::Threads).map(|_| ()),
        requires.launch(Launch::Threads).map(|_| ()),
    ] {
        let LaunchError::Memory(error) = refused.unwrap_err() else {
            panic!("another error");
        };
        let text = error.to_string();
        let says = format!("bus `{}`, region `source`: its 26", requires.bus());
        assert!(text.starts_with(&says), "{text}");
        assert!(text.contains("RLIMIT_MEMLOCK is 64 KiB"), "{text}");
        assert!(text.contains("ulimit -l"), "{text}");
    }
    assert_no_trace(requires.bus());
}
