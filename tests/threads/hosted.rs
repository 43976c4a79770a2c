//! Partitions that a thread of the launching program drives, among others that are threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Hosted, Running, TopologyBuilder, Turned};

use crate::common::host::{drive, host_around, receive_all, send_items};
use crate::common::{
    Item, PATIENCE, Seen, assert_no_trace, await_that, bus_name, join, patiently, relay_in, sink,
    sink_in, source,
};

/// Source, relay and sink, of which the relay is hosted.
fn hosted_relay(bus: &str, capacity: u64, total: u64) -> TopologyBuilder {
    let mut plan = Topology::builder(bus);
    let (first_out, first_in) = plan.link::<Item>("first", capacity);
    let (second_out, second_in) = plan.link::<Item>("second", capacity);
    source(&mut plan, first_out, total, 4);
    relay_in(plan.partition("relay").hosted(), (first_in, second_out), 8);
    sink(&mut plan, second_in, 8);
    plan
}

/// Source and sink, of which the sink is hosted.
fn hosted_sink(bus: &str, total: u64) -> TopologyBuilder {
    let mut plan = Topology::builder(bus);
    let (out, input) = plan.link::<Item>("items", 64);
    source(&mut plan, out, total, 4);
    sink_in(plan.partition("sink").hosted(), input, 8);
    plan
}

fn launch(plan: TopologyBuilder) -> Running {
    plan.build().unwrap().launch(Launch::Threads).unwrap()
}

#[test]
fn driven_by_the_test_it_hands_everything_on() {
    const TOTAL: u64 = 20_000;
    let bus = bus_name("hosted");
    let running = launch(hosted_relay(&bus, 16, TOTAL));
    let monitor = running.monitor();
    assert_eq!(
        drive(&mut running.hosted("relay").unwrap(), || true),
        Turned::Ended
    );
    let report = join(running).unwrap();
    assert!(!report.stopped);
    for actor in ["relay", "sink"] {
        assert_eq!(
            monitor.read(actor, "seen").unwrap(),
            Some(Seen::of(TOTAL)),
            "{actor}"
        );
    }
    assert_eq!(report.partitions[1].incarnations, 1);
    assert_no_trace(&bus);
}

#[test]
fn the_bus_waits_for_one_that_is_last_and_for_one_that_is_taken_late() {
    for late in [false, true] {
        let bus = bus_name(&format!("hosted-last-{late}"));
        let running = launch(hosted_sink(&bus, 40));
        let monitor = running.monitor();
        if late {
            await_that("the source's end", || {
                running.partitions()[0].last_cause.is_some()
            });
        }
        let mut hosted = running.hosted("sink").unwrap();
        assert_eq!(drive(&mut hosted, || true), Turned::Ended);
        let report = join(running).unwrap();
        assert_eq!(
            monitor.read("sink", "seen").unwrap(),
            Some(Seen::of(40)),
            "late: {late}"
        );
        assert!(!report.stopped);
        assert_no_trace(&bus);
    }
}

#[test]
fn a_join_waits_for_one_that_another_thread_drives() {
    const TOTAL: u64 = 5_000;
    let bus = bus_name("hosted-join");
    let running = Arc::new(launch(hosted_sink(&bus, TOTAL)));
    let monitor = running.monitor();
    let of_driver = Arc::clone(&running);
    let (held, is_held) = mpsc::channel();
    let driving = thread::spawn(move || {
        let mut hosted = of_driver.hosted("sink").unwrap();
        drop(of_driver);
        held.send(()).unwrap();
        // Slower than the supervisor's looks, and asleep when the source has long been done.
        while hosted.turn().unwrap() != Turned::Ended {
            thread::sleep(Duration::from_micros(100));
            hosted.wait(Duration::from_millis(30));
        }
    });
    is_held.recv().unwrap();
    let report = join(Arc::into_inner(running).unwrap()).unwrap();
    driving.join().unwrap();
    assert!(!report.stopped);
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(TOTAL)));
    assert_no_trace(&bus);
}

