//! Two pid namespaces, as two containers with one /dev/shm have them: a pid says nothing across them, a lock does.

use std::fs;
use std::process::{Command, Stdio};

use airssys_rt::prelude::*;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::child::Helper;
use crate::common::{Seen, assert_no_trace, await_that, bus_path, join};
use crate::topologies::{traffic, traffic_with};

/// Has what follows it run as the first process of another pid namespace, as the same user.
const UNSHARE: [&str; 6] = [
    "unshare",
    "--user",
    "--map-current-user",
    "--pid",
    "--fork",
    "--mount-proc",
];

/// Names the policy of an inner launch.
const LEFTOVER: &str = "AIRSSYS_TEST_LEFTOVER";

fn can_unshare() -> bool {
    let tried = Command::new(UNSHARE[0])
        .args(&UNSHARE[1..])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        println!("skipped: no pid namespace can be made here");
    }
    can
}

/// What an inner launch said: why not, or what came through.
fn launch_inside(leftover: &str) -> String {
    let environment = [(LEFTOVER, leftover.to_owned())];
    let mut inner = Helper::start_through(&UNSHARE, "launch-inside", &environment);
    let line = inner.line();
    assert!(inner.wait().success(), "{line}");
    line
}

/// Launches the traffic, has some of it, and ends.
pub(crate) fn launch_one_inside() {
    assert_eq!(std::process::id(), 1, "the first of its namespace");
    let leftover = match std::env::var(LEFTOVER).unwrap().as_str() {
        "resume" => Leftover::Resume,
        _ => Leftover::Discard,
    };
    match traffic_with(leftover).unwrap().launch(Launch::Processes) {
        Err(error) => println!("{error}"),
        Ok(running) => {
            let before = running.links()[1].received;
            await_that("traffic", || running.links()[1].received >= before + 100);
            running.stop();
            let report = running.join().unwrap();
            let seen = report.monitor.read("sink", "seen").unwrap();
            assert_eq!(seen, Some(Seen::of(report.links[0].sent)));
            let lives = report.partitions[0].incarnations;
            println!("from {}", if lives == 1 { "the start" } else { "there" });
        }
    }
}

fn files(bus: &str) -> Vec<String> {
    let entries = fs::read_dir(bus_path(bus)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn taken() {
    if !can_unshare() {
        return;
    }
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let bus = traffic().unwrap().bus().to_owned();
    await_that("traffic", || monitor.links()[1].received >= 100);
    let before = files(&bus);
    for leftover in ["discard", "resume"] {
        let expected = format!(
            "bus `{bus}` is taken by pid {} of another pid namespace (a container);",
            std::process::id()
        );
        let line = launch_inside(leftover);
        assert!(line.starts_with(&expected), "{line}");
    }
    assert_eq!(files(&bus), before);
    let target = monitor.links()[1].received + 500;
    await_that("traffic all the same", || {
        monitor.links()[1].received >= target
    });
    running.stop();
    let report = join(running).unwrap();
    let sent = report.links[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
    assert!(report.partitions.iter().all(|life| life.restarts == 0));
    assert_no_trace(&bus);
}

/// The bus of a killed launcher, which could run outside of the namespace that looks at it.
fn leave() -> String {
    let mut outer = Helper::start("launch-traffic");
    outer.line();
    outer.signal(Signal::KILL);
    outer.wait();
    traffic().unwrap().bus().to_owned()
}

pub(crate) fn alive() {
    if !can_unshare() {
        return;
    }
    let bus = leave();
    // A partition that lives on would hold just this.
    let region = fs::File::open(bus_path(&bus).join("relay.region")).unwrap();
    await_that("the partition's end", || {
        flock(&region, FlockOperation::NonBlockingLockExclusive).is_ok()
    });
    let before = files(&bus);
    for leftover in ["discard", "resume"] {
        let line = launch_inside(leftover);
        let path = bus_path(&bus).join("relay.region");
        let start = format!("bus `{bus}`: {} is held by pid ", path.display());
        let end = " of another pid namespace (a container), of an earlier run whose supervisor is gone; stop that process, \
                   then start again";
        assert!(line.starts_with(&start) && line.ends_with(end), "{line}");
    }
    assert_eq!(files(&bus), before);
    drop(region);
    assert_eq!(launch_inside("resume"), "from there");
    assert_no_trace(&bus);
}

pub(crate) fn dead() {
    if !can_unshare() {
        return;
    }
    let bus = leave();
    assert_eq!(launch_inside("discard"), "from the start");
    assert_no_trace(&bus);
}
