//! What an actor has in work, as anybody reads it who has its region.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::Layout;
use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{RingShape, actor_section, credit_section, ring_section};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{Attach, InWork, Receiver, Receivers, StepCore, Verdict, in_work};

const LINKS: [&str; 2] = ["left", "right"];

/// A region with a source of two links and the sink of both; so many messages lie in each.
fn bus(layout: Layout, messages: u64) -> Region {
    let schema = u64::SCHEMA.to_text();
    let shape = RingShape::with_layout(8, 64, false, layout).unwrap();
    let mut plan = RegionPlan::new("work", "own", 1);
    plan.add(actor_section("source", 0, 2))
        .add(actor_section("sink", 2, 0));
    for link in LINKS {
        plan.add(ring_section(link, &schema, &shape))
            .add(credit_section(link));
    }
    let region = Region::heap(&plan).unwrap();
    let mut attach = Attach::<0>::new(&region, "source", 0, 2).unwrap();
    let mut senders = LINKS.map(|link| attach.sender::<u64>(link, &region).unwrap());
    let mut core = attach.finish();
    core.begin(u64::MAX);
    for sender in &mut senders {
        (0..messages).for_each(|value| sender.send(value).unwrap());
    }
    assert!(core.finish(Verdict::Keep).unwrap().committed);
    region
}

struct Sink {
    core: StepCore,
    links: [Receiver<u64>; 2],
}

fn sink(region: &Region, incarnation: u64) -> Sink {
    let mut attach = Attach::new(region, "sink", 2, 0).unwrap();
    attach.incarnation(incarnation);
    let links = LINKS.map(|link| attach.receiver::<u64>(link, region).unwrap());
    Sink {
        core: attach.finish(),
        links,
    }
}

#[track_caller]
fn expect(region: &Region, incarnation: u64, inputs: &[Range<u64>; 2]) {
    let expected = InWork {
        incarnation,
        inputs: inputs.to_vec(),
    };
    assert_eq!(in_work(region, "sink", 2, 0).unwrap(), expected);
}

/// A way to receive messages up to number `nth`, and what lies behind each.
type Receive = fn(&mut Receiver<u64>, u64, &mut dyn FnMut(u64));

const RECEIVES: [(&str, Receive); 4] = [
    ("try_recv", |link, nth, handle| {
        (0..=nth).for_each(|_| handle(link.try_recv().unwrap()));
    }),
    ("drain", |link, nth, handle| {
        link.drain(nth as usize + 1, |message| handle(*message));
    }),
    ("drain_slices", |link, nth, handle| {
        link.drain_slices(nth as usize + 1, |run| {
            for message in run {
                handle(*message);
            }
        });
    }),
    ("recv_slice", |link, nth, handle| {
        let mut values = vec![0; nth as usize + 1];
        link.recv_slice(&mut values);
        values.into_iter().for_each(handle);
    }),
];

/// At each message the handler could die: that message is in work, and everything before it of the same step.
#[test]
fn what_a_death_finds_is_what_the_handler_was_shown() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        for (name, receive) in RECEIVES {
            let region = bus(layout, 10);
            let mut sink = sink(&region, 7);
            expect(&region, 7, &[0..0, 0..0]);
            sink.core.begin(u64::MAX);
            let mut shown = 0;
            receive(&mut sink.links[0], 4, &mut |message| {
                let found = in_work(&region, "sink", 2, 0).unwrap().inputs;
                // A slice is shown as one, so all of it is in work at its first message.
                let whole = name.contains("slice");
                assert!(found[0].end > message, "{name}: {found:?}");
                assert!(whole || found[0].end == message + 1, "{name}: {found:?}");
                assert!(found[0].end <= 5, "{name}: {found:?}");
                assert_eq!((found[0].start, &found[1]), (0, &(0..0)), "{name}");
                shown += 1;
            });
            assert_eq!(shown, 5, "{name}");
            receive(&mut sink.links[1], 0, &mut |_| {});
            expect(&region, 7, &[0..5, 0..1]);
        }
    }
}

#[test]
fn after_a_commit_or_an_abort_nothing_is_in_work() {
    let region = bus(Layout::Sequenced, 10);
    let mut sink = sink(&region, 1);
    sink.core.begin(u64::MAX);
    sink.links[0].drain(3, |_| {});
    assert!(sink.core.finish(Verdict::Keep).unwrap().committed);
    expect(&region, 1, &[3..3, 0..0]);
    sink.core.begin(u64::MAX);
    sink.links[0].drain(2, |_| {});
    sink.links[1].drain(2, |_| {});
    expect(&region, 1, &[3..5, 0..2]);
    assert!(!sink.core.finish(Verdict::Abort).unwrap().committed);
    expect(&region, 1, &[3..3, 0..0]);
    let rehearsed = sink.core.rehearse(u64::MAX, || {
        sink.links[0].drain(2, |_| {});
    });
    assert!(!rehearsed.unwrap().committed);
    expect(&region, 1, &[3..3, 0..0]);
}

/// A message that the handler returned an error for stays in work until its step ends, and not longer.
#[test]
fn a_message_left_where_it_is_is_in_work_until_the_step_ends() {
    for received in [0, 2] {
        let region = bus(Layout::Sequenced, 10);
        let mut sink = sink(&region, 1);
        sink.core.begin(u64::MAX);
        let refused = sink.links[0].try_drain(5, |message| match *message {
            message if message == received => Err(()),
            _ => Ok(()),
        });
        assert_eq!(refused, Err(()));
        expect(&region, 1, &[0..received + 1, 0..0]);
        let outcome = sink.core.finish(Verdict::Keep).unwrap();
        assert_eq!(outcome.committed, received > 0);
        expect(&region, 1, &[received..received, 0..0]);
    }
}

/// What one life had in work when it ended, in whatever way, isn't laid to the next one's charge.
#[test]
fn the_next_life_begins_with_nothing_in_work() {
    let region = bus(Layout::Sequenced, 10);
    let mut first = sink(&region, 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        first.core.begin(u64::MAX);
        first.links[1].drain(5, |message| assert_ne!(*message, 3, "a bad message"));
    }));
    assert!(panicked.is_err());
    drop(first);
    expect(&region, 1, &[0..0, 0..4]);
    let second = sink(&region, 2);
    expect(&region, 2, &[0..0, 0..0]);
    drop(second);
    // Recovery alone is nobody's life.
    drop(sink(&region, 0));
    expect(&region, 0, &[0..0, 0..0]);
}

#[test]
fn many_links_as_one_port_mark_each_its_own() {
    let region = bus(Layout::Sequenced, 10);
    let mut attach = Attach::<0>::new(&region, "sink", 2, 0).unwrap();
    attach.incarnation(3);
    let links = LINKS.map(|link| (link, &region));
    let mut all: Receivers<u64> = attach.receivers(&links).unwrap();
    let mut core = attach.finish();
    core.begin(u64::MAX);
    let mut marked = [0..0, 0..0];
    let mut check = |link: usize| {
        marked[link].end += 1;
        expect(&region, 3, &marked);
    };
    let (link, _) = all.try_recv().unwrap();
    check(link);
    let drained = all.drain(100, |link, _| check(link));
    assert_eq!(drained, 19);
    assert!(core.finish(Verdict::Keep).unwrap().committed);
    expect(&region, 3, &[10..10, 10..10]);
}
