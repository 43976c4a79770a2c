//! Measures what many links into one partition cost: the round trip of one message in flight, over a random one of N links and
//! one link back, between two pinned partitions with steps, commits and the supervisor on; and a turn that finds nothing.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin fan_in                # 7 rounds
//! cargo run --release -p airssys-benches --bin fan_in -- --quick     # 3 short ones
//! cargo run --release -p airssys-benches --bin fan_in -- --json      # one object a line besides
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its report")]

use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use airssys_benches::report::heading;
use airssys_benches::{environment, median, report_directory};
use airssys_rt::prelude::*;
use airssys_rt::{LinkIn, LinkOut, TopologyBuilder, monotonic_ns};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

const LINKS: [usize; 5] = [1, 16, 256, 1024, 4096];
const CAPACITY: u64 = 8;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Trips = Arc<Mutex<Histogram<u64>>>;

/// Sends one message on a random link, and the next when the answer is there.
struct Ping {
    links: Vec<Sender<u64>>,
    answers: Receiver<u64>,
    trips: Trips,
    left: u64,
    warm_up: u64,
    sent_at: Option<Instant>,
    random: u64,
}

impl Actor for Ping {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        if let Some(sent_at) = self.sent_at {
            if self.answers.try_recv().is_none() {
                return Ok(Step::Idle);
            }
            let took = sent_at.elapsed().as_nanos() as u64;
            if self.warm_up > 0 {
                self.warm_up -= 1;
            } else {
                let mut trips = self.trips.lock().unwrap_or_else(PoisonError::into_inner);
                trips.saturating_record(took);
                self.left -= 1;
            }
        }
        if self.left == 0 {
            return Ok(Step::Done);
        }
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let link = (self.random >> 33) as usize % self.links.len();
        self.sent_at = Some(Instant::now());
        self.links[link].send(self.left)?;
        Ok(Step::Busy)
    }
}

struct Pong {
    links: Receivers<u64>,
    answers: Sender<u64>,
}

impl Actor for Pong {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        match self.links.try_recv() {
            Some((_, message)) => {
                self.answers.send(message)?;
                Ok(Step::Busy)
            }
            None if self.links.is_closed() => Ok(Step::Done),
            None => Ok(Step::Idle),
        }
    }
}

fn links(plan: &mut TopologyBuilder, count: usize) -> (Vec<LinkOut<u64>>, Vec<LinkIn<u64>>) {
    (0..count)
        .map(|link| plan.link::<u64>(format!("link-{link}"), CAPACITY))
        .unzip()
}

/// Round trips over one of `count` links.
fn round_trips(count: usize, trips: u64) -> Result<Histogram<u64>> {
    let cores: Vec<usize> = core_affinity::get_core_ids()
        .unwrap_or_default()
        .into_iter()
        .map(|core| core.id)
        .collect();
    let (&[first, .., second] | &[first, second]) = cores.as_slice() else {
        return Err("two cores are needed".into());
    };
    let mut plan = Topology::builder(format!("bench-fan-in-{}", std::process::id()));
    let (outs, inputs) = links(&mut plan, count);
    let (answer_out, answer_in) = plan.link::<u64>("answers", CAPACITY);
    let seen: Trips = Arc::new(Mutex::new(Histogram::new(3)?));
    let kept = Arc::clone(&seen);
    let warm_up = trips / 10 + count as u64;
    plan.partition("ping").core(first).wait(Wait::spin()).actor(
        "ping",
        (outs, answer_in),
        move |(links, answers)| Ping {
            links,
            answers,
            trips: Arc::clone(&kept),
            left: trips,
            warm_up,
            sent_at: None,
            random: monotonic_ns(),
        },
    );
    plan.partition("pong")
        .core(second)
        .wait(Wait::spin())
        .actor("pong", (fan_in(inputs), answer_out), |(links, answers)| {
            Pong { links, answers }
        });
    plan.build()?.launch(Launch::Threads)?.join()?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(seen.clone())
}

