//! Topologies whose partitions are processes: killed, stopped, hung, failing by themselves, orphaned.
//!
//! Not the usual test harness: partitions are this program, executed again, and its `main` has to call `enter` first. Each
//! case runs in a process of its own, so that it can be watched as a whole: its end, what it says on stderr, and that it
//! leaves neither a process nor a region.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]
#![allow(clippy::print_stdout, reason = "a test harness talks to its user")]

#[path = "../common/mod.rs"]
mod common;

mod capsules;
mod cases;
mod child;
mod collections;
mod endings;
mod failures;
mod family;
mod harness;
mod hoarder;
mod host;
mod kills;
mod memory;
mod namespaces;
mod places;
mod poison;
mod resume;
mod signals;
mod topologies;
mod trace;
mod unjudged;
mod untrusted;

use std::process::ExitCode;

/// Names the case that this process runs; unset in the harness.
const CASE: &str = "AIRSSYS_TEST_CASE";

fn main() -> ExitCode {
    let Ok(name) = std::env::var(CASE) else {
        return harness::run(cases::CASES);
    };
    for build in topologies::ENTERED {
        airssys_rt::enter(*build).unwrap();
    }
    let known = cases::CASES
        .iter()
        .map(|case| (case.name, case.run))
        .chain(cases::HELPERS.iter().copied());
    let (_, run) = known.into_iter().find(|(known, _)| *known == name).unwrap();
    run();
    ExitCode::SUCCESS
}
