//! Threads that wait on host ports when the bus ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{RunError, Running};

use crate::common::host::{Waiting, deaf_in, host_around};
use crate::common::{assert_no_trace, bus_name, bus_path, join, patiently};

/// Host, a deaf one, host; not one death is mended.
fn deaf(bus: &str, leftover: Leftover) -> Running {
    let mut plan = Topology::builder(bus);
    plan.intensity(0, Duration::from_secs(1))
        .drain_timeout(Duration::from_millis(20))
        .leftover(leftover);
    let ends = host_around(&mut plan, 4);
    let mut partition = plan.partition("deaf");
    deaf_in(&mut partition, ends);
    partition.actor("doomed", (), |()| Doomed);
    plan.build().unwrap().launch(Launch::Threads).unwrap()
}

fn waiting_on(running: &Running) -> Waiting {
    Waiting::with(
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    )
}

/// Falls once it is told to.
struct Doomed;

static DOOM: AtomicBool = AtomicBool::new(false);

impl Actor for Doomed {
    fn step(&mut self) -> Result<Step, Refused> {
        assert!(!DOOM.swap(false, Ordering::SeqCst), "a planned panic");
        Ok(Step::Retry)
    }
}

/// One test, as they share their doom.
#[test]
fn whoever_waits_is_told_of_a_stop_a_drop_and_an_escalation() {
    let bus = bus_name("host-waits");
    let running = deaf(&bus, Leftover::Refuse);
    let waiting = waiting_on(&running);
    running.stop();
    assert_eq!(join(running).unwrap().links[0].depth(), 4);
    waiting.are_told();
    assert_no_trace(&bus);

    let running = deaf(&bus, Leftover::Refuse);
    let waiting = waiting_on(&running);
    patiently("the drop", move || drop(running));
    waiting.are_told();
    assert_no_trace(&bus);

    let running = deaf(&bus, Leftover::Refuse);
    let monitor = running.monitor();
    let waiting = waiting_on(&running);
    DOOM.store(true, Ordering::SeqCst);
    let error = join(running).unwrap_err();
    assert!(matches!(error, RunError::Escalated { .. }), "{error}");
    waiting.are_told();
    assert!(bus_path(&bus).exists());

    // The monitor lives, also that in the error's report; neither is somebody whose death a start would wait for.
    let running = deaf(&bus, Leftover::Discard);
    assert_eq!(monitor.links()[0].sent, 4);
    drop(running);
    assert_no_trace(&bus);
}