/// Nanoseconds of a turn of a partition with `count` idle links in and nothing to do, driven by this thread.
fn idle_turn(count: usize, turns: u32) -> Result<f64> {
    let mut plan = Topology::builder(format!("bench-idle-{}", std::process::id()));
    let (outs, inputs) = links(&mut plan, count);
    let (answer_out, answer_in) = plan.link::<u64>("answers", CAPACITY);
    let ends = (outs, answer_in);
    plan.partition("ping")
        .actor("ping", ends, |ends| Quiet { _ends: ends });
    plan.partition("pong").hosted().wait(Wait::spin()).actor(
        "pong",
        (fan_in(inputs), answer_out),
        |(links, answers)| Pong { links, answers },
    );
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut hosted = running.hosted("pong")?;
    for _ in 0..count + 1000 {
        hosted.turn()?;
    }
    let start = Instant::now();
    for _ in 0..turns {
        hosted.turn()?;
    }
    let took = start.elapsed().as_nanos() as f64 / f64::from(turns);
    running.stop();
    drop(hosted);
    running.join()?;
    Ok(took)
}

/// Holds its ends and sleeps.
struct Quiet<E> {
    _ends: E,
}

impl<E: 'static> Actor for Quiet<E> {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        std::thread::sleep(std::time::Duration::from_millis(1));
        Ok(Step::Idle)
    }
}

/// The figures of one number of links, by round.
#[derive(Clone, Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    idle: Vec<f64>,
}

fn main() -> Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let (rounds, trips, turns) = if has("--quick") {
        (3, 20_000, 200_000)
    } else {
        (7, 100_000, 1_000_000)
    };
    let mut figures = vec![Figures::default(); LINKS.len()];
    for _ in 0..rounds {
        for (count, figures) in LINKS.into_iter().zip(&mut figures) {
            let seen = round_trips(count, trips)?;
            figures.p50.push(seen.value_at_quantile(0.5) as f64);
            figures.p99.push(seen.value_at_quantile(0.99) as f64);
            figures.idle.push(idle_turn(count, turns)?);
        }
    }
    let base = median(&figures[0].p50);
    let rows: Vec<Value> = LINKS
        .into_iter()
        .zip(&figures)
        .map(|(links, figures)| {
            let p50 = median(&figures.p50);
            json!({
                "metric": "fan_in", "links": links, "p50_ns": p50, "p99_ns": median(&figures.p99),
                "ratio_to_one_link": p50 / base, "idle_turn_ns": median(&figures.idle),
            })
        })
        .collect();
    if has("--json") {
        rows.iter().for_each(|row| println!("{row}"));
    }
    let command = format!(
        "cargo run --release -p airssys-benches --bin fan_in{}",
        if has("--quick") { " -- --quick" } else { "" }
    );
    let environment = environment();
    let mut text = heading("Many links into one partition", &command, &environment);
    writeln!(
        text,
        "\nMedians of {rounds} interleaved rounds of {trips} round trips and {turns} idle turns.\n\n| links | round trip p50 ns | \
         p99 ns | p50 over one link | idle turn ns |\n|---|---|---|---|---|"
    )?;
    for row in &rows {
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.2} | {:.1} |",
            row["links"],
            row["p50_ns"].as_f64().unwrap_or(f64::NAN),
            row["p99_ns"].as_f64().unwrap_or(f64::NAN),
            row["ratio_to_one_link"].as_f64().unwrap_or(f64::NAN),
            row["idle_turn_ns"].as_f64().unwrap_or(f64::NAN),
        )?;
    }
    let report = json!({ "command": command, "environment": environment, "rows": rows });
    let directory = report_directory()?;
    airssys_benches::report::write(&directory, "fan-in", &report, &text)?;
    println!("{text}\nwritten to {}", directory.display());
    Ok(())
}
