//! A report: the same figures as a file for programs and as tables for people.

use std::fs;
use std::io;
use std::path::Path;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The title of a report's text, the command that makes it, and what it ran on.
#[must_use]
pub fn heading(title: &str, command: &str, environment: &Value) -> String {
    format!("# {title}\n\n`{command}`\n\n```json\n{environment:#}\n```\n")
}

/// Writes `<name>.json` and `<name>.md`.
///
/// # Errors
///
/// What the file system says.
pub fn write(directory: &Path, name: &str, figures: &Value, text: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(
        directory.join(format!("{name}.json")),
        format!("{figures:#}\n"),
    )?;
    fs::write(directory.join(format!("{name}.md")), text)
}

/// The quantiles that reports give, of a histogram of nanoseconds, in nanoseconds; and how many values there are.
#[must_use]
pub fn quantiles_ns(histogram: &Histogram<u64>) -> Value {
    json!({
        "count": histogram.len(),
        "p50": histogram.value_at_quantile(0.5),
        "p90": histogram.value_at_quantile(0.9),
        "p99": histogram.value_at_quantile(0.99),
        "p99_9": histogram.value_at_quantile(0.999),
        "p99_99": histogram.value_at_quantile(0.9999),
        "max": histogram.max(),
    })
}

/// Nanoseconds as microseconds with as many digits as mean something.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "figures with three digits")]
pub fn micros(nanoseconds: u64) -> String {
    let us = nanoseconds as f64 / 1e3;
    if us < 10.0 {
        format!("{us:.2}")
    } else if us < 100.0 {
        format!("{us:.1}")
    } else {
        format!("{us:.0}")
    }
}
