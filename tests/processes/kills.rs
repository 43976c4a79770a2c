//! SIGKILL at random instants: every message once and in order.

use airssys_rt::prelude::*;
use airssys_rt::{Cause, Monitor, Report};

use crate::common::fan_in::Gathered;
use crate::common::{Seen, await_that, join};
use crate::topologies::{FINITE, GATHERED, finite, gathered, traffic, two_stages};

pub(crate) fn undisturbed() {
    for build in [two_stages, finite] {
        let running = build().unwrap().launch(Launch::Processes).unwrap();
        let monitor = running.monitor();
        let report = join(running).unwrap();
        assert_eq!(
            monitor.read("sink", "seen").unwrap(),
            Some(Seen::of(FINITE))
        );
        assert!(!report.stopped);
        for partition in &report.partitions {
            assert_eq!(partition.last_cause, Some(Cause::Done));
            assert_eq!((partition.incarnations, partition.restarts), (1, 0));
        }
    }
}

/// `SplitMix64`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded() -> Self {
        let seed = std::env::var("AIRSSYS_TEST_SEED").ok();
        let seed = seed.map_or_else(airssys_rt::monotonic_ns, |seed| seed.parse().unwrap());
        println!("seed {seed}: to repeat it set AIRSSYS_TEST_SEED");
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

fn restarts(monitor: &Monitor, partition: usize) -> u64 {
    monitor.partitions()[partition].restarts
}

/// Kills the partition until one kill has met a life, and waits for its death.
pub(crate) fn kill(monitor: &Monitor, partition: usize) {
    let before = monitor.partitions()[partition].clone();
    await_that("a kill's effect", || {
        monitor.kill(&before.name).unwrap();
        restarts(monitor, partition) > before.restarts
    });
}

fn nothing_is_missing(monitor: &Monitor, report: &Report) {
    let sent = report.links[0].sent;
    for link in &report.links {
        assert_eq!((link.sent, link.received), (sent, sent), "{}", link.name);
    }
    for actor in ["relay", "sink"] {
        assert_eq!(
            monitor.read(actor, "seen").unwrap(),
            Some(Seen::of(sent)),
            "{actor}"
        );
    }
}

const ROUNDS: u64 = 24;

pub(crate) fn amidst_traffic() {
    let mut random = Random::seeded();
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    for _ in 0..ROUNDS {
        let first = random.below(3);
        for place in 0..3 {
            // Sometimes at once, amidst the recovery from the kill before.
            let further = random.below(4) * random.below(2_000);
            let target = monitor.links()[1].received + further;
            await_that("traffic", || monitor.links()[1].received >= target);
            kill(&monitor, ((first + place) % 3) as usize);
        }
    }
    let target = monitor.links()[1].received + 1_000;
    await_that("traffic after the last kill", || {
        monitor.links()[1].received >= target
    });
    running.stop();
    let report = join(running).unwrap();
    assert!(report.stopped);
    nothing_is_missing(&monitor, &report);
    for partition in &report.partitions {
        assert!(partition.restarts >= ROUNDS, "{partition:?}");
        assert_eq!(partition.incarnations, partition.restarts + 1);
        // A life that was killed before its first step has none.
        let recoveries = partition.recoveries.len() as u64;
        assert!(
            (1..=partition.restarts).contains(&recoveries),
            "{partition:?}"
        );
    }
}

pub(crate) fn of_many_links() {
    let mut random = Random::seeded();
    let running = gathered().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let count = || {
        let seen: Option<Gathered> = monitor.read("gather", "seen").unwrap();
        seen.map_or(0, |seen| seen.count)
    };
    for _ in 0..ROUNDS {
        // Who is done isn't restarted: the rounds end long before the sources do.
        let target = count() + random.below(4) * random.below(1_000);
        if target >= GATHERED / 2 {
            break;
        }
        await_that("traffic", || count() >= target);
        kill(&monitor, random.below(3) as usize);
    }
    join(running).unwrap();
    assert_eq!(
        monitor.read("gather", "seen").unwrap(),
        Some(Gathered::of(GATHERED))
    );
}

pub(crate) fn while_draining() {
    let mut random = Random::seeded();
    for _ in 0..6 {
        let running = traffic().unwrap().launch(Launch::Processes).unwrap();
        let monitor = running.monitor();
        await_that("traffic", || monitor.links()[1].received >= 100);
        running.stop();
        let victims = ["source", "relay", "sink"];
        for _ in 0..random.below(4) {
            monitor.kill(victims[random.below(3) as usize]).unwrap();
        }
        let report = join(running).unwrap();
        assert!(report.stopped);
        nothing_is_missing(&monitor, &report);
    }
}
