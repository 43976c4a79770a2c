//! Source, middle and sink, on the ports that every actor has.
//!
//! Everything they know lies in durable cells: an incarnation goes on where the last committed step ended.

mod desk;
mod hands;
mod middle;
mod sink;
mod source;

use airssys_ringbuf::message;
use airssys_ringbuf::step::{StepCore, Verdict};

pub(crate) use self::hands::{Receives, Sends, Style};
pub(crate) use self::middle::{Incarnation, Kept, Subject, attach, kept};
pub(crate) use self::sink::Sink;
pub(crate) use self::source::Source;
use crate::failure::{Failure, ensure};
use crate::traffic::{Answers, Flow, LINKS_MAX};

/// The actors' names, and their regions'.
pub(crate) const SOURCE: &str = "source";
pub(crate) const MIDDLE: &str = "middle";
pub(crate) const SINK: &str = "sink";

/// The cells' names.
pub(crate) const STATE: &str = "state";
pub(crate) const TAKEN: &str = "taken";
pub(crate) const SENT: &str = "sent";
pub(crate) const LOG: &str = "log";
pub(crate) const FIXED: &str = "fixed";
pub(crate) const SEEN: &str = "seen";
/// The cells of a middle whose messages may be set aside: letters handled again, and the count.
pub(crate) const AGAIN: &str = "again";
pub(crate) const TALLY: &str = "letters";

/// What the middle's last cell holds for ever: no step touches it.
pub(crate) const FIXED_VALUE: u64 = 0x00f1_00f1_00f1_00f1;

/// The name of the middle's cell about one of its links.
pub(crate) fn cell_name(kind: &str, index: usize) -> String {
    format!("{kind}-{index}")
}

/// What a step shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Its work, and commit it.
    Work,
    /// Its work, and leave everything as it was: `Step::Retry`.
    Retry,
    /// Nothing.
    Idle,
    /// Its work, and panic; who runs it catches that and goes on with the same actor.
    Panic,
    /// Its work, and panic; the incarnation ends, and the next begins in the same process.
    Unwind,
    /// Its work, in a step that counts in no way.
    Rehearse,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It committed.
    Busy,
    /// It did not.
    Idle,
    /// The actor has ended, now or before.
    Done,
    /// It panicked, and nobody has cleared up after it.
    Unwound,
}

/// What the source keeps.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceState {
    /// What it sent, by output.
    pub(crate) sent: [Flow; LINKS_MAX],
}

/// What the middle keeps beside a flow of each of its links.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// Steps that changed it.
    pub(crate) steps: u64,
    /// How much it had sent before the last of them, by output.
    pub(crate) before: [u64; LINKS_MAX],
    /// What it has answered: each received message once, on an output that was drawn.
    pub(crate) answered: Answers,
    /// All of these follow from `steps`.
    bulk: [u64; BULK],
}

const BULK: usize = 8;

impl Log {
    pub(crate) const NONE: Self = Self {
        steps: 0,
        before: [0; LINKS_MAX],
        answered: Answers::NONE,
        bulk: [0; BULK],
    };

    fn note(&mut self, before: [u64; LINKS_MAX]) {
        self.steps += 1;
        self.before = before;
        self.bulk = bulk(self.steps);
    }

    /// Whether all of it is of one step.
    pub(crate) fn is_whole(&self) -> bool {
        self.bulk == bulk(self.steps)
    }
}

fn bulk(steps: u64) -> [u64; BULK] {
    std::array::from_fn(|index| steps.rotate_left(7 * index as u32))
}

/// What the sink keeps.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SinkState {
    /// What it received, by input.
    pub(crate) seen: [Flow; LINKS_MAX],
    /// The answers among that.
    pub(crate) answered: Answers,
}

fn end<const MISTAKE: u8>(core: &mut StepCore<MISTAKE>, verdict: Verdict) -> Result<Turn, Failure> {
    let steps = core.steps();
    let outcome = core.finish(verdict)?;
    let expected = steps + u64::from(outcome.committed);
    ensure!(
        core.steps() == expected,
        "a step went from number {steps} to {}",
        core.steps()
    );
    Ok(if core.is_done() {
        Turn::Done
    } else if outcome.committed {
        Turn::Busy
    } else {
        Turn::Idle
    })
}
