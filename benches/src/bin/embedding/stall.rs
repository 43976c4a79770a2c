//! What a launch does to a large process with hot threads, beside the scheduler's own doing and a fork's.
//!
//! The fork is a real one of the same process: the standard library forks where it has to set the child's user, even to the
//! one that it is already.

use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use airssys_benches::median;
use airssys_benches::report::{micros, quantiles_ns};
use airssys_rt::Launch;
use airssys_rt::prelude::Wait;
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::hot::{self, PAGE_WORDS};
use crate::part::{Kind, Part, Result, Settings};
use crate::ring::Ring;

const NAME: &str = "stall";

pub(crate) const KIND: Kind = Kind {
    name: NAME,
    title: "A launch inside of a large process with hot threads",
    enter,
    measure,
};

const PARTITIONS: usize = 4;
const GIB: u64 = 1 << 30;
const GIB_DEFAULT: u64 = 8;

/// What the main thread does in a round, while the others are hot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Launch,
    Fork,
}

impl Doing {
    const ALL: [Self; 3] = [Self::Nothing, Self::Launch, Self::Fork];
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Launch => "launches 4 partitions and drops them",
            Self::Fork => "forks, and the child executes `true`",
        })
    }
}

/// The rounds of one kind, with so many hot threads.
struct Line {
    hot: usize,
    doing: Doing,
    gaps: Histogram<u64>,
    /// The longest gap of each round.
    longest_ns: Vec<u64>,
    /// How long the launch, or the fork, took the main thread in each round.
    took: Vec<Duration>,
}

fn ring() -> Ring {
    Ring {
        part: NAME,
        wait: Wait::spin_then_park(),
        partitions: PARTITIONS,
        lasts: None,
    }
}

fn enter(_: &Settings) -> Result<()> {
    ring().enter()
}

fn measure(settings: &Settings) -> Result<Part> {
    let bytes = heap_bytes(settings)?;
    let mut memory = vec![0_u64; bytes as usize / 8];
    for page in memory.chunks_mut(PAGE_WORDS) {
        page[0] = 1; // there is no page before it is touched
    }
    let cores = core_affinity::get_core_ids().ok_or("this machine doesn't tell its cores")?;
    let mut lines = measure_with(&mut memory, &cores, settings)?;
    if let [_, but_first @ ..] = &cores[..]
        && !but_first.is_empty()
    {
        lines.extend(measure_with(&mut memory, but_first, settings)?);
    }
    let huge_pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let huge_pages = huge_pages.map_or_else(|_| "unknown".to_owned(), |text| text.trim().into());
    Ok(Part {
        figures: json!({
            "heap_bytes": bytes,
            "transparent_huge_pages": huge_pages,
            "rounds": lines.iter().map(Line::figures).collect::<Value>(),
        }),
        text: render(&lines, bytes, &huge_pages)?,
    })
}

fn heap_bytes(settings: &Settings) -> Result<u64> {
    if let Some(gib) = settings.gib {
        return Ok(gib.max(1) * GIB);
    }
    let memory = fs::read_to_string("/proc/meminfo")?;
    let free = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .ok_or("/proc/meminfo doesn't tell MemAvailable")?;
    let most = if settings.short { 1 } else { GIB_DEFAULT } * GIB;
    Ok(most.min(free * 1024 / 2))
}

/// Rounds of all kinds, interleaved, with a hot thread on each of `cores`.
fn measure_with(memory: &mut [u64], cores: &[CoreId], settings: &Settings) -> Result<Vec<Line>> {
    let rounds = if settings.short { 2 } else { 5 };
    let window = settings.time(Duration::from_secs(1), Duration::from_millis(300));
    let kinds = Doing::ALL.len();
    let mut took = Vec::new();
    let gaps = hot::run(memory, cores, rounds * kinds, |phases| {
        for phase in 0..rounds * kinds {
            phases.begin(phase);
            let end = Instant::now() + window;
            took.push(act(Doing::ALL[phase % kinds])?);
            thread::sleep(end.saturating_duration_since(Instant::now()));
        }
        Ok(())
    })?;
    let lines = Doing::ALL.into_iter().enumerate().map(|(kind, doing)| {
        let own = || gaps.iter().skip(kind).step_by(kinds);
        let mut together = hot::empty();
        for gaps in own() {
            together.add(gaps)?;
        }
        Ok(Line {
            hot: cores.len(),
            doing,
            gaps: together,
            longest_ns: own().map(Histogram::max).collect(),
            took: took.iter().copied().skip(kind).step_by(kinds).collect(),
        })
    });
    lines.collect()
}

/// Does it, and tells how long the part took that comes from the operating system's way of making processes.
fn act(doing: Doing) -> Result<Duration> {
    let begun = Instant::now();
    match doing {
        Doing::Nothing => Ok(Duration::ZERO),
        Doing::Launch => {
            let running = ring().topology()?.launch(Launch::Processes)?;
            let took = begun.elapsed();
            drop(running);
            Ok(took)
        }
        Doing::Fork => {
            let own = nix::unistd::geteuid().as_raw();
            let mut child = Command::new("true").uid(own).spawn()?;
            let took = begun.elapsed();
            child.wait()?;
            Ok(took)
        }
    }
}

impl Line {
    fn took_ms(&self) -> f64 {
        let all: Vec<f64> = self
            .took
            .iter()
            .map(|time| time.as_secs_f64() * 1e3)
            .collect();
        median(&all)
    }

    /// The median of the rounds' longest gaps.
    fn longest_typical_ns(&self) -> u64 {
        let mut sorted = self.longest_ns.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    fn figures(&self) -> Value {
        json!({
            "hot_threads": self.hot,
            "main_thread": self.doing.to_string(),
            "gap_ns": quantiles_ns(&self.gaps),
            "longest_gap_of_each_round_ns": self.longest_ns,
            "took_ms": self.took.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Value>(),
        })
    }
}

fn render(lines: &[Line], bytes: u64, huge_pages: &str) -> Result<String> {
    let mut text = format!(
        "A process that has touched {:.1} GiB of heap (transparent huge pages: `{huge_pages}`). Each hot thread is pinned to a \
         core of its own, writes to a page of that heap and reads the clock, turn after turn; gaps are between two readings, \
         in microseconds, to within 0.1 %, all of them. Rounds are interleaved. With a hot thread on every core whatever else \
         runs has to take a core from one of them: those gaps are the scheduler's. With one core left free what remains is \
         what the hot threads themselves are made to wait for.\n\n",
        bytes as f64 / GIB as f64
    );
    text += "| hot threads | meanwhile the main thread | rounds | gap p50 | p99.99 | longest, median of rounds | longest | its \
             launch or fork, ms |\n|---|---|---|---|---|---|---|---|\n";
    for line in lines {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            line.hot,
            line.doing,
            line.longest_ns.len(),
            micros(line.gaps.value_at_quantile(0.5)),
            micros(line.gaps.value_at_quantile(0.9999)),
            micros(line.longest_typical_ns()),
            micros(line.gaps.max()),
            line.took_ms(),
        )?;
    }
    Ok(text)
}
