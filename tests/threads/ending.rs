//! How topologies and their partitions end: by their own word, asked to, dropped, given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{BusError, Cause, LaunchError, RunError, TopologyBuilder};

use crate::common::{
    Item, Seen, assert_no_trace, await_that, bus_name, bus_path, join, patiently, remove_bus, sink,
    source, three_stages,
};

/// Receives `enough` messages and is done.
struct Sated {
    input: Receiver<Item>,
    enough: u64,
}

impl Actor for Sated {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.input.received() == self.enough {
            return Ok(Step::Done);
        }
        Ok(self.input.try_recv().map_or(Step::Idle, |_| Step::Busy))
    }
}

#[test]
fn a_receiver_that_is_done_ends_its_sender_and_what_it_left_is_counted() {
    let bus = bus_name("sated");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 8);
    source(&mut plan, out, u64::MAX, 1);
    plan.partition("sated")
        .actor("sated", input, |input| Sated { input, enough: 100 });
    let report = join(plan.build().unwrap().launch(Launch::Threads).unwrap()).unwrap();
    assert!(!report.stopped);
    let link = &report.links[0];
    assert_eq!(link.received, 100);
    assert!(link.sent >= 100 && link.depth() <= 8, "{link:?}");
    for partition in &report.partitions {
        assert_eq!(
            partition.last_cause,
            Some(Cause::Done),
            "{}",
            partition.name
        );
    }
    assert_no_trace(&bus);
}

#[test]
fn a_stop_lets_everything_that_was_sent_arrive() {
    for round in 0..20 {
        let bus = bus_name(&format!("stop-{round}"));
        let mut plan = Topology::builder(&bus);
        three_stages(&mut plan, 64, u64::MAX, 16);
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        await_that("traffic", || monitor.links()[1].received >= 100);
        running.stop();
        let report = join(running).unwrap();
        assert!(report.stopped);
        let sent = report.links[0].sent;
        for link in &report.links {
            assert_eq!(
                (link.sent, link.received),
                (sent, sent),
                "round {round}: {}",
                link.name
            );
        }
        assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
        for partition in &report.partitions {
            assert_eq!(partition.last_cause, Some(Cause::Stopped));
        }
        assert_no_trace(&bus);
    }
}

