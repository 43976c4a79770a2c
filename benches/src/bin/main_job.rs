//! Measures the main job, `examples/wordcount`, and writes its report: throughput beside `wc -lw` on the same file in the
//! same run, interleaved; and totals and recovery times over seeds with kills.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin main_job            # all of it: 5 rounds, 20 seeds with 200 kills each
//! cargo run --release -p airssys-benches --bin main_job -- --quick # 3 rounds, 2 seeds
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use airssys_benches::report::heading;
use airssys_benches::{environment, median, report_directory, root};
use serde_json::{Value, json};

const FILE_BYTES: usize = 200_000_000;
const KILLS: u64 = 200;
const KILL_EVERY: &str = "10ms";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, seeds) = if quick { (3, 2) } else { (5, 20) };
    let built = Command::new("cargo")
        .args(["build", "--release", "--example", "wordcount"])
        .current_dir(root())
        .status()?;
    if !built.success() {
        return Err("the example wordcount does not build".into());
    }
    let wordcount = target_directory()?.join("release/examples/wordcount");
    let file = std::env::temp_dir().join(format!("airssys-main-job-{}.txt", std::process::id()));
    make_file(&file)?;
    let measured = measure(&wordcount, &file, rounds, seeds);
    fs::remove_file(&file)?;
    let (throughput, kills) = measured?;
    let directory = report_directory()?;
    let report = json!({
        "command": format!("cargo run --release -p airssys-benches --bin main_job{}", if quick { " -- --quick" } else { "" }),
        "environment": environment(),
        "file_bytes": FILE_BYTES,
        "throughput": throughput,
        "kills": kills,
    });
    let text = render(&report)?;
    airssys_benches::report::write(&directory, "main-job", &report, &text)?;
    println!("{text}\nwritten to {}", directory.display());
    Ok(())
}

fn target_directory() -> Result<PathBuf> {
    let metadata = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
    let directory = metadata["target_directory"].as_str();
    Ok(directory
        .ok_or("cargo metadata names no target directory")?
        .into())
}

/// Text of this repository, over and over.
fn make_file(path: &Path) -> Result<()> {
    let text = fs::read(root().join("Cargo.lock"))?;
    let mut file = fs::File::create(path)?;
    let mut left = FILE_BYTES;
    while left > 0 {
        let part = left.min(text.len());
        file.write_all(&text[..part])?;
        left -= part;
    }
    Ok(())
}

/// The last line of standard output of one run, as the object that it is.
fn run(wordcount: &Path, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(wordcount)
        .args(arguments)
        .arg("--json")
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("wordcount {arguments:?}: {}: {said}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(
        text.lines().last().unwrap_or_default(),
    )?)
}

fn measure(wordcount: &Path, file: &Path, rounds: u32, seeds: u64) -> Result<(Value, Vec<Value>)> {
    let path = file.to_str().ok_or("a temporary path that is not UTF-8")?;
    let (mut ours, mut threads, mut wc) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        ours.push(rate_of(&run(wordcount, &[path])?));
        threads.push(rate_of(&run(wordcount, &[path, "--threads"])?));
        let start = Instant::now();
        let counted = Command::new("wc").args(["-lw", path]).output()?;
        wc.push(FILE_BYTES as f64 / 1e6 / start.elapsed().as_secs_f64());
        if !counted.status.success() {
            return Err("wc -lw failed".into());
        }
        println!(
            "round {round}: {:.0} MB/s in processes, {:.0} in threads, wc {:.0}",
            ours[ours.len() - 1],
            threads[threads.len() - 1],
            wc[wc.len() - 1]
        );
    }
    let throughput = json!({
        "unit": "MB/s",
        "processes": ours, "threads": threads, "wc_lw": wc,
        "median": { "processes": median(&ours), "threads": median(&threads), "wc_lw": median(&wc) },
    });
    let mut killed = Vec::new();
    for seed in 1..=seeds {
        let result = run_with_kills(wordcount, path, seed)?;
        println!("seed {seed}: {result}");
        killed.push(result);
    }
    Ok((throughput, killed))
}

fn rate_of(result: &Value) -> f64 {
    result["mb_per_s"].as_f64().unwrap_or(f64::NAN)
}

/// One seed, with as many repetitions as it takes to get the kills in.
fn run_with_kills(wordcount: &Path, path: &str, seed: u64) -> Result<Value> {
    let seed = seed.to_string();
    let mut repeat = 32_u64;
    loop {
        let times = repeat.to_string();
        let result = run(
            wordcount,
            &[
                path,
                "--repeat",
                &times,
                "--kill-every",
                KILL_EVERY,
                "--seed",
                &seed,
            ],
        )?;
        let kills = result["kills"].as_u64().unwrap_or(0);
        if kills >= KILLS {
            return Ok(result);
        }
        repeat = repeat * (KILLS + 40) / kills.max(1) + 1;
    }
}

fn render(report: &Value) -> Result<String> {
    let median = &report["throughput"]["median"];
    let command = report["command"].as_str().unwrap_or_default();
    let mut text = heading("The main job", command, &report["environment"]);
    writeln!(
        text,
        "\n## Throughput, {FILE_BYTES} bytes, median of interleaved rounds\n"
    )?;
    writeln!(text, "| | MB/s |\n|---|---|")?;
    for (name, key) in [
        ("three partitions as processes", "processes"),
        ("three partitions as threads", "threads"),
        ("`wc -lw`", "wc_lw"),
    ] {
        writeln!(
            text,
            "| {name} | {:.0} |",
            median[key].as_f64().unwrap_or(f64::NAN)
        )?;
    }
    writeln!(text, "\n## Killed every {KILL_EVERY} on average\n")?;
    writeln!(
        text,
        "| seed | kills | restarts | equal | recovery p50 ms | p99 | max | MB/s |\n|---|---|---|---|---|---|---|---|"
    )?;
    for (index, run) in report["kills"].as_array().into_iter().flatten().enumerate() {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            index + 1,
            run["kills"],
            run["restarts"],
            run["equal"],
            run["recovery_p50_ms"],
            run["recovery_p99_ms"],
            run["recovery_max_ms"],
            run["mb_per_s"]
        )?;
    }
    writeln!(
        text,
        "\nWhere the time of a recovery goes, medians over all seeds:\n\n| part | ms |\n|---|---|"
    )?;
    for (part, what) in [
        (
            "death",
            "from the kill until the supervisor begins the next life",
        ),
        ("spawn", "`posix_spawn`"),
        (
            "start",
            "exec, dynamic linking, `main`, mapping the regions",
        ),
        ("first_step", "recovery, making the actor, the first step"),
    ] {
        let runs = report["kills"].as_array().into_iter().flatten();
        let all: Vec<f64> = runs
            .filter_map(|run| run["recovery_parts_p50_ms"][part].as_f64())
            .collect();
        writeln!(text, "| {what} | {:.2} |", airssys_benches::median(&all))?;
    }
    Ok(text)
}
