//! What a program with other types left is taken over, with every message and every value.

use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{BusError, LaunchError, Message, RunError, TopologyBuilder};

use crate::common::{Item, Seen, Source, assert_no_trace, bus_name, join};

const TOTAL: u64 = 100;
const FALL: u64 = 40;

/// What the next release keeps of what it has seen.
#[message]
#[derive(Debug, PartialEq, Eq)]
struct Seen2 {
    seen: Seen,
    migrated_at: u64,
}

/// Keeps the state of its release, and every number.
struct Sink<S: Message> {
    input: Receiver<Item>,
    seen: Durable<S>,
    numbers: DurableVec<S>,
    note: fn(&mut S, &Item) -> u64,
    falls: bool,
}

impl<S: Message> Actor for Sink<S> {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        let next = (self.note)(&mut self.seen.borrow_mut(), &item);
        self.numbers.push(self.seen.get()).unwrap();
        assert!(!self.falls || next <= FALL, "on purpose");
        Ok(Step::Busy)
    }
}

fn topology<S: Message>(bus: &str, note: fn(&mut S, &Item) -> u64, falls: bool) -> TopologyBuilder {
    let mut plan = Topology::builder(bus);
    plan.intensity(0, Duration::from_secs(3_600))
        .leftover(Leftover::Resume);
    let (out, input) = plan.link::<Item>("items", 16);
    plan.partition("source").actor("source", out, |out| Source {
        out,
        total: TOTAL,
        batch: 4,
    });
    let ends = (
        input,
        durable::<S>("seen"),
        durable::vector::<S>("numbers", TOTAL as usize),
    );
    plan.partition("sink")
        .actor("sink", ends, move |(input, seen, numbers)| Sink {
            input,
            seen,
            numbers,
            note,
            falls,
        });
    plan
}

fn note(seen: &mut Seen, item: &Item) -> u64 {
    seen.note(item);
    seen.next
}

fn note2(seen: &mut Seen2, item: &Item) -> u64 {
    note(&mut seen.seen, item)
}

#[test]
fn the_next_release_goes_on_with_its_own_types() {
    let bus = bus_name("migrated");
    let running = topology(&bus, note, true).build().unwrap();
    let running = running.launch(Launch::Threads).unwrap();
    assert!(matches!(join(running), Err(RunError::Escalated { .. })));

    let refused = topology(&bus, note2, false).build().unwrap();
    let refused = refused.launch(Launch::Threads).unwrap_err();
    let LaunchError::Bus(error @ BusError::OtherTopology { .. }) = refused else {
        panic!("{refused}");
    };
    let text = error.to_string();
    assert!(
        text.contains(
            "cell `sink/seen`: the message is `Seen2` in this program, `Seen` in what was left"
        ),
        "{text}"
    );

    let mut plan = topology(&bus, note2, false);
    for state in ["seen", "numbers"] {
        plan.migrate("sink", state, |seen: &Seen| Seen2 {
            seen: *seen,
            migrated_at: seen.next,
        });
    }
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    let seen = Seen2 {
        seen: Seen::of(TOTAL),
        migrated_at: FALL,
    };
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(seen));
    assert_no_trace(&bus);
}
