//! Kills the middle partition after every instruction of a step, of recovery and of its first start.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a campaign says what it did")]

use std::process::ExitCode;
use std::time::Instant;

use airssys_campaign::{Budget, every_instruction};

fn main() -> ExitCode {
    let began = Instant::now();
    let budget = Budget {
        kill_stride: 61,
        attach_kill_stride: 20_011,
        second_life_stride: 2,
    };
    match every_instruction(budget) {
        Ok(tally) => {
            println!(
                "{} trials, 0 violations, no seed: every point is tried",
                tally.trials
            );
            println!("{tally:?}, {:.1} s", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("1 violation: {failure}");
            ExitCode::FAILURE
        }
    }
}
