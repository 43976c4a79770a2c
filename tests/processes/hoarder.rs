//! An actor with collections whose state starts anew under kills, and one whose messages take the launching process with them.

use std::fs;
use std::path::Path;

use airssys_rt::prelude::*;
use airssys_rt::{Cause, Monitor};
use rustix::process::Signal;

use crate::child::Helper;
use crate::common::poison::{Bad, Handled, Kind, handle, picky_in};
use crate::common::{Item, assert_no_trace, await_that, join, source};
use crate::topologies::builder;

const TOTAL: u64 = 200;
/// Many more than are set, so that it takes a while to empty them.
const ROWS: usize = 50_000;
const IN_A_ROW: Bad = &[
    (50, Kind::Abort),
    (51, Kind::Abort),
    (52, Kind::Abort),
    (53, Kind::Abort),
];
/// The first number that is handled after the state has started anew.
const ANEW: u64 = 54;
const KILLS: u64 = 40;
/// What a life leaves that found its state wrong.
const WRONG: &str = "wrong";

struct Hoarder {
    input: Receiver<Item>,
    handled: Durable<Handled>,
    numbers: DurableMap<u64, u64>,
    rows: DurableTable<[u64; 3]>,
    recent: DurableRing<u64>,
    order: DurableVec<u64>,
}

impl Hoarder {
    fn keep(&mut self, seq: u64) -> Result<(), CollectionError> {
        self.numbers.insert(seq, !seq)?;
        self.rows.set(place(seq), [seq, seq, 1])?;
        self.recent.push(seq)?;
        self.order.push(seq)
    }

    /// Whether all of it is what the cell says.
    fn is_sound(&self) -> bool {
        let handled = self.handled.get();
        let rows = self.rows.iter();
        let rows = rows.fold((0, 0), |(sum, count), row| (sum + row[0], count + row[2]));
        let counts = [
            self.numbers.len() as u64,
            self.recent.pushed(),
            self.order.len() as u64,
            rows.1,
        ];
        let sums = [
            self.numbers.iter().map(|(seq, _)| seq).sum::<u64>(),
            self.order.iter().sum(),
            rows.0,
        ];
        counts == [handled.count; 4] && sums == [handled.sum; 3]
    }
}

fn place(seq: u64) -> usize {
    (seq * 241) as usize % ROWS
}

impl Actor for Hoarder {
    fn step(&mut self) -> Result<Step, Refused> {
        let mut items = Vec::with_capacity(8);
        let received = self.input.drain(8, |item| items.push(item.seq));
        for seq in items {
            self.keep(seq).unwrap();
            handle(seq, IN_A_ROW);
            self.handled.borrow_mut().note(seq);
        }
        if received == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(received.into())
    }
}

pub(crate) fn hoarding() -> Result<Topology, TopologyError> {
    let mut plan = builder("hoarding");
    let options = LinkOptions::new(256).dead_letters(8).max_attempts(1);
    let (out, input) = plan.link_with::<Item>("items", options);
    source(&mut plan, out, TOTAL, 16);
    let ends = (
        (input, durable::<Handled>("handled")),
        durable::map::<u64, u64>("numbers", 256),
        durable::table("rows", ROWS),
        durable::last("recent", 16),
        durable::vector("order", 256),
    );
    plan.partition("hoarder").reset_state("kept").actor(
        "hoarder",
        ends,
        |((input, handled), numbers, rows, recent, order)| {
            let hoarder = Hoarder {
                input,
                handled,
                numbers,
                rows,
                recent,
                order,
            };
            if !hoarder.is_sound() {
                fs::write(WRONG, format!("{hoarder:?}")).unwrap();
            }
            hoarder
        },
    );
    plan.build()
}

impl std::fmt::Debug for Hoarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let order: Vec<u64> = self.order.iter().collect();
        write!(f, "{:?} {order:?}", self.handled)
    }
}

/// Whatever the actor is at, these are the numbers of a step's end: all up to one but the bad, or all from the new start on.
fn look(monitor: &Monitor) {
    let order = monitor.collection("hoarder", "order").unwrap();
    let order = order.vector::<u64>().unwrap();
    let numbers = monitor.collection("hoarder", "numbers").unwrap();
    let mut numbers = numbers.map::<u64, u64>().unwrap();
    numbers.sort_unstable();
    for of in [order, numbers.into_iter().map(|(seq, _)| seq).collect()] {
        let first = of.first().copied().unwrap_or(0);
        assert!(first == 0 || first == ANEW, "{of:?}");
        assert!(
            of.iter().copied().eq(first..first + of.len() as u64),
            "{of:?}"
        );
        assert!(first > 0 || of.len() <= 50, "{of:?}");
    }
}

