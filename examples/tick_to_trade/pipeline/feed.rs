//! The market's side: sends ticks by the clock.

use airssys_rt::prelude::*;

use super::messages::{ASK, BID, INSTRUMENTS, Tick};
use super::schedule::{Due, Schedule};

pub(crate) struct Feed {
    pub(crate) ticks: Sender<Tick>,
    /// When message 0 was due: durable, so that the schedule goes on through a restart, and what was due meanwhile is late.
    pub(crate) began_ns: Durable<u64>,
    pub(crate) schedule: Schedule,
}

impl Actor for Feed {
    fn step(&mut self) -> Result<Step, Refused> {
        let number = self.ticks.sent();
        let (due_ns, sent_ns) = match self.schedule.look(&mut self.began_ns, number) {
            Due::Now { due_ns, now_ns } => (due_ns, now_ns),
            Due::Later => return Ok(Step::Idle),
            Due::NoMore => return Ok(Step::Done),
        };
        self.ticks.send(tick(number, due_ns, sent_ns))?;
        Ok(Step::Busy)
    }
}

/// Follows from its number alone: a step that is run again sends the same.
fn tick(number: u64, due_ns: u64, sent_ns: u64) -> Tick {
    let random = scrambled(number);
    let side = if random & 1 == 0 { BID } else { ASK };
    let away = 1 + i64::from((random >> 8) as u32 % 8);
    let middle = 10_000;
    Tick {
        due_ns,
        sent_ns,
        price: if side == BID {
            middle - away
        } else {
            middle + away
        },
        instrument: (random >> 16) as u32 % INSTRUMENTS as u32,
        side,
        quantity: 1 + (random >> 32) as u32 % 100,
        number: number as u32,
    }
}

/// The finalizer of splitmix64.
fn scrambled(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
