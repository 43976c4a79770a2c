//! One run of a campaign: how much of it, what it says on the way, and what came of it.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::campaigns::{Campaign, find};
use crate::failure::Failure;
use crate::hostile;
use crate::seed::{Seed, fresh_seed};

/// A promise was broken.
const VIOLATED: u8 = 1;
/// The campaign could not do its part: neither a violation nor the lack of one.
pub(crate) const BROKEN: u8 = 3;

/// Violations that are told in words; the others are counted.
const TOLD_MAX: u64 = 20;

const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// How much of a campaign is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many trials; the campaign's own count if neither this nor a time is given.
    pub count: Option<u64>,
    /// When to end, if the count isn't reached before.
    pub seconds: Option<u64>,
    /// What draws are made by; a fresh one if none is given.
    pub seed: Option<u64>,
    /// Nothing on stdout but the last line.
    pub json: bool,
    /// Where the campaign's table is to be kept, of one that has a document.
    pub write: Option<PathBuf>,
}

/// What came of a run, beyond its trials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What there is to read about it.
    pub(crate) report: String,
}

/// A run in progress.
#[derive(Debug)]
pub(crate) struct Run {
    name: &'static str,
    unit: &'static str,
    count: u64,
    began: Instant,
    end: Option<Instant>,
    seed: u64,
    write: Option<PathBuf>,
    trials: Cell<u64>,
    violations: Cell<u64>,
    said_at: Cell<Instant>,
}

impl Run {
    fn new(campaign: &Campaign, options: &Options) -> Self {
        let began = Instant::now();
        let count = match (options.count, options.seconds) {
            (Some(count), _) => count,
            (None, Some(_)) => u64::MAX,
            (None, None) => campaign.count,
        };
        let end = options
            .seconds
            .and_then(|seconds| began.checked_add(Duration::from_secs(seconds)));
        Self {
            name: campaign.name,
            unit: campaign.unit,
            count,
            began,
            end,
            seed: options.seed.unwrap_or_else(fresh_seed),
            write: options.write.clone(),
            trials: Cell::new(0),
            violations: Cell::new(0),
            said_at: Cell::new(began),
        }
    }

    /// How many are asked for; [`u64::MAX`] where the time alone decides.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The seed of all draws.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Where the document goes, if one is asked for.
    pub(crate) fn write(&self) -> Option<&Path> {
        self.write.as_deref()
    }

    /// Draws of this run.
    pub(crate) fn draws(&self) -> Seed {
        Seed::new(self.seed)
    }

    /// Whether time is left.
    pub(crate) fn has_time(&self) -> bool {
        self.end.is_none_or(|end| Instant::now() < end)
    }

    /// Whether another trial is due.
    pub(crate) fn goes_on(&self) -> bool {
        self.trials.get() < self.count && self.has_time()
    }

    /// Counts trials.
    pub(crate) fn tried(&self, trials: u64) {
        self.trials.set(self.trials.get() + trials);
        if self.said_at.get().elapsed() >= PROGRESS_EVERY {
            self.say();
        }
    }

    /// Counts a violation and tells it.
    pub(crate) fn violated(&self, what: impl std::fmt::Display) {
        let violations = self.violations.get() + 1;
        self.violations.set(violations);
        if violations <= TOLD_MAX {
            eprintln!("{}: VIOLATION {violations}: {what}", self.name);
        }
    }

    /// Tells something on the way.
    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        eprintln!("{}: {what}", self.name);
    }

    fn say(&self) {
        self.said_at.set(Instant::now());
        eprintln!(
            "{}: {} {}, {} violations, {:.1} s",
            self.name,
            self.trials.get(),
            self.unit,
            self.violations.get(),
            self.began.elapsed().as_secs_f64()
        );
    }
}

/// Runs a campaign, says what came of it, and returns what the process shall exit with.
///
/// The last line on stdout is one JSON object: campaign, trials, violations, seed.
#[expect(clippy::print_stdout, reason = "the command's answer")]
#[must_use]
pub fn run(campaign: &Campaign, options: &Options) -> ExitCode {
    let run = Run::new(campaign, options);
    run.tell(format_args!("seed {}", run.seed));
    let code = match (campaign.run)(&run) {
        Ok(outcome) => {
            if !options.json && !outcome.report.is_empty() {
                println!("{}", outcome.report.trim_end());
            }
            None
        }
        Err(Failure::Violated(what)) => {
            run.violated(what);
            None
        }
        Err(failure @ Failure::Broken(_)) => {
            run.tell(failure);
            Some(ExitCode::from(BROKEN))
        }
    };
    run.say();
    // In this order; a campaign's name needs no escapes.
    println!(
        r#"{{"campaign":"{}","trials":{},"violations":{},"seed":{}}}"#,
        run.name,
        run.trials.get(),
        run.violations.get(),
        run.seed
    );
    code.unwrap_or(if run.violations.get() > 0 {
        ExitCode::from(VIOLATED)
    } else {
        ExitCode::SUCCESS
    })
}

/// What a process does that a campaign has started as a part of itself; `None` if this one wasn't.
///
/// A program that runs campaigns asks this before anything else.
#[must_use]
#[expect(clippy::print_stdout, reason = "the answer to the process that asked")]
pub fn round() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments
        .next()
        .filter(|first| first == hostile::ROUND)
        .and_then(|_| arguments.next()?.parse().ok())?;
    Some(match hostile::round(seed) {
        Ok(tally) => {
            println!("{}", tally.to_line());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(match failure {
                Failure::Violated(_) => VIOLATED,
                Failure::Broken(_) => BROKEN,
            })
        }
    })
}

/// The short form of a campaign, for a test without a harness. `AIRSSYS_SEED` brings the draws of an earlier run back.
///
/// # Panics
///
/// If there is no campaign of that name.
#[must_use]
pub fn short(name: &str) -> ExitCode {
    if let Some(code) = round() {
        return code;
    }
    let campaign = find(name).expect("a campaign of the register");
    let seed = std::env::var("AIRSSYS_SEED").ok();
    let options = Options {
        count: Some(campaign.short),
        seed: seed.and_then(|seed| seed.parse().ok()),
        ..Options::default()
    };
    run(campaign, &options)
}
