//! Deaths: by the test's hand, by a panic, by a step that can't commit; and what the next life finds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_rt::Cause;
use airssys_rt::prelude::*;

use crate::common::host::{Waiting, deaf_in, host_around};
use crate::common::{Item, Seen, three_stages};

/// Counts its steps twice: in durable state, and in a field.
struct Counting {
    input: Receiver<u64>,
    durable: Durable<u64>,
    plain: u64,
}

/// Makes [`Counting`] fall in a step in which it has done everything.
const FALL: u64 = u64::MAX;

impl Actor for Counting {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.input.try_recv() else {
            return Ok(Step::Idle);
        };
        *self.durable.borrow_mut() += 1;
        self.plain += 1;
        assert!(
            number == self.plain,
            "planned: {number} instead of {}",
            self.plain
        );
        Ok(Step::Busy)
    }
}

fn counting() -> Topology {
    let mut plan = Topology::builder("counting");
    let (out, input) = plan.link::<u64>("numbers", 8);
    plan.host().sends(out);
    plan.partition("other").actor("other", (), |()| Waits);
    plan.partition("counting")
        .actor("counting", (input, durable("count")), |(input, durable)| {
            Counting {
                input,
                durable,
                plain: 0,
            }
        });
    plan.build().unwrap()
}

struct Waits;

impl Actor for Waits {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Idle)
    }
}

#[test]
fn after_a_kill_durable_state_is_kept_and_plain_fields_are_new() {
    let mut bus = counting().inline(0).unwrap();
    let mut numbers = bus.sender::<u64>("numbers").unwrap();
    for number in [1, 2, 1, 2, 3] {
        if number == 1 {
            bus.kill("counting").unwrap();
        }
        numbers.try_send(number).unwrap();
        assert_eq!(bus.turn().unwrap(), Turned::Busy);
    }
    assert_eq!(bus.read("counting", "count").unwrap(), Some(5_u64));
    let lives = bus.partitions();
    // The first kill met nobody.
    assert_eq!((lives[1].incarnations, lives[1].restarts), (2, 1));
    assert_eq!((lives[0].incarnations, lives[0].restarts), (1, 0));
    assert!(bus.kill("nobody").is_err());
}

#[test]
fn a_panic_is_the_callers_and_the_next_turn_goes_on() {
    let mut bus = counting().inline(0).unwrap();
    let mut numbers = bus.sender::<u64>("numbers").unwrap();
    for number in [1, 2, FALL] {
        numbers.try_send(number).unwrap();
    }
    bus.turn().unwrap();
    bus.turn().unwrap();
    for _ in 0..3 {
        let fallen = catch_unwind(AssertUnwindSafe(|| bus.turn())).unwrap_err();
        let text = fallen.downcast_ref::<String>().unwrap();
        assert!(
            text.starts_with(&format!("planned: {FALL} instead of ")),
            "{text}"
        );
        // Nothing of the step counts: its input is there again.
        assert_eq!(bus.read("counting", "count").unwrap(), Some(2_u64));
        assert_eq!((bus.links()[0].sent, bus.links()[0].received), (3, 2));
    }
    assert_eq!(bus.partitions()[1].restarts, 2);
}

#[test]
fn exactly_once_wherever_a_seed_kills() {
    for seed in 1..=300_u64 {
        let mut plan = Topology::builder("killed");
        three_stages(&mut plan, 4, 30, 2);
        let mut bus = plan.build().unwrap().inline(seed).unwrap();
        let victim = ["source", "relay", "sink"][(seed % 3) as usize];
        let mut turns = 0;
        while bus.turn().unwrap() != Turned::Ended {
            turns += 1;
            if turns % (1 + seed % 7) == 0 {
                bus.kill(victim).unwrap();
            }
            assert!(turns < 1_000, "seed {seed}");
        }
        for actor in ["relay", "sink"] {
            let seen = bus.read(actor, "seen").unwrap();
            assert_eq!(seen, Some(Seen::of(30)), "seed {seed}: {actor}");
        }
        let lives = bus.partitions();
        assert!(
            lives
                .iter()
                .all(|life| life.last_cause == Some(Cause::Done) && life.pid.is_none())
        );
    }
}

/// Sends two in a step over a link for one.
struct TooMuch {
    out: Sender<Item>,
}

impl Actor for TooMuch {
    fn step(&mut self) -> Result<Step, Refused> {
        self.out.send(Item::new(0))?;
        self.out.send(Item::new(1))?;
        Ok(Step::Busy)
    }
}

#[test]
fn a_step_that_can_never_commit_is_an_error_of_its_partition() {
    let mut plan = Topology::builder("too-much");
    let (out, input) = plan.link::<Item>("items", 1);
    plan.partition("greedy")
        .actor("greedy", out, |out| TooMuch { out });
    plan.host().receives(input);
    let mut bus = plan.build().unwrap().inline(0).unwrap();
    for life in 1..=2 {
        let error = bus.turn().unwrap_err().to_string();
        assert!(
            error.starts_with("bus `too-much`, partition `greedy`: actor `greedy`: link `items`: one step sends more"),
            "{error}"
        );
        assert_eq!(bus.partitions()[0].incarnations, life);
    }
}

#[test]
fn threads_that_wait_on_it_are_told_when_it_is_dropped() {
    let mut plan = Topology::builder("deaf");
    let ends = host_around(&mut plan, 4);
    deaf_in(&mut plan.partition("deaf"), ends);
    let topology = plan.build().unwrap();

    let mut bus = topology.inline(0).unwrap();
    bus.turn().unwrap();
    let waiting = Waiting::with(
        bus.sender("first").unwrap(),
        bus.receiver("second").unwrap(),
    );
    drop(bus);
    waiting.are_told();

    let running = topology.launch(Launch::Inline).unwrap();
    let (to, from) = (
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    );
    let waiting = Waiting::with(to, from);
    drop(running);
    waiting.are_told();
}
