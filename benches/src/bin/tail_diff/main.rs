//! Compares two reports of the command `tail`: the response and the service of every series, the longest of its intervals, how
//! many messages a second it did, its restarts; the clock; and what differed in what they ran on.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin tail_diff -- perf-reports/OLD perf-reports/NEW
//! ```
//!
//! It judges nothing: exit status 0 whatever the figures are, 2 if one of the two is no such report.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

mod difference;

use std::path::PathBuf;
use std::process::ExitCode;

use airssys_benches::tail::Report;
use clap::Parser;

/// Compares two reports of the command `tail`
#[derive(Debug, Parser)]
#[command(name = "tail_diff")]
struct Arguments {
    /// A report's directory, or its tail.json
    old: PathBuf,
    /// Another one
    new: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match (Report::read(&arguments.old), Report::read(&arguments.new)) {
        (Ok(old), Ok(new)) => {
            print!("{}", difference::render(&old, &new));
            ExitCode::SUCCESS
        }
        (old, new) => {
            for error in [old.err(), new.err()].into_iter().flatten() {
                eprintln!("tail_diff: {error}");
            }
            ExitCode::from(2)
        }
    }
}
