#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::files::held::hold;
use crate::prelude::*;
use crate::{Capsule, Monitor, RunError, Running, TopologyBuilder};

/// Ends its life over every odd number. Counts the even ones.
struct Picky {
    numbers: Receiver<u64>,
    handled: Durable<u64>,
}

impl Actor for Picky {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.numbers.try_recv() else {
            return Ok(Step::Idle);
        };
        assert!(number % 2 == 0, "{number} is odd");
        let handled = self.handled.get();
        self.handled.set(handled + 1);
        Ok(Step::Busy)
    }
}

/// A directory of this test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(tag: &str) -> Self {
        let name = format!("airssys-writer-{tag}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn states(&self) -> usize {
        let entries = fs::read_dir(&self.0).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_draft =
            |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with('.');
        paths
            .filter(|path| path.extension().is_some_and(|found| found == "state"))
            .filter(|path| !is_draft(path))
            .count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two actors that fall over odd numbers, each in a partition of its own: `first` has its state start anew after three.
fn launch(tag: &str, kept: &Path) -> Running {
    launch_with(tag, kept, |_| {})
}

fn launch_with(tag: &str, kept: &Path, extend: impl FnOnce(&mut TopologyBuilder)) -> Running {
    let mut plan = Topology::builder("writer");
    plan.bus(format!("writer-{tag}-{}", std::process::id()))
        .capsules(kept, 4, 1 << 20)
        .drain_timeout(Duration::from_millis(1));
    for name in ["first", "second"] {
        let options = LinkOptions::new(64).dead_letters(32).max_attempts(1);
        let (out, input) = plan.link_with::<u64>(name, options);
        plan.host().sends(out);
        let ends = (input, durable::<u64>("handled"));
        plan.partition(name)
            .reset_state(kept)
            .actor(name, ends, |(numbers, handled)| Picky { numbers, handled });
    }
    extend(&mut plan);
    plan.build().unwrap().launch(Launch::Threads).unwrap()
}

fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn send(running: &Running, link: &str, numbers: &[u64]) {
    let mut out = running.sender::<u64>(link).unwrap();
    for &number in numbers {
        out.try_send(number).unwrap();
    }
}

fn handled(monitor: &Monitor, actor: &str) -> u64 {
    monitor.read(actor, "handled").unwrap().unwrap()
}

/// How the partition `first` stands while its state is being kept: three lives are over, and there is no fourth.
fn await_the_reset(monitor: &Monitor) {
    await_that("the third death", || {
        let first = &monitor.partitions()[0];
        first.incarnations == 3 && first.pid.is_none()
    });
}

#[test]
fn a_slow_disk_holds_up_nobody_but_the_state_that_waits_for_it() {
    let scratch = Scratch::new("slow");
    let held = hold(&scratch.0);
    let running = launch("slow", &scratch.0);
    let monitor = running.monitor();
    send(&running, "first", &[0, 1, 1, 1, 2]);
    await_the_reset(&monitor);
    send(&running, "second", &[0, 1, 2, 1, 4]);
    await_that("restarts beside it", || handled(&monitor, "second") == 3);
    assert_eq!(monitor.partitions()[1].restarts, 2);
    assert_eq!(
        (
            handled(&monitor, "first"),
            monitor.partitions()[0].incarnations
        ),
        (1, 3)
    );
    let counts = monitor.capsules();
    assert_eq!((counts.waiting, counts.written, counts.lost), (5, 0, 0));
    assert_eq!(counts.newest, None);
    drop(held);
    // The one that was counted is forgotten, the one behind the three is handled.
    await_that("the next life", || monitor.links()[0].received == 5);
    await_that("its first step", || handled(&monitor, "first") == 1);
    await_that("the capsules", || monitor.capsules().waiting == 0);
    let counts = monitor.capsules();
    assert_eq!((counts.written, counts.lost), (5, 0));
    let newest = Capsule::open(counts.newest.unwrap()).unwrap();
    assert_eq!((&*newest.actor, newest.inputs[0].received), ("second", 3));
    assert_eq!(scratch.states(), 1);
    running.stop();
    running.join().unwrap();
}

#[test]
fn what_finds_no_place_is_counted_and_the_rest_keeps_the_bounds() {
    let scratch = Scratch::new("full");
    let held = hold(&scratch.0);
    let running = launch("full", &scratch.0);
    let monitor = running.monitor();
    let numbers: Vec<u64> = (0..40).collect();
    send(&running, "first", &numbers);
    await_that("the twentieth death", || monitor.capsules().lost == 4);
    let counts = monitor.capsules();
    assert_eq!((counts.waiting, counts.written), (16, 0));
    drop(held);
    running.stop();
    let report = running.join().unwrap();
    let counts = report.monitor.capsules();
    assert_eq!((counts.waiting, counts.written, counts.lost), (0, 16, 4));
    let files = Capsule::list(&scratch.0).unwrap();
    let kept: Vec<u64> = files
        .iter()
        .map(|file| Capsule::open(file).unwrap().inputs[0].received)
        .collect();
    assert_eq!(
        kept,
        [25, 27, 29, 31],
        "the newest four of those that found a place"
    );
    assert_eq!(counts.newest.as_ref(), files.last());
}

#[test]
fn a_stop_waits_for_no_reset() {
    let scratch = Scratch::new("stop");
    let held = hold(&scratch.0);
    let running = launch("stop", &scratch.0);
    let monitor = running.monitor();
    send(&running, "first", &[0, 1, 1, 1, 2]);
    await_the_reset(&monitor);
    running.stop();
    await_that("last rites", || monitor.partitions()[0].incarnations == 4);
    drop(held);
    let report = running.join().unwrap();
    // As its last commit left it: nothing was set aside with it, and nothing is lost.
    assert_eq!(handled(&report.monitor, "first"), 1);
    let letters = report.links[0].dead_letters.unwrap();
    assert_eq!((letters.set_aside, report.links[0].received), (2, 3));
}

#[test]
fn a_disk_that_takes_nothing_ends_the_wait_for_it() {
    let scratch = Scratch::new("never");
    let held = hold(&scratch.0);
    let running = launch_with("never", &scratch.0, |plan| {
        plan.disk_patience = Duration::ZERO;
    });
    send(&running, "first", &[0, 1, 1, 1, 2]);
    // Its end waits no longer for the capsules.
    let joining = thread::spawn(move || running.join());
    await_that("the end", || joining.is_finished());
    let error = joining.join().unwrap().unwrap_err();
    let RunError::Escalated {
        why,
        directory,
        report,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(
        why.contains("; what it was can't be kept: the disk has not taken it within 0ns"),
        "{why}"
    );
    let monitor = report.monitor;
    let letters = report.links[0].dead_letters.unwrap();
    assert_eq!((handled(&monitor, "first"), letters.set_aside), (1, 2));
    assert_eq!(monitor.capsules().waiting, 3);
    drop(held);
    await_that("the disk", || monitor.capsules().waiting == 0);
    await_that("the state", || scratch.states() == 1);
    let bus = Path::new(&directory);
    fs::remove_dir_all(bus).unwrap();
    let _ = fs::remove_dir(bus.parent().unwrap());
}
