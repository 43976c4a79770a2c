//! Kills the middle partition after every instruction of a step, of recovery and of its first start, in every scenario.
//!
//! The memory after each instruction is judged in any case; at how many a process is killed for real is what the count says.

use std::fmt::Write as _;

use super::Campaign;
use crate::failure::Failure;
use crate::points::{Budget, Tally, every_instruction};
use crate::run::{Outcome, Run};
use crate::scenarios::{SCENARIOS, Scenario};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "every-instruction",
    question: "does a kill after any single instruction lose, repeat or tear a message?",
    unit: "judgements",
    count: 2_000,
    short: 20,
    run,
};

/// Instructions of all lives' recoveries and steps, about: what the real kills are drawn from.
const POINTS: u64 = 200_000;

/// Instructions of attaching change no memory: so many fewer of them get a kill of their own.
const ATTACH_FACTOR: usize = 300;

/// Instructions that change memory: so many more of them do.
const CHANGE_FACTOR: usize = 100;

/// Second lives that each life gets at least, and one more for so many kills.
const SECOND_LIVES: u64 = 2;
const KILLS_A_SECOND_LIFE: u64 = 100;

/// From so many kills on, attaching is judged.
const THOROUGH: u64 = 1_000;

fn run(run: &Run) -> Result<Outcome, Failure> {
    let mut draws = run.draws();
    let mut report = String::new();
    loop {
        let seed = draws.below(u64::MAX);
        let budget = budget(run.count(), draws.below(POINTS) as usize);
        for scenario in &SCENARIOS {
            let tally = one(run, scenario, budget, seed)?;
            run.tell(format_args!("{}: {tally}", scenario.name));
            // Writing to a string can't fail.
            let _ = writeln!(report, "{:<10} {tally}  {}", scenario.name, scenario.what);
        }
        // Without a time one pass is all.
        if run.count() != u64::MAX || !run.has_time() {
            return Ok(Outcome { report });
        }
    }
}

fn budget(count: u64, offset: usize) -> Budget {
    let stride = (POINTS / count.clamp(1, POINTS)) as usize;
    Budget {
        kill_stride: stride,
        change_kill_stride: (stride / CHANGE_FACTOR).max(1),
        attach_kill_stride: stride * ATTACH_FACTOR,
        second_lives: (SECOND_LIVES + count / KILLS_A_SECOND_LIFE) as usize,
        attaching: count >= THOROUGH,
        offset,
    }
}

fn one(run: &Run, scenario: &Scenario, budget: Budget, seed: u64) -> Result<Tally, Failure> {
    let mut before = 0;
    every_instruction(scenario, budget, seed, |tally| {
        run.tried((tally.trials - before) as u64);
        before = tally.trials;
    })
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:>6} instructions, {:>5} memories, {:>5} killed for real; after a kill {:>7} instructions, {:>6} memories; {:>6} \
             judgements, {:>6} of what is in work",
            self.points,
            self.memories,
            self.kills,
            self.second_points,
            self.second_memories,
            self.trials,
            self.looks
        )
    }
}