#[test]
fn a_stop_waits_for_what_a_slow_one_still_has_to_receive() {
    let bus = bus_name("hosted-drain");
    let running = launch(hosted_sink(&bus, u64::MAX));
    let monitor = running.monitor();
    let mut hosted = running.hosted("sink").unwrap();
    await_that("a full link", || monitor.links()[0].depth() >= 60);
    monitor.stop();
    // Taken, and not driven for longer than the supervisor looks: nothing but time can tell.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(drive(&mut hosted, || true), Turned::Ended);
    let report = join(running).unwrap();
    assert!(report.stopped);
    let sent = report.links[0].sent;
    assert_eq!(report.links[0].received, sent);
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
    assert_no_trace(&bus);
}

#[test]
fn dropped_and_taken_again_it_goes_on() {
    const TOTAL: u64 = 3_000;
    let bus = bus_name("hosted-again");
    let running = launch(hosted_relay(&bus, 16, TOTAL));
    let monitor = running.monitor();
    for life in 1..=20 {
        let mut hosted = running.hosted("relay").unwrap();
        let target = TOTAL / 20 * life;
        drive(&mut hosted, || monitor.links()[0].received < target);
        drop(hosted);
        // The others go on meanwhile, as far as they get.
        await_that("the sink", || {
            let links = monitor.links();
            links[1].received == links[1].sent
        });
    }
    let end = drive(&mut running.hosted("relay").unwrap(), || true);
    assert_eq!(end, Turned::Ended);
    // Whoever takes it after its end is told so at once.
    assert_eq!(
        running.hosted("relay").unwrap().turn().unwrap(),
        Turned::Ended
    );
    join(running).unwrap();
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(TOTAL)));
    assert_no_trace(&bus);
}

/// Hands on, and falls at every 50th item, once it has done everything with it.
struct Falling {
    input: Receiver<Item>,
    out: Sender<Item>,
    seen: Durable<Seen>,
    passes: Arc<AtomicU64>,
}

impl Actor for Falling {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        self.seen.borrow_mut().note(&item);
        self.out.send(item)?;
        let pass = self.passes.fetch_add(1, Ordering::SeqCst);
        assert!(pass % 50 != 49, "a planned panic");
        Ok(Step::Busy)
    }
}

#[test]
fn after_a_panic_in_a_turn_it_is_taken_again_and_nothing_is_lost_or_repeated() {
    const TOTAL: u64 = 2_000;
    let bus = bus_name("hosted-falls");
    let passes = Arc::new(AtomicU64::new(0));
    let mut plan = Topology::builder(&bus);
    let (first_out, first_in) = plan.link::<Item>("first", 16);
    let (second_out, second_in) = plan.link::<Item>("second", 16);
    source(&mut plan, first_out, TOTAL, 3);
    plan.partition("relay").hosted().actor(
        "relay",
        (first_in, second_out, durable("seen")),
        move |(input, out, seen)| Falling {
            input,
            out,
            seen,
            passes: Arc::clone(&passes),
        },
    );
    sink(&mut plan, second_in, 8);
    let running = launch(plan);
    let monitor = running.monitor();
    let mut falls = 0;
    loop {
        let mut hosted = running.hosted("relay").unwrap();
        let lived = catch_unwind(AssertUnwindSafe(|| drive(&mut hosted, || true)));
        if let Ok(end) = lived {
            assert_eq!(end, Turned::Ended);
            break;
        }
        falls += 1;
        // What fell is over; it says so rather than fall again.
        assert_eq!(hosted.turn().unwrap(), Turned::Ended);
    }
    assert!(falls >= 40, "{falls}");
    join(running).unwrap();
    for actor in ["relay", "sink"] {
        assert_eq!(
            monitor.read(actor, "seen").unwrap(),
            Some(Seen::of(TOTAL)),
            "{actor}"
        );
    }
    assert_no_trace(&bus);
}

