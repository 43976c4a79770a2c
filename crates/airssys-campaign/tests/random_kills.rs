//! Kills one of three running partitions at random instants, again and again.
//!
//! `AIRSSYS_SEED` brings the draws of an earlier run back.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a campaign says what it did")]

use std::process::ExitCode;
use std::time::Instant;

use airssys_campaign::{Kills, fresh_seed, random_kills};

const KILLS: usize = 500;

fn main() -> ExitCode {
    let given = std::env::var("AIRSSYS_SEED").ok();
    let seed = given
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(fresh_seed);
    println!("{KILLS} kills, seed {seed}");
    let began = Instant::now();
    match random_kills(Kills { count: KILLS, seed }) {
        Ok(report) => {
            println!("{KILLS} trials, 0 violations, seed {seed}");
            println!("{report:?}, {:.1} s", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("1 violation, seed {seed}: {failure}");
            ExitCode::FAILURE
        }
    }
}
