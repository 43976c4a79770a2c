//! What a step's parts cost where nothing waits: nanoseconds a message on one thread, beside the bare ring, and of a heartbeat.
//!
//! ```text
//! cargo run --release -p airssys-benches --bin costs               # and perf-reports/<date>-<host>/costs.{json,md}
//! cargo run --release -p airssys-benches --bin costs -- --quick
//! ```
//!
//! Both ends lie on one core, and their lines in its cache: what is left is the work. Rounds are interleaved.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with few digits")]
#![allow(clippy::print_stdout, reason = "a command that prints its findings")]

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use airssys_benches::hosted::{CAPACITY, FULL, Message, busy, end, keeper, plan, sink, source};
use airssys_benches::report::{heading, write};
use airssys_benches::{environment, report_directory};
use airssys_ringbuf::layout::pulse_section;
use airssys_ringbuf::pulse::Pulse;
use airssys_ringbuf::region::{Region, RegionPlan, SectionKind};
use airssys_ringbuf::{Consumer, Producer, Ring};
use airssys_rt::prelude::*;
use airssys_rt::{Hosted, Running};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A source and a sink that are driven in turns.
struct Pair {
    running: Running,
    source: Hosted,
    sink: Hosted,
    steps: u64,
}

impl Pair {
    /// `count` messages a step; the sink changes a durable cell of 64 B with each, or has none.
    fn new(count: u64, keeps: bool) -> Result<Self> {
        let mut plan = plan();
        let (out, input) = plan.link::<Message>("messages", CAPACITY);
        source(&mut plan, out, count);
        if keeps {
            keeper(&mut plan, input, count);
        } else {
            sink(&mut plan, input, count);
        }
        let running = plan.build()?.launch(Launch::Threads)?;
        Ok(Self {
            source: running.hosted("source")?,
            sink: running.hosted("sink")?,
            running,
            steps: CAPACITY / count,
        })
    }

    /// Fills the link and empties it: nanoseconds of each, by message.
    fn round(&mut self) -> Result<(f64, f64)> {
        let sent = timed(|| (0..self.steps).all(|_| busy(&mut self.source)));
        let received = timed(|| (0..self.steps).all(|_| busy(&mut self.sink)));
        let all = sent.1 && received.1;
        // What is due is given back by an idle turn.
        let _ = self.sink.turn()?;
        all.then_some((sent.0, received.0))
            .ok_or_else(|| "a turn found nothing to do".into())
    }
}

/// The same through a bare ring.
fn bare(tx: &mut Producer<Message>, rx: &mut Consumer<Message>) -> (f64, f64) {
    let sent = timed(|| (0..CAPACITY).all(|at| tx.try_send([at; 7]).is_ok()));
    let mut sum = 0;
    let received = timed(|| {
        (0..CAPACITY / FULL).all(|_| rx.drain(FULL as usize, |message| sum += message[0]) > 0)
    });
    black_box((sum, sent.1, received.1));
    (sent.0, received.0)
}

/// Nanoseconds by message of a link's capacity, and what was returned.
fn timed(work: impl FnOnce() -> bool) -> (f64, bool) {
    let start = Instant::now();
    let done = work();
    (start.elapsed().as_nanos() as f64 / CAPACITY as f64, done)
}

fn heartbeat(pulse: &Pulse, beats: &mut u64) -> f64 {
    timed(|| {
        for _ in 0..CAPACITY {
            *beats += 1;
            pulse.beat(black_box(*beats), 0, *beats);
        }
        true
    })
    .0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

const SUBJECTS: [(&str, u64, bool); 4] = [
    ("64 a step", FULL, false),
    ("64 a step, a cell of 64 B changed", FULL, true),
    ("1 a step", 1, false),
    ("1 a step, a cell of 64 B changed", 1, true),
];

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let rounds = if quick { 200 } else { 2000 };
    // Before this thread has one core alone.
    let (environment, directory) = (environment(), report_directory()?);
    if let Some(core) = core_affinity::get_core_ids().and_then(|cores| cores.first().copied()) {
        core_affinity::set_for_current(core);
    }
    let (mut tx, mut rx) = Ring::<Message>::heap(CAPACITY as usize)?;
    let mut pairs = Vec::new();
    for (_, count, keeps) in SUBJECTS {
        pairs.push(Pair::new(count, keeps)?);
    }
    let mut own = RegionPlan::new("costs", "heartbeat", 1);
    own.add(pulse_section());
    let own = Region::heap(&own)?;
    let pulse = Pulse::new(&own, own.section(SectionKind::Pulse, "pulse")?)?;
    let (mut beats, mut beat) = (0, Vec::new());
    let mut seen: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); 1 + SUBJECTS.len()];
    for _ in 0..rounds {
        let bare = bare(&mut tx, &mut rx);
        let pairs = pairs.iter_mut().map(Pair::round);
        let all = std::iter::once(Ok(bare)).chain(pairs);
        for (figures, round) in seen.iter_mut().zip(all) {
            let (sent, received) = round?;
            figures.0.push(sent);
            figures.1.push(received);
        }
        beat.push(heartbeat(&pulse, &mut beats));
    }
    for pair in pairs {
        end(pair.running, vec![pair.source, pair.sink])?;
    }
    let names = std::iter::once("the bare ring").chain(SUBJECTS.map(|(name, ..)| name));
    let rows: Vec<(&str, f64, f64)> = names
        .zip(&mut seen)
        .map(|(name, (sent, received))| (name, median(sent), median(received)))
        .collect();
    let beat = median(&mut beat);
    let (report, text) = report(&environment, &rows, beat, (rounds, quick))?;
    write(&directory, "costs", &report, &text)?;
    println!("{text}\nwritten to {}", directory.display());
    Ok(())
}

fn report(
    environment: &Value,
    rows: &[(&str, f64, f64)],
    beat: f64,
    (rounds, quick): (usize, bool),
) -> Result<(Value, String)> {
    let command = format!(
        "cargo run --release -p airssys-benches --bin costs{}",
        if quick { " -- --quick" } else { "" }
    );
    let mut text = heading("What a step's parts cost", &command, environment);
    writeln!(
        text,
        "\nNanoseconds a message of 56 B, medians of {rounds} interleaved rounds of {CAPACITY} messages; both ends on one core, one \
         after the other.\n\n| | sends | receives | receives, over the bare ring |\n|---|---|---|---|"
    )?;
    let bare = rows.first().map_or(f64::NAN, |row| row.2);
    for (name, sent, received) in rows {
        let over = received - bare;
        writeln!(text, "| {name} | {sent:.1} | {received:.1} | {over:.1} |")?;
    }
    writeln!(text, "\nA heartbeat takes {beat:.2} ns.")?;
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, sent, received)| json!({"subject": name, "send_ns": sent, "receive_ns": received}))
        .collect();
    let report = json!({
        "command": command, "environment": environment, "rounds": rounds, "rows": rows, "heartbeat_ns": beat,
    });
    Ok((report, text))
}
