//! A rehearsed step sees what a step would see, and nobody sees anything of it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, latency_section, ring_section,
};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{
    Attach, Durable, Receiver, Refused, Sender, StepCore, Verdict, latencies, progress, read_cell,
};

/// An actor that sends to itself over a stamped link of two slots.
struct Own {
    region: Region,
    core: StepCore,
    input: Receiver<u64>,
    out: Sender<u64>,
    cell: Durable<u64>,
}

fn own() -> Own {
    let schema = u64::SCHEMA.to_text();
    let shape = RingShape::new(8, 2, true).unwrap();
    let mut plan = RegionPlan::new("rehearse", "own", 1);
    plan.add(actor_section("actor", 1, 1))
        .add(cell_section("actor/cell", &schema, 8))
        .add(ring_section("loop", &schema, &shape))
        .add(credit_section("loop"))
        .add(latency_section("loop"));
    let region = Region::heap(&plan).unwrap();
    let mut attach = Attach::new(&region, "actor", 1, 1).unwrap();
    let input = attach.receiver::<u64>("loop", &region).unwrap();
    let out = attach.sender::<u64>("loop", &region).unwrap();
    let cell = attach.durable::<u64>("cell", 5).unwrap();
    Own {
        core: attach.finish(),
        region,
        input,
        out,
        cell,
    }
}

impl Own {
    /// Steps, messages received and sent, latencies counted, the cell: all that anybody can be told.
    fn shown(&self) -> (u64, Vec<u64>, Vec<u64>, u64, Option<u64>) {
        let told = progress(&self.region, "actor", 1, 1).unwrap();
        let counted = latencies(&self.region, "loop").unwrap();
        let cell = read_cell(&self.region, "actor", (1, 1), ("cell", 0)).unwrap();
        let latencies = counted.iter().map(|bucket| bucket.count).sum();
        (self.core.steps(), told.received, told.sent, latencies, cell)
    }
}

#[test]
fn nothing_of_it_is_seen_and_the_step_after_it_is_whole() {
    let mut own = own();
    own.core.begin(u64::MAX);
    own.out.send(41).unwrap();
    assert!(own.core.finish(Verdict::Keep).unwrap().committed);
    let before = own.shown();
    for _ in 0..3 {
        let Own {
            core,
            input,
            out,
            cell,
            ..
        } = &mut own;
        let outcome = core.rehearse(u64::MAX, || {
            assert_eq!(input.try_recv(), Some(41));
            assert_eq!(cell.get(), 5);
            cell.set(41);
            out.send(42).unwrap();
        });
        let outcome = outcome.unwrap();
        assert!(!outcome.committed && !outcome.visible, "{outcome:?}");
        assert_eq!(own.shown(), before);
    }
    own.core.begin(u64::MAX);
    assert_eq!(own.input.try_recv(), Some(41));
    assert_eq!(own.input.try_recv(), None, "what was rehearsed isn't sent");
    assert_eq!(own.cell.get(), 5);
    assert!(own.core.finish(Verdict::Keep).unwrap().committed);
    let (_, received, sent, latencies, cell) = own.shown();
    assert_eq!((received, sent), (vec![1], vec![1]));
    assert_eq!(latencies, 1, "the receipt that counts");
    assert_eq!(cell, Some(5));
}

#[test]
fn a_refusal_and_a_done_step_are_rolled_back_too() {
    let mut own = own();
    own.core.begin(u64::MAX);
    own.out.send_slice(&[1, 2]).unwrap();
    assert!(own.core.finish(Verdict::Keep).unwrap().committed);
    let before = own.shown();
    let Own { core, out, .. } = &mut own;
    let outcome = core.rehearse(u64::MAX, || {
        assert_eq!(out.send(3), Err(Refused::Full));
    });
    assert_eq!(outcome.unwrap().refused, Some(0));
    assert!(!own.core.is_done());
    assert_eq!(own.shown(), before);
}
