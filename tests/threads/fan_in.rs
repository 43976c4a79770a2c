//! Many links into one actor, which finds its messages by hints.

use std::time::Duration;

use airssys_rt::prelude::*;

use crate::common::fan_in::{Gathered, gathering};
use crate::common::{assert_no_trace, bus_name, join};

const TOTAL: u64 = 20_000;

fn gathered(tag: &str, fall_every: u64) -> u64 {
    let bus = bus_name(tag);
    let mut plan = Topology::builder(tag);
    plan.bus(&bus)
        .intensity(100_000, Duration::from_secs(3_600))
        .backoff(Duration::from_millis(1), Duration::from_millis(2));
    gathering(&mut plan, TOTAL, fall_every);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!(
        monitor.read("gather", "seen").unwrap(),
        Some(Gathered::of(TOTAL))
    );
    assert_no_trace(&bus);
    report.partitions[2].restarts
}

#[test]
fn every_message_of_every_link_comes_once_and_in_order() {
    assert_eq!(gathered("fan-in", u64::MAX), 0);
}

#[test]
fn lives_that_fall_find_what_was_left() {
    assert!(gathered("fan-in-falls", 3_001) >= 10);
}
