//! Opens regions with changed bytes, and attaches every end to whatever opens.
//!
//! It starts from sound regions and from the fuzzer's corpus, where that is at hand. Trials run in children, which an access
//! outside of a mapping ends and endless work too; a trial follows from the seed and its number alone.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};

use super::Campaign;
use crate::bus::Directory;
use crate::failure::Failure;
use crate::open::{Opener, mutate, shapes};
use crate::process::{Child, End};
use crate::run::{Outcome, Run};
use crate::seed::Seed;

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "open-bytes",
    question: "do any bytes open as a region that panics, hangs or reads beyond itself?",
    unit: "openings",
    count: 1_000_000,
    short: 20_000,
    run,
};

/// Trials of one child.
const BATCH: u64 = 1_000;

/// What a child may compute, far more than its trials need: longer means without an end.
const CPU_MAX: Duration = Duration::from_secs(10);
const CPU_MAX_ALONE: Duration = Duration::from_secs(2);

fn run(run: &Run) -> Result<Outcome, Failure> {
    let directory = Directory::create()
        .map_err(|error| Failure::broken("creating a directory in /dev/shm", error))?;
    let opener = Opener::new(&directory)?;
    let mut bases: Vec<Vec<u8>> = shapes::sound(directory.path())?
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    for bytes in &bases {
        if !opener.try_bytes(bytes)? {
            return Err(Failure::Violated("a sound region doesn't open".to_owned()));
        }
    }
    bases.extend(stored_corpus());
    let place = Place {
        bases: &bases,
        directory: &directory,
        seed: run.seed(),
    };
    let mut next = 0_u64;
    while run.goes_on() {
        let batch = next..next.saturating_add(BATCH).min(run.count());
        let trials = batch.end - batch.start;
        if place.tried(batch.clone(), CPU_MAX)? != End::Exited(0) {
            blame(run, &place, batch.clone())?;
        }
        next = batch.end;
        run.tried(trials);
    }
    Ok(Outcome {
        report: format!("{} regions to start from", bases.len()),
    })
}

/// What the fuzzer has kept; nothing where the sources aren't at hand.
fn stored_corpus() -> Vec<Vec<u8>> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/open");
    let Ok(files) = std::fs::read_dir(place) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
    // A trial's number shall mean the same everywhere.
    paths.sort();
    paths.iter().flat_map(std::fs::read).collect()
}

/// What every trial starts from.
struct Place<'a> {
    bases: &'a [Vec<u8>],
    directory: &'a Directory,
    seed: u64,
}

impl Place<'_> {
    /// Runs trials in a child.
    fn tried(&self, trials: Range<u64>, cpu: Duration) -> Result<End, Failure> {
        Child::spawn(|| {
            let seconds = cpu.as_secs();
            if setrlimit(Resource::RLIMIT_CPU, seconds, seconds + 1).is_err() {
                return 2;
            }
            let ran = Opener::new(self.directory).and_then(|opener| {
                trials
                    .into_iter()
                    .try_for_each(|trial| self.trial(&opener, trial))
            });
            match ran {
                Ok(()) => 0,
                Err(failure) => {
                    eprintln!("open-bytes: {failure}");
                    1
                }
            }
        })?
        .wait()
    }

    fn trial(&self, opener: &Opener, trial: u64) -> Result<(), Failure> {
        let mut draws = Seed::new(self.seed ^ trial.rotate_left(32));
        let bytes = match usize::try_from(trial) {
            // Without a change at first.
            Ok(index) if index < self.bases.len() => self.bases[index].clone(),
            _ => mutate::mutated(self.bases, &mut draws),
        };
        let tried = opener.try_bytes(&bytes).map(drop);
        tried.map_err(|failure| failure.at(format_args!("trial {trial}")))
    }
}

/// Finds the trials of a batch that went wrong.
fn blame(run: &Run, place: &Place<'_>, batch: Range<u64>) -> Result<(), Failure> {
    for trial in batch {
        let end = place.tried(trial..trial + 1, CPU_MAX_ALONE)?;
        if end != End::Exited(0) {
            run.violated(format_args!("trial {trial} ended its process with {end:?}"));
        }
    }
    Ok(())
}
