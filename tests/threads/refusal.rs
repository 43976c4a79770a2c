//! Full links: what a refused claim does to its step, and what it leaves alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use airssys_rt::prelude::*;
use airssys_rt::{RunError, TrySendError};

use crate::common::{
    Item, Seen, assert_no_trace, await_that, bus_name, bus_path, join, remove_bus, source,
};

/// What the test and its actors share.
#[derive(Default)]
struct Shared {
    /// The sink receives.
    open: AtomicBool,
    /// Steps that were refused, or said `Retry`.
    refused: AtomicU64,
}

impl Shared {
    fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }
}

/// Receives once the test lets it.
struct Gated {
    input: Receiver<Item>,
    seen: Durable<Seen>,
    shared: Arc<Shared>,
}

impl Actor for Gated {
    fn step(&mut self) -> Result<Step, Refused> {
        if !self.shared.open.load(Ordering::SeqCst) {
            return Ok(Step::Retry);
        }
        let seen = &mut self.seen;
        let received = self.input.drain(8, |item| seen.borrow_mut().note(item));
        if received == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(received.into())
    }
}

/// How a doubler handles a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// `?`.
    HandsOn,
    /// Looks away and says `Busy`.
    Swallows,
}

/// Sends two for each that it receives, and counts what it has received.
struct Doubler {
    input: Receiver<Item>,
    out: Sender<Item>,
    count: Durable<u64>,
    manner: Manner,
    shared: Arc<Shared>,
}

impl Doubler {
    fn twice(&mut self, item: &Item) -> Result<(), Refused> {
        self.out.send(Item::new(2 * item.seq))?;
        self.out.claim().map(|mut slot| {
            *slot = Item::new(2 * item.seq + 1);
            slot.publish();
        })
    }
}

impl Actor for Doubler {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        self.count.set(self.count.get() + 1);
        if let Err(refused) = self.twice(&item) {
            self.shared.refused.fetch_add(1, Ordering::SeqCst);
            if self.manner == Manner::HandsOn {
                return Err(refused);
            }
        }
        Ok(Step::Busy)
    }
}

fn a_refused_step_leaves_nothing(manner: Manner) {
    const TOTAL: u64 = 50;
    let bus = bus_name(&format!("refused-{}", manner as u8));
    let shared = Arc::new(Shared::default());
    let mut plan = Topology::builder(&bus);
    let (first_out, first_in) = plan.link::<Item>("first", 64);
    // The second try of a step finds one slot free: the first of its two sends goes through, and has to be undone.
    let (second_out, second_in) = plan.link::<Item>("second", 4);
    source(&mut plan, first_out, TOTAL, 10);
    let of_doubler = Arc::clone(&shared);
    plan.partition("doubler").actor(
        "doubler",
        (first_in, second_out, durable("count")),
        move |(input, out, count)| Doubler {
            input,
            out,
            count,
            manner,
            shared: Arc::clone(&of_doubler),
        },
    );
    let of_sink = Arc::clone(&shared);
    plan.partition("sink").actor(
        "sink",
        (second_in, durable("seen")),
        move |(input, seen)| Gated {
            input,
            seen,
            shared: Arc::clone(&of_sink),
        },
    );
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    await_that("a refused step", || shared.refused() > 0);
    // Two steps fill the ring; the refused third one took a message and counted it, in vain.
    assert_eq!(monitor.read("doubler", "count").unwrap(), Some(2_u64));
    let links = monitor.links();
    assert_eq!(
        (links[0].received, links[1].sent, links[1].depth()),
        (2, 4, 4)
    );
    shared.open.store(true, Ordering::SeqCst);
    let report = join(running).unwrap();
    assert_eq!(monitor.read("doubler", "count").unwrap(), Some(TOTAL));
    assert_eq!(
        monitor.read("sink", "seen").unwrap(),
        Some(Seen::of(2 * TOTAL))
    );
    assert_eq!(report.links[1].received, 2 * TOTAL);
    assert_no_trace(&bus);
}

#[test]
fn handed_on_it_aborts_receives_and_cells_too() {
    a_refused_step_leaves_nothing(Manner::HandsOn);
}

#[test]
fn swallowed_it_aborts_all_the_same() {
    a_refused_step_leaves_nothing(Manner::Swallows);
}

/// Hands on what finds room, and counts what doesn't.
struct Lossy {
    input: Receiver<Item>,
    out: Sender<Item>,
    dropped: Durable<u64>,
    claims: bool,
}

impl Lossy {
    fn offer(&mut self, item: Item) -> bool {
        if self.claims {
            let claimed = self.out.try_claim();
            return claimed.is_ok_and(|mut slot| {
                *slot = item;
                slot.publish();
                true
            });
        }
        match self.out.try_send(item) {
            Ok(()) => true,
            Err(TrySendError::Full(back) | TrySendError::Closed(back)) => {
                assert_eq!((back.seq, back.value), (item.seq, item.value));
                false
            }
        }
    }
}

impl Actor for Lossy {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        if !self.offer(item) {
            self.dropped.set(self.dropped.get() + 1);
        }
        Ok(Step::Busy)
    }
}

