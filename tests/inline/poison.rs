//! Messages that make their actor panic, on the test's own thread: one turn after the other shows what becomes of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_rt::prelude::*;
use airssys_rt::{DeadLetters, Inline, LetterCounts, ReadError};

use crate::common::Item;
use crate::common::poison::{Bad, Handled, Kind, handle, picky_in};

const TOTAL: u64 = 100;

/// Turns until nothing is left to do; how many of them panicked.
fn run(bus: &mut Inline) -> usize {
    let mut panics = 0;
    loop {
        match catch_unwind(AssertUnwindSafe(|| bus.run_until_idle(1_000))) {
            Ok(Ok(Turned::Busy)) => panic!("it never comes to rest"),
            Ok(Ok(_)) => return panics,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => panics += 1,
        }
        assert!(panics < 200, "it panics without end");
    }
}

/// Host, then an actor that handles up to `batch` items in a step.
fn picky(options: LinkOptions, batch: usize, bad: Bad) -> Inline {
    let mut plan = Topology::builder("poison");
    let (out, input) = plan.link_with::<Item>("items", options);
    plan.host().sends(out);
    picky_in(&mut plan.partition("picky"), input, (batch, bad));
    plan.build().unwrap().inline(0).unwrap()
}

fn send(bus: &Inline, link: &str) {
    let mut items = bus.sender::<Item>(link).unwrap();
    for seq in 0..TOTAL {
        items.try_send(Item::new(seq)).unwrap();
    }
}

fn positions(letters: &DeadLetters) -> Vec<u64> {
    let letters = letters.read::<Item>().unwrap();
    for letter in &letters {
        assert_eq!(letter.message.value, Item::new(letter.message.seq).value);
        assert_eq!(letter.cause, "an actor panicked");
    }
    letters.iter().map(|letter| letter.position).collect()
}

fn handled(bus: &Inline) -> Handled {
    bus.read("picky", "handled").unwrap().unwrap()
}

const THREE: Bad = &[
    (3, Kind::Panic),
    (41, Kind::Panic),
    (TOTAL - 1, Kind::Panic),
];

/// However many messages a step takes, and in either layout: the bad ones are named, the others handled once.
#[test]
fn a_batch_names_its_culprits() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        for batch in [1, 7, 64, 1_000] {
            let options = LinkOptions::new(128).layout(layout).dead_letters(4);
            let mut bus = picky(options, batch, THREE);
            send(&bus, "items");
            let panics = run(&mut bus);
            let letters = bus.dead_letters("items").unwrap();
            assert_eq!(positions(&letters), [3, 41, TOTAL - 1], "batch {batch}");
            assert_eq!(handled(&bus), Handled::all_but(TOTAL, &[3, 41, TOTAL - 1]));
            // Three attempts each, and for a batch one life more to find out whose they are.
            assert!((9..=12).contains(&panics), "{panics} in batches of {batch}");
            assert_eq!(letters.read::<Item>().unwrap()[0].attempts, 3);
        }
    }
}

#[test]
fn letters_are_handled_again_or_dropped_on_command() {
    let options = LinkOptions::new(128).dead_letters(4).max_attempts(1);
    let mut bus = picky(options, 8, THREE);
    send(&bus, "items");
    run(&mut bus);
    let letters = bus.dead_letters("items").unwrap();
    assert_eq!((letters.len(), letters.is_empty()), (3, false));
    // It kills again, once, and stays.
    letters.requeue(1);
    assert_eq!(run(&mut bus), 1);
    assert_eq!(positions(&letters), [3, 41, TOTAL - 1]);
    letters.drop(2);
    assert_eq!(run(&mut bus), 0);
    assert_eq!(positions(&letters), [TOTAL - 1]);
    letters.drop(10);
    run(&mut bus);
    let counts = bus.links()[0].dead_letters.unwrap();
    let of = |counts: LetterCounts| {
        let LetterCounts {
            capacity,
            waiting,
            set_aside,
            ..
        } = counts;
        let ways = (counts.overflowed, counts.requeued, counts.dropped);
        (capacity, waiting, set_aside, ways)
    };
    assert_eq!(of(counts), (4, 0, 3, (0, 0, 3)));
}

