//! The form of `tail.json`: what the command `tail` writes and `tail_diff` reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The file in a report's directory.
pub const FILE: &str = "tail.json";

/// The figures of a latency, in the order in which they are told.
pub const FIGURES: [&str; 9] = [
    "count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max",
];

/// Nanoseconds by the names in [`FIGURES`], and how many values there are; none for a percentile with too few values above it.
pub type Figures = BTreeMap<String, Option<u64>>;

/// A whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What made it.
    pub command: String,
    /// What it ran on.
    pub environment: Map<String, Value>,
    /// The load averages that it found.
    pub load_before: String,
    /// Between two readings of the clock.
    pub clock_ns: Figures,
    /// Seconds that were not counted, before each series.
    pub warm_up_s: u64,
    /// Seconds that were.
    pub seconds: u64,
    /// How much of the time each of [`Series::max_ns`] is about.
    pub interval_ms: u64,
    /// What was measured, in its order.
    pub series: Vec<Series>,
}

/// One measurement at one rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// Says all of it: `one-way-threads-100000`.
    pub name: String,
    /// Messages a second that were due.
    pub rate: u64,
    /// Messages a second that were done, from when the first was due until the last was there; of the floor by each thread, of
    /// which every one keeps the whole schedule.
    pub achieved: f64,
    /// Of each partition, in the order of the messages' way.
    pub cores: Vec<usize>,
    /// Lives that partitions lost.
    pub restarts: u64,
    /// From when a message was due.
    pub response_ns: Figures,
    /// From when it was really sent; none for the floor, which sends nothing.
    pub service_ns: Option<Figures>,
    /// The longest response of each interval, by when the message was due.
    pub max_ns: Vec<u64>,
}

impl Report {
    /// Reads a report: a file, or the one in a directory.
    ///
    /// # Errors
    ///
    /// A sentence that names the file, what was found and what was expected.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = if path.is_dir() {
            path.join(FILE)
        } else {
            path.to_owned()
        };
        let text = fs::read_to_string(&file).map_err(|error| {
            format!(
                "{}: {error}; expected a report's directory, or its {FILE}, as the command `tail` writes it",
                file.display()
            )
        })?;
        Self::parse(&text).map_err(|error| {
            format!(
                "{}: {error}; expected a {FILE} as the command `tail` writes it",
                file.display()
            )
        })
    }

    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_no_report_is_named_with_what_was_expected() {
        let missing = Report::read(Path::new("/nowhere/at-all")).unwrap_err();
        assert!(
            missing.starts_with("/nowhere/at-all: No such file"),
            "{missing}"
        );
        assert!(missing.contains("tail.json"), "{missing}");
        let other = Report::read(Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/Cargo.toml"
        )));
        let other = other.unwrap_err();
        assert!(
            other.contains("Cargo.toml: expected value at line 1"),
            "{other}"
        );
        let lacking = Report::parse("{\"command\": \"tail\"}").unwrap_err();
        assert!(
            lacking.to_string().contains("missing field `environment`"),
            "{lacking}"
        );
    }
}
