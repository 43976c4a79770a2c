//! One round against a hostile peer: a bus of three processes, one of which writes whatever it can.
//!
//! ```text
//! honest  --ask-->  victim  --bait0, bait1-->  raider
//!         <-answer-        <--raid0, raid1--
//! ```
//!
//! The raider takes part for a while. Then it maps its own region, which is all that it may write, and goes through it by a
//! strategy that the seed draws, for as long as `honest` and `victim` go on. Its links are untrusted. What has to hold:
//!
//! - the victim ends by its own word: no panic, no fault, and no read beyond a mapping, whose guard pages would make it one;
//! - it goes on: whatever is asked is answered, whole and in order, until `honest` has seen enough of the raid;
//! - a link on which an impossible position was written is ended, with an error that names the raider.
//!
//! Some rounds are on trusted links. There an impossible position may end the victim, with the exit code of a corrupt peer.

mod honest;
mod raid;
mod raider;
mod victim;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use airssys_ringbuf::message;
use airssys_rt::{
    Cause, Launch, LinkOptions, Monitor, PartitionStatus, Report, Restart, Topology, TopologyError,
    Wait, durable,
};

use nix::sys::signal::Signal;

use self::honest::{Honest, HonestState};
use self::raid::Strategy;
use self::raider::Raider;
use self::victim::{Victim, VictimState};
use crate::bus::Directory;
use crate::failure::{Failure, ensure};
use crate::seed::Seed;
use crate::traffic::Item;

/// The argument that makes a process a round; the seed follows.
pub(crate) const ROUND: &str = "hostile-round";

const HONEST: &str = "honest";
const VICTIM: &str = "victim";
const RAIDER: &str = "raider";

/// A message without room for a sequence word in its line: its link is contiguous.
#[message]
#[derive(Debug, PartialEq, Eq)]
struct Line {
    words: [u64; 8],
}

/// How long a round may take before it counts as stuck: hundreds of times what it needs.
const ROUND_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(1);

/// What the seed draws for a round.
#[derive(Clone, Copy, Debug)]
struct Draws {
    seed: u64,
    trusted: bool,
    strategy: Strategy,
    capacities: [u64; 2],
    waits: [u64; 2],
    /// Steps before the raid.
    peace: u64,
    /// Writes that the raid has to come to.
    writes: u64,
}

impl Draws {
    fn new(seed: u64) -> Self {
        let mut draws = Seed::new(seed);
        Self {
            seed,
            trusted: draws.below(8) == 0,
            strategy: Strategy::draw(&mut draws),
            capacities: [1 << draws.below(8), 1 << draws.below(8)],
            waits: [draws.below(2), draws.below(2)],
            peace: [0, 10, 300, 2000][draws.below(4) as usize],
            writes: 5_000 << draws.below(4),
        }
    }

    fn wait(choice: u64) -> Wait {
        if choice == 0 {
            Wait::spin_then_yield()
        } else {
            Wait::spin_then_park()
        }
    }
}

/// The count with which the raid may begin.
const GO: u64 = 1;

/// Where the raider counts its writes, for those who judge it: beside the bus, not on it.
#[derive(Debug)]
struct Count(File);

impl Count {
    /// The round's own process has made the file, and is the parent of all others.
    fn open(round: u32) -> std::io::Result<Self> {
        let path = PathBuf::from(format!("/dev/shm/airssys-campaign-{round}-0/writes"));
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        options.open(path).map(Self)
    }

    fn of_parent() -> std::io::Result<Self> {
        Self::open(std::os::unix::process::parent_id())
    }

    fn set(&self, writes: u64) -> std::io::Result<()> {
        self.0.write_all_at(&writes.to_ne_bytes(), 0)
    }

    fn get(&self) -> u64 {
        let mut bytes = [0; 8];
        // Nothing there yet is nothing written.
        let read = self.0.read_exact_at(&mut bytes, 0);
        read.map_or(0, |()| u64::from_ne_bytes(bytes))
    }
}

fn topology(draws: Draws) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder(format!("hostile-{:016x}", draws.seed));
    plan.drain_timeout(POLL);
    let honest = 64;
    let (ask_out, ask_in) = plan.link::<Item>("ask", honest);
    let (answer_out, answer_in) = plan.link::<Item>("answer", honest);
    let options = |capacity| {
        let options = LinkOptions::new(capacity);
        if draws.trusted {
            options
        } else {
            options.untrusted()
        }
    };
    let [first, second] = draws.capacities;
    let (raid0_out, raid0_in) = plan.link_with::<Item>("raid0", options(first));
    let (raid1_out, raid1_in) = plan.link_with::<Line>("raid1", options(second));
    let (bait0_out, bait0_in) = plan.link_with::<Item>("bait0", options(first));
    let (bait1_out, bait1_in) = plan.link_with::<Line>("bait1", options(second));
    let raids = (raid0_in, raid1_in);
    let baits = (bait0_out, bait1_out);
    plan.partition(VICTIM)
        .restart(Restart::temporary())
        .wait(Draws::wait(draws.waits[0]))
        .actor(
            VICTIM,
            (
                ask_in,
                answer_out,
                raids,
                baits,
                durable::<VictimState>("state"),
            ),
            move |ports| Victim::new(ports, draws.seed),
        );
    plan.partition(HONEST)
        .restart(Restart::temporary())
        .wait(Draws::wait(draws.waits[1]))
        .actor(
            HONEST,
            (ask_out, answer_in, durable::<HonestState>("state")),
            move |ports| Honest::new(ports, draws.writes),
        );
    plan.partition(RAIDER)
        .restart(Restart::temporary())
        .shutdown(Duration::ZERO)
        .hang_after(2 * ROUND_MAX)
        .actor(
            RAIDER,
            ((raid0_out, raid1_out), (bait0_in, bait1_in)),
            move |ports| Raider::new(ports, draws),
        );
    plan.build()
}

