//! Partitions that fail by themselves, and the table of exit codes.

use std::sync::atomic::Ordering;
use std::thread;

use airssys_rt::prelude::*;
use airssys_rt::{Capsule, Cause, Crash, LaunchError, RunError, Running, replay};
use rustix::process::{Signal, kill_process};

use crate::child::{Helper, pid};
use crate::common::{Item, Seen, await_that, bus_path, join, remove_bus};
use crate::topologies::{
    CAPSULES, FAULTS, HANG_AFTER, LAUNCHES, differing, faulty, hanging, hopeless, once, oversized,
    traffic,
};

pub(crate) fn of_every_kind() {
    let running = faulty().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(1_000)));
    let restarts: Vec<u64> = report.partitions.iter().map(|life| life.restarts).collect();
    assert_eq!(restarts, [0, FAULTS.len() as u64, 0]);
    assert_eq!(report.partitions[1].last_cause, Some(Cause::Done));
    // Neither an exit with 0 nor a kill from outside is a crash.
    let crashes = capsules().into_iter().map(|capsule| {
        does_no_harm_now(&capsule, &faulty().unwrap());
        (capsule.inputs[0].received, capsule.crash.to_string())
    });
    let crashes: Vec<(u64, String)> = crashes.collect();
    let expected = [
        (100, "an actor panicked: a planned panic"),
        (200, "exited with code 3"),
        (400, "killed by SIGABRT"),
        (500, "killed by SIGFPE"),
    ];
    assert_eq!(crashes, expected.map(|(at, what)| (at, what.to_owned())));
}

/// The capsules of this case, the oldest first. The bus has ended: all of them are written.
fn capsules() -> Vec<Capsule> {
    let files = Capsule::list(CAPSULES).unwrap();
    files
        .iter()
        .map(|file| Capsule::open(file).unwrap())
        .collect()
}

/// Each of the actors fails once in a case: run again, the capsule's step hands its item on.
fn does_no_harm_now(capsule: &Capsule, topology: &Topology) {
    let seq = capsule.inputs[0].received;
    assert_eq!(capsule.inputs[0].in_work, 1, "{capsule}");
    let replayed = replay(capsule, topology).unwrap();
    assert!(replayed.is_committed());
    assert_eq!(replayed.received("first").unwrap(), 1);
    assert_eq!(
        replayed.sent::<Item>("second").unwrap(),
        [Item::new(seq)],
        "{capsule}"
    );
}

/// Each death, its restart with n of the limit, and each recovery with its time have a line of their own.
pub(crate) fn every_kind_was_reported(stderr: &str) {
    let causes = [
        "an actor panicked: a planned panic",
        "exited with code 3",
        "exited with code 0",
        "SIGABRT",
        "SIGFPE",
        "SIGKILL",
    ];
    assert!(
        stderr.contains("a planned panic"),
        "the panic's own message"
    );
    let bus = format!("airssys: faulty-{}", run_of(stderr));
    for (nth, cause) in (1..).zip(causes) {
        let of_life = |life: usize, text: &str| {
            let prefix = format!("{bus}/faulty #{life}: ");
            let mut lines = stderr.lines();
            let found = lines.any(|line| line.starts_with(&prefix) && line.contains(text));
            assert!(found, "no line `{prefix}.. {text}`");
        };
        of_life(nth, cause);
        of_life(nth, &format!("restart {nth} of at most 100000 in 3600s"));
        of_life(nth + 1, "its first step ended ");
        of_life(nth + 1, " ms after the death");
    }
}

/// The run, as the bus names in the lines tell it.
fn run_of(stderr: &str) -> &str {
    let line = stderr.split("airssys: faulty-").nth(1).unwrap();
    line.split('/').next().unwrap()
}

pub(crate) fn escalated(running: Running) -> String {
    let error = join(running).unwrap_err();
    let RunError::Escalated {
        why,
        directory,
        report,
        ..
    } = error
    else {
        panic!("{error}");
    };
    for partition in &report.partitions {
        assert_eq!(partition.pid, None, "{}", partition.name);
    }
    remove_bus(directory);
    why
}

