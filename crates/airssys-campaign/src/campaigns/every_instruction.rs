//! Kills the middle partition after every instruction of a step, of recovery and of its first start.
//!
//! The memory after each instruction is judged in any case; at how many a process is killed for real is what the count says.

use std::fmt::Write as _;

use super::Campaign;
use crate::failure::Failure;
use crate::points::{Budget, every_instruction};
use crate::run::{Outcome, Run};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "every-instruction",
    question: "does a kill after any single instruction lose, repeat or tear a message?",
    unit: "judgements",
    count: 2_000,
    short: 160,
    run,
};

/// Instructions of all lives' recoveries and steps, about: what the real kills are drawn from.
const POINTS: u64 = 10_000;

/// Instructions of attaching change no memory: so many fewer of them get a kill of their own.
const ATTACH_FACTOR: usize = 300;

/// From so many real kills on, second lives start from every memory and not from every other.
const THOROUGH: u64 = 1_000;

fn run(run: &Run) -> Result<Outcome, Failure> {
    let kills = run.count().clamp(1, POINTS);
    let stride = (POINTS / kills) as usize;
    let mut draws = run.draws();
    let mut report = String::new();
    loop {
        let budget = Budget {
            kill_stride: stride,
            attach_kill_stride: stride * ATTACH_FACTOR,
            second_life_stride: if kills < THOROUGH { 2 } else { 1 },
            offset: draws.below(POINTS) as usize,
        };
        let mut before = 0;
        let tally = every_instruction(budget, |tally| {
            run.tried((tally.trials - before) as u64);
            before = tally.trials;
        })?;
        // Writing to a string can't fail.
        let _ = writeln!(report, "{tally:?}");
        // Without a time one pass is all.
        if run.count() != u64::MAX || !run.has_time() {
            return Ok(Outcome { report });
        }
    }
}
