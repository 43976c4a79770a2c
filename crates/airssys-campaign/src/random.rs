//! SIGKILLs at random instants of three running partitions.
//!
//! Source, middle and sink run as processes of their own at full speed. One of them, two or all three, drawn by the seed, are
//! killed at an instant drawn by the seed, often right after a commit, reaped, and started again; after some thousands of kills all three run to their
//! end, and another bus is next. What they keep in durable cells tells what was lost, repeated, torn or out of order. The seed
//! brings the draws back, not what the machine's scheduler did meanwhile.

use std::time::{Duration, Instant};

use airssys_ringbuf::Message;
use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::{mistake, read_cell};
use nix::sys::signal::Signal;

use crate::actors::{
    Incarnation, Plan, Receives, SEEN, SINK, SOURCE, STATE, Sends, Sink, SinkState, Source,
    SourceState, Style, Subject, Turn, attach, kept,
};
use crate::bus::{Bus, Shape, Wire};
use crate::failure::{Failure, ensure};
use crate::judge::check_answers;
use crate::place::Place;
use crate::process::{Child, End};
use crate::seed::Seed;
use crate::traffic::{Flow, IN, LINKS_MAX, OUT};

const ROLES: [&str; 3] = [SOURCE, "middle", SINK];

/// The buses, in turn: both layouts on either side, few ports, links that are hinted at; each kind of call.
const BUSES: [(Shape, Style); 4] = [
    (
        Shape {
            inputs: &[Wire::sequenced(64), Wire::contiguous(64)],
            outputs: &[Wire::contiguous(64), Wire::sequenced(64)],
        },
        Style {
            receives: Receives::Drain,
            sends: Sends::Claim,
        },
    ),
    (
        Shape {
            inputs: &[Wire::contiguous(32), Wire::sequenced(32)],
            outputs: &[Wire::sequenced(8), Wire::contiguous(16)],
        },
        Style {
            receives: Receives::Slices,
            sends: Sends::Slice,
        },
    ),
    (
        Shape {
            inputs: &[Wire::sequenced(64)],
            outputs: &[Wire::contiguous(32), Wire::sequenced(4)],
        },
        Style {
            receives: Receives::Copies,
            sends: Sends::Value,
        },
    ),
    (
        Shape {
            inputs: &[Wire::sequenced(16), Wire::contiguous(16)],
            outputs: &[Wire::sequenced(16); LINKS_MAX],
        },
        Style {
            receives: Receives::One,
            sends: Sends::Value,
        },
    ),
];

/// Kills on one bus before its ends are compared.
const BLOCK: usize = 5_000;

/// The most that the source sends on each link in one step, and that the sink takes of all.
const BURST: usize = 7;

/// Longest lives, in microseconds, between two kills: in the fork, in the recovery, in the traffic.
const LIVES_US: [u64; 3] = [60, 400, 2500];

/// How long a partition may take to commit before it is killed without having done so.
const COMMIT_WITHIN: Duration = Duration::from_micros(200);

/// Spins between a commit and the kill: about two steps.
const COMMIT_SPINS: u64 = 100;

/// Turns without anything to do after which a process that should come to its end is stuck.
const IDLE_TURNS_MAX: u64 = 20_000_000;

const STUCK: i32 = 2;
const FAILED: i32 = 3;

/// How many kills, and how they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kills {
    /// Kills in all; each of the three roles gets at least a fifth of them.
    pub(crate) count: usize,
    /// Draws buses, roles and instants.
    pub(crate) seed: u64,
}

/// What came of a campaign without a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Kills by role: source, middle, sink.
    pub(crate) kills: [usize; 3],
    /// Kills that took two or three of them at once.
    pub(crate) together: usize,
    /// Buses that were led to their end.
    pub(crate) buses: usize,
    /// Messages that the source sent, all of which the middle received.
    pub(crate) sent: u64,
    /// Messages that the middle sent, all of which the sink received.
    pub(crate) delivered: u64,
}

