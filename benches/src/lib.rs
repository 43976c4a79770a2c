//! What the benches and reports share: the environment of a run, and where its report goes.

#![forbid(unsafe_code)]

pub mod cpu;
pub mod hosted;
mod kernel;
pub mod report;
pub mod tail;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// The repository's root, where `perf-reports/` lies.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The first line that `program` prints, or "unknown".
fn first_line(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().next().map(str::to_owned)
        })
        .unwrap_or_else(|| "unknown".to_owned())
}

fn trimmed(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn cpu_model() -> String {
    let cpus = trimmed("/proc/cpuinfo");
    cpus.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(
            || "unknown".to_owned(),
            |(_, model)| model.trim().to_owned(),
        )
}

/// What a figure depends on besides the code: recorded with every run.
#[must_use]
pub fn environment() -> Value {
    json!({
        "cpu": cpu_model(),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "kernel": trimmed("/proc/sys/kernel/osrelease"),
        "kernel_parameters": kernel::latency_parameters(&trimmed("/proc/cmdline")),
        "allowed_cores": kernel::allowed_cores(&trimmed("/proc/self/status")),
        "governor": trimmed("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "clocksource": trimmed("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "compiler": first_line("rustc", &["--version"]),
        "commit": first_line("git", &["describe", "--always", "--dirty"]),
        "date": chrono::Local::now().format("%Y-%m-%d").to_string(),
    })
}

/// Today's report directory for this machine: `perf-reports/<date>-<cores>-core`, made if need be.
///
/// # Errors
///
/// What the file system says.
pub fn report_directory() -> std::io::Result<PathBuf> {
    let environment = environment();
    let name = format!(
        "{}-{}-core",
        environment["date"].as_str().unwrap_or("undated"),
        environment["cores"]
    );
    let directory = root().join("perf-reports").join(name);
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// The median of some figures; `NaN` of none.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}
