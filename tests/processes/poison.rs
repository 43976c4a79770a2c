//! Messages that kill: named, tried again, set aside, and handled after all or dropped; and kills from outside, which are
//! nobody's fault.

use std::fs;
use std::path::Path;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Cause, DeadLetters, Monitor};

use crate::common::host::send_items;
use crate::common::poison::{Bad, Handled, Kind, MENDED, in_work, picky_in};
use crate::common::{Item, await_that, join, source};
use crate::failures::escalated;
use crate::topologies::{HANG_AFTER, builder};

const TOTAL: u64 = 200;
const ATTEMPTS: u32 = 2;

const EVERY_KIND: Bad = &[
    (10, Kind::Fault),
    (20, Kind::Abort),
    (30, Kind::Panic),
    (40, Kind::Exit),
];
const HANGS: Bad = &[(7, Kind::Hang)];
const WAITS: Bad = &[(10, Kind::Wait)];
const SCATTERED: Bad = &[
    (5, Kind::Abort),
    (15, Kind::Abort),
    (25, Kind::Abort),
    (35, Kind::Abort),
    (45, Kind::Abort),
    (55, Kind::Abort),
];
const IN_A_ROW: Bad = &[(50, Kind::Abort), (51, Kind::Abort), (52, Kind::Abort)];
/// And one after the reset.
const IN_A_ROW_AND_ONE: Bad = &[
    (50, Kind::Abort),
    (51, Kind::Abort),
    (52, Kind::Abort),
    (53, Kind::Abort),
];
const ONE: Bad = &[(10, Kind::Abort)];

fn options() -> LinkOptions {
    LinkOptions::new(256).dead_letters(8).max_attempts(ATTEMPTS)
}

