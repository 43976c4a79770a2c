//! Counts the lines, words and bytes of a file with three processes that may be killed at any instant.
//!
//! ```text
//! cargo run --release --example wordcount                       # a file of this repository, repeated to some 100 MB
//! cargo run --release --example wordcount -- FILE --kill-every 20ms --seed 7
//! ```
//!
//! `reader` reads the file in blocks, `tokenizer` counts each block and hands it on, `counter` adds up. Where each of them
//! stands is durable and changes together with the messages it received and sent, so that a `kill -9` at any instant
//! neither loses a block nor counts one twice.
//!
//! Exit codes: 0, the counts are equal to the file's; 1, they aren't, or the bus gave up; 2, the arguments, the file or
//! the machine don't allow the run; 130, interrupted.

#![forbid(unsafe_code)]
#![allow(
    clippy::cast_precision_loss,
    reason = "rates and times for a reader's eye"
)]

mod actors;
mod arguments;
mod counting;
mod failure;
mod killer;
mod plan;
mod progress;
mod source;
mod summary;
mod verify;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use airssys_rt::Monitor;
use clap::Parser;

use crate::actors::{Place, Totals};
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::killer::Killer;
use crate::progress::Progress;
use crate::source::Source;
use crate::summary::{Summary, Verdict};

const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|failure| {
        // Where nobody listens the exit code says it.
        let _ = writeln!(std::io::stderr(), "wordcount: {failure}");
        ExitCode::from(failure.exit_code())
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    airssys_rt::enter(|| plan::topology(arguments))?; // in a partition's process: runs it and never returns

    let file = arguments.file();
    let size = Source::open(&file)
        .map_err(|trouble| trouble.of(&file))?
        .size;
    hush(arguments);
    let kill_every = arguments.kill_every;
    let bytes = size.saturating_mul(arguments.repeat_of(size));
    let mut run = None;
    let joined = plan::topology(arguments)?.run(arguments.launch(), |running| {
        let monitor = running.monitor();
        let progress = Progress::start(&monitor, bytes, is_watched(arguments));
        let killer = kill_every.map(|every| Killer::start(&monitor, every, arguments.seed));
        run = Some((monitor, Instant::now(), progress, killer));
    });
    let ended_at = Instant::now();
    let report = joined?;
    let (monitor, launched_at, ..) = run.expect("called, since the topology ran");
    let elapsed = ended_at - launched_at;

    let (place, totals) = results(&monitor)?;
    if let Some(trouble) = place.trouble() {
        return Err(trouble.of(&file).into());
    }
    let verdict = if report.stopped {
        Verdict::Interrupted
    } else {
        compare(arguments, &place, &totals)?
    };
    Summary::new(
        &report,
        (totals, verdict),
        elapsed,
        kill_every.map(|_| arguments.seed),
    )
    .print(arguments.json)
    .map_err(Failure::Output)?;
    Ok(match verdict {
        Verdict::Equal => ExitCode::SUCCESS,
        Verdict::NotEqual => ExitCode::FAILURE,
        Verdict::Interrupted => ExitCode::from(INTERRUPTED),
    })
}

/// Each kill has two lines from the supervisor, in which everything else would drown.
fn hush(arguments: &Arguments) {
    if arguments.kill_every.is_some() && !arguments.verbose {
        let nobody = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::set_global_default(nobody).expect("nothing before this sets one");
    }
}

/// Whether somebody looks at a progress bar, and no lines would run through it.
fn is_watched(arguments: &Arguments) -> bool {
    std::io::stderr().is_terminal() && !arguments.verbose
}

/// Where the reader and the counter have come to; at their beginnings if they never lived.
fn results(monitor: &Monitor) -> Result<(Place, Totals), Failure> {
    let place = monitor.read::<Place>("reader", "place")?;
    let totals = monitor.read::<Totals>("counter", "totals")?;
    Ok((place.unwrap_or_default(), totals.unwrap_or_default()))
}

/// Compares the totals with the file, read once more by this process alone.
fn compare(arguments: &Arguments, place: &Place, totals: &Totals) -> Result<Verdict, Failure> {
    let expected = verify::count_alone(&arguments.file(), place, is_watched(arguments))?;
    Ok(if expected.equals(totals) {
        Verdict::Equal
    } else {
        Verdict::NotEqual
    })
}
