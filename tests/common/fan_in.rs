//! Two partitions with many links each into one.

use airssys_rt::prelude::*;
use airssys_rt::{LinkOut, TopologyBuilder};

use super::Item;

/// Links from each of the two: together more than are scanned.
pub(crate) const LINKS: usize = 20;

/// What the gathering actor has seen, committed with each step.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gathered {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    /// Messages that were lost, repeated, out of order or torn.
    pub(crate) wrong: u64,
}

impl Gathered {
    /// What remains of `total` messages from each of the two partitions.
    pub(crate) fn of(total: u64) -> Self {
        let mut sum = 0_u64;
        let mut sent = [0; LINKS];
        for turn in 0..total {
            let link = link_of(turn);
            sum = sum.wrapping_add(Item::new(sent[link]).value);
            sent[link] += 1;
        }
        Self {
            count: 2 * total,
            sum: sum.wrapping_mul(2),
            wrong: 0,
        }
    }
}

/// Some links get much, some little.
fn link_of(turn: u64) -> usize {
    (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % LINKS * (turn as usize % 4) / 3
}

/// Sends `total` messages, one or two a step.
struct Spread {
    links: Vec<Sender<Item>>,
    turn: Durable<u64>,
    total: u64,
}

impl Actor for Spread {
    fn step(&mut self) -> Result<Step, Refused> {
        for _ in 0..2 {
            let turn = self.turn.get();
            if turn == self.total {
                return Ok(Step::Done);
            }
            let link = &mut self.links[link_of(turn)];
            link.send(Item::new(link.sent()))?;
            self.turn.set(turn + 1);
        }
        Ok(Step::Busy)
    }
}

struct Gather {
    links: Receivers<Item>,
    seen: Durable<Gathered>,
    /// Falls at every so manieth message.
    fall_every: u64,
    passed: u64,
}

impl Actor for Gather {
    fn step(&mut self) -> Result<Step, Refused> {
        let mut count = 0;
        while count < 8 {
            let Some((link, item)) = self.links.try_recv() else {
                break;
            };
            count += 1;
            self.passed += 1;
            let mut seen = self.seen.borrow_mut();
            let expected = Item::new(self.links.received(link) - 1);
            let right = item.seq == expected.seq && item.value == expected.value;
            seen.wrong += u64::from(!right);
            seen.count += 1;
            seen.sum = seen.sum.wrapping_add(item.value);
            assert!(self.passed != self.fall_every, "planned");
        }
        if count == 0 && self.links.is_closed() {
            return Ok(Step::Done);
        }
        Ok(count.into())
    }
}

/// Partitions `left` and `right`, which send `total` messages each, and `gather`, whose actor falls after so many.
pub(crate) fn gathering(plan: &mut TopologyBuilder, total: u64, fall_every: u64) {
    let mut inputs = Vec::new();
    for side in ["left", "right"] {
        let mut outs: Vec<LinkOut<Item>> = Vec::new();
        for link in 0..LINKS {
            let (out, input) = plan.link::<Item>(format!("{side}-{link}"), 8);
            outs.push(out);
            inputs.push(input);
        }
        let ends = (outs, durable::<u64>("turn"));
        plan.partition(side)
            .actor(side, ends, move |(links, turn)| Spread {
                links,
                turn,
                total,
            });
    }
    let ends = (fan_in(inputs), durable::<Gathered>("seen"));
    plan.partition("gather")
        .actor("gather", ends, move |(links, seen)| Gather {
            links,
            seen,
            fall_every,
            passed: 0,
        });
}
