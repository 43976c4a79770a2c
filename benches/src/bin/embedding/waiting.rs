//! What the wait strategies are worth: a ball through a ring of partitions as processes, and the same ring without one.

use std::fmt::Write as _;
use std::time::Duration;

use airssys_benches::report::{micros, quantiles_ns};
use airssys_rt::Launch;
use airssys_rt::prelude::Wait;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::part::{Kind, Part, Result, Settings};
use crate::ring::{self, Ring};
use crate::usage::{self, Usage, percent};

const NAME: &str = "waiting";

pub(crate) const KIND: Kind = Kind {
    name: NAME,
    title: "Wait strategies: a ball through a ring of partitions",
    enter,
    measure,
};

const PARTITIONS: [usize; 4] = [1, 2, 4, 8];

/// Share of a run, from its first moment, over which CPU is counted: the ball must not stop before that.
const COUNTED: f64 = 0.8;

/// One line of the table.
struct Cell {
    wait: Wait,
    partitions: usize,
    trips: Histogram<u64>,
    busy: Usage,
    idle: Usage,
}

fn pairs() -> impl Iterator<Item = (Wait, usize)> {
    let waits = [
        Wait::spin(),
        Wait::spin_then_yield(),
        Wait::spin_then_park(),
    ];
    waits
        .into_iter()
        .flat_map(|wait| PARTITIONS.map(|partitions| (wait, partitions)))
}

fn ring(wait: Wait, partitions: usize, lasts: Option<Duration>) -> Ring {
    Ring {
        part: NAME,
        wait,
        partitions,
        lasts,
    }
}

/// How long the ball goes round.
fn lasts(settings: &Settings) -> Duration {
    settings.time(Duration::from_secs(2), Duration::from_millis(250))
}

fn enter(settings: &Settings) -> Result<()> {
    for (wait, partitions) in pairs() {
        for lasts in [Some(lasts(settings)), None] {
            ring(wait, partitions, lasts).enter()?;
        }
    }
    Ok(())
}

fn measure(settings: &Settings) -> Result<Part> {
    let mut cells = Vec::new();
    for (wait, partitions) in pairs() {
        let lasts = lasts(settings);
        let (trips, busy) = go_round(&ring(wait, partitions, Some(lasts)), lasts)?;
        let still = settings.time(Duration::from_secs(5), Duration::from_millis(250));
        let idle = wait_for_nothing(&ring(wait, partitions, None), still)?;
        cells.push(Cell {
            wait,
            partitions,
            trips,
            busy,
            idle,
        });
    }
    Ok(Part {
        figures: cells.iter().map(Cell::figures).collect(),
        text: render(&cells, lasts(settings))?,
    })
}

fn go_round(ring: &Ring, lasts: Duration) -> Result<(Histogram<u64>, Usage)> {
    let running = ring.topology()?.launch(Launch::Processes)?;
    let busy = usage::over(&running, lasts.mul_f64(COUNTED))?;
    let report = running.join()?;
    Ok((ring::trips(&report.monitor)?, busy))
}

/// CPU of a ring in which nobody sends, counted from when all have waited for a while.
pub(crate) fn wait_for_nothing(ring: &Ring, time: Duration) -> Result<Usage> {
    let running = ring.topology()?.launch(Launch::Processes)?;
    usage::over(&running, Duration::from_millis(100))?;
    usage::over(&running, time)
}

impl Cell {
    fn figures(&self) -> Value {
        json!({
            "wait": self.wait.to_string(),
            "partitions": self.partitions,
            "round_trip_ns": quantiles_ns(&self.trips),
            "cpu_with_ball": self.busy.figures(),
            "cpu_idle": self.idle.figures(),
        })
    }
}

fn render(cells: &[Cell], lasts: Duration) -> Result<String> {
    let mut text = format!(
        "Partitions as processes, unpinned; partition i sends to i + 1. Round trips in microseconds, each from the clock \
         reading that ended the one before, so that they cover the whole run of {lasts:?}; all of them, to within 0.8 %. With \
         one partition the actor sends to itself through a link of its own and nobody waits. CPU is user and system time of \
         all partitions and of the launching process with its supervisor, in percent of one core.\n\n"
    );
    text += "| wait | partitions | trips | median | p90 | p99 | p99.9 | max | CPU % | CPU % with no ball |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|\n";
    for cell in cells {
        write!(
            text,
            "| {} | {} | {} |",
            cell.wait,
            cell.partitions,
            cell.trips.len()
        )?;
        for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
            write!(
                text,
                " {} |",
                micros(cell.trips.value_at_quantile(quantile))
            )?;
        }
        writeln!(
            text,
            " {} | {} |",
            percent(cell.busy.total()),
            percent(cell.idle.total())
        )?;
    }
    Ok(text)
}
