//! Durable collections of a partition that is killed, panics, retries and has no room to send.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_rt::Inline;
use airssys_rt::prelude::*;

const RETRY: u64 = 1000;
const PANIC: u64 = 1001;

/// Puts what it receives into each of its collections, then sends how many there are.
struct Keeping {
    numbers: Receiver<u64>,
    counts: Sender<u64>,
    vector: DurableVec<u64>,
    map: DurableMap<u64, u64>,
    retried: bool,
}

impl Actor for Keeping {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.numbers.try_recv() else {
            return Ok(Step::Idle);
        };
        self.vector.push(number).unwrap();
        self.map
            .upsert(number % 10, 0, |count| *count += 1)
            .unwrap();
        assert_ne!(number, PANIC, "planned");
        if number == RETRY && !std::mem::replace(&mut self.retried, true) {
            return Ok(Step::Retry);
        }
        let sum: u64 = self.map.iter().map(|(_, count)| count).sum();
        assert_eq!(sum, self.vector.len() as u64);
        self.counts.send(sum)?;
        Ok(Step::Busy)
    }
}

fn keeping() -> Topology {
    let mut plan = Topology::builder("keeping");
    let (out, input) = plan.link::<u64>("numbers", 8);
    let (count_out, counts) = plan.link::<u64>("counts", 2);
    plan.host().sends(out).receives(counts);
    let ends = (
        (input, count_out),
        durable::vector("vector", 20),
        durable::map("map", 10),
    );
    plan.partition("keeping")
        .actor("keeping", ends, |((numbers, counts), vector, map)| {
            Keeping {
                numbers,
                counts,
                vector,
                map,
                retried: false,
            }
        });
    plan.build().unwrap()
}

#[test]
fn each_message_is_kept_once_however_often_its_step_is_run() {
    let mut bus = keeping().inline(0).unwrap();
    let mut numbers = bus.sender::<u64>("numbers").unwrap();
    let mut counts = bus.receiver::<u64>("counts").unwrap();
    for number in [7, RETRY, 8, 9] {
        numbers.try_send(number).unwrap();
    }
    // The third and the fourth are refused: two are not received yet.
    for _ in 0..10 {
        bus.turn().unwrap();
    }
    assert_eq!(counts.try_recv().unwrap(), Some(1));
    assert_eq!(counts.try_recv().unwrap(), Some(2));
    // What the step in work has changed beyond these is undone by now, and in the look, too.
    assert_eq!(kept(&bus), (vec![7, RETRY], vec![(0, 1), (7, 1)]));
    bus.kill("keeping").unwrap();
    for _ in 0..10 {
        bus.turn().unwrap();
    }
    assert_eq!(counts.try_recv().unwrap(), Some(3));
    assert_eq!(counts.try_recv().unwrap(), Some(4));
    // It fell in a step in which it had changed everything, and falls over it in each of its lives.
    numbers.try_send(PANIC).unwrap();
    for _ in 0..3 {
        let turned = catch_unwind(AssertUnwindSafe(|| bus.turn()));
        assert!(turned.is_err(), "it has panicked");
    }
    assert_eq!(counts.try_recv().unwrap(), None);
    let expected = (vec![7, RETRY, 8, 9], vec![(0, 1), (7, 1), (8, 1), (9, 1)]);
    assert_eq!(kept(&bus), expected);
    let refused = bus.collection("keeping", "table").unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("no collection `table`; it has: vector, map"),
        "{text}"
    );
}

/// What an observer finds.
fn kept(bus: &Inline) -> (Vec<u64>, Vec<(u64, u64)>) {
    let vector = bus.collection("keeping", "vector").unwrap();
    let map = bus.collection("keeping", "map").unwrap();
    let mut entries = map.map().unwrap();
    entries.sort_unstable();
    assert_eq!(map.get::<u64, u64>(&7).unwrap(), Some(1));
    (vector.vector().unwrap(), entries)
}
