//! Measures how long messages take up to their last one in 100,000, at several rates, and writes the whole report.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin tail                                 # some 4 minutes
//! cargo run --release -p airssys-benches --bin tail -- --rate 50000 --seconds 30    # one rate, for longer
//! ```
//!
//! | file of the report | what it has |
//! |---|---|
//! | `tail.md` | percentiles of every series, for people |
//! | `tail.json` | the same, and the environment, for programs; `tail_diff` compares two of them |
//! | `tail.svg`, `tail-max.svg` | latencies over their percentiles; the longest of each interval over time |
//! | `tail.hlog` | every second's histogram of every series, for the tools of `HdrHistogram` |
//! | `tail/<series>.hgrm` | each series' percentiles, for the plotter of `HdrHistogram` |
//!
//! Messages are due by the clock, whether anybody keeps up or not, and are timed from when they were due. Beside each rate runs
//! what the machine does to a thread that does nothing but to keep that schedule.
//!
//! | file | concern |
//! |---|---|
//! | `series` | what is measured: which topology, as what, at which rate |
//! | `link` | two partitions: one way over a link, and there and back |
//! | `measured` | what became of it: histograms, and intervals |
//! | `clock` | what the clock itself costs |
//! | `text`, `plots`, `files` | the report |
//!
//! The pipeline, its schedule and its floor are those of `examples/tick_to_trade`.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

mod clock;
mod files;
mod link;
mod measured;
mod plots;
mod series;
mod text;

#[path = "../../../../examples/tick_to_trade/latency/mod.rs"]
mod latency;
#[path = "../../../../examples/tick_to_trade/pipeline/mod.rs"]
mod pipeline;
#[path = "../../../../examples/tick_to_trade/run.rs"]
mod run;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use airssys_benches::{environment, report_directory, tail};
use clap::CommandFactory;
use clap::Parser;
use clap::error::ErrorKind;
use serde_json::Value;

use crate::latency::percentiles::{figures, micros};
use crate::measured::{INTERVAL, Measured};
use crate::pipeline::cores;
use crate::series::{Kind, Series};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Caches, page tables and clocks of a processor that was idle are not what is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// The last stage keeps 24 bytes for each.
const MESSAGES_MAX: u64 = 40_000_000;

const INTERRUPTED: u8 = 130;

/// Measures how long messages take, up to the last one in 100,000
#[derive(Debug, Parser)]
#[command(name = "tail")]
struct Arguments {
    /// Messages a second; may be given several times
    #[arg(long, default_values_t = [10_000, 100_000, 1_000_000], value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Vec<u64>,
    /// Seconds that count of each series, after one of warm-up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Cores to pin the partitions to, such as 2,3,4,5; all that this process may use, if none are named
    #[arg(long, value_delimiter = ',', value_name = "CORE,..")]
    cores: Vec<usize>,
    /// Writes the report here, and not into today's directory under perf-reports/
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

impl Arguments {
    fn refuse(why: String) -> ! {
        Self::command()
            .error(ErrorKind::ValueValidation, why)
            .exit()
    }

    /// All that is to be measured, each rate beginning with its floor.
    fn series(&self) -> Vec<Series> {
        let cores = match &self.cores[..] {
            [] => cores::allowed(),
            named => named.to_vec(),
        };
        if cores.is_empty() {
            Self::refuse(
                "the kernel doesn't say which cores may be used; name some with --cores".to_owned(),
            );
        }
        let lasts = Duration::from_secs(self.seconds);
        let mut all = Vec::new();
        for &rate in &self.rate {
            let of_rate = Series::all_of(rate, WARM_UP, lasts, &cores);
            let count = of_rate[0].schedule.count();
            if count > MESSAGES_MAX {
                Self::refuse(format!(
                    "--rate {rate} for --seconds {} and one of warm-up makes {count} messages; at most {MESSAGES_MAX} are kept: lower one of them",
                    self.seconds
                ));
            }
            all.extend(of_rate);
        }
        all
    }
}

/// What makes this run again.
fn command() -> String {
    let program = "cargo run --release -p airssys-benches --bin tail";
    let passed: Vec<String> = std::env::args().skip(1).collect();
    if passed.is_empty() {
        program.to_owned()
    } else {
        format!("{program} -- {}", passed.join(" "))
    }
}

fn main() -> ExitCode {
    measure().unwrap_or_else(|error| {
        eprintln!("tail: {error}");
        ExitCode::FAILURE
    })
}

fn measure() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let all = arguments.series();
    for series in &all {
        series.enter()?; // in a partition's process: runs it and never returns
    }

    for series in &all {
        series.check()?; // before anything takes its time
    }
    let directory = match &arguments.out {
        Some(directory) => directory.clone(),
        None => report_directory()?,
    };
    files::prepare(&directory)?; // a wrong path shouldn't cost a run
    let load_before = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let (began, began_at) = (Instant::now(), SystemTime::now());
    let mut measured = Vec::new();
    for (index, series) in all.iter().enumerate() {
        let Some(one) = Measured::of(series, began)? else {
            eprintln!("tail: interrupted, nothing is written");
            return Ok(ExitCode::from(INTERRUPTED));
        };
        println!(
            "{}/{} {}: {}",
            index + 1,
            all.len(),
            series.name(),
            in_short(&one)
        );
        measured.push(one);
    }
    let report = tail::Report {
        command: command(),
        environment: environment_with(&all),
        load_before: load_before.trim_end().to_owned(),
        clock_ns: figures(&clock::cost()),
        warm_up_s: WARM_UP.as_secs(),
        seconds: arguments.seconds,
        interval_ms: INTERVAL.as_millis() as u64,
        series: measured.iter().map(Measured::figures).collect(),
    };
    files::write(&directory, &report, &measured, began_at)?;
    println!("written to {}", directory.display());
    Ok(ExitCode::SUCCESS)
}

fn in_short(measured: &Measured) -> String {
    let of = &measured.response;
    let (p50, p999) = (of.value_at_quantile(0.5), of.value_at_quantile(0.999));
    format!(
        "p50 {} us, p99.9 {} us, max {} us",
        micros(Some(p50)),
        micros(Some(p999)),
        micros(Some(of.max()))
    )
}

/// The environment, and which partition was pinned where.
fn environment_with(all: &[Series]) -> serde_json::Map<String, Value> {
    let Value::Object(mut environment) = environment() else {
        return serde_json::Map::new();
    };
    let pinned = Kind::ALL.iter().filter_map(|&kind| {
        let of_kind = all.iter().find(|series| series.kind == kind)?;
        let cores: Vec<String> = of_kind
            .placement
            .cores
            .iter()
            .map(usize::to_string)
            .collect();
        Some(format!("{kind} on {}", cores.join(" ")))
    });
    let pinned = pinned.collect::<Vec<_>>().join(", ");
    environment.insert("pinning".to_owned(), pinned.into());
    environment
}
