//! Our ring and links beside the published peers and the limit of the machine, in one run.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin compare             # everything, in about 10 minutes
//! cargo run --release -p airssys-benches --bin compare -- --quick  # four payloads, within 45 s
//! cargo run --release -p airssys-benches --bin compare -- --json   # one object a line
//! cargo run --release -p airssys-benches --bin compare -- --report # also written to today's directory under `perf-reports/`
//! ```
//!
//! | file | concern |
//! |---|---|
//! | `cell` | one measurement: what is asked, and what came of it |
//! | `catalog` | the subjects, and what each of them can do |
//! | `subject` | what a subject has to be: two ends |
//! | `raw`, `ours`, `peers`, `link` | the subjects |
//! | `message` | what is sent, and the check of what is received |
//! | `sides` | what the two sides do, the same for all subjects |
//! | `wait`, `control`, `clock`, `cores` | what the sides share |
//! | `threads`, `processes` | where the sides are |
//! | `run` | the rounds |
//! | `figures`, `goals`, `output` | what is made of them |
//! | `nameless`, `leftovers` | the memory that everything lies in; what has a name, and how that goes away |

#![deny(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::cast_sign_loss, reason = "times and counts")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

mod catalog;
mod cell;
mod clock;
mod control;
mod cores;
mod figures;
mod goals;
mod leftovers;
mod link;
mod message;
mod nameless;
mod ours;
mod output;
mod peers;
mod processes;
mod raw;
mod run;
mod sides;
mod subject;
mod threads;
mod wait;

use std::io::Write as _;
use std::process::ExitCode;

use airssys_benches::{environment, report_directory};
use clap::{Parser, Subcommand};
use nix::sys::signal::Signal;

use crate::catalog::Which;
use crate::cell::Cell;
use crate::leftovers::Names;
use crate::run::{Extent, Run};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Measures our ring and links beside the published peers and the limit of this machine
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Four payloads, three rounds
    #[arg(long)]
    quick: bool,
    /// Prints one object a line and no table
    #[arg(long)]
    json: bool,
    /// Also writes `compare.{json,md}` into today's directory under perf-reports/
    #[arg(long)]
    report: bool,
    /// Only these subjects, and the limits
    #[arg(long, value_delimiter = ',')]
    only: Vec<Which>,
    /// Rounds, if not the usual number
    #[arg(long)]
    rounds: Option<usize>,
    /// Time of each measurement, if not the usual one
    #[arg(long)]
    lasts_us: Option<u64>,
}

/// A process of a measurement
#[derive(Debug, Subcommand)]
#[command(hide = true)]
enum Part {
    /// The other side
    Far(Cell),
    /// The launcher of a topology, or one of its partitions
    Link(Cell),
    /// Who removes what a run has left
    Sweep { prefix: String },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.part {
        Some(Part::Far(cell)) => far(cell),
        Some(Part::Link(cell)) => link(cell),
        Some(Part::Sweep { prefix }) => leftovers::sweep(prefix),
        None => compare(&arguments),
    };
    if let Err(error) = done {
        let _ = writeln!(std::io::stderr(), "\ncompare: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn set_crowded(cores: &[usize]) {
    wait::set_crowded(cores.is_empty());
}

fn far(cell: &Cell) -> Result<()> {
    processes::end_with(cell.parent, Signal::SIGKILL)?;
    set_crowded(&cell.cores);
    catalog::far_side(cell)
}

fn link(cell: &Cell) -> Result<()> {
    set_crowded(&cell.cores);
    link::run(cell)
}

fn compare(arguments: &Arguments) -> Result<()> {
    let cores = cores::two()?;
    set_crowded(&cores);
    if cores.is_empty() {
        writeln!(
            std::io::stderr(),
            "this process may use one core only: both sides share it, unpinned, and no figure says how fast a ring is"
        )?;
    }
    let mut extent = if arguments.quick {
        Extent::QUICK
    } else {
        Extent::FULL
    };
    extent.rounds = arguments.rounds.unwrap_or(extent.rounds).max(1);
    extent.lasts_us = arguments.lasts_us.unwrap_or(extent.lasts_us);
    let names = Names::new()?;
    let mut run = Run::new(extent, cores.clone(), &names, arguments.only.clone());
    let clock_ns = run.clock.cost_ns();
    let figures = run.measure()?;
    drop(names);
    let shown = output::Shown {
        figures: &figures,
        extent,
        cores: &cores,
        clock_ns,
        environment: environment(),
        command: command(),
    };
    if arguments.json {
        for line in shown.lines() {
            println!("{line}");
        }
    } else {
        println!("{}", shown.text()?);
    }
    if arguments.report {
        let directory = report_directory()?;
        airssys_benches::report::write(&directory, "compare", &shown.value(), &shown.text()?)?;
        writeln!(std::io::stderr(), "written to {}", directory.display())?;
    }
    Ok(())
}

/// What makes this run again.
fn command() -> String {
    let program = "cargo run --release -p airssys-benches --bin compare";
    let passed: Vec<String> = std::env::args().skip(1).collect();
    if passed.is_empty() {
        program.to_owned()
    } else {
        format!("{program} -- {}", passed.join(" "))
    }
}
