//! Deaths that their supervisor didn't live to judge: whoever takes the bus up does, each as if it had been seen.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use airssys_rt::prelude::*;
use airssys_rt::{PartitionBuilder, Report, Running};
use rustix::process::Signal;

use crate::child::{Helper, await_end, pid};
use crate::common::host::drive;
use crate::common::poison::{Bad, Handled, Kind, MENDED, UNSEEN, picky_in};
use crate::common::{Item, PATIENCE, assert_no_trace, await_that, join, source};
use crate::topologies::builder;

const TOTAL: u64 = 200;

/// What is to blame when the third has its turn is the state.
const IN_A_ROW: Bad = &[
    (50, Kind::Panic),
    (51, Kind::Panic),
    (52, Kind::UnseenPanic),
];
/// Deaths that nobody saw, of which as many have a message set aside.
const UNSEEN_DEATHS: usize = 2;

fn topology(
    (tag, bad): (&str, Bad),
    extend: impl FnOnce(&mut PartitionBuilder<'_>),
) -> Result<Topology, TopologyError> {
    let mut plan = builder(tag);
    plan.leftover(Leftover::Resume);
    let options = LinkOptions::new(256).dead_letters(8).max_attempts(1);
    let (out, input) = plan.link_with::<Item>("items", options);
    source(&mut plan, out, TOTAL, 16);
    let mut picky = plan.partition("picky");
    extend(&mut picky);
    picky_in(&mut picky, input, (1, bad));
    plan.build()
}

pub(crate) fn panics() -> Result<Topology, TopologyError> {
    topology(("unjudged", IN_A_ROW), |_| {})
}

pub(crate) fn panics_and_starts_anew() -> Result<Topology, TopologyError> {
    topology(("unjudged-anew", IN_A_ROW), |picky| {
        picky.reset_state("kept");
    })
}

pub(crate) fn orphaned() -> Result<Topology, TopologyError> {
    topology(("orphaned", &[(50, Kind::Orphan)]), |_| {})
}

fn driven() -> Topology {
    let fatal: Bad = &[(50, Kind::Fault)];
    let topology = topology(("driven", fatal), |picky| {
        picky.hosted();
    });
    topology.unwrap()
}

fn run(topology: Result<Topology, TopologyError>) -> Report {
    join(topology.unwrap().launch(Launch::Processes).unwrap()).unwrap()
}

pub(crate) fn run_panics() {
    run(panics());
}

pub(crate) fn run_panics_and_starts_anew() {
    run(panics_and_starts_anew());
}

pub(crate) fn run_orphaned() {
    run(orphaned());
}

fn drive_to_its_end() -> Running {
    let running = driven().launch(Launch::Threads).unwrap();
    drive(&mut running.hosted("picky").unwrap(), || true);
    running
}

pub(crate) fn run_driven() {
    drive_to_its_end();
}

/// What was handled, and which messages were set aside after how many attempts.
fn outcome(report: &Report) -> (Handled, Vec<(u64, u64)>) {
    let letters = report.monitor.dead_letters("items").unwrap();
    let letters = letters.read::<Item>().unwrap();
    let set_aside = letters
        .iter()
        .map(|letter| (letter.position, letter.attempts));
    let handled = report.monitor.read("picky", "handled").unwrap();
    (handled.unwrap(), set_aside.collect())
}

/// The process of `helper` dies while it is stopped: a partition of it has panicked meanwhile.
fn leave_a_panic(helper: &str) {
    let _ = fs::remove_file(UNSEEN);
    let helper = Helper::start(helper);
    let mut found = None;
    await_that("the panic that nobody sees", || {
        found = fs::read_to_string(UNSEEN)
            .ok()
            .and_then(|id| id.parse().ok());
        found.is_some()
    });
    assert!(await_end(pid(found.unwrap()), PATIENCE));
    helper.signal(Signal::KILL);
    helper.wait();
}

/// It is told by what the life has left; three in a row blame the state, as ever.
pub(crate) fn panic_unseen() {
    leave_a_panic("run-panics");
    let (handled, set_aside) = outcome(&run(panics()));
    // It gives up nothing that somebody has just taken up: the last one was tried again.
    assert_eq!(handled, Handled::all_but(TOTAL, &[50, 51]));
    assert_eq!(set_aside, [(50, 1), (51, 1)]);
    leave_a_panic("run-panics-and-starts-anew");
    let (handled, set_aside) = outcome(&run(panics_and_starts_anew()));
    assert_eq!(handled, Handled::of(53..TOTAL));
    assert_eq!(set_aside, [(50, 1), (51, 1), (52, 1)]);
    assert_eq!(fs::read_dir("kept").unwrap().count(), 1);
    assert_no_trace(panics_and_starts_anew().unwrap().bus());
}

pub(crate) fn what_is_to_blame_was_told(stderr: &str) {
    for (bus, outcome) in [
        ("unjudged-", "; whoever resumes the bus has it try again"),
        ("unjudged-anew-", "; it starts anew, what it was is in kept"),
    ] {
        let told = stderr.lines().filter(|line| {
            line.contains(&format!(": {bus}"))
                && line.contains(": 3 messages in a row were to be set aside by actor `picky`")
                && line.contains(outcome)
        });
        assert_eq!(told.count(), 1, "{stderr}");
    }
}

/// A process that the kernel killed with its supervisor did nothing.
pub(crate) fn orphan() {
    for _ in 0..UNSEEN_DEATHS {
        let status = Helper::start("run-orphaned").wait();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }
    fs::write(MENDED, "").unwrap();
    let (handled, set_aside) = outcome(&run(orphaned()));
    assert_eq!(handled, Handled::all_but(TOTAL, &[]));
    assert_eq!(set_aside, []);
}

/// Nor is anything set aside in a partition that the launching process drives itself: nobody would restart it.
pub(crate) fn hosted() {
    for _ in 0..UNSEEN_DEATHS {
        let status = Helper::start("run-driven").wait();
        assert_eq!(status.signal(), Some(Signal::SEGV.as_raw()));
    }
    fs::write(MENDED, "").unwrap();
    let report = join(drive_to_its_end()).unwrap();
    let (handled, set_aside) = outcome(&report);
    assert_eq!(handled, Handled::all_but(TOTAL, &[]));
    assert_eq!(set_aside, []);
}
