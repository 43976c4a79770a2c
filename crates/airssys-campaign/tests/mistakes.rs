//! Plants mistakes in the step and demands that the campaign of every instruction catches each of them.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a campaign says what it did")]

use std::process::ExitCode;

use airssys_campaign::{Caught, Failure, catch_mistake};
use airssys_ringbuf::step::mistake;

fn main() -> ExitCode {
    // A planted mistake may make the step panic; what it says is in the table.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = 0;
    let sound = row(mistake::NONE, "none");
    if !matches!(sound, Some(Caught { violations: 0, .. })) {
        println!("the step without a mistake must pass");
        missed += 1;
    }
    for (number, name) in mistake::ALL {
        if row(number, name).is_none_or(|caught| caught.violations == 0) {
            println!("`{name}` was not caught");
            missed += 1;
        }
    }
    println!(
        "{} mistakes planted, {missed} missed, no seed: every point is tried",
        mistake::ALL.len()
    );
    ExitCode::from(u8::from(missed > 0))
}

fn row(number: u8, name: &str) -> Option<Caught> {
    match catch(number) {
        Ok(caught) => {
            let first = caught.first.as_deref().unwrap_or("-");
            println!(
                "{name:<30} {:>6} points {:>4} trials {:>4} violations  first: {first}",
                caught.tally.points, caught.tally.trials, caught.violations
            );
            Some(caught)
        }
        Err(failure) => {
            println!("{name:<30} {failure}");
            None
        }
    }
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