#[test]
fn a_stop_from_another_thread_ends_its_turns() {
    let bus = bus_name("hosted-stop");
    let running = launch(hosted_relay(&bus, 16, u64::MAX));
    let monitor = running.monitor();
    let of_stopper = running.monitor();
    let stopper = thread::spawn(move || {
        await_that("traffic", || of_stopper.links()[1].received >= 100);
        of_stopper.stop();
    });
    let mut hosted = running.hosted("relay").unwrap();
    assert_eq!(drive(&mut hosted, || true), Turned::Ended);
    assert_eq!(hosted.turn().unwrap(), Turned::Ended);
    hosted.wait(PATIENCE);
    stopper.join().unwrap();
    let report = join(running).unwrap();
    let sent = report.links[0].sent;
    assert!(
        report
            .links
            .iter()
            .all(|link| (link.sent, link.received) == (sent, sent))
    );
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
    assert_no_trace(&bus);
}

#[test]
fn one_that_nobody_drives_holds_no_join_back_and_what_it_left_is_counted() {
    let bus = bus_name("hosted-undriven");
    let running = launch(hosted_sink(&bus, 40));
    await_that("the source's end", || {
        running.partitions()[0].last_cause.is_some()
    });
    let report = join(running).unwrap();
    assert!(!report.stopped);
    assert_eq!((report.links[0].sent, report.links[0].depth()), (40, 40));
    assert_no_trace(&bus);

    // Taken, and kept without a turn, even by whoever joins.
    let bus = bus_name("hosted-kept");
    let mut plan = hosted_sink(&bus, 40);
    plan.drain_timeout(Duration::from_millis(100));
    let running = launch(plan);
    let report = patiently("the join", move || {
        let mut hosted = running.hosted("sink").unwrap();
        hosted.turn().unwrap();
        let report = running.join().unwrap();
        assert_eq!(hosted.turn().unwrap(), Turned::Ended);
        report
    });
    assert!(report.links[0].depth() > 0);
    assert_no_trace(&bus);

    let bus = bus_name("hosted-dropped");
    let running = launch(hosted_sink(&bus, u64::MAX));
    patiently("the drop", move || drop(running));
    assert_no_trace(&bus);
}

#[test]
fn a_bus_of_hosted_partitions_alone_and_the_hosts_ports() {
    let bus = bus_name("hosted-alone");
    let mut plan = Topology::builder(&bus);
    let ends = host_around(&mut plan, 8);
    relay_in(plan.partition("relay").hosted(), ends, 4);
    let running = launch(plan);
    let (mut to, mut from) = (
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    );
    let sending = thread::spawn(move || {
        send_items(&mut to, 0..1_000, 4);
        to.close().unwrap();
    });
    let receiving = thread::spawn(move || receive_all(&mut from));
    assert_eq!(
        drive(&mut running.hosted("relay").unwrap(), || true),
        Turned::Ended
    );
    sending.join().unwrap();
    assert_eq!(receiving.join().unwrap(), Seen::of(1_000));
    assert!(!join(running).unwrap().stopped);
    assert_no_trace(&bus);
}

#[track_caller]
fn says(result: Result<Hosted, airssys_rt::HostError>, text: &str) {
    let error = result.err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some(text));
}

#[test]
fn ones_that_can_not_be_had_are_refused_with_reasons() {
    let bus = bus_name("hosted-refused");
    let running = launch(hosted_relay(&bus, 16, 100));
    let declare = "declare it with `plan.partition(..).hosted()`; it has: relay";
    says(
        running.hosted("nobody"),
        &format!("topology `{bus}` has no hosted partition `nobody`; {declare}"),
    );
    says(
        running.hosted("sink"),
        &format!("topology `{bus}` has no hosted partition `sink`; {declare}"),
    );
    let held = running.hosted("relay").unwrap();
    says(
        running.hosted("relay"),
        "hosted partition `relay`: somebody of this process holds it; drop that `Hosted` first",
    );
    drop(held);
    drive(&mut running.hosted("relay").unwrap(), || true);
    join(running).unwrap();
    assert_no_trace(&bus);
}