#[test]
fn a_tried_send_or_claim_leaves_the_step_alone() {
    for claims in [false, true] {
        let bus = bus_name(&format!("lossy-{claims}"));
        let shared = Arc::new(Shared::default());
        let mut plan = Topology::builder(&bus);
        let (first_out, first_in) = plan.link::<Item>("first", 16);
        let (second_out, second_in) = plan.link::<Item>("second", 2);
        source(&mut plan, first_out, 100, 1);
        plan.partition("lossy").actor(
            "lossy",
            (first_in, second_out, durable("dropped")),
            move |(input, out, dropped)| Lossy {
                input,
                out,
                dropped,
                claims,
            },
        );
        let of_sink = Arc::clone(&shared);
        plan.partition("sink").actor(
            "sink",
            (second_in, durable("seen")),
            move |(input, seen)| Gated {
                input,
                seen,
                shared: Arc::clone(&of_sink),
            },
        );
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        await_that("everything offered", || monitor.links()[0].received == 100);
        assert_eq!(monitor.read("lossy", "dropped").unwrap(), Some(98_u64));
        shared.open.store(true, Ordering::SeqCst);
        join(running).unwrap();
        assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(2)));
        assert_no_trace(&bus);
    }
}

/// Says `Retry` after having done everything, twice for each message.
struct Hesitant {
    input: Receiver<Item>,
    out: Sender<Item>,
    seen: Durable<Seen>,
    tries: u64,
    shared: Arc<Shared>,
}

impl Actor for Hesitant {
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
        self.tries += 1;
        if self.tries.is_multiple_of(3) {
            return Ok(Step::Busy);
        }
        self.shared.refused.fetch_add(1, Ordering::SeqCst);
        Ok(Step::Retry)
    }
}

#[test]
fn retry_leaves_nothing() {
    let bus = bus_name("retry");
    let shared = Arc::new(Shared::default());
    shared.open.store(true, Ordering::SeqCst);
    let mut plan = Topology::builder(&bus);
    let (first_out, first_in) = plan.link::<Item>("first", 4);
    let (second_out, second_in) = plan.link::<Item>("second", 4);
    source(&mut plan, first_out, 200, 2);
    let of_hesitant = Arc::clone(&shared);
    plan.partition("hesitant").actor(
        "hesitant",
        (first_in, second_out, durable("seen")),
        move |(input, out, seen)| Hesitant {
            input,
            out,
            seen,
            tries: 0,
            shared: Arc::clone(&of_hesitant),
        },
    );
    let of_sink = Arc::clone(&shared);
    plan.partition("sink").actor(
        "sink",
        (second_in, durable("seen")),
        move |(input, seen)| Gated {
            input,
            seen,
            shared: Arc::clone(&of_sink),
        },
    );
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    assert_eq!(shared.refused(), 400);
    for actor in ["hesitant", "sink"] {
        assert_eq!(
            monitor.read(actor, "seen").unwrap(),
            Some(Seen::of(200)),
            "{actor}"
        );
    }
    assert_no_trace(&bus);
}

/// Runs what can't go well, and returns why it gave up.
fn give_up(bus: &str, mut plan: airssys_rt::TopologyBuilder) -> String {
    plan.leftover(Leftover::Discard);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let error = join(running).unwrap_err();
    let RunError::Escalated { why, directory, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(directory, bus_path(bus).display().to_string());
    assert!(bus_path(bus).exists(), "an escalation leaves its regions");
    remove_bus(bus_path(bus));
    why
}

fn gated(plan: &mut airssys_rt::TopologyBuilder, input: airssys_rt::LinkIn<Item>) {
    let shared = Arc::new(Shared::default());
    shared.open.store(true, Ordering::SeqCst);
    plan.partition("sink")
        .actor("sink", (input, durable("seen")), move |(input, seen)| {
            Gated {
                input,
                seen,
                shared: Arc::clone(&shared),
            }
        });
}

#[test]
fn a_step_that_sends_more_than_its_link_holds_names_the_link() {
    for (capacity, batch) in [(1, 2), (2, 3), (4, 5)] {
        let bus = bus_name(&format!("oversized-{capacity}"));
        let mut plan = Topology::builder(&bus);
        let (out, input) = plan.link::<Item>("items", capacity);
        gated(&mut plan, input);
        source(&mut plan, out, 100, batch);
        let why = give_up(&bus, plan);
        let expected = format!(
            "partition `source`: actor `source`: link `items`: one step sends more than the link's capacity of {capacity} \
             messages"
        );
        assert!(why.starts_with(&expected), "{why}");
    }
}

/// Never lets go of the slot that it has claimed.
struct Clinging {
    out: Sender<Item>,
}

impl Actor for Clinging {
    fn step(&mut self) -> Result<Step, Refused> {
        let slot = self.out.claim()?;
        std::mem::forget(slot);
        Ok(Step::Busy)
    }
}

/// Never lets go of its cell.
struct ClingingToState {
    state: Durable<u64>,
}

impl Actor for ClingingToState {
    fn step(&mut self) -> Result<Step, Refused> {
        std::mem::forget(self.state.borrow_mut());
        Ok(Step::Busy)
    }
}

#[test]
fn a_claimed_slot_that_is_leaked_names_its_link() {
    let bus = bus_name("leaked-slot");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 4);
    gated(&mut plan, input);
    plan.partition("clinging")
        .actor("clinging", out, |out| Clinging { out });
    let why = give_up(&bus, plan);
    let expected = "partition `clinging`: actor `clinging`: `items`: a claimed slot or a borrow of it outlived its step";
    assert!(why.starts_with(expected), "{why}");
}

#[test]
fn a_borrow_of_a_cell_that_is_leaked_names_the_cell() {
    let bus = bus_name("leaked-cell");
    let mut plan = Topology::builder(&bus);
    plan.partition("clinging")
        .actor("clinging", durable("state"), |state| ClingingToState {
            state,
        });
    let why = give_up(&bus, plan);
    assert!(
        why.contains("`clinging/state`") && why.contains("outlived its step"),
        "{why}"
    );
}
