//! Letters that a mended actor handles after all, in whatever way it receives.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use airssys_rt::Inline;
use airssys_rt::prelude::*;

use crate::common::Item;
use crate::common::poison::Handled;

const TOTAL: u64 = 100;
const BAD: [u64; 3] = [3, 50, 98];
const LINKS: u64 = 20;

/// Panics at bad items until it is mended.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn pass(&self, item: &Item) {
        let is_bad = BAD.contains(&item.seq) && !self.0.load(Ordering::SeqCst);
        assert!(!is_bad, "item {} is a bad one", item.seq);
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    TryRecv,
    Drain,
    Slices,
    Copies,
}

struct Sink {
    items: Receiver<Item>,
    handled: Durable<Handled>,
    way: Way,
    trap: Trap,
}

impl Actor for Sink {
    fn step(&mut self) -> Result<Step, Refused> {
        let Self {
            items,
            handled,
            way,
            trap,
        } = self;
        let mut take = |item: &Item| {
            trap.pass(item);
            handled.borrow_mut().note(item.seq);
        };
        let taken = match way {
            Way::TryRecv => {
                let item = items.try_recv();
                // Handled again it has the key that it had.
                let key = items.key().map(|key| key.sequence);
                assert!(item.is_none_or(|item| key == Some(item.seq)), "{key:?}");
                item.iter().map(take).count()
            }
            Way::Drain => items.drain(16, take),
            Way::Slices => items.drain_slices(16, |run| run.iter().for_each(&mut take)),
            Way::Copies => {
                let mut copies = [Item::new(0); 16];
                let taken = items.recv_slice(&mut copies);
                copies[..taken].iter().for_each(take);
                taken
            }
        };
        Ok(taken.into())
    }
}

/// Runs to rest, over whatever panics.
fn run(bus: &mut Inline) {
    for _ in 0..200 {
        if let Ok(turned) = catch_unwind(AssertUnwindSafe(|| bus.run_until_idle(10_000))) {
            assert_ne!(turned.unwrap(), Turned::Busy, "it never comes to rest");
            return;
        }
    }
    panic!("it panics without end");
}

fn send(bus: &Inline, link: &str) {
    let mut items = bus.sender::<Item>(link).unwrap();
    for seq in 0..TOTAL {
        items.try_send(Item::new(seq)).unwrap();
    }
}

fn handled(bus: &Inline) -> Handled {
    bus.read("sink", "handled").unwrap().unwrap()
}

fn options(layout: Layout) -> LinkOptions {
    LinkOptions::new(128)
        .layout(layout)
        .dead_letters(4)
        .max_attempts(1)
}

#[test]
fn letters_come_as_messages_do() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        for way in [Way::TryRecv, Way::Drain, Way::Slices, Way::Copies] {
            let trap = Trap::default();
            let mut plan = Topology::builder("requeued");
            let (out, input) = plan.link_with::<Item>("items", options(layout));
            plan.host().sends(out);
            let shared = trap.clone();
            let ends = (input, durable::<Handled>("handled"));
            plan.partition("sink")
                .actor("sink", ends, move |(items, handled)| Sink {
                    items,
                    handled,
                    way,
                    trap: shared.clone(),
                });
            let mut bus = plan.build().unwrap().inline(0).unwrap();
            send(&bus, "items");
            run(&mut bus);
            let letters = bus.dead_letters("items").unwrap();
            assert_eq!(letters.len(), BAD.len(), "{way:?}, {layout:?}");
            assert_eq!(handled(&bus), Handled::all_but(TOTAL, &BAD), "{way:?}");
            trap.0.store(true, Ordering::SeqCst);
            letters.requeue(2);
            run(&mut bus);
            let after_two = Handled::all_but(TOTAL, &BAD[2..]);
            assert_eq!(handled(&bus), after_two, "{way:?}, {layout:?}");
            letters.requeue(usize::MAX);
            run(&mut bus);
            assert_eq!(handled(&bus), Handled::all_but(TOTAL, &[]), "{way:?}");
            assert_eq!((letters.len(), letters.counts().requeued), (0, 3));
        }
    }
}

struct Gatherer {
    all: Receivers<Item>,
    handled: Durable<Handled>,
    trap: Trap,
}