/// A source of all items, and an actor that some of them kill.
fn finite(
    tag: &str,
    options: LinkOptions,
    (batch, bad): (usize, Bad),
    settle: impl FnOnce(&mut airssys_rt::PartitionBuilder<'_>),
) -> Result<Topology, TopologyError> {
    let mut plan = builder(tag);
    // None of these deaths counts where there are dead letters, but for kills.
    if bad != WAITS {
        plan.intensity(3, Duration::from_secs(3_600));
    }
    let (out, input) = plan.link_with::<Item>("items", options);
    source(&mut plan, out, TOTAL, 16);
    let mut partition = plan.partition("picky");
    settle(&mut partition);
    picky_in(&mut partition, input, (batch, bad));
    plan.build()
}

/// The same, fed by the launching program.
fn fed(
    tag: &str,
    options: LinkOptions,
    (batch, bad): (usize, Bad),
) -> Result<Topology, TopologyError> {
    let mut plan = builder(tag);
    let (out, input) = plan.link_with::<Item>("items", options);
    plan.host().sends(out);
    picky_in(&mut plan.partition("picky"), input, (batch, bad));
    plan.build()
}

pub(crate) fn poisoned() -> Result<Topology, TopologyError> {
    finite("poisoned", options(), (64, EVERY_KIND), |_| {})
}

pub(crate) fn poisoned_to_hang() -> Result<Topology, TopologyError> {
    finite("poisoned-to-hang", options(), (1, HANGS), |partition| {
        // Never parked: a sleeper owes no heartbeat.
        partition
            .wait(Wait::spin_then_yield())
            .hang_after(HANG_AFTER);
    })
}

pub(crate) fn killed_at_work() -> Result<Topology, TopologyError> {
    finite("killed-at-work", options(), (64, WAITS), |_| {})
}

pub(crate) fn commanded() -> Result<Topology, TopologyError> {
    fed("commanded", options().max_attempts(1), (64, SCATTERED))
}

pub(crate) fn narrow() -> Result<Topology, TopologyError> {
    let options = options().dead_letters(2).max_attempts(1);
    fed("narrow", options, (64, SCATTERED))
}

pub(crate) fn overflowing() -> Result<Topology, TopologyError> {
    let options = options().dead_letters(2).max_attempts(1).drop_when_full();
    finite("overflowing", options, (64, SCATTERED), |_| {})
}

pub(crate) fn resetting() -> Result<Topology, TopologyError> {
    let options = options().max_attempts(1);
    finite("resetting", options, (8, IN_A_ROW_AND_ONE), |partition| {
        partition.reset_state("kept");
    })
}

pub(crate) fn unforgiving() -> Result<Topology, TopologyError> {
    finite(
        "unforgiving",
        options().max_attempts(1),
        (8, IN_A_ROW),
        |_| {},
    )
}

pub(crate) fn without_letters() -> Result<Topology, TopologyError> {
    finite("without-letters", LinkOptions::new(256), (64, ONE), |_| {})
}

fn handled(monitor: &Monitor) -> Handled {
    monitor.read("picky", "handled").unwrap().unwrap()
}

fn positions(letters: &DeadLetters) -> Vec<u64> {
    let letters = letters.read::<Item>().unwrap();
    letters
        .iter()
        .map(|letter| {
            let expected = Item::new(letter.position);
            let found = (letter.message.seq, letter.message.value);
            assert_eq!(found, (expected.seq, expected.value));
            letter.position
        })
        .collect()
}

pub(crate) fn every_kind() {
    let running = poisoned().unwrap().launch(Launch::Processes).unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    assert_eq!(positions(&letters), [10, 20, 30, 40]);
    let expected = Handled::all_but(TOTAL, &[10, 20, 30, 40]);
    assert_eq!(handled(&report.monitor), expected);
    let letters = letters.read::<Item>().unwrap();
    let causes: Vec<&str> = letters.iter().map(|letter| letter.cause.as_str()).collect();
    let expected = [
        "killed by SIGSEGV",
        "killed by SIGABRT",
        "an actor panicked",
        "exited with code 3",
    ];
    assert_eq!(causes, expected);
    assert!(
        letters
            .iter()
            .all(|letter| letter.attempts == u64::from(ATTEMPTS))
    );
    // Two attempts each, and one death more where the life before had taken a batch.
    let restarts = report.partitions[1].restarts;
    assert!((8..=12).contains(&restarts), "{restarts}");
}

pub(crate) fn each_was_told_once(stderr: &str) {
    for (position, cause) in [
        (10, "killed by SIGSEGV"),
        (20, "killed by SIGABRT"),
        (30, "an actor panicked"),
        (40, "exited with code 3"),
    ] {
        let line = format!(
            "/picky: link `items`: message {position} is set aside after 2 attempts, the last: {cause}"
        );
        let told = stderr.lines().filter(|found| found.contains(&line)).count();
        assert_eq!(told, 1, "{line}");
    }
    let left = "4 of 200 messages were left among its dead letters";
    assert!(stderr.contains(left), "{left}");
}

pub(crate) fn hang() {
    let running = poisoned_to_hang()
        .unwrap()
        .launch(Launch::Processes)
        .unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    assert_eq!(positions(&letters), [7]);
    assert_eq!(handled(&report.monitor), Handled::all_but(TOTAL, &[7]));
    assert_eq!(report.partitions[1].restarts, u64::from(ATTEMPTS));
}

/// More kills than attempts, each with the same message in work.
pub(crate) fn kills_blame_nobody() {
    let running = killed_at_work().unwrap();
    let running = running.launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    for life in 1..=3 * u64::from(ATTEMPTS) {
        let pid = || {
            let picky = &monitor.partitions()[1];
            picky.pid.filter(|_| picky.incarnations == life)
        };
        await_that("a message in work", || {
            pid().is_some_and(|pid| Path::new(&in_work(10, pid)).exists())
        });
        monitor.kill("picky").unwrap();
        await_that("its death", || monitor.partitions()[1].restarts == life);
    }
    fs::write(MENDED, "").unwrap();
    let report = join(running).unwrap();
    assert_eq!(handled(&report.monitor), Handled::all_but(TOTAL, &[]));
    let letters = report.links[0].dead_letters.unwrap();
    assert_eq!((letters.set_aside, letters.waiting), (0, 0));
}

/// Kills the actor's partition, and waits until it has made a turn again.
fn kill(monitor: &Monitor) {
    let turns = || monitor.partitions()[0].recoveries.len();
    await_that("a turn before", || monitor.partitions()[0].pid.is_some());
    let before = turns();
    monitor.kill("picky").unwrap();
    await_that("a turn of its next life", || turns() > before);
}

pub(crate) fn commands_under_kills() {
    let running = commanded().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let mut items = running.sender::<Item>("items").unwrap();
    send_items(&mut items, 0..TOTAL, 16);
    // Amidst its own deaths: they blame, these don't.
    for _ in 0..5 {
        kill(&monitor);
    }
    let letters = monitor.dead_letters("items").unwrap();
    await_that("all set aside, or handled", || {
        letters.len() == 6 && monitor.links()[0].depth() == 0
    });
    fs::write(MENDED, "").unwrap();
    for (requeued, dropped) in [(1, 0), (2, 1), (3, 2), (4, 2)] {
        let counts = letters.counts();
        letters.requeue((requeued - counts.requeued) as usize);
        kill(&monitor);
        await_that("a requeue", || letters.counts().requeued == requeued);
        letters.drop((dropped - counts.dropped) as usize);
        kill(&monitor);
        await_that("a drop", || letters.counts().dropped == dropped);
        // Each is beside its own note still.
        let gone = (requeued + dropped) as usize;
        assert_eq!(positions(&letters), [5, 15, 25, 35, 45, 55][gone..]);
    }
    assert!(letters.is_empty());
    items.close().unwrap();
    let report = join(running).unwrap();
    // In the order of their positions: one handled, one handled, one dropped, and so on.
    assert_eq!(handled(&report.monitor), Handled::all_but(TOTAL, &[25, 45]));
    let counts = report.links[0].dead_letters.unwrap();
    assert_eq!((counts.set_aside, counts.overflowed), (6, 0));
}

pub(crate) fn full_waits() {
    let running = narrow().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let mut items = running.sender::<Item>("items").unwrap();
    send_items(&mut items, 0..TOTAL, 16);
    let letters = monitor.dead_letters("items").unwrap();
    for (taken, position) in (0..).zip([25, 35, 45, 55]) {
        await_that("no room", || {
            let counts = letters.counts();
            counts.set_aside == 2 + taken && counts.held == Some(position)
        });
        assert_eq!(monitor.links()[0].received, position);
        // Nor does the next life find any.
        kill(&monitor);
        assert_eq!(letters.len(), 2);
        assert_eq!(monitor.links()[0].received, position);
        letters.drop(1);
    }
    items.close().unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    assert_eq!(positions(&letters), [45, 55]);
    let expected = Handled::all_but(TOTAL, &[5, 15, 25, 35, 45, 55]);
    assert_eq!(handled(&report.monitor), expected);
    let counts = letters.counts();
    assert_eq!(
        (counts.set_aside, counts.dropped, counts.overflowed),
        (6, 4, 0)
    );
}

pub(crate) fn a_wait_was_told(stderr: &str) {
    let line = "picky: waits to set message 25 of link `items` aside";
    assert!(stderr.contains(line), "{line}");
}

pub(crate) fn full_drops() {
    let running = overflowing().unwrap().launch(Launch::Processes).unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    assert_eq!(positions(&letters), [5, 15]);
    let expected = Handled::all_but(TOTAL, &[5, 15, 25, 35, 45, 55]);
    assert_eq!(handled(&report.monitor), expected);
    let counts = letters.counts();
    assert_eq!((counts.set_aside, counts.overflowed), (2, 4));
}

pub(crate) fn each_loss_was_told(stderr: &str) {
    for position in [25, 35, 45, 55] {
        let line = format!("picky: link `items`: message {position} was dropped");
        assert!(stderr.contains(&line), "{line}");
    }
}

pub(crate) fn state_starts_anew() {
    let running = resetting().unwrap().launch(Launch::Processes).unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    assert_eq!(positions(&letters), [50, 51, 52, 53]);
    assert_eq!(handled(&report.monitor), Handled::of(54..TOTAL));
    let kept: Vec<_> = fs::read_dir("kept").unwrap().collect();
    assert_eq!(kept.len(), 1);
    let text = fs::read_to_string(kept[0].as_ref().unwrap().path()).unwrap();
    let held = Handled::of(0..50);
    let words = [held.count, held.sum, held.squares];
    let bytes = words.iter().flat_map(|word| word.to_ne_bytes());
    let bytes: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
    let bytes = bytes.concat();
    assert!(text.starts_with("actor picky\nsteps "), "{text}");
    assert!(text.contains("\ncell handled\nHandled 24 8\n"), "{text}");
    assert!(text.ends_with(&format!("\n{bytes}\n")), "{text}");
}

pub(crate) fn state_is_to_blame() {
    let running = unforgiving().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let why = escalated(running);
    assert!(why.contains("its state is to blame"), "{why}");
    assert!(why.contains(".reset_state(..)"), "{why}");
    assert_eq!(handled(&monitor), Handled::of(0..50));
    // The third stays in the inbox.
    assert_eq!(positions(&monitor.dead_letters("items").unwrap()), [50, 51]);
    assert_eq!(monitor.links()[0].received, 52);
}

/// Without dead letters such a message ends the topology by its intensity, and lies in the inbox still.
pub(crate) fn no_letters() {
    let running = without_letters().unwrap();
    let running = running.launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let why = escalated(running);
    assert!(
        why.contains("allowed; the last: killed by SIGABRT"),
        "{why}"
    );
    assert_eq!(handled(&monitor), Handled::of(0..10));
    assert_eq!(monitor.links()[0].received, 10);
    assert!(matches!(
        monitor.partitions()[1].last_cause,
        Some(Cause::Stopped | Cause::Signal(_))
    ));
}
