//! Rounds against a peer that writes whatever it can, while others go on.
//!
//! Each round is a process of its own, this program with the argument of a round, and its bus three more: see
//! [`crate::hostile`]. So the supervisor is judged, too.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Campaign;
use crate::bus::Directory;
use crate::failure::Failure;
use crate::hostile::{ROUND, Tally};
use crate::run::{BROKEN, Outcome, Run};

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "hostile-peer",
    question: "can a peer that writes anything hurt the other end of an untrusted link?",
    unit: "rounds",
    count: 1_000,
    short: 12,
    run,
};

/// A round ends by itself long before this, and says so if it is stuck.
const PROCESS_MAX: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(1);

fn run(run: &Run) -> Result<Outcome, Failure> {
    let broken = |error| Failure::broken("starting a round", error);
    let directory = Directory::create().map_err(broken)?;
    let mut draws = run.draws();
    let mut sum = Tally::default();
    while run.goes_on() {
        let seed = draws.below(u64::MAX);
        match round(seed, directory.path())? {
            Ok(tally) => {
                sum.writes += tally.writes;
                sum.answers += tally.answers;
                sum.raided += tally.raided;
                sum.faults += tally.faults;
            }
            Err(what) => run.violated(format_args!("round {seed}: {what}")),
        }
        run.tried(1);
    }
    let Tally {
        writes,
        answers,
        raided,
        faults,
    } = sum;
    Ok(Outcome {
        report: format!(
            "{writes} hostile words; {answers} questions answered and {raided} hostile messages read meanwhile; \
             {faults} links given up"
        ),
    })
}

/// One round, and what was wrong with it.
fn round(seed: u64, directory: &Path) -> Result<Result<Tally, String>, Failure> {
    let broken = |error| Failure::broken("a round", error);
    let (out, err) = (directory.join("out"), directory.join("err"));
    let file = |path| File::create(path).map_err(broken);
    let program = std::env::current_exe().map_err(broken)?;
    let mut process = Command::new(program)
        .args([ROUND, &seed.to_string()])
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .spawn()
        .map_err(broken)?;
    let began = Instant::now();
    let status: ExitStatus = loop {
        if let Some(status) = process.try_wait().map_err(broken)? {
            break status;
        }
        if began.elapsed() > PROCESS_MAX {
            process.kill().map_err(broken)?;
        }
        std::thread::sleep(POLL);
    };
    let said = std::fs::read_to_string(&out).map_err(broken)?;
    if let Some(tally) = Tally::of_line(said.trim_end()).filter(|_| status.success()) {
        return Ok(Ok(tally));
    }
    let lines = std::fs::read_to_string(&err).map_err(broken)?;
    if status.code() == Some(BROKEN.into()) {
        return Err(Failure::broken(format_args!("round {seed}"), lines));
    }
    Ok(Err(format!("{status}\n{}{lines}", said.trim_start())))
}