pub(crate) fn too_many() {
    let running = hopeless().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let why = escalated(running);
    assert!(why.contains("6 failures within 3600s, 5 allowed"), "{why}");
    assert_eq!(monitor.partitions()[1].restarts, 5);
    assert_eq!(monitor.links()[0].sent, 0);
}

pub(crate) fn stopped() {
    // The hang is another test's.
    assert!(once("hang"));
    let running = hanging().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    await_that("traffic", || monitor.links()[1].received > 500);
    let life = || {
        let life = &monitor.partitions()[1];
        (life.pid, life.incarnations, life.restarts)
    };
    let before = life();
    let process = pid(before.0.unwrap());
    kill_process(process, Signal::STOP).unwrap();
    // Nothing tells that a supervisor did not act: it gets the time in which it would have.
    thread::sleep(HANG_AFTER * 5 / 2);
    kill_process(process, Signal::CONT).unwrap();
    let target = monitor.links()[1].received + 1_000;
    await_that("traffic again", || monitor.links()[1].received >= target);
    assert_eq!(life(), before);
    running.stop();
    let report = join(running).unwrap();
    let sent = report.links[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
}

pub(crate) fn hung() {
    let running = hanging().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    await_that("the hang's end", || monitor.partitions()[1].restarts == 1);
    assert_eq!(monitor.partitions()[1].last_cause, Some(Cause::Hung));
    await_that("traffic after it", || monitor.links()[1].received > 1_000);
    running.stop();
    let report = join(running).unwrap();
    let restarts: Vec<u64> = report.partitions.iter().map(|life| life.restarts).collect();
    assert_eq!(restarts, [0, 1, 0]);
    let kept = capsules();
    let [capsule] = &kept[..] else {
        panic!("{kept:?}");
    };
    assert_eq!(capsule.crash, Crash::Hang);
    assert_eq!(capsule.inputs[0].received, 500);
    does_no_harm_now(capsule, &hanging().unwrap());
    let sent = report.links[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
}

pub(crate) fn step_too_large() {
    let why = escalated(oversized().unwrap().launch(Launch::Processes).unwrap());
    assert!(why.starts_with("partition `source`: exit code 70"), "{why}");
}

pub(crate) fn region_gone() {
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    await_that("traffic", || monitor.links()[1].received > 100);
    let bus = traffic().unwrap();
    std::fs::remove_file(bus_path(bus.bus()).join("relay.region")).unwrap();
    monitor.kill("relay").unwrap();
    let why = escalated(running);
    assert!(why.starts_with("partition `relay`: exit code 71"), "{why}");
}

pub(crate) fn another_topology() {
    LAUNCHES.store(true, Ordering::SeqCst);
    let error = differing().unwrap().launch(Launch::Processes).unwrap_err();
    let LaunchError::Start {
        partition, cause, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(partition, "source");
    assert!(cause.starts_with("exit code 72"), "{cause}");
}

pub(crate) fn both_digests_were_told(stderr: &str) {
    LAUNCHES.store(true, Ordering::SeqCst);
    let launched = differing().unwrap().digest();
    LAUNCHES.store(false, Ordering::SeqCst);
    let built = differing().unwrap().digest();
    let expected = format!("has digest {built:016x}, the launched one {launched:016x}");
    assert!(stderr.contains(&expected), "{expected}");
    let sentence = "link `items`: capacity is 32 in this program, 16 in the launched one";
    assert!(stderr.contains(sentence), "{stderr}");
    assert!(!stderr.contains("\n  capacity 32"), "no whole plan");
}

pub(crate) fn orphan() {
    // A pid that is nobody's any more.
    let gone = Helper::start("grandchild");
    let id = gone.id();
    gone.wait();
    let topology = traffic().unwrap();
    let marker = format!(
        "{}/relay/1/{id}/1/{:016x}/live/park/fences",
        topology.bus(),
        topology.digest()
    );
    let mut orphan = Helper::start_with("orphan", &[("AIRSSYS_PARTITION", marker)]);
    let warned = orphan.rest_of_stderr();
    assert_eq!(orphan.wait().code(), Some(airssys_rt::exit::ORPHAN));
    assert!(
        warned.contains(&format!("the supervisor, pid {id}, died")),
        "{warned}"
    );
}
