//! The command line. Every partition's process parses the same one.

use std::path::PathBuf;
use std::time::Duration;

use airssys_rt::Launch;
use clap::Parser;

use crate::pipeline::cores;
use crate::pipeline::schedule::Schedule;

/// What is sent before is not counted: caches, page tables and clocks of a processor that was idle.
const WARM_UP: Duration = Duration::from_secs(1);

/// The gateway keeps 24 bytes for each.
const TICKS_MAX: u64 = 40_000_000;

/// Times a pipeline of four pinned partitions, from when a tick was due to when its order goes out
#[derive(Clone, Debug, Parser)]
#[command(name = "tick_to_trade")]
pub(crate) struct Arguments {
    /// Ticks a second
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// Seconds that count, after one of warm-up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Runs each partition as a process of its own, and not as a thread
    #[arg(long)]
    processes: bool,
    /// Cores for feed, book, strategy and gateway, such as 2,3,4,5; all that this process may use, if none are named
    #[arg(long, value_delimiter = ',', value_name = "CORE,..")]
    cores: Vec<usize>,
    /// Prints one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// Draws the latency over its percentiles into this SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Writes the latencies as text of `HdrHistogram` into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
}

impl Arguments {
    /// What was asked for, unless that is too much.
    pub(crate) fn schedule(&self) -> Result<Schedule, String> {
        let schedule = Schedule {
            rate: self.rate,
            warm_up: WARM_UP,
            lasts: Duration::from_secs(self.seconds),
        };
        let count = schedule.count();
        if count > TICKS_MAX {
            return Err(format!(
                "--rate {} for --seconds {} and one of warm-up makes {count} ticks; at most {TICKS_MAX} are kept: lower one of them",
                self.rate, self.seconds
            ));
        }
        Ok(schedule)
    }

    pub(crate) fn launch(&self) -> Launch {
        if self.processes {
            Launch::Processes
        } else {
            Launch::Threads
        }
    }

    pub(crate) fn cores(&self) -> Result<Vec<usize>, String> {
        let cores = if self.cores.is_empty() {
            cores::allowed()
        } else {
            self.cores.clone()
        };
        if cores.is_empty() {
            return Err(
                "the kernel doesn't say which cores this process may use; name some with --cores"
                    .to_owned(),
            );
        }
        Ok(cores)
    }
}
