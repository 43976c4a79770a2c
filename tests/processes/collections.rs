//! Durable collections of a process that is killed at random instants.

use airssys_rt::prelude::*;

use crate::common::keeper::keeper;
use crate::common::{Seen, await_that, join, source};
use crate::kills::{Random, kill};
use crate::topologies::builder;

const ROUNDS: u64 = 40;

pub(crate) fn kept() -> Result<Topology, TopologyError> {
    let mut plan = builder("kept");
    let (out, input) = plan.link("items", 64);
    source(&mut plan, out, u64::MAX, 4);
    keeper(&mut plan, input, 8);
    plan.build()
}

pub(crate) fn survive_kills() {
    let mut random = Random::seeded();
    let running = kept().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    for _ in 0..ROUNDS {
        let target = monitor.links()[0].received + random.below(4) * random.below(500);
        await_that("traffic", || monitor.links()[0].received >= target);
        kill(&monitor, 1);
    }
    let target = monitor.links()[0].received + 1_000;
    await_that("traffic after the last kill", || {
        monitor.links()[0].received >= target
    });
    running.stop();
    let report = join(running).unwrap();
    let (sent, received) = (report.links[0].sent, report.links[0].received);
    assert_eq!(sent, received);
    assert_eq!(
        monitor.read("keeper", "seen").unwrap(),
        Some(Seen::of(sent))
    );
    assert!(report.partitions[1].restarts >= ROUNDS);
}
