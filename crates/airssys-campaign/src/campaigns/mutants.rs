//! Plants mistakes in the step and demands that the campaign of every instruction catches each of them.
//!
//! The trials are the mistakes, the violations those that escaped, and the step without one if it doesn't pass.

use std::fmt::Write as _;

use airssys_ringbuf::step::mistake::{self, Mistake};

use super::Campaign;
use crate::collections;
use crate::failure::Failure;
use crate::points::{Caught, catch_mistake};
use crate::run::{Outcome, Run};
use crate::scenarios::{SCENARIOS, Scenario};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "mutants",
    question: "would the campaigns notice a mistake in the step?",
    unit: "mistakes",
    count: u64::MAX,
    short: u64::MAX,
    run,
};

/// Draws are the same in every run: whether a mistake is caught is no matter of luck.
const SEED: u64 = 7;

/// Characters of what was found that are shown; the states of both sides may follow.
const HOW_MAX: usize = 150;

const HEAD: &str = "# Planted mistakes

The step with one mistake in it, under the campaign of every instruction: how many kills were judged until one showed it, by
scenario. At 1 the mistake shows with no kill in the life; at 0 the lives before it fail already; `-` is a scenario whose every
kill was judged and showed nothing: it isn't about that. What is in work is compared after each instruction, before kills are
judged: a mistake that this shows has its count of comparisons. `collections` is the campaign of that name; the mistakes of the
undo log are planted there alone, and its column is empty for all others. Orderings that no kill can show (a fence dropped, a store relaxed) are
planted in the models that loom explores, `ringbuf/src/ring/model.rs` and `ringbuf/src/step/model.rs`, and for ThreadSanitizer
by `.ci/tsan`.

Written by `cargo run --release -p airssys-campaign -- mutants --write docs/mutants.md`; the mistakes are those of
`ringbuf/src/step/mistake.rs`.

";

/// What the campaign of durable collections is called among the scenarios.
const COLLECTIONS: &str = "collections";

/// A mistake, and in which of the scenarios that it was planted in it was caught.
struct Row {
    mistake: Mistake,
    caught: Vec<(&'static str, Option<Caught>)>,
}

fn run(run: &Run) -> Result<Outcome, Failure> {
    // A planted mistake may make the step panic; what it says is in the table.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let rows = rows(run);
    std::panic::set_hook(hook);
    let rows = rows?;
    if let Some(path) = run.write() {
        let written = std::fs::write(path, document(&rows));
        written
            .map_err(|error| Failure::broken(format_args!("writing {}", path.display()), error))?;
    }
    Ok(Outcome {
        report: rows.iter().map(Row::line).collect(),
    })
}

fn rows(run: &Run) -> Result<Vec<Row>, Failure> {
    for scenario in &SCENARIOS {
        if let Some(Caught { how, .. }) = catch_mistake(mistake::NONE, scenario, SEED)? {
            run.violated(format_args!(
                "the step without a mistake doesn't pass `{}`: {how}",
                scenario.name
            ));
        }
    }
    let mut rows = Vec::new();
    for mistake in mistake::ALL.into_iter().chain(mistake::UNDO) {
        if !run.goes_on() {
            break;
        }
        let row = row(mistake, run.write().is_some())?;
        if row.first().is_none() {
            run.violated(format_args!("`{}` was not caught", mistake.name));
        }
        rows.push(row);
        run.tried(1);
    }
    Ok(rows)
}

/// Scenario after scenario: until one catches it, or all of them.
fn row(mistake: Mistake, all: bool) -> Result<Row, Failure> {
    if mistake::UNDO.contains(&mistake) {
        let found = collections::catch_first(mistake.number);
        let found = found.map_err(|failure| failure.at(mistake.name))?;
        let caught = vec![(COLLECTIONS, found)];
        return Ok(Row { mistake, caught });
    }
    let mut caught = Vec::new();
    for scenario in order(mistake, all) {
        let found = catch_mistake(mistake.number, scenario, SEED);
        let found = found.map_err(|failure| failure.at(mistake.name))?;
        let ends = found.is_some() && !all;
        caught.push((scenario.name, found));
        if ends {
            break;
        }
    }
    Ok(Row { mistake, caught })
}

/// The scenarios in their order, or with the one before all that is about this mistake.
fn order(mistake: Mistake, all: bool) -> Vec<&'static Scenario> {
    let about = match mistake.number {
        mistake::BATCH_SHOWN_IN_PART | mistake::LAST_REPUBLISHED => "batches",
        mistake::CELLS_NOT_RESTORED
        | mistake::CREDIT_OF_ABORTED
        | mistake::MARK_KEPT
        | mistake::LIFE_NAMED_FIRST => "retries",
        mistake::RANGE_KEPT => "full",
        mistake::CLOSE_BEFORE_COMMIT | mistake::CLOSE_FORGOTTEN | mistake::DONE_EXITS_FIRST => {
            "closed"
        }
        mistake::HINTS_FORGOTTEN => "hinted",
        mistake::ASIDE_NOT_TAKEN..=mistake::REQUEUE_KEPT => "letters",
        _ => "mixed",
    };
    let mut order: Vec<_> = SCENARIOS.iter().collect();
    if !all {
        order.sort_by_key(|scenario| scenario.name != about);
    }
    order
}

impl Row {
    /// The first scenario that caught it.
    fn first(&self) -> Option<(&'static str, &Caught)> {
        let mut found = self.caught.iter();
        found.find_map(|(scenario, caught)| Some((*scenario, caught.as_ref()?)))
    }

    fn line(&self) -> String {
        let Mistake { name, .. } = self.mistake;
        match self.first() {
            Some((scenario, Caught { trials, how })) => {
                let how: String = how.chars().take(HOW_MAX).collect();
                format!("{name:<38} {scenario:<11} {trials:>5} judged  {how}\n")
            }
            None => format!("{name:<38} NOT CAUGHT\n"),
        }
    }
}

fn document(rows: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a string can't fail.
    for scenario in &SCENARIOS {
        let _ = writeln!(text, "- `{}`: {}", scenario.name, scenario.what);
    }
    let _ = writeln!(
        text,
        "- `{COLLECTIONS}`: an actor with a durable collection of each kind"
    );
    text.push_str("\n| mistake | what it breaks |");
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    let names: Vec<_> = names.chain([COLLECTIONS]).collect();
    text.extend(names.iter().map(|name| format!(" {name} |")));
    text.push_str("\n|---|---|");
    text.extend(names.iter().map(|_| "---:|"));
    text.push('\n');
    for Row { mistake, caught } in rows {
        let _ = write!(text, "| {} | {} |", mistake.name, mistake.breaks);
        for name in &names {
            let planted = caught.iter().find(|(scenario, _)| scenario == name);
            let _ = match planted {
                Some((_, Some(Caught { trials, .. }))) => write!(text, " {trials} |"),
                Some((_, None)) => write!(text, " - |"),
                None => write!(text, " |"),
            };
        }
        text.push('\n');
    }
    text
}