/// What a round came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Words that the raider wrote.
    pub(crate) writes: u64,
    /// Questions answered meanwhile.
    pub(crate) answers: u64,
    /// Messages that the victim took from the raider.
    pub(crate) raided: u64,
    /// Links that were given up.
    pub(crate) faults: u64,
}

impl Tally {
    pub(crate) fn to_line(self) -> String {
        let Self {
            writes,
            answers,
            raided,
            faults,
        } = self;
        format!("{writes} {answers} {raided} {faults}")
    }

    pub(crate) fn of_line(line: &str) -> Option<Self> {
        let mut numbers = line.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            writes: next()?,
            answers: next()?,
            raided: next()?,
            faults: next()?,
        })
    }
}

/// What the process of a round does, or a process of its bus.
///
/// # Errors
///
/// [`Failure`].
pub(crate) fn round(seed: u64) -> Result<Tally, Failure> {
    let draws = Draws::new(seed);
    let broken = |error: &dyn std::fmt::Display| Failure::broken("a round's bus", error);
    airssys_rt::enter(|| topology(draws)).map_err(|error| broken(&error))?;
    // A round that nobody waits for is nobody's.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| broken(&errno))?;
    let directory = Directory::create().map_err(|error| broken(&error))?;
    let count = Count::open(std::process::id()).map_err(|error| broken(&error))?;
    let topology = topology(draws).map_err(|error| broken(&error))?;
    let mut watched = Ok(());
    let ended = topology.run(Launch::Processes, |running| {
        let monitor = running.monitor();
        // Before, a raid could keep the bus from starting, as any partition can.
        watched = match count.set(GO) {
            Ok(()) => watch(&monitor),
            Err(error) => Err(broken(&error)),
        };
        monitor.stop();
    });
    let report = match ended {
        Ok(report) => report,
        Err(airssys_rt::Error::Run(airssys_rt::RunError::Escalated { why, directory, .. }))
            if draws.trusted && is_corrupt_peer(&why) =>
        {
            // A trusted peer that is corrupt ends the bus. It is left for a look, of which there is none here.
            std::fs::remove_dir_all(&directory).map_err(|error| broken(&error))?;
            if let Some(root) = Path::new(&directory).parent() {
                // Others' buses keep it.
                let _ = std::fs::remove_dir(root);
            }
            return Ok(Tally {
                writes: count.get(),
                ..Tally::default()
            });
        }
        Err(error) => return Err(Failure::Violated(format!("{draws:?}: {error}"))),
    };
    drop(directory);
    let judged = watched.and_then(|()| judge(draws, &report, &count));
    judged.map_err(|failure| failure.at(format_args!("{draws:?}")))
}

fn is_corrupt_peer(why: &str) -> bool {
    why.contains(VICTIM) && why.contains("exit code 70")
}

fn status(monitor: &Monitor, name: &str) -> PartitionStatus {
    let all = monitor.partitions().into_iter();
    all.into_iter()
        .find(|status| status.name == name)
        .unwrap_or_default()
}

/// Waits until the victim has ended, one way or another.
fn watch(monitor: &Monitor) -> Result<(), Failure> {
    let began = Instant::now();
    while status(monitor, VICTIM).last_cause.is_none() {
        if let Some(cause) = status(monitor, RAIDER).last_cause {
            return Err(Failure::broken("the raider ended", cause));
        }
        if began.elapsed() > ROUND_MAX {
            let victim = monitor.read::<VictimState>(VICTIM, "state");
            let honest = monitor.read::<HonestState>(HONEST, "state");
            return Err(Failure::Violated(format!(
                "not at its end after {ROUND_MAX:?}: {victim:?}, {honest:?}"
            )));
        }
        // The supervisor is the one that is told; whoever asks it has to look again.
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn judge(draws: Draws, report: &Report, count: &Count) -> Result<Tally, Failure> {
    let ended = |name| {
        let mut all = report.partitions.iter();
        let found = all.find(|status| status.name == name);
        found.and_then(|status| status.last_cause.clone())
    };
    let victim = ended(VICTIM);
    let unread = |error| Failure::broken("reading a state", error);
    let state = report.monitor.read::<VictimState>(VICTIM, "state");
    let state = state.map_err(unread)?.unwrap_or_default();
    let tally = Tally {
        writes: count.get(),
        answers: state.answered.count,
        raided: state.raided,
        faults: state.faults.count_ones().into(),
    };
    ensure!(
        victim == Some(Cause::Done),
        "the victim ended with {victim:?}"
    );
    let asker = ended(HONEST);
    ensure!(
        asker == Some(Cause::Done),
        "its honest peer ended with {asker:?}"
    );
    let honest = report.monitor.read::<HonestState>(HONEST, "state");
    let honest = honest.map_err(unread)?.unwrap_or_default();
    ensure!(
        honest.sent == state.asked && state.answered == honest.seen,
        "honest links: lost, repeated, torn or out of order: {honest:?}, {state:?}"
    );
    if draws.trusted {
        return Ok(tally);
    }
    ensure!(
        state.misnamed == 0,
        "an error didn't name the raider: {state:?}"
    );
    let due = draws.strategy.due();
    ensure!(
        state.faults & due == due,
        "links {:#b} were given up, expected {due:#b} at least: {state:?}",
        state.faults
    );
    Ok(tally)
}