/// Runs the campaign; `killed` hears of kills, how many processes it were, and says whether to go on.
///
/// # Errors
///
/// [`Failure::Violated`] with what was lost, repeated, torn or out of order, or with a process that ended by itself.
pub(crate) fn random_kills(
    kills: Kills,
    mut killed: impl FnMut(usize) -> bool,
) -> Result<Report, Failure> {
    let mut draws = Seed::new(kills.seed);
    let mut report = Report::default();
    let block = (kills.count / BUSES.len()).clamp(1, BLOCK);
    let mut goes_on = true;
    while goes_on && report.done() < kills.count {
        let (shape, style) = BUSES[report.buses % BUSES.len()];
        let mut trial = Trial {
            bus: Bus::create(shape)?,
            style,
            seed: kills.seed,
            nonce: 0,
        };
        let end = (report.done() + block).min(kills.count);
        goes_on = trial.kill(end, &mut draws, &mut report, &mut killed)?;
        compare(&trial.bus, &mut report).map_err(|failure| failure.at(format!("{shape:?}")))?;
        report.buses += 1;
    }
    Ok(report)
}

impl Report {
    fn done(&self) -> usize {
        self.kills.iter().sum()
    }
}

/// Three partitions on one bus.
struct Trial {
    bus: Bus,
    style: Style,
    seed: u64,
    nonce: u64,
}

impl Trial {
    /// Kills until there were `end` kills, and lets all run to their end; whether to go on.
    fn kill(
        &mut self,
        end: usize,
        draws: &mut Seed,
        report: &mut Report,
        killed: &mut impl FnMut(usize) -> bool,
    ) -> Result<bool, Failure> {
        let mut children = self.start_all(false)?;
        let mut goes_on = true;
        while goes_on && report.done() < end {
            let left = end - report.done();
            let first = draw_role(draws, &report.kills, left);
            let longest = LIVES_US[draws.below(LIVES_US.len() as u64) as usize];
            // The instant itself is what is drawn: there is no event to wait for.
            std::thread::sleep(Duration::from_micros(draws.below(longest)));
            if draws.below(4) > 0 {
                self.await_commit(first, draws.below(COMMIT_SPINS))?;
            }
            let count = draw_count(draws).min(left);
            let roles = (0..count).map(|next| (first + next) % ROLES.len());
            for role in roles.clone() {
                children[role].strike()?;
            }
            // All are reaped before the first is started again: there is never more than one incarnation.
            for role in roles.clone() {
                kill(role, &mut children[role])?;
                report.kills[role] += 1;
            }
            for role in roles {
                children[role] = self.start(role, false)?;
            }
            report.together += usize::from(count > 1);
            goes_on = killed(count);
        }
        self.end(children)?;
        Ok(goes_on)
    }

