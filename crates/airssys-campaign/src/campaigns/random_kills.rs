//! Kills one of three running partitions at random instants, again and again.

use super::Campaign;
use crate::failure::Failure;
use crate::random::{Kills, random_kills};
use crate::run::{Outcome, Run};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "random-kills",
    question: "does a kill at any instant of running processes lose, repeat or tear a message?",
    unit: "kills",
    count: 10_000,
    short: 500,
    run,
};

fn run(run: &Run) -> Result<Outcome, Failure> {
    let kills = Kills {
        count: usize::try_from(run.count()).unwrap_or(usize::MAX),
        seed: run.seed(),
    };
    let report = random_kills(kills, |killed| {
        run.tried(killed as u64);
        run.has_time()
    })?;
    Ok(Outcome {
        report: format!("{report:?}"),
    })
}
