//! The launching process is killed, and another one takes its bus up again.

use airssys_rt::prelude::*;
use airssys_rt::{Cause, Report};
use rustix::process::Signal;

use crate::child::Helper;
use crate::common::{Seen, assert_no_trace, await_that, bus_path, join};
use crate::topologies::{FINITE, finite_with, traffic_with};

/// Names the way in which a helper launches; unset for processes.
const THREADS: &str = "AIRSSYS_TEST_THREADS";

/// Kills before the last resumption.
const KILLS: u64 = 4;

fn mode() -> Launch {
    if std::env::var_os(THREADS).is_some() {
        Launch::Threads
    } else {
        Launch::Processes
    }
}

/// Takes the bus up, says how much has come through before and after some more has, and goes on.
pub(crate) fn resume_traffic() {
    let running = traffic_with(Leftover::Resume)
        .unwrap()
        .launch(mode())
        .unwrap();
    let received = || running.links()[1].received;
    let before = received();
    await_that("traffic", || received() >= before + 500);
    println!("{before} {}", received());
    running.join().unwrap();
}

/// Comes to its end and doesn't remove it.
pub(crate) fn finish_and_stay() {
    let running = finite_with(Leftover::Resume)
        .unwrap()
        .launch(Launch::Processes)
        .unwrap();
    await_that("the end", || {
        let partitions = running.partitions();
        let mut causes = partitions.iter().map(|life| &life.last_cause);
        causes.all(|cause| *cause == Some(Cause::Done))
    });
    println!("done");
    loop {
        std::thread::park();
    }
}

fn kill(mut helper: Helper) -> String {
    let line = helper.line();
    helper.signal(Signal::KILL);
    helper.wait();
    line
}

/// Its main process dies amidst traffic, again and again, and every message comes once.
fn amidst_traffic(environment: &[(&str, String)], launch: Launch) {
    let mut least = 0;
    for _ in 0..KILLS {
        let line = kill(Helper::start_with("resume-traffic", environment));
        let (before, after) = line.split_once(' ').unwrap();
        let [before, after]: [u64; 2] = [before, after].map(|count| count.parse().unwrap());
        assert!(before >= least, "{before} after {least}");
        least = after;
    }
    let running = traffic_with(Leftover::Resume)
        .unwrap()
        .launch(launch)
        .unwrap();
    let monitor = running.monitor();
    await_that("traffic", || monitor.links()[1].received >= least + 500);
    running.stop();
    let report = join(running).unwrap();
    for partition in &report.partitions {
        let lives = (partition.incarnations, partition.restarts);
        assert_eq!(lives, (KILLS + 1, 0), "{}", partition.name);
    }
    let sent = report.links[0].sent;
    assert!(sent >= least + 500, "{sent}, {least} before");
    everything_once(&report, sent);
    assert_no_trace(traffic_with(Leftover::Resume).unwrap().bus());
}

fn everything_once(report: &Report, total: u64) {
    for link in &report.links {
        assert_eq!((link.sent, link.received), (total, total), "{}", link.name);
    }
    for actor in ["relay", "sink"] {
        let seen = report.monitor.read(actor, "seen").unwrap();
        assert_eq!(seen, Some(Seen::of(total)), "{actor}");
    }
}

pub(crate) fn processes() {
    amidst_traffic(&[], Launch::Processes);
}

pub(crate) fn threads() {
    amidst_traffic(&[(THREADS, "1".to_owned())], Launch::Threads);
}

/// Nobody asks which way they ran before.
pub(crate) fn the_other_way() {
    amidst_traffic(&[(THREADS, "1".to_owned())], Launch::Processes);
}

pub(crate) fn was_reported(stderr: &str) {
    let resumed = stderr
        .lines()
        .filter(|line| line.contains("resumes what an earlier run left; messages undelivered: "));
    // The helpers' lines are theirs.
    assert_eq!(resumed.count(), 1, "{stderr}");
}

pub(crate) fn finished() {
    kill(Helper::start("finish-and-stay"));
    let bus = finite_with(Leftover::Resume).unwrap().bus().to_owned();
    assert!(bus_path(&bus).exists());
    let running = finite_with(Leftover::Resume)
        .unwrap()
        .launch(Launch::Processes)
        .unwrap();
    let report = join(running).unwrap();
    everything_once(&report, FINITE);
    for partition in &report.partitions {
        assert_eq!(partition.last_cause, Some(Cause::Done));
        assert_eq!(partition.incarnations, 2, "one that only recovered");
    }
    assert_no_trace(&bus);
}
