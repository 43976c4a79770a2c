//! SIGKILLs at random instants of three running partitions.
//!
//! Source, middle and sink run as processes of their own at full speed. One of them, drawn by the seed, is killed at an
//! instant drawn by the seed, reaped, and started again, until the last kill; then all three run to their end. What they
//! keep in durable cells tells what was lost, repeated, torn or out of order. The seed brings the draws back, not what the
//! machine's scheduler did meanwhile.

use std::time::Duration;

use airssys_ringbuf::step::read_cell;

use crate::actors::{
    Flow, Incarnation, MIDDLE, Middle, MiddleState, Plan, SEEN, SINK, SOURCE, STATE, Sink,
    SinkState, Source, SourceState, Turn,
};
use crate::bus::{Bus, Capacities};
use crate::failure::{Failure, ensure};
use crate::process::{Child, End};
use crate::seed::Seed;
use airssys_ringbuf::Message;
use nix::sys::signal::Signal;

const ROLES: [&str; 3] = [SOURCE, MIDDLE, SINK];

const CAPACITIES: Capacities = Capacities {
    input: 64,
    outputs: 64,
};

/// The most that source and sink move in one step; the middle's batch is 2.
const BURST: u64 = 7;

/// Longest lives, in microseconds, between two kills: in the fork, in the recovery, in the traffic.
const LIVES_US: [u64; 3] = [60, 400, 2500];

/// Turns without anything to do after which a process that should come to its end is stuck.
const IDLE_TURNS_MAX: u64 = 20_000_000;

const STUCK: i32 = 2;
const FAILED: i32 = 3;

/// How many kills, and how they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kills {
    /// Kills in all; each of the three roles gets at least a fifth of them.
    pub(crate) count: usize,
    /// Draws roles and instants.
    pub(crate) seed: u64,
}

/// What came of a campaign without a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Kills by role: source, middle, sink.
    pub(crate) kills: [usize; 3],
    /// Messages that the source sent, all of which the middle received.
    pub(crate) sent: u64,
    /// Messages that the middle sent, all of which the sink received.
    pub(crate) delivered: u64,
}

/// Runs the campaign; `killed` hears of each kill and says whether to go on.
///
/// # Errors
///
/// [`Failure::Violated`] with what was lost, repeated, torn or out of order, or with a process that ended by itself.
pub(crate) fn random_kills(
    kills: Kills,
    mut killed: impl FnMut() -> bool,
) -> Result<Report, Failure> {
    let bus = Bus::create(CAPACITIES)?;
    let mut seed = Seed::new(kills.seed);
    let mut report = Report::default();
    let mut nonce = 0;
    let mut start = |role: usize, last: bool| {
        nonce += 1;
        Child::spawn(|| live(&bus, role, nonce, last))
    };
    let mut children = [start(0, false)?, start(1, false)?, start(2, false)?];
    for number in 0..kills.count {
        let role = draw_role(&mut seed, &report.kills, kills.count - number);
        let longest = LIVES_US[seed.below(LIVES_US.len() as u64) as usize];
        // The instant itself is what is drawn: there is no event to wait for.
        std::thread::sleep(Duration::from_micros(seed.below(longest)));
        kill(role, &mut children[role])?;
        // Only now, after the reaping: there is never more than one incarnation.
        children[role] = start(role, false)?;
        report.kills[role] += 1;
        if !killed() {
            break;
        }
    }
    // All are gone before the first of the last ones starts, since an end travels down the row.
    for (role, child) in children.iter_mut().enumerate() {
        kill(role, child)?;
    }
    for (role, child) in [start(0, true)?, start(1, true)?, start(2, true)?]
        .into_iter()
        .enumerate()
    {
        let end = child.wait()?;
        ensure!(
            end == End::Exited(0),
            "{}: ended with {end:?}, expected exit code 0",
            ROLES[role]
        );
    }
    compare(&bus, &mut report)?;
    Ok(report)
}

