//! What the tests of running topologies share: names that nobody else has, a patience, and traffic that checks itself.

#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod fan_in;
pub(crate) mod host;
pub(crate) mod keeper;
pub(crate) mod poison;
pub(crate) mod raid;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use airssys_rt::prelude::*;
use airssys_rt::{LinkIn, LinkOut, PartitionBuilder, Report, RunError, Running, TopologyBuilder};

/// Set by a test's launching process for itself and whatever it starts: all of them come to the same bus names.
pub(crate) const RUN: &str = "AIRSSYS_TEST_RUN";

/// Only a test that hangs meets it; no outcome depends on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A bus name for `tag` that no other run of the tests has.
pub(crate) fn bus_name(tag: &str) -> String {
    let run = std::env::var(RUN).unwrap_or_else(|_| std::process::id().to_string());
    format!("{tag}-{run}")
}

/// Where the regions of a bus lie.
pub(crate) fn bus_path(bus: &str) -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/dev/shm/airssys-{uid}/{bus}"))
}

/// Nothing of the bus is left.
pub(crate) fn assert_no_trace(bus: &str) {
    let path = bus_path(bus);
    assert!(!path.exists(), "{} was left behind", path.display());
}

/// Removes a bus as an escalation leaves it for a look: its directory, and the one above if that was its last bus.
pub(crate) fn remove_bus(path: impl AsRef<Path>) {
    let path = path.as_ref();
    std::fs::remove_dir_all(path).unwrap();
    // Others' buses keep it, or one that began or ended meanwhile has removed it.
    let _ = std::fs::remove_dir(path.parent().unwrap());
}

/// Looks until it is so: for what no event tells.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs `work` on a thread of its own, and fails the test if it doesn't come back.
pub(crate) fn patiently<R: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (send, received) = mpsc::channel();
    let worker = thread::spawn(move || {
        let _ = send.send(work());
    });
    match received.recv_timeout(PATIENCE) {
        Ok(result) => {
            worker.join().unwrap();
            result
        }
        Err(RecvTimeoutError::Timeout) => panic!("{what} did not come to its end"),
        Err(RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worker.join().unwrap_err())
        }
    }
}

/// Waits for the end of a bus.
pub(crate) fn join(running: Running) -> Result<Report, RunError> {
    patiently("the bus", move || running.join())
}

/// What travels: numbered, and with a value that its number gives away.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) seq: u64,
    pub(crate) value: u64,
}

impl Item {
    pub(crate) fn new(seq: u64) -> Self {
        Self {
            seq,
            value: seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995,
        }
    }
}

/// What a checking actor has seen, committed with each step.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The number of the next message.
    pub(crate) next: u64,
    /// Sum of the values.
    pub(crate) sum: u64,
    /// Messages that were lost, repeated, out of order or torn.
    pub(crate) wrong: u64,
}

impl Seen {
    /// What remains of the messages `0..total`, each seen once and in order.
    pub(crate) fn of(total: u64) -> Self {
        let mut seen = Self {
            next: 0,
            sum: 0,
            wrong: 0,
        };
        for seq in 0..total {
            seen.note(&Item::new(seq));
        }
        seen
    }

    pub(crate) fn note(&mut self, item: &Item) {
        let expected = Item::new(self.next);
        self.wrong += u64::from(item.seq != expected.seq || item.value != expected.value);
        self.next = item.seq + 1;
        self.sum = self.sum.wrapping_add(item.value);
    }
}

/// Sends the items `0..total`, `batch` in a step, and is done.
pub(crate) struct Source {
    pub(crate) out: Sender<Item>,
    pub(crate) total: u64,
    pub(crate) batch: u64,
}

impl Actor for Source {
    fn step(&mut self) -> Result<Step, Refused> {
        let first = self.out.sent();
        if first == self.total {
            return Ok(Step::Done);
        }
        for seq in first..self.total.min(first + self.batch) {
            self.out.send(Item::new(seq))?;
        }
        Ok(Step::Busy)
    }
}

/// Hands items on, up to `batch` in a step, and checks them.
pub(crate) struct Relay {
    pub(crate) input: Receiver<Item>,
    pub(crate) out: Sender<Item>,
    pub(crate) seen: Durable<Seen>,
    pub(crate) batch: usize,
}

impl Actor for Relay {
    fn step(&mut self) -> Result<Step, Refused> {
        let (out, seen) = (&mut self.out, &mut self.seen);
        let handed_on = self.input.try_drain(self.batch, |item| {
            seen.borrow_mut().note(item);
            out.send(*item)
        })?;
        if handed_on == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(handed_on.into())
    }
}

/// Checks items, up to `batch` in a step.
pub(crate) struct Sink {
    pub(crate) input: Receiver<Item>,
    pub(crate) seen: Durable<Seen>,
    pub(crate) batch: usize,
}

impl Actor for Sink {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = &mut self.seen;
        let received = self
            .input
            .drain(self.batch, |item| seen.borrow_mut().note(item));
        if received == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(received.into())
    }
}

/// A partition `source` that sends the items `0..total`, `batch` in a step.
pub(crate) fn source(plan: &mut TopologyBuilder, out: LinkOut<Item>, total: u64, batch: u64) {
    plan.partition("source")
        .actor("source", out, move |out| Source { out, total, batch });
}

/// A partition `relay` that hands on and checks up to `batch` items in a step.
pub(crate) fn relay(
    plan: &mut TopologyBuilder,
    (input, out): (LinkIn<Item>, LinkOut<Item>),
    batch: usize,
) {
    relay_in(&mut plan.partition("relay"), (input, out), batch);
}

/// The actor `relay` in a partition of one's own making.
pub(crate) fn relay_in(
    partition: &mut PartitionBuilder<'_>,
    (input, out): (LinkIn<Item>, LinkOut<Item>),
    batch: usize,
) {
    let ends = (input, out, durable::<Seen>("seen"));
    partition.actor("relay", ends, move |(input, out, seen)| Relay {
        input,
        out,
        seen,
        batch,
    });
}

/// A partition `sink` that checks up to `batch` items in a step.
pub(crate) fn sink(plan: &mut TopologyBuilder, input: LinkIn<Item>, batch: usize) {
    sink_in(&mut plan.partition("sink"), input, batch);
}

/// The actor `sink` in a partition of one's own making.
pub(crate) fn sink_in(partition: &mut PartitionBuilder<'_>, input: LinkIn<Item>, batch: usize) {
    let ends = (input, durable::<Seen>("seen"));
    partition.actor("sink", ends, move |(input, seen)| Sink {
        input,
        seen,
        batch,
    });
}

/// Partitions `source`, `relay` and `sink` around the links `first` and `second`.
pub(crate) fn three_stages(plan: &mut TopologyBuilder, capacity: u64, total: u64, batch: u64) {
    let (first_out, first_in) = plan.link::<Item>("first", capacity);
    let (second_out, second_in) = plan.link::<Item>("second", capacity);
    source(plan, first_out, total, batch);
    relay(plan, (first_in, second_out), batch as usize);
    sink(plan, second_in, batch as usize);
}