    /// Waits until that partition commits, if it does so soon, and for a moment more: without this most kills would find it
    /// waiting for the others.
    fn await_commit(&self, role: usize, spins: u64) -> Result<(), Failure> {
        let place = [&self.bus.source, &self.bus.middle, &self.bus.sink][role];
        let control = place.offset(SectionKind::Actor, ROLES[role])?;
        let before = place.word(control)?;
        let began = Instant::now();
        while place.word(control)? == before && began.elapsed() < COMMIT_WITHIN {}
        for _ in 0..spins {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn start(&mut self, role: usize, last: bool) -> Result<Child, Failure> {
        self.nonce += 1;
        let life = Incarnation {
            nonce: self.nonce,
            limit: u64::MAX,
            style: self.style,
            seed: self.seed,
            pause: || {},
            skip: || {},
        };
        Child::spawn(|| live(&self.bus, role, life, last))
    }

    fn start_all(&mut self, last: bool) -> Result<[Child; 3], Failure> {
        Ok([
            self.start(0, last)?,
            self.start(1, last)?,
            self.start(2, last)?,
        ])
    }

    /// All are gone before the first of the last ones starts, since an end travels down the row.
    fn end(&mut self, mut children: [Child; 3]) -> Result<(), Failure> {
        for (role, child) in children.iter_mut().enumerate() {
            kill(role, child)?;
        }
        for (role, child) in self.start_all(true)?.into_iter().enumerate() {
            let end = child.wait()?;
            ensure!(
                end == End::Exited(0),
                "{}: ended with {end:?}, expected exit code 0",
                ROLES[role]
            );
        }
        Ok(())
    }
}

/// How many are killed at once.
fn draw_count(draws: &mut Seed) -> usize {
    match draws.below(8) {
        0 => 3,
        1 => 2,
        _ => 1,
    }
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
fn live(bus: &Bus, role: usize, life: Incarnation, last: bool) -> i32 {
    let lived = match role {
        0 => Source::attach(bus, life.nonce)
            .and_then(|mut source| run(last, || source.step(BURST as u64, last))),
        1 => live_middle(bus, life, last),
        _ => Sink::attach(bus, u64::MAX).and_then(|mut sink| run(last, || sink.step(BURST))),
    };
    lived.unwrap_or_else(|failure| {
        eprintln!("{}: {failure}", ROLES[role]);
        FAILED
    })
}

/// Now and then a step comes to nothing, or panics; the incarnation after a panic is another one.
fn live_middle(bus: &Bus, mut life: Incarnation, last: bool) -> Result<i32, Failure> {
    let mut draws = Seed::new(life.seed ^ life.nonce);
    let mut middle = Some(attach(mistake::NONE, bus, life)?);
    run(last, || {
        let subject: &mut Box<dyn Subject> = match &mut middle {
            Some(subject) => subject,
            None => middle.insert(attach(mistake::NONE, bus, life)?),
        };
        let turn = subject.step(draw_plan(&mut draws))?;
        if turn == Turn::Unwound {
            // Dropped before the next one attaches.
            middle = None;
            life = life.reborn();
        }
        Ok(turn)
    })
}

fn draw_plan(draws: &mut Seed) -> Plan {
    match draws.below(128) {
        0..8 => Plan::Retry,
        8 => Plan::Panic,
        9 => Plan::Unwind,
        10..12 => Plan::Rehearse,
        12..14 => Plan::Idle,
        _ => Plan::Work,
    }
}

fn run(last: bool, mut step: impl FnMut() -> Result<Turn, Failure>) -> Result<i32, Failure> {
    let mut idle = 0;
    loop {
        match step()? {
            Turn::Done => return Ok(0),
            Turn::Busy | Turn::Unwound => idle = 0,
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
    let (ins, outs) = (bus.shape.ins().len(), bus.shape.outs().len());
    let source: SourceState = cell(&bus.source, SOURCE, (0, ins), STATE)?;
    let sink: SinkState = cell(&bus.sink, SINK, (outs, 0), SEEN)?;
    let middle = kept(bus)?;
    for (link, (sent, taken)) in IN.iter().zip(source.sent.iter().zip(&middle.taken)) {
        compare_ends(link.name, *sent, *taken)?;
    }
    for (link, (sent, seen)) in OUT.iter().zip(middle.sent.iter().zip(&sink.seen)) {
        compare_ends(link.name, *sent, *seen)?;
    }
    check_answers(&middle)?;
    ensure!(
        middle.log.answered == sink.answered,
        "the middle answered {:?}, the sink has {:?}",
        middle.log.answered,
        sink.answered
    );
    report.sent += source.sent.iter().map(|flow| flow.count).sum::<u64>();
    report.delivered += sink.seen.iter().map(|flow| flow.count).sum::<u64>();
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
    place: &Place,
    actor: &str,
    ends: (usize, usize),
    name: &str,
) -> Result<S, Failure> {
    read_cell(&place.seen, actor, ends, (name, 0))?
        .ok_or_else(|| Failure::Violated(format!("{actor}: its state was never committed")))
}
