//! Kills an actor after every instruction of what it does to its durable collections, and plants mistakes in their undo log.

use std::fmt::Write as _;

use airssys_ringbuf::step::mistake;

use super::Campaign;
use crate::collections::{Budget, catch, every_instruction};
use crate::failure::Failure;
use crate::run::{Outcome, Run};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "collections",
    question: "does a kill after any single instruction leave half a change in a durable collection?",
    unit: "judgements",
    count: 10_000,
    short: 400,
    run,
};

/// Memories of all lives, about: what second lives and real kills are drawn from.
const MEMORIES: u64 = 1_000;

fn run(run: &Run) -> Result<Outcome, Failure> {
    let mut report = String::new();
    let stride = (10 * MEMORIES / run.count().clamp(1, 10 * MEMORIES)).max(1) as usize;
    let budget = Budget {
        second_life_stride: 5 * stride,
        kill_stride: stride,
        offset: run.draws().below(MEMORIES) as usize,
    };
    let tally = every_instruction::<{ mistake::NONE }>(Some(budget), |failure, _| match failure {
        Failure::Violated(what) => {
            run.violated(what);
            Ok(())
        }
        Failure::Broken(_) => Err(failure),
    })?;
    run.tried(tally.trials as u64);
    // Writing to a string can't fail.
    let _ = writeln!(report, "{tally:?}");
    // A planted mistake may make the step panic; what it says is in the table.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for mistake in mistake::UNDO {
        let name = mistake.name;
        let (tally, violations) = catch(mistake.number).map_err(|failure| failure.at(name))?;
        if violations.is_empty() {
            run.violated(format_args!("`{name}` was not caught"));
        }
        run.tried(tally.trials as u64);
        let first = violations.first().map_or("-", String::as_str);
        let first: String = first.chars().take(80).collect();
        let _ = writeln!(
            report,
            "{name:<34} {:>6} points {:>4} judged {:>4} violations  first: {first}",
            tally.points,
            tally.trials,
            violations.len()
        );
    }
    std::panic::set_hook(hook);
    Ok(Outcome { report })
}
