//! Restarts of a process that is killed while it changes a table, or a cell.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use airssys_benches::median;
use airssys_rt::prelude::*;
use airssys_rt::{Monitor, Recovery, TopologyBuilder};
use serde_json::{Value, json};

use crate::steps::{Row, drawn};
use crate::{LARGE, Result, SMALL};

/// Rows that each step changes.
const CHANGES: usize = 16;
const PATIENCE: Duration = Duration::from_secs(20);

/// The restarts with one kind of state.
pub(crate) struct Restarts {
    pub(crate) name: &'static str,
    recoveries: Vec<Recovery>,
}

impl Restarts {
    /// Milliseconds: the median, the longest, and the medians of the process's start and of the life's first step.
    pub(crate) fn figures(&self) -> [f64; 4] {
        let of = |part: fn(&Recovery) -> Duration| -> Vec<f64> {
            let parts = self.recoveries.iter().map(part);
            parts.map(|part| part.as_secs_f64() * 1e3).collect()
        };
        let totals = of(Recovery::total);
        let longest = totals.iter().copied().fold(0.0, f64::max);
        let [start, first] = [of(|one| one.start), of(|one| one.first_step)];
        [median(&totals), longest, median(&start), median(&first)]
    }

    pub(crate) fn to_json(&self) -> Value {
        let [total, longest, start, first] = self.figures();
        json!({
            "state": self.name, "kills": self.recoveries.len(), "median_ms": total, "longest_ms": longest,
            "start_ms": start, "first_step_ms": first,
        })
    }
}

struct Table {
    table: DurableTable<Row>,
    random: Cell<u64>,
}

impl Actor for Table {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        for _ in 0..CHANGES {
            let row = drawn(&self.random) % self.table.rows();
            let changed = self.table.update(row, |row| row[3] += 1);
            changed.expect("a row that there is, far below the bound");
        }
        Ok(Step::Busy)
    }
}

struct Counter(Durable<Row>);

impl Actor for Counter {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        self.0.borrow_mut()[3] += 1;
        Ok(Step::Busy)
    }
}

type Built = std::result::Result<Topology, TopologyError>;

fn builder(name: &str) -> TopologyBuilder {
    let mut plan = Topology::builder(name);
    plan.leftover(Leftover::Discard)
        .intensity(100_000, Duration::from_secs(3_600))
        .backoff(Duration::ZERO, Duration::ZERO);
    plan
}

fn with_table(name: &str, rows: usize) -> Built {
    let mut plan = builder(name);
    let table = durable::table::<Row>("table", rows);
    plan.partition("owner")
        .actor("owner", table, |table| Table {
            table,
            random: Cell::new(u64::from(std::process::id())),
        });
    plan.build()
}

fn cell() -> Built {
    let mut plan = builder("bench-durable-cell");
    plan.partition("owner")
        .actor("owner", durable("cell"), Counter);
    plan.build()
}

fn small() -> Built {
    with_table("bench-durable-small", SMALL)
}

fn large() -> Built {
    with_table("bench-durable-large", LARGE)
}

type Build = fn() -> Built;

const BUILDS: [(Build, &str); 3] = [
    (cell, "a cell of 64 B"),
    (small, "a table of 64 KiB"),
    (large, "a table of 64 MiB"),
];

/// In a partition's process: runs it and never returns.
pub(crate) fn enter() -> Result<()> {
    for (build, _) in BUILDS {
        airssys_rt::enter(build)?;
    }
    Ok(())
}

/// Kills each so many times, one after the other: only one of them runs.
pub(crate) fn measure(kills: usize) -> Result<Vec<Restarts>> {
    let mut all = Vec::new();
    for (build, name) in BUILDS {
        let running = build()?.launch(Launch::Processes)?;
        let monitor = running.monitor();
        for _ in 0..kills {
            kill(&monitor)?;
        }
        running.stop();
        running.join()?;
        all.push(Restarts {
            name,
            recoveries: monitor.partitions()[0].recoveries.clone().into(),
        });
    }
    Ok(all)
}

/// Kills the owner, and waits until its next life has ended a step.
fn kill(monitor: &Monitor) -> Result<()> {
    let lives = || monitor.partitions()[0].recoveries.len();
    let before = lives();
    monitor.kill("owner")?;
    let since = Instant::now();
    while lives() == before {
        if since.elapsed() > PATIENCE {
            return Err("a killed partition did not come back".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
