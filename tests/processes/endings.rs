//! Signals to the process that waits in `join`, and drops.

use std::thread;
use std::time::{Duration, Instant};

use airssys_rt::Report;
use airssys_rt::prelude::*;
use rustix::process::{Pid, Signal};

use crate::child::{Helper, await_end, pid};
use crate::common::{PATIENCE, assert_no_trace, await_that, patiently};
use crate::topologies::{finite, stubborn, traffic};

fn say_report(report: &Report) {
    let counts: Vec<String> = report
        .links
        .iter()
        .map(|link| format!("{} {}", link.sent, link.received))
        .collect();
    println!("{} {}", report.stopped, counts.join(" "));
}

fn launch_and_join(topology: &Topology, ready: impl Fn(&airssys_rt::Monitor) -> bool) {
    let running = topology.launch(Launch::Processes).unwrap();
    await_that("traffic", || ready(&running));
    let joining = rustix::thread::gettid();
    let speaker = thread::spawn(move || {
        await_sleep(joining);
        println!("joins");
    });
    say_report(&running.join().unwrap());
    speaker.join().unwrap();
}

/// How long a thread that waits in `join` is seen to sleep without a break, at the least. Whatever it does on the way
/// there takes no such time.
const SLEEP: Duration = Duration::from_millis(50);

/// Waits until the thread sleeps for good: nothing else tells from outside that a signal would meet its `join`.
pub(crate) fn await_sleep(thread: Pid) {
    let status = format!("/proc/self/task/{}/status", thread.as_raw_nonzero());
    let (mut before, mut since) = (String::new(), Instant::now());
    await_that("a thread's sleep", || {
        let status = std::fs::read_to_string(&status).unwrap();
        let field = |name| status.lines().find(|line| line.starts_with(name)).unwrap();
        let switches = field("voluntary_ctxt_switches:");
        if !field("State:").contains('S') || switches != before {
            switches.clone_into(&mut before);
            since = Instant::now();
        }
        since.elapsed() >= SLEEP
    });
}

/// Joins two buses, one after the other, and goes on for ever.
pub(crate) fn join_twice() {
    for _ in 0..2 {
        launch_and_join(&traffic().unwrap(), |monitor| {
            monitor.links()[1].received >= 100
        });
    }
    // A join that comes to its end by itself leaves the signals as they were, too.
    finite()
        .unwrap()
        .launch(Launch::Processes)
        .unwrap()
        .join()
        .unwrap();
    println!("waits");
    loop {
        std::thread::park();
    }
}

pub(crate) fn drains() {
    let mut joining = Helper::start("join-twice");
    for signal in [Signal::INT, Signal::TERM] {
        assert_eq!(joining.line(), "joins");
        joining.signal(signal);
        let line = joining.line();
        let words: Vec<&str> = line.split(' ').collect();
        let [stopped, sent, received @ ..] = &words[..] else {
            panic!("{line}");
        };
        assert_eq!(*stopped, "true");
        assert!(received.iter().all(|count| count == sent), "{line}");
    }
    assert_eq!(joining.line(), "waits");
    assert_no_trace(traffic().unwrap().bus());
    // Outside of a join a signal does what it does by default; this one, since a shell's background jobs are born to ignore
    // the other.
    joining.signal(Signal::TERM);
    let status = joining.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(Signal::TERM.as_raw())
    );
}

/// Joins what would drain for ever.
pub(crate) fn join_stubborn() {
    launch_and_join(&stubborn().unwrap(), |monitor| {
        monitor.links()[0].depth() >= 13
    });
}

pub(crate) fn stops_at_once() {
    let mut joining = Helper::start("join-stubborn");
    assert_eq!(joining.line(), "joins");
    joining.signal(Signal::INT);
    joining.await_warning("drains and stops; a second signal stops at once");
    joining.signal(Signal::INT);
    let line = joining.line();
    assert!(line.starts_with("true ") && line.ends_with(" 0"), "{line}");
    let warned = joining.rest_of_stderr();
    assert!(
        warned.contains("link `items`: ") && warned.contains("were not delivered"),
        "{warned}"
    );
    assert!(joining.wait().success());
    assert_no_trace(stubborn().unwrap().bus());
}

pub(crate) fn dropped() {
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let partitions = running.partitions();
    patiently("the drop", move || drop(running));
    for partition in partitions {
        let id = partition.pid.unwrap();
        let process = std::path::PathBuf::from(format!("/proc/{id}"));
        assert!(
            !process.exists() && await_end(pid(id), PATIENCE),
            "{}",
            partition.name
        );
    }
    assert_no_trace(traffic().unwrap().bus());
}
