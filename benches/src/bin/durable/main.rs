//! Measures what a step pays for durable state: small changes to a table of 64 MiB beside the same to one of 64 KiB and to a
//! cell; and how long a restart takes with each.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin durable                # prints
//! cargo run --release -p airssys-benches --bin durable -- --record    # writes the report, too
//! cargo run --release -p airssys-benches --bin durable -- --quick     # fewer rounds
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

mod restart;
mod steps;

use std::error::Error;
use std::fmt::Write as _;

use airssys_benches::report::heading;
use airssys_benches::{environment, median, report_directory};
use serde_json::{Value, json};

use self::restart::Restarts;
use self::steps::{Subject, nanoseconds};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rows of 64 bytes.
const SMALL: usize = 1 << 10;
const LARGE: usize = 1 << 20;

/// Rows that a step changes a word of.
const CHANGES: [usize; 4] = [0, 1, 8, 64];

const SUBJECTS: [(Subject, &str); 8] = [
    (Subject::Nothing, "no durable state"),
    (Subject::SmallCell, "a cell of 64 B"),
    (Subject::Cell, "a cell of 4 KiB"),
    (
        Subject::Heap { rows: SMALL },
        "64 KiB of the heap, lost at a crash",
    ),
    (
        Subject::Heap { rows: LARGE },
        "64 MiB of the heap, any row, lost at a crash",
    ),
    (
        Subject::Table {
            rows: SMALL,
            hot: SMALL,
        },
        "a table of 64 KiB",
    ),
    (
        Subject::Table {
            rows: LARGE,
            hot: SMALL,
        },
        "a table of 64 MiB, any of 1024 rows all over it",
    ),
    (
        Subject::Table {
            rows: LARGE,
            hot: LARGE,
        },
        "a table of 64 MiB, any row",
    ),
];

fn main() -> Result<()> {
    restart::enter()?;
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let (rounds, turns, kills) = if has("--quick") {
        (3, 20_000, 5)
    } else {
        (9, 40_000, 25)
    };
    let steps = measure_steps(rounds, turns)?;
    let restarts = restart::measure(kills)?;
    let command = "cargo run --release -p airssys-benches --bin durable -- --record";
    let environment = environment();
    let mut text = heading("Durable state", command, &environment);
    write_steps(&mut text, &steps, (rounds, turns))?;
    write_restarts(&mut text, &restarts, kills)?;
    println!("{text}");
    if has("--record") {
        let report = json!({
            "command": command, "environment": environment, "steps": steps, "restarts": restarts.iter().map(Restarts::to_json)
                .collect::<Vec<_>>(),
        });
        let directory = report_directory()?.join("durable");
        airssys_benches::report::write(&directory, "durable", &report, &text)?;
        println!("written to {}", directory.display());
    }
    Ok(())
}

/// Rounds interleaved: each subject and number of changes once in each.
fn measure_steps(rounds: usize, turns: u64) -> Result<Vec<Value>> {
    let mut figures = vec![vec![Vec::new(); CHANGES.len()]; SUBJECTS.len()];
    for _ in 0..rounds {
        for ((subject, _), figures) in SUBJECTS.iter().zip(&mut figures) {
            let found = nanoseconds(*subject, &CHANGES, turns)?;
            for (figures, found) in figures.iter_mut().zip(found) {
                figures.push(found);
            }
        }
    }
    let rows = SUBJECTS.iter().zip(&figures).map(|((_, name), figures)| {
        let of = |figures: &Vec<f64>| {
            let mut sorted = figures.clone();
            sorted.sort_by(f64::total_cmp);
            json!({ "median_ns": median(figures), "rounds_ns": sorted })
        };
        json!({ "state": name, "steps": CHANGES.iter().zip(figures).map(|(changes, figures)| {
            json!({ "changes": changes, "figures": of(figures) })
        }).collect::<Vec<_>>() })
    });
    Ok(rows.collect())
}

fn write_steps(text: &mut String, steps: &[Value], (rounds, turns): (usize, u64)) -> Result<()> {
    writeln!(
        text,
        "\nNanoseconds of a turn of a partition, driven by this thread, whose only actor commits a step that changes one word of so \
         many rows of 64 bytes, or fields of the cell, drawn anew each time. Medians of {rounds} interleaved rounds of {turns} \
         turns. A step of no changes commits nothing.\n\n| durable state | {} |\n|---|{}",
        CHANGES
            .map(|changes| format!("{changes} changes"))
            .join(" | "),
        "---|".repeat(CHANGES.len())
    )?;
    for row in steps {
        let figure = |place: usize| row["steps"][place]["figures"]["median_ns"].as_f64();
        let cells =
            (0..CHANGES.len()).map(|place| format!("{:.0}", figure(place).unwrap_or(f64::NAN)));
        let cells: Vec<String> = cells.collect();
        let name = row["state"].as_str().unwrap_or("?");
        writeln!(text, "| {name} | {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn write_restarts(text: &mut String, restarts: &[Restarts], kills: usize) -> Result<()> {
    writeln!(
        text,
        "\nMilliseconds from a SIGKILL to the end of the next life's first step, of a process that changes 16 rows in each step; \
         {kills} kills each.\n\n| durable state | median | longest | of that: start | first step |\n\
         |---|---|---|---|---|"
    )?;
    for restarts in restarts {
        let [total, longest, start, first] = restarts.figures();
        let name = restarts.name;
        writeln!(
            text,
            "| {name} | {total:.1} | {longest:.1} | {start:.1} | {first:.2} |"
        )?;
    }
    Ok(())
}