pub(crate) fn state_starts_anew() {
    let running = hoarding().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let hoarder = || monitor.partitions()[1].clone();
    for _ in 0..KILLS {
        let before = hoarder().restarts;
        await_that("a death", || {
            look(&monitor);
            monitor.kill("hoarder").unwrap();
            let now = hoarder();
            now.restarts > before || now.last_cause == Some(Cause::Done)
        });
    }
    let report = join(running).unwrap();
    let wrong = fs::read_to_string(WRONG);
    assert!(wrong.is_err(), "{wrong:?}");
    look(&report.monitor);
    let handled = report.monitor.read("hoarder", "handled").unwrap();
    assert_eq!(handled, Some(Handled::of(ANEW..TOTAL)));
    let order = report.monitor.collection("hoarder", "order").unwrap();
    let expected: Vec<u64> = (ANEW..TOTAL).collect();
    assert_eq!(order.vector::<u64>().unwrap(), expected);
    let recent = report.monitor.collection("hoarder", "recent").unwrap();
    let (pushed, last) = recent.last::<u64>().unwrap();
    assert_eq!(
        (pushed, last[..].last()),
        (TOTAL - ANEW, Some(&(TOTAL - 1)))
    );
    let rows = report.monitor.collection("hoarder", "rows").unwrap();
    for (row, is_set) in [(place(49), false), (place(ANEW), true)] {
        let found = rows.rows::<[u64; 3]>(row..=row).unwrap();
        assert_eq!(found[0][2] == 1, is_set, "row {row}");
    }
    it_was_kept();
}

fn it_was_kept() {
    let kept: Vec<_> = fs::read_dir("kept").unwrap().collect();
    assert_eq!(kept.len(), 1);
    let text = fs::read_to_string(kept[0].as_ref().unwrap().path()).unwrap();
    let hex = |word: u64| -> String {
        let bytes = word.to_ne_bytes();
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    let lines_of = |head: &str| -> Vec<&str> {
        let of = text.split(head).nth(1).expect(head);
        let entries = of.split("\n\n").next().unwrap().lines();
        entries.collect()
    };
    for seq in 0..50 {
        let (key, value) = (hex(seq), hex(!seq));
        let entry = format!("{key} {value}");
        assert!(lines_of("\nmap numbers\n").contains(&&*entry), "{entry}");
        let row = format!("{} {key}{key}{}", place(seq), hex(1));
        assert!(lines_of("\ntable rows\n").contains(&&*row), "{row}");
        let pushed = format!("{seq} {key}");
        assert!(lines_of("\nvector order\n").contains(&&*pushed), "{pushed}");
        let is_left = lines_of("\nlast recent\n").contains(&&*pushed);
        assert_eq!(is_left, seq >= 34, "{pushed}");
    }
    assert!(!text.contains(&hex(ANEW)), "{text}");
}

const ATTEMPTS: u32 = 3;
const FATAL: Bad = &[(10, Kind::Fault)];

fn fatal() -> Topology {
    let mut plan = builder("fatal");
    plan.leftover(Leftover::Resume);
    let options = LinkOptions::new(256).dead_letters(8).max_attempts(ATTEMPTS);
    let (out, input) = plan.link_with::<Item>("items", options);
    source(&mut plan, out, TOTAL, 16);
    picky_in(&mut plan.partition("picky"), input, (1, FATAL));
    plan.build().unwrap()
}

/// Runs the bus as threads, and tells what came of it, if that comes.
pub(crate) fn resume_poisoned() {
    let running = fatal().launch(Launch::Threads).unwrap();
    let report = join(running).unwrap();
    let handled: Handled = report.monitor.read("picky", "handled").unwrap().unwrap();
    assert_eq!(handled, Handled::all_but(TOTAL, &[10]));
    let letters = report.monitor.dead_letters("items").unwrap();
    for letter in letters.read::<Item>().unwrap() {
        println!("{} {} {}", letter.position, letter.attempts, letter.cause);
    }
}

/// A fault in a thread of the launching process: each start of it dies of the same message, until it has had its attempts.
pub(crate) fn the_launcher_dies_too() {
    for attempt in 1..=ATTEMPTS {
        let helper = Helper::start("resume-poisoned");
        let status = helper.wait();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(Signal::SEGV.as_raw()), "attempt {attempt}");
    }
    let mut helper = Helper::start("resume-poisoned");
    assert_eq!(helper.line(), "10 3 died with the launching process");
    assert!(helper.wait().success());
    assert!(!Path::new("kept").exists());
    assert_no_trace(fatal().bus());
}
