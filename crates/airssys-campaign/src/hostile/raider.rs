//! The hostile partition: an actor that takes part for a while, and then never returns from its step.

use airssys_rt::{Actor, Receiver, Refused, Sender, Step};
use bytemuck::Zeroable as _;

use super::{Count, Draws, GO, Line, raid};
use crate::traffic::{IN, Item};

type Raids = (Sender<Item>, Sender<Line>);
type Baits = (Receiver<Item>, Receiver<Line>);

#[derive(Debug)]
pub(super) struct Raider {
    raids: Raids,
    baits: Baits,
    draws: Draws,
    count: Option<Count>,
    steps: u64,
}

impl Raider {
    pub(super) fn new((raids, baits): (Raids, Baits), draws: Draws) -> Self {
        Self {
            raids,
            baits,
            draws,
            count: Count::of_parent().ok(),
            steps: 0,
        }
    }

    fn may_raid(&self) -> bool {
        self.count.as_ref().is_none_or(|count| count.get() >= GO)
    }
}

impl Actor for Raider {
    fn step(&mut self) -> Result<Step, Refused> {
        self.steps += 1;
        if self.steps > self.draws.peace && self.may_raid() {
            let raided = Count::of_parent()
                .map_err(Into::into)
                .and_then(|count| raid::raid(self.draws.seed, self.draws.strategy, &count));
            if let Err(error) = raided {
                eprintln!("the raid couldn't begin: {error}");
            }
            return Ok(Step::Done);
        }
        for seq in 0..self.raids.0.room().min(8) as u64 {
            self.raids.0.send(Item::new(IN[0], seq, 0))?;
        }
        for _ in 0..self.raids.1.room().min(8) {
            self.raids.1.send(Line::zeroed())?;
        }
        self.baits.0.drain(8, |_| {});
        self.baits.1.drain(8, |_| {});
        Ok(Step::Busy)
    }
}
