//! Measures what embedding costs and writes `embedding.{json,md}` into today's directory under `perf-reports/`.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin embedding            # all parts, below 4 minutes
//! cargo run --release -p airssys-benches --bin embedding -- idle    # one part, only printed
//! cargo run --release -p airssys-benches --bin embedding -- --short # all parts in 20 s, only printed
//! # a large bus: its start, its first messages; written to `embedding-first-256-mib.{json,md}`
//! cargo run --release -p airssys-benches --bin embedding -- first --bus-mib 256 --report
//! ```
//!
//! | file | concern |
//! |---|---|
//! | `part` | what a part of the report is given, and what it gives |
//! | `waiting`, `idle`, `stall`, `wake` | one part each |
//! | `first`, `memory` | another: its topology, and its tables |
//! | `ring` | the topology of the first two: partitions in a ring, with a ball or without |
//! | `carry` | a histogram's way out of a partition |
//! | `usage` | the CPU that a bus uses, by who uses it |
//! | `hot` | threads that record the gaps between their turns |
//!
//! Partitions are processes of this program with the same arguments: `main` offers every part's topologies to `enter` before
//! it measures anything.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

mod carry;
mod first;
mod hot;
mod idle;
mod memory;
mod part;
mod ring;
mod stall;
mod usage;
mod waiting;
mod wake;

use std::fmt::Write as _;
use std::path::PathBuf;

use airssys_benches::report::heading;
use airssys_benches::{environment, report, report_directory};
use clap::{Parser, Subcommand};
use serde_json::{Map, Value, json};

use crate::part::{Kind, Result, Settings};

/// Measures what embedding costs
#[derive(Debug, Parser)]
struct Arguments {
    /// A part; all of them if none is named
    #[command(subcommand)]
    part: Option<Which>,
    /// A look of 20 s at everything; only prints, unless told where to write
    #[arg(long, global = true)]
    short: bool,
    /// Writes the report here
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    /// Writes a part's report, too, into today's directory under perf-reports/
    #[arg(long, global = true, conflicts_with = "out")]
    report: bool,
    /// Heap of the process that launches, in the part `stall`: by default 8, or half of what is free
    #[arg(long, global = true)]
    gib: Option<u64>,
    /// Size of the bus in the part `first`, a power of two
    #[arg(long, global = true, default_value_t = BUS_MIB, value_parser = bus_mib)]
    bus_mib: u64,
}

/// Where nothing else is asked for.
const BUS_MIB: u64 = 8;

fn bus_mib(text: &str) -> std::result::Result<u64, String> {
    match text.parse() {
        Ok(mib @ 1..=512) if u64::is_power_of_two(mib) => Ok(mib),
        _ => Err("expected is a power of two of MiB, from 1 to 512".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Which {
    /// A ball through a ring of partitions, by wait strategy: round trips, and CPU with the ball and without
    Waiting,
    /// CPU of twelve idle partitions and their supervisor
    Idle,
    /// What a launch does to the hot threads of a large process
    Stall,
    /// A Tokio task that waits for a partition: its wake-ups, and what they cost the partition
    Wake,
    /// The first 1,000 messages of a life, with and without locked memory, huge pages, warm-up steps
    First,
}

impl Which {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Idle,
        Self::Stall,
        Self::Wake,
        Self::First,
    ];

    fn kind(self) -> Kind {
        match self {
            Self::Waiting => waiting::KIND,
            Self::Idle => idle::KIND,
            Self::Stall => stall::KIND,
            Self::Wake => wake::KIND,
            Self::First => memory::KIND,
        }
    }
}

/// What makes this run again.
fn command() -> String {
    let program = "cargo run --release -p airssys-benches --bin embedding";
    let passed: Vec<String> = std::env::args().skip(1).collect();
    if passed.is_empty() {
        program.to_owned()
    } else {
        format!("{program} -- {}", passed.join(" "))
    }
}

/// A part is no whole report, and a bus of another size is another question.
fn report_name(part: Option<Which>, bus_mib: u64) -> String {
    let part = part.map_or_else(String::new, |part| format!("-{}", part.kind().name));
    let size = if bus_mib == BUS_MIB {
        String::new()
    } else {
        format!("-{bus_mib}-mib")
    };
    format!("embedding{part}{size}")
}

/// The load averages that the run found: what else wants the cores is in every figure.
fn load_before() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim_end().to_owned())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let settings = Settings {
        short: arguments.short,
        gib: arguments.gib,
        bus_mib: arguments.bus_mib,
    };
    for which in Which::ALL {
        (which.kind().enter)(&settings)?; // in a partition's process: runs it and never returns
    }

    let chosen = arguments
        .part
        .map_or_else(|| Which::ALL.to_vec(), |one| vec![one]);
    let command = command();
    let environment = environment();
    let load = load_before();
    let mut text = heading("Embedding", &command, &environment);
    writeln!(text, "\nLoad of the machine before the run: `{load}`.")?;
    let mut parts = Map::new();
    for which in chosen {
        let kind = which.kind();
        let part = (kind.measure)(&settings)?;
        let section = format!("\n## {}\n\n{}", kind.title, part.text);
        println!("{section}");
        text += &section;
        parts.insert(kind.name.to_owned(), part.figures);
    }
    let figures = json!({
        "command": command, "environment": environment, "load_before": load,
        "parts": Value::Object(parts),
    });
    let recorded = arguments.report || arguments.part.is_none() && !arguments.short;
    let name = report_name(arguments.part, arguments.bus_mib);
    let directory = match arguments.out {
        Some(directory) => directory,
        None if recorded => report_directory()?,
        None => return Ok(()),
    };
    report::write(&directory, &name, &figures, &text)?;
    println!("written to {}", directory.display());
    Ok(())
}