/// Refuses the letter that it gets first, and is told what to make of it by a cell.
struct Moody {
    items: Receiver<Item>,
    others: Receiver<Item>,
    handled: Durable<Handled>,
    bad: Bad,
}

impl Actor for Moody {
    /// Takes one of each, or none.
    fn step(&mut self) -> Result<Step, Refused> {
        let (Some(item), Some(other)) = (self.items.try_recv(), self.others.try_recv()) else {
            return Ok(Step::Retry);
        };
        handle(item.seq, self.bad);
        self.handled.borrow_mut().note(item.seq);
        self.handled.borrow_mut().note(other.seq);
        Ok(Step::Busy)
    }
}

/// A step that needs a message of each of two links is blamed as a whole: both go to the letters of their links.
#[test]
fn a_step_that_joins_links_is_blamed_as_a_whole() {
    const BAD: Bad = &[(5, Kind::Panic)];
    let mut plan = Topology::builder("joined");
    let ends = ["items", "others"].map(|name| {
        let options = LinkOptions::new(128).dead_letters(4).max_attempts(2);
        let (out, input) = plan.link_with::<Item>(name, options);
        plan.host().sends(out);
        input
    });
    plan.partition("picky").actor(
        "picky",
        (ends, durable("handled")),
        |([items, others], handled)| Moody {
            items,
            others,
            handled,
            bad: BAD,
        },
    );
    let mut bus = plan.build().unwrap().inline(0).unwrap();
    send(&bus, "items");
    send(&bus, "others");
    run(&mut bus);
    for link in ["items", "others"] {
        assert_eq!(positions(&bus.dead_letters(link).unwrap()), [5], "{link}");
    }
    assert_eq!(handled(&bus).count, 2 * (TOTAL - 1));
}

/// Many links as one port.
struct Gatherer {
    all: Receivers<Item>,
    handled: Durable<Handled>,
    bad: Bad,
}

impl Actor for Gatherer {
    fn step(&mut self) -> Result<Step, Refused> {
        let (handled, bad) = (&mut self.handled, self.bad);
        let received = self.all.drain(64, |link, item| {
            handle(item.seq + 1_000 * link as u64, bad);
            handled.borrow_mut().note(item.seq);
        });
        Ok(received.into())
    }
}

#[test]
fn a_batch_from_many_links_names_its_culprit() {
    const BAD: Bad = &[(7_050, Kind::Panic), (2_099, Kind::Panic)];
    const LINKS: usize = 10;
    let mut plan = Topology::builder("gathered");
    let ends = (0..LINKS).map(|link| {
        let options = LinkOptions::new(128).dead_letters(4).max_attempts(2);
        let (out, input) = plan.link_with::<Item>(format!("link-{link}"), options);
        plan.host().sends(out);
        input
    });
    let ends = fan_in(ends.collect::<Vec<_>>());
    plan.partition("picky")
        .actor("picky", (ends, durable("handled")), |(all, handled)| {
            Gatherer {
                all,
                handled,
                bad: BAD,
            }
        });
    let mut bus = plan.build().unwrap().inline(0).unwrap();
    for link in 0..LINKS {
        send(&bus, &format!("link-{link}"));
    }
    run(&mut bus);
    for link in 0..LINKS {
        let letters = bus.dead_letters(&format!("link-{link}")).unwrap();
        let expected: &[u64] = match link {
            7 => &[50],
            2 => &[99],
            _ => &[],
        };
        assert_eq!(positions(&letters), expected, "link {link}");
    }
    assert_eq!(handled(&bus).count, TOTAL * LINKS as u64 - 2);
}

#[test]
fn a_link_without_dead_letters_says_so() {
    let bus = picky(LinkOptions::new(128), 8, &[]);
    let error = bus.dead_letters("items").unwrap_err();
    assert!(matches!(error, ReadError::NoDeadLetters { .. }), "{error}");
    assert!(bus.links()[0].dead_letters.is_none());
    let error = bus.dead_letters("items/letters").unwrap_err();
    assert!(matches!(error, ReadError::Unknown { .. }), "{error}");
}
