//! Four pinned partitions, from a market's tick to an order: how long it takes, up to one tick in 100,000.
//!
//! ```text
//! cargo run --release --example tick_to_trade                      # 100,000 ticks a second for 5 s, threads
//! cargo run --release --example tick_to_trade -- --processes --rate 20000 --seconds 10 --plot curve.svg
//! ```
//!
//! | file | concern |
//! |---|---|
//! | `pipeline/mod` | the topology; `messages`, `feed`, `book`, `strategy`, `gateway`: its parts |
//! | `pipeline/schedule` | when each tick is due, whether anybody keeps up or not |
//! | `pipeline/cores` | which partition runs where |
//! | `pipeline/times` | the times of a tick, and how they get out |
//! | `run` | one run, to the end |
//! | `latency/floor` | the machine's own jitter |
//! | `latency/{percentiles,hgrm,curve}` | what is made of latencies |
//!
//! Exit codes: 0, done; 1, something went wrong; 2, the arguments don't fit; 130, interrupted.

#![forbid(unsafe_code)]

mod arguments;
mod latency;
mod pipeline;
mod run;
mod summary;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use plotters::prelude::{BLUE, IntoDrawingArea, RED, RGBColor, SVGBackend, WHITE};

use crate::arguments::Arguments;
use crate::latency::curve::{self, Curve};
use crate::latency::{floor, hgrm, histogram};
use crate::pipeline::cores::Placement;
use crate::pipeline::times::Times;
use crate::pipeline::{PARTITIONS, topology};
use crate::summary::Summary;

const NAME: &str = "tick_to_trade";
const INTERRUPTED: u8 = 130;
const GREY: RGBColor = RGBColor(120, 120, 120);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    measure(&arguments).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{NAME}: {error}");
        ExitCode::FAILURE
    })
}

fn measure(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let (schedule, cores) = match (arguments.schedule(), arguments.cores()) {
        (Ok(schedule), Ok(cores)) => (schedule, cores),
        (Err(why), _) | (_, Err(why)) => Arguments::command()
            .error(ErrorKind::ValueValidation, why)
            .exit(),
    };
    let placement = Placement::new(PARTITIONS.len(), &cores);
    let plan = || topology(NAME, schedule, &placement);
    airssys_rt::enter(plan)?; // in a partition's process: runs it and never returns

    let (topology, launch) = (plan()?, arguments.launch());
    topology.check(launch)?; // before anything takes its time
    let plot = create(arguments.plot.as_deref())?;
    let curves = create(arguments.hgrm.as_deref())?;
    let floor = floor::measure(&placement.distinct(), schedule)?;
    let Some(outcome) = run::run(&topology, launch, "feed", schedule)? else {
        writeln!(std::io::stderr(), "{NAME}: interrupted, nothing to tell")?;
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let summary = Summary {
        schedule,
        launch,
        placement,
        restarts: outcome.restarts,
        response: histogram(outcome.times.iter().map(Times::response_ns)),
        service: histogram(outcome.times.iter().map(Times::service_ns)),
        floor: histogram(floor.iter().map(Times::response_ns)),
    };
    if let Some((_, file)) = curves {
        hgrm::write(&summary.response, &mut BufWriter::new(file))?;
    }
    if let Some((path, _)) = plot {
        draw(&summary, path)?;
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", summary.json())?;
    } else {
        summary.print(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a file before the run that it is for: a wrong path shouldn't cost one.
fn create(path: Option<&Path>) -> Result<Option<(&Path, File)>, String> {
    let Some(path) = path else {
        return Ok(None);
    };
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some((path, file)))
}

fn draw(summary: &Summary, path: &Path) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (960, 600)).into_drawing_area();
    area.fill(&WHITE)?;
    let curve = |label, histogram, color, dashed| Curve {
        label,
        histogram,
        color,
        dashed,
    };
    let curves = [
        curve(
            "response: from when the tick was due",
            &summary.response,
            RED,
            false,
        ),
        curve(
            "service: from when it was sent",
            &summary.service,
            BLUE,
            true,
        ),
        curve("floor: the machine alone", &summary.floor, GREY, false),
    ];
    curve::draw(&area, &summary.title(), &curves)?;
    Ok(area.present()?)
}