impl Actor for Gatherer {
    fn step(&mut self) -> Result<Step, Refused> {
        let (handled, trap) = (&mut self.handled, &self.trap);
        let taken = self.all.drain(64, |_, item| {
            trap.pass(item);
            handled.borrow_mut().note(item.seq);
        });
        Ok(taken.into())
    }
}

/// Also when nothing will ever come on the link again.
#[test]
fn letters_come_among_many_links() {
    let trap = Trap::default();
    let mut plan = Topology::builder("requeued");
    let mut ends = Vec::new();
    for link in 0..LINKS {
        let name = format!("link-{link}");
        let (out, input) = plan.link_with::<Item>(name, options(Layout::Sequenced));
        plan.host().sends(out);
        ends.push(input);
    }
    let shared = trap.clone();
    let ends = (fan_in(ends), durable::<Handled>("handled"));
    plan.partition("sink")
        .actor("sink", ends, move |(all, handled)| Gatherer {
            all,
            handled,
            trap: shared.clone(),
        });
    let mut bus = plan.build().unwrap().inline(0).unwrap();
    for link in 0..LINKS {
        send(&bus, &format!("link-{link}"));
        bus.sender::<Item>(&format!("link-{link}"))
            .unwrap()
            .close()
            .unwrap();
    }
    run(&mut bus);
    assert_eq!(handled(&bus).count, LINKS * (TOTAL - BAD.len() as u64));
    trap.0.store(true, Ordering::SeqCst);
    for link in 0..LINKS {
        bus.dead_letters(&format!("link-{link}"))
            .unwrap()
            .requeue(3);
    }
    run(&mut bus);
    assert_eq!(handled(&bus).count, LINKS * TOTAL);
}

/// Sends each item on.
struct Relay {
    items: Receiver<Item>,
    out: Sender<Item>,
    trap: Trap,
}

impl Actor for Relay {
    fn step(&mut self) -> Result<Step, Refused> {
        let (out, trap) = (&mut self.out, &self.trap);
        let taken = self.items.try_drain(1, |item| {
            trap.pass(item);
            out.send(*item)
        })?;
        Ok(taken.into())
    }
}

/// A relay with an output of that capacity, and the host at both ends.
fn relay(trap: &Trap, capacity: u64) -> Inline {
    let mut plan = Topology::builder("requeued");
    let (out, input) = plan.link_with::<Item>("items", options(Layout::Sequenced));
    let (relay_out, relay_in) = plan.link::<Item>("relayed", capacity);
    plan.host().sends(out).receives(relay_in);
    let trap = trap.clone();
    plan.partition("relay")
        .actor("relay", (input, relay_out), move |(items, out)| Relay {
            items,
            out,
            trap: trap.clone(),
        });
    plan.build().unwrap().inline(0).unwrap()
}

/// Whoever waits for room in an outgoing link drops letters when it is told to.
#[test]
fn letters_are_dropped_while_an_output_is_full() {
    let mut bus = relay(&Trap::default(), 8);
    send(&bus, "items");
    run(&mut bus);
    let letters = bus.dead_letters("items").unwrap();
    assert_eq!(letters.len(), 1, "items 0 to 8 but for one, and no room");
    letters.drop(1);
    run(&mut bus);
    assert_eq!((letters.len(), letters.counts().dropped), (0, 1));
}

/// One that can't be answered stays, and its actor goes on: what ends that is the next message of the link.
#[test]
fn letters_stay_while_an_output_is_closed() {
    let trap = Trap::default();
    let mut bus = relay(&trap, 128);
    let mut items = bus.sender::<Item>("items").unwrap();
    for seq in 0..=BAD[0] {
        items.try_send(Item::new(seq)).unwrap();
    }
    run(&mut bus);
    bus.receiver::<Item>("relayed").unwrap().close().unwrap();
    trap.0.store(true, Ordering::SeqCst);
    let letters = bus.dead_letters("items").unwrap();
    letters.requeue(1);
    run(&mut bus);
    assert_eq!((letters.len(), letters.counts().requeued), (1, 0));
    assert!(!items.is_closed());
    items.try_send(Item::new(BAD[0] + 1)).unwrap();
    run(&mut bus);
    assert!(items.is_closed());
    assert_eq!((letters.len(), letters.counts().requeued), (1, 0));
}