/// Any role, but in time one that would otherwise not reach a fifth.
fn draw_role(seed: &mut Seed, kills: &[usize; 3], left: usize) -> usize {
    let done: usize = kills.iter().sum();
    let least = (done + left) / 5;
    let missing = kills.map(|count| least.saturating_sub(count));
    let drawn = seed.below(ROLES.len() as u64) as usize;
    if missing.iter().sum::<usize>() < left || missing[drawn] > 0 {
        return drawn;
    }
    missing.iter().position(|count| *count > 0).unwrap_or(drawn)
}

/// Kills and reaps the incarnation, which must have been alive.
fn kill(role: usize, child: &mut Child) -> Result<(), Failure> {
    let end = child.kill()?;
    let expected = End::Signaled(Signal::SIGKILL);
    ensure!(
        end == expected,
        "{}: ended by itself with {end:?}",
        ROLES[role]
    );
    Ok(())
}

/// One incarnation of one role; the last ones run to their end.
fn live(bus: &Bus, role: usize, nonce: u64, last: bool) -> i32 {
    let lived = match role {
        0 => {
            Source::attach(bus, nonce).and_then(|mut source| run(last, || source.step(BURST, last)))
        }
        1 => Middle::<{ airssys_ringbuf::step::mistake::NONE }>::attach(
            bus,
            Incarnation::new(nonce, u64::MAX),
        )
        .and_then(|mut middle| run(last, || middle.step(Plan::Work))),
        _ => Sink::attach(bus).and_then(|mut sink| run(last, || sink.step(BURST))),
    };
    lived.unwrap_or_else(|failure| {
        eprintln!("{}: {failure}", ROLES[role]);
        FAILED
    })
}

fn run(last: bool, mut step: impl FnMut() -> Result<Turn, Failure>) -> Result<i32, Failure> {
    let mut idle = 0;
    loop {
        match step()? {
            Turn::Done => return Ok(0),
            Turn::Busy => idle = 0,
            Turn::Idle => {
                idle += 1;
                if last && idle > IDLE_TURNS_MAX {
                    return Ok(STUCK);
                }
                std::thread::yield_now();
            }
        }
    }
}

/// Compares what each end of each link has counted.
fn compare(bus: &Bus, report: &mut Report) -> Result<(), Failure> {
    let source: SourceState = cell(&bus.source.seen, SOURCE, (0, 2), STATE)?;
    let middle: MiddleState = cell(&bus.middle.seen, MIDDLE, (2, 2), STATE)?;
    let sink: SinkState = cell(&bus.sink.seen, SINK, (2, 0), SEEN)?;
    let ends = [
        ("in", source.sent[0], middle.taken[0]),
        ("side", source.sent[1], middle.taken[1]),
        ("a", middle.sent[0], sink.seen[0]),
        ("b", middle.sent[1], sink.seen[1]),
    ];
    for (link, sent, received) in ends {
        compare_ends(link, sent, received)?;
    }
    ensure!(
        middle.taken[0].count == middle.sent[0].count,
        "the middle forwarded {} of {} messages",
        middle.sent[0].count,
        middle.taken[0].count
    );
    report.sent = source.sent.iter().map(|flow| flow.count).sum();
    report.delivered = sink.seen.iter().map(|flow| flow.count).sum();
    Ok(())
}

fn compare_ends(link: &str, sent: Flow, received: Flow) -> Result<(), Failure> {
    let (lost, repeated) = (
        sent.count.saturating_sub(received.count),
        received.count.saturating_sub(sent.count),
    );
    ensure!(
        sent == received,
        "`{link}`: {lost} lost, {repeated} repeated, {} torn, {} out of order: sent {sent:?}, received {received:?}",
        received.torn,
        received.misordered
    );
    Ok(())
}

fn cell<S: Message>(
    region: &airssys_ringbuf::region::Region,
    actor: &str,
    ends: (usize, usize),
    name: &str,
) -> Result<S, Failure> {
    read_cell(region, actor, ends, (name, 0))?
        .ok_or_else(|| Failure::Violated(format!("{actor}: its state was never committed")))
}
