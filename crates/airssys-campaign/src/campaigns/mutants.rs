//! Plants mistakes in the step and demands that the campaign of every instruction catches each of them.
//!
//! The trials are the mistakes, the violations those that escaped, and the step without one if it doesn't pass.

use std::fmt::Write as _;

use airssys_ringbuf::step::mistake;

use super::Campaign;
use crate::failure::Failure;
use crate::points::{Caught, catch_mistake};
use crate::run::{Outcome, Run};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "mutants",
    question: "would the campaigns notice a mistake in the step?",
    unit: "mistakes",
    count: u64::MAX,
    short: u64::MAX,
    run,
};

fn run(run: &Run) -> Result<Outcome, Failure> {
    // A planted mistake may make the step panic; what it says is in the table.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = String::new();
    let sound = row(&mut report, mistake::NONE, "none")?;
    if sound.violations > 0 {
        run.violated("the step without a mistake doesn't pass");
    }
    for (number, name) in mistake::ALL {
        if !run.goes_on() {
            break;
        }
        if row(&mut report, number, name)?.violations == 0 {
            run.violated(format_args!("`{name}` was not caught"));
        }
        run.tried(1);
    }
    std::panic::set_hook(hook);
    Ok(Outcome { report })
}

fn row(report: &mut String, number: u8, name: &str) -> Result<Caught, Failure> {
    let caught = catch(number).map_err(|failure| failure.at(name))?;
    let first = caught.first.as_deref().unwrap_or("-");
    // Writing to a string can't fail.
    let _ = writeln!(
        report,
        "{name:<30} {:>6} points {:>4} judged {:>4} violations  first: {first}",
        caught.tally.points, caught.tally.trials, caught.violations
    );
    Ok(caught)
}

fn catch(number: u8) -> Result<Caught, Failure> {
    match number {
        mistake::NONE => catch_mistake::<{ mistake::NONE }>(),
        mistake::PUBLISH_BEFORE_COMMIT => catch_mistake::<{ mistake::PUBLISH_BEFORE_COMMIT }>(),
        mistake::CREDIT_BEFORE_COMMIT => catch_mistake::<{ mistake::CREDIT_BEFORE_COMMIT }>(),
        mistake::STALE_CELL => catch_mistake::<{ mistake::STALE_CELL }>(),
        mistake::CELL_IN_PLACE => catch_mistake::<{ mistake::CELL_IN_PLACE }>(),
        mistake::RECORD_IN_PLACE => catch_mistake::<{ mistake::RECORD_IN_PLACE }>(),
        mistake::NO_REPUBLISH => catch_mistake::<{ mistake::NO_REPUBLISH }>(),
        mistake::RECOVER_INACTIVE => catch_mistake::<{ mistake::RECOVER_INACTIVE }>(),
        mistake::TWO_WORD_COMMIT => catch_mistake::<{ mistake::TWO_WORD_COMMIT }>(),
        mistake::UNTOUCHED_CELL_FLIPPED => catch_mistake::<{ mistake::UNTOUCHED_CELL_FLIPPED }>(),
        mistake::DONE_OUTSIDE_RECORD => catch_mistake::<{ mistake::DONE_OUTSIDE_RECORD }>(),
        mistake::LAST_COMMIT_FORGOTTEN => catch_mistake::<{ mistake::LAST_COMMIT_FORGOTTEN }>(),
        mistake::INACTIVE_TRUSTED => catch_mistake::<{ mistake::INACTIVE_TRUSTED }>(),
        mistake::RANGE_KEPT => catch_mistake::<{ mistake::RANGE_KEPT }>(),
        _ => Ok(Caught::default()),
    }
}
