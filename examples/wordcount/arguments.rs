//! The command line. Every partition's process parses the same one.

use std::path::PathBuf;
use std::time::Duration;

use airssys_rt::Launch;
use clap::Parser;

/// What a run without a FILE comes to, by repetition.
const DEFAULT_BYTES: u64 = 100_000_000;

/// Counts lines, words and bytes with three processes that may be killed at any instant.
#[derive(Clone, Debug, Parser)]
#[command(name = "wordcount")]
pub(crate) struct Arguments {
    /// The file to count; a file of this repository, repeated to some 100 MB, if there is none
    pub(crate) file: Option<PathBuf>,

    /// Reads the file this many times over, as one stream of bytes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: Option<u64>,

    /// Kills a random partition at random instants, this far apart on average: 500us, 20ms, 1s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) kill_every: Option<Duration>,

    /// Begins the killer's random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Runs the partitions as threads of this process, which can't be killed
    #[arg(long, conflicts_with = "kill_every")]
    threads: bool,

    /// The bus's name: two runs at once need two names
    #[arg(long, value_name = "NAME", default_value = "wordcount")]
    pub(crate) bus: String,

    /// Prints one JSON object instead of the summary
    #[arg(long)]
    pub(crate) json: bool,

    /// Shows the supervisor's lines about deaths and restarts, and no progress bar
    #[arg(long)]
    pub(crate) verbose: bool,
}

impl Arguments {
    /// The file to count.
    pub(crate) fn file(&self) -> PathBuf {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-APACHE");
        self.file.clone().unwrap_or_else(|| default.into())
    }

    /// How often the file is read if it has `size` bytes.
    pub(crate) fn repeat_of(&self, size: u64) -> u64 {
        let default = match self.file {
            Some(_) => 1,
            None => DEFAULT_BYTES.div_ceil(size.max(1)),
        };
        self.repeat.unwrap_or(default)
    }

    pub(crate) fn launch(&self) -> Launch {
        if self.threads {
            Launch::Threads
        } else {
            Launch::Processes
        }
    }
}

/// A number and its unit: `500us`, `20ms`, `1.5s`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let unit_at = text
        .find(|character: char| character.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err("a number with its unit is expected: 500us, 20ms, 1s".to_owned()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{number}` is not a number; write 500us, 20ms or 1s"))?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "a time above zero is expected, as 500us, 20ms or 1s".to_owned())
}
