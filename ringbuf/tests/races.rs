//! Two threads over one mapping, for `ThreadSanitizer`: rings, steps and host ports on the heap.
//!
//! It runs with the other tests, but what it is for is `.ci/tsan`: the sanitizer sees no race between two mappings of a page,
//! so both ends lie in one. It has a `main` of its own: the harness talks to its threads by an uninstrumented standard
//! library, which passes for a race. The sanitizer doesn't understand fences: what rests on them alone (parking, observers) is loom's business.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;

use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, ring_section,
};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{Attach, HostReceiver, HostSender, Verdict, mistake};
use airssys_ringbuf::{Layout, Message, Ring};

const ALL: [(&str, fn()); 4] = [
    ("a_sequenced_ring", a_sequenced_ring),
    ("a_contiguous_ring", a_contiguous_ring),
    ("actors_with_durable_state", actors_with_durable_state),
    ("host_ports", host_ports),
];

/// All of them, or the one that is named.
fn main() {
    let named = std::env::args().nth(1);
    // Whatever else the test command hands on is the harness's.
    let named = named.filter(|name| ALL.iter().any(|(known, _)| known == name));
    for (name, run) in ALL {
        if named.as_ref().is_none_or(|named| named == name) {
            run();
        }
    }
}

/// More than the rings hold, many times; little enough for a sanitizer.
const MESSAGES: u64 = 20_000;
const CAPACITY: u64 = 16;

type Payload = [u64; 5];

fn payload(seq: u64) -> Payload {
    [seq, !seq, seq << 7, seq ^ 0x55, seq.wrapping_mul(3)]
}

fn bare(layout: Layout) {
    let (mut tx, mut rx) = Ring::<Payload>::heap_in(CAPACITY as usize, layout).unwrap();
    // Memory goes after a join that the sanitizer sees: the standard library's counts of references rest on a fence.
    thread::scope(|scope| {
        let sending = scope.spawn(move || {
            for seq in 0..MESSAGES {
                while tx.try_send(payload(seq)).is_err() {
                    thread::yield_now();
                }
            }
            tx
        });
        for seq in 0..MESSAGES {
            let message = loop {
                match rx.try_recv() {
                    Some(message) => break message,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(message, payload(seq));
        }
        drop(sending.join().unwrap());
    });
}

fn a_sequenced_ring() {
    bare(Layout::Sequenced);
}

fn a_contiguous_ring() {
    bare(Layout::Contiguous);
}

fn regions() -> (Region, Region) {
    let shape = RingShape::new(size_of::<Payload>(), CAPACITY, false).unwrap();
    let schema = Payload::SCHEMA.to_text();
    let mut from = RegionPlan::new("races", "from", 1);
    from.add(actor_section("source", 0, 1));
    from.add(actor_section("orders", 0, 1));
    let cell = u64::SCHEMA.to_text();
    from.add(cell_section("source/sent", &cell, 8));
    from.add(ring_section("ticks", &schema, &shape));
    from.add(ring_section("orders", &schema, &shape));
    let mut to = RegionPlan::new("races", "to", 1);
    to.add(actor_section("sink", 1, 0));
    to.add(actor_section("orders", 1, 0));
    to.add(cell_section("sink/seen", &cell, 8));
    to.add(credit_section("ticks"));
    to.add(credit_section("orders"));
    (Region::heap(&from).unwrap(), Region::heap(&to).unwrap())
}

fn actors_with_durable_state() {
    let (from, to) = regions();
    thread::scope(|scope| {
        // Before the other thread is there: two that attach at once meet in the slow path of a standard library's lock, which
        // the sanitizer doesn't see and takes for a race.
        let mut attach = Attach::<{ mistake::NONE }>::new(&to, "sink", 1, 0).unwrap();
        let mut input = attach.receiver::<Payload>("ticks", &from).unwrap();
        let mut seen = attach.durable("seen", 0_u64).unwrap();
        let mut core = attach.finish();
        let sending = scope.spawn(|| {
            let mut attach = Attach::<{ mistake::NONE }>::new(&from, "source", 0, 1).unwrap();
            let mut output = attach.sender::<Payload>("ticks", &to).unwrap();
            let mut sent = attach.durable("sent", 0_u64).unwrap();
            let mut core = attach.finish();
            while sent.get() < MESSAGES {
                core.begin(0);
                let room = (output.room() as u64).min(MESSAGES - sent.get());
                for _ in 0..room {
                    output.send(payload(sent.get())).unwrap();
                    sent.set(sent.get() + 1);
                }
                let _ = core.finish(Verdict::Keep).unwrap();
                if room == 0 {
                    thread::yield_now();
                }
            }
        });
        while seen.get() < MESSAGES {
            core.begin(4);
            let mut count = seen.get();
            let drained = input.drain(4, |message| {
                assert_eq!(*message, payload(count));
                count += 1;
            });
            seen.set(count);
            let _ = core.finish(Verdict::Keep).unwrap();
            if drained == 0 {
                thread::yield_now();
            }
        }
        sending.join().unwrap();
    });
}

fn host_ports() {
    let (from, to) = regions();
    thread::scope(|scope| {
        // Before the other thread is there, as above.
        let mut port = HostReceiver::<Payload>::attach(&to, "orders", &from).unwrap();
        let sending = scope.spawn(|| {
            let mut port = HostSender::<Payload>::attach(&from, "orders", &to).unwrap();
            for seq in 0..MESSAGES {
                while port.try_send(payload(seq)).is_err() {
                    thread::yield_now();
                }
            }
        });
        for seq in 0..MESSAGES {
            let message = loop {
                match port.try_recv().unwrap() {
                    Some(message) => break message,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(message, payload(seq));
        }
        sending.join().unwrap();
    });
}
