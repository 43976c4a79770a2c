//! Counts the instructions of the hot operations under valgrind's callgrind: the same number on a busy machine as on a quiet one.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin instructions                    # a table
//! cargo run --release -p airssys-benches --bin instructions -- --json          # an object a line
//! cargo run --release -p airssys-benches --bin instructions -- --report        # and instructions.{json,md}
//! cargo run --release -p airssys-benches --bin instructions -- --check FILE    # exit status 1 if something takes more
//! ```
//!
//! | file | concern |
//! |---|---|
//! | `operation` | what is counted, and what is done uncounted around it |
//! | `ring`, `turns`, `host` | the operations |
//! | `callgrind` | this program again, under valgrind |
//! | `check` | against a recorded report |
//!
//! Instructions are not time: they tell that the code has grown, not what a cache miss or a fence costs.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "counts with few digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

mod callgrind;
mod check;
mod host;
mod operation;
mod ring;
mod turns;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use airssys_benches::hosted;
use airssys_benches::report::{heading, write};
use airssys_benches::{environment, report_directory};
use clap::{Parser, Subcommand};
use serde_json::json;

use crate::check::{Count, Recorded};
use crate::operation::{Operation, Result};

/// Counts the instructions of the hot operations under valgrind's callgrind
#[derive(Debug, Parser)]
#[command(name = "instructions", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    run: Option<Run>,
    /// Prints an object a line instead of the table
    #[arg(long)]
    json: bool,
    /// Writes instructions.{json,md} into today's directory under perf-reports/
    #[arg(long)]
    report: bool,
    /// A recorded instructions.json: exit status 1 if an operation takes over 5 % and 3 instructions more than there
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Only operations with this in their names
    #[arg(long, value_name = "TEXT", conflicts_with = "report")]
    only: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Run {
    /// Under valgrind: calls one operation so many times
    #[command(hide = true)]
    Run { operation: String, calls: u64 },
}

fn all() -> Vec<Operation> {
    let mut all = ring::operations();
    all.extend(turns::operations());
    all.extend(host::operations());
    all
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.run {
        Some(Run::Run { operation, calls }) => run(operation, *calls).map(|()| ExitCode::SUCCESS),
        None => measure(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("instructions: {error}");
        ExitCode::from(2)
    })
}

fn run(name: &str, calls: u64) -> Result<()> {
    let operations = all();
    let found = operations.iter().find(|one| one.name == name);
    let operation = found.ok_or_else(|| format!("there is no operation `{name}`"))?;
    if (operation.run)(calls)? {
        return Ok(());
    }
    Err(format!("`{name}`: a call did not do what it is counted for").into())
}

fn measure(arguments: &Arguments) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return Err(
            "this is a debug build, whose instructions nobody runs: use `cargo run --release`"
                .into(),
        );
    }
    // Read before minutes are spent.
    let recorded = arguments.check.as_deref().map(Recorded::read).transpose()?;
    let valgrind = callgrind::version()?;
    let wanted = |one: &Operation| {
        let only = arguments.only.as_deref();
        only.is_none_or(|text| one.name.contains(text))
    };
    let mut counts = Vec::new();
    for operation in all().iter().filter(|one| wanted(one)) {
        let count = Count {
            operation: operation.name.clone(),
            instructions: callgrind::per_message(operation)?,
        };
        if arguments.json {
            println!("{}", serde_json::to_string(&count)?);
        } else {
            println!("{:>9.1}  {}", count.instructions, count.operation);
        }
        counts.push(count);
    }
    if arguments.report {
        report(&counts, &valgrind)?;
    }
    let Some(recorded) = recorded else {
        return Ok(ExitCode::SUCCESS);
    };
    let findings = recorded.compare(&counts);
    for line in &findings.notes {
        eprintln!("note: {line}");
    }
    for line in &findings.more {
        eprintln!("more: {line}");
    }
    Ok(if findings.more.is_empty() {
        eprintln!("nothing takes over 5 % and 3 instructions more than recorded");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(counts: &[Count], valgrind: &str) -> Result<()> {
    let command = "cargo run --release -p airssys-benches --bin instructions -- --report";
    let environment = environment();
    let mut text = heading("Instructions", command, &environment);
    write!(
        text,
        "\nBy {valgrind} (callgrind): the difference of {} and {} calls, by message where a call handles several. Around the \
         counted calls, uncounted, one thread fills or drains the ring or drives the other partition; {} calls are counted at a \
         time, with their loop, of which the first line is. A turn is one of `Hosted::turn`: order, beat, step and commit, between \
         partitions that wait by spinning. Messages of turns and host ports have {} B.\n\n| operation | instructions |\n|---|--:|\n",
        callgrind::FEW,
        callgrind::MANY,
        operation::BATCH,
        size_of::<hosted::Message>(),
    )?;
    for count in counts {
        writeln!(text, "| {} | {:.1} |", count.operation, count.instructions)?;
    }
    let figures = json!({
        "command": command, "environment": environment, "valgrind": valgrind, "operations": counts,
    });
    let directory = report_directory()?;
    write(&directory, "instructions", &figures, &text)?;
    eprintln!("written to {}", directory.display());
    Ok(())
}