#[test]
fn dropping_it_stops_it() {
    let bus = bus_name("dropped");
    let mut plan = Topology::builder(&bus);
    three_stages(&mut plan, 64, u64::MAX, 4);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    patiently("the drop", move || drop(running));
    assert!(monitor.partitions().iter().all(|life| life.pid.is_none()));
    let sent = monitor.links()[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
    assert_no_trace(&bus);
}

/// Receives nothing until it is let.
struct Stuck {
    input: Receiver<Item>,
    free: Arc<AtomicBool>,
    inside: Arc<AtomicBool>,
}

impl Actor for Stuck {
    fn step(&mut self) -> Result<Step, Refused> {
        let got = self.input.try_recv();
        self.inside.store(true, Ordering::SeqCst);
        while !self.free.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(got.map_or(Step::Idle, |_| Step::Busy))
    }
}

/// A source and a thread that hangs in a step; how it is asked to end, and the error.
fn hang(tag: &str, hang_after: Duration, asked_to_stop: bool) -> String {
    let bus = bus_name(tag);
    let (free, inside) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut plan = Topology::builder(&bus);
    plan.drain_timeout(Duration::from_millis(1));
    let (out, input) = plan.link::<Item>("items", 8);
    source(&mut plan, out, u64::MAX, 1);
    let (of_actor, said) = (Arc::clone(&free), Arc::clone(&inside));
    plan.partition("stuck")
        .hang_after(hang_after)
        .actor("stuck", input, move |input| Stuck {
            input,
            free: Arc::clone(&of_actor),
            inside: Arc::clone(&said),
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    await_that("the hang", || inside.load(Ordering::SeqCst));
    if asked_to_stop {
        running.stop();
    }
    let error = join(running).unwrap_err();
    free.store(true, Ordering::SeqCst);
    remove_bus(bus_path(&bus));
    let RunError::Escalated { why, report, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(report.partitions[0].pid, None);
    why
}

#[test]
fn a_thread_that_hangs_ends_the_bus_with_advice() {
    let why = hang("hung", Duration::from_millis(200), false);
    assert!(
        why.starts_with("partition `stuck`: its thread has made no turn for")
            && why.contains("Launch::Processes"),
        "{why}"
    );
}

#[test]
fn a_thread_that_hangs_while_everything_stops_holds_nobody_back() {
    let why = hang("hung-stop", Duration::from_secs(1), true);
    assert!(why.contains("can't be killed"), "{why}");
}

/// Falls when it is about to send `at`, as long as it has falls left.
struct Falling {
    out: Sender<Item>,
    at: u64,
    total: u64,
    falls: Arc<AtomicU64>,
}

impl Actor for Falling {
    fn step(&mut self) -> Result<Step, Refused> {
        let seq = self.out.sent();
        if seq == self.total {
            return Ok(Step::Done);
        }
        self.out.send(Item::new(seq))?;
        if seq == self.at {
            let left = self
                .falls
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
            assert!(left.is_err(), "fell at {seq}");
        }
        Ok(Step::Busy)
    }
}

/// A falling partition and a sink.
fn falling(bus: &str, restart: Restart, falls: u64) -> TopologyBuilder {
    falling_over(bus, restart, falls, 64)
}

/// The same over a link of this capacity.
pub(crate) fn falling_over(
    bus: &str,
    restart: Restart,
    falls: u64,
    capacity: u64,
) -> TopologyBuilder {
    let mut plan = Topology::builder(bus);
    plan.backoff(Duration::from_millis(1), Duration::from_millis(2));
    let (out, input) = plan.link::<Item>("items", capacity);
    let falls = Arc::new(AtomicU64::new(falls));
    plan.partition("falling")
        .restart(restart)
        .actor("falling", out, move |out| Falling {
            out,
            at: 10,
            total: 20,
            falls: Arc::clone(&falls),
        });
    sink(&mut plan, input, 8);
    plan
}

#[test]
fn permanent_and_transient_ones_rise_again() {
    for (tag, restart) in [
        ("permanent", Restart::permanent()),
        ("transient", Restart::transient()),
    ] {
        let bus = bus_name(tag);
        let running = falling(&bus, restart, 2)
            .build()
            .unwrap()
            .launch(Launch::Threads)
            .unwrap();
        let monitor = running.monitor();
        let report = join(running).unwrap();
        assert_eq!(report.partitions[0].restarts, 2, "{tag}");
        assert_eq!(
            monitor.read("sink", "seen").unwrap(),
            Some(Seen::of(20)),
            "{tag}"
        );
        assert_no_trace(&bus);
    }
}

#[test]
fn a_temporary_one_does_not_and_what_it_had_committed_arrives() {
    let bus = bus_name("temporary");
    let running = falling(&bus, Restart::temporary(), 1)
        .build()
        .unwrap()
        .launch(Launch::Threads)
        .unwrap();
    let monitor = running.monitor();
    await_that("its messages", || monitor.links()[0].received == 10);
    await_that("its end", || {
        let falling = &monitor.partitions()[0];
        falling.last_cause == Some(Cause::Stopped) && falling.pid.is_none()
    });
    running.stop();
    let report = join(running).unwrap();
    assert_eq!(report.partitions[0].restarts, 0);
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(10)));
    assert_no_trace(&bus);
}

#[test]
fn one_failure_more_than_allowed_ends_it_and_leaves_it_for_a_look() {
    let bus = bus_name("intensity");
    let again = |falls, leftover| {
        let mut plan = falling(&bus, Restart::permanent(), falls);
        plan.intensity(3, Duration::from_secs(3_600))
            .leftover(leftover);
        plan.build().unwrap()
    };
    // As many failures as are allowed end well.
    let running = again(3, Leftover::Refuse).launch(Launch::Threads).unwrap();
    assert_eq!(join(running).unwrap().partitions[0].restarts, 3);
    assert_no_trace(&bus);

    let running = again(4, Leftover::Refuse).launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let error = join(running).unwrap_err();
    let RunError::Escalated {
        why,
        report,
        directory,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(
        why.contains("partition `falling`: 4 failures within") && why.contains("3 allowed"),
        "{why}"
    );
    assert_eq!(report.partitions[0].restarts, 3);
    assert_eq!(directory, &bus_path(&bus).display().to_string());
    // What was committed before stays readable, and nothing of it is undone.
    assert_eq!(monitor.links()[0].sent, 10);

    let refused = again(0, Leftover::Refuse)
        .launch(Launch::Threads)
        .unwrap_err();
    let LaunchError::Bus(BusError::Leftover { files, .. }) = &refused else {
        panic!("{refused}");
    };
    assert_eq!(
        files,
        &[
            "falling.region",
            "sink.region",
            "supervisor.region",
            "topology"
        ]
    );
    assert!(bus_path(&bus).exists());

    let running = again(0, Leftover::Discard).launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(20)));
    assert_no_trace(&bus);
}

#[test]
fn a_stop_between_two_lives_is_no_longer_than_one_recovery() {
    let bus = bus_name("between");
    let mut plan = falling(&bus, Restart::permanent(), u64::MAX);
    // The restart after the second death without progress, the third in all, waits for an hour.
    let hour = Duration::from_secs(3_600);
    plan.backoff(hour, hour);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    await_that("the third death", || {
        let falling = &monitor.partitions()[0];
        falling.restarts == 3 && falling.pid.is_none()
    });
    running.stop();
    let report = join(running).unwrap();
    // The fourth life only recovers.
    assert_eq!(report.partitions[0].incarnations, 4);
    assert_eq!(report.partitions[0].last_cause, Some(Cause::Stopped));
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(10)));
    assert_no_trace(&bus);
}

const NAPS: u32 = 3_000;

/// Takes its time before it receives.
struct Sleepy {
    items: Receiver<Item>,
    naps: u32,
}

impl Actor for Sleepy {
    fn step(&mut self) -> Result<Step, Refused> {
        // One in a hundred is asked again after a millisecond only: together they last several of the supervisor's looks.
        if self.naps > 0 {
            self.naps -= 1;
            return Ok(Step::Retry);
        }
        self.naps = NAPS;
        Ok(self.items.drain(4, |_| ()).into())
    }
}

#[test]
fn a_drain_without_a_limit_ends_when_all_is_delivered() {
    let bus = bus_name("unlimited");
    let mut plan = Topology::builder(&bus);
    plan.drain_timeout(Duration::MAX);
    let (out, items) = plan.link::<Item>("items", 16);
    plan.host().sends(out);
    plan.partition("sleepy")
        .shutdown(Duration::MAX)
        .wait(Wait::spin_then_park())
        .actor("sleepy", items, |items| Sleepy { items, naps: NAPS });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let mut port = running.sender::<Item>("items").unwrap();
    for number in 0..8 {
        port.send(Item::new(number)).unwrap();
    }
    running.stop();
    let report = join(running).unwrap();
    assert_eq!((report.links[0].sent, report.links[0].received), (8, 8));
    assert_no_trace(&bus);
}
