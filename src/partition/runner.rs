//! One actor's turns: run its step, end it, and decide when and with how much input it runs again.

use airssys_ringbuf::pulse::Order;
use airssys_ringbuf::step::{Outcome, StepCore, StepError, Verdict};

use crate::actor::{Actor, Refused, Step, verdict};
use crate::local::{LocalEnd, LocalRings};
use crate::partition::letters::{self, DeadLetters, Looked};
use crate::partition::ports::{PortError, PortOpener};
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, Plan};

/// How many messages a step may receive from each of its links.
///
/// Without a limit, until an output refuses a step: what it received may need more room than the link will ever have. The
/// next try gets one message a link. From there the share doubles with each step that commits, and with each that can't do
/// anything with so few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share(u64);

impl Share {
    const WHOLE: Self = Self(u64::MAX);
    const ONE: Self = Self(1);
    /// One message of whichever link is asked first.
    const SINGLE: Self = Self(0);

    fn doubled(self) -> Self {
        if self == Self::SINGLE {
            return Self::ONE;
        }
        match self.0.checked_mul(2) {
            Some(most) if most <= 1 << 20 => Self(most),
            _ => Self::WHOLE,
        }
    }
}

/// What an actor's turn came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Another turn at once may do something.
    pub(crate) busy: bool,
    /// Peers were shown something.
    pub(crate) visible: bool,
    /// The actor has ended with it.
    pub(crate) ended: bool,
}

/// An actor and its commit records.
pub(crate) struct Runner {
    actor: Box<dyn Actor>,
    core: StepCore,
    locals: Vec<LocalEnd>,
    has_inputs: bool,
    letters: Option<Box<DeadLetters>>,
    /// Inputs of which messages were in work when a life died of it, each up to a position: until all lie behind a step gets
    /// a single one.
    suspects: Vec<(usize, u64)>,
    share: Share,
    /// The output that refused the last step; the step runs again when that link has news.
    refused: Option<usize>,
    /// The author asked for the same step again later: its input is still there and no news.
    retries: bool,
}

impl Runner {
    /// Makes the actor by its factory, for this incarnation.
    pub(crate) fn new(
        plan: &Plan,
        view: &BusView,
        locals: &LocalRings,
        (id, incarnation): (ActorId, u64),
    ) -> Result<Self, PortError> {
        let mut opener = PortOpener::new(plan, view, locals, (id, incarnation))?;
        let factory = &plan.partitions[id.partition].factories.0[id.actor];
        let actor = factory(&mut opener)?;
        let letters = DeadLetters::open(plan, view, id, &mut opener)?;
        let (core, locals) = opener.finish();
        let mut suspects = letters::suspects(plan, view, id);
        suspects.retain(|&(input, to)| core.received(input) < to);
        let receives_locally = plan.locals.iter().any(|local| local.to == id);
        Ok(Self {
            actor,
            core,
            locals,
            has_inputs: !plan.actor(id).inputs.is_empty() || receives_locally,
            letters,
            share: if suspects.is_empty() {
                Share::WHOLE
            } else {
                Share::SINGLE
            },
            suspects,
            refused: None,
            retries: false,
        })
    }

    fn close_locals(&self) {
        for end in &self.locals {
            end.close();
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.core.is_done()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.core.steps()
    }

    /// Whether it waits for nothing that rings a doorbell.
    pub(crate) fn polls(&self, order: Order) -> bool {
        let drained = order == Order::Drain && !self.has_inputs;
        let waits = self.retries || !self.has_inputs && self.refused.is_none();
        !self.core.is_done() && !drained && waits
    }

    /// Whether a turn would find something.
    pub(crate) fn has_news(&self) -> bool {
        if self.core.is_done() {
            return false;
        }
        if let Some(letters) = &self.letters
            && letters.has_news()
        {
            return true;
        }
        if self.retries {
            return false;
        }
        let local = self
            .locals
            .iter()
            .fold(false, |news, end| end.has_news() | news);
        local || self.core.has_news(self.refused)
    }

    /// One turn.
    #[inline]
    pub(crate) fn turn(&mut self, order: Order) -> Result<Turn, StepError> {
        let drained = order == Order::Drain && !self.has_inputs;
        if self.core.is_done() || drained {
            return Ok(Turn::default());
        }
        if let Some(letters) = &mut self.letters {
            match letters.look(&mut self.core, &mut *self.actor)? {
                Looked::Turned(turn) => return Ok(self.turned(turn)),
                Looked::Blocked => return Ok(Turn::default()),
                Looked::Nothing => {}
            }
        }
        // Letters don't wait for room elsewhere, or an order about them would keep this partition awake until there is some.
        if self.refused.is_some() && !self.core.has_news(self.refused) {
            return Ok(Turn::default());
        }
        self.refused = None;
        if self.share == Share::SINGLE {
            self.core.begin_single();
        } else {
            self.core.begin(self.share.0);
        }
        let stepped = self.actor.step();
        self.retries = stepped == Ok(Step::Retry);
        let busy = match stepped {
            Ok(Step::Busy) => true,
            Ok(Step::Idle) => false,
            Err(Refused::Closed) => return self.end_closed(),
            _ => return self.end(verdict(stepped), stepped == Ok(Step::Done)),
        };
        match self.core.keep() {
            Some(outcome) => Ok(self.kept(busy, outcome)),
            None => self.end(Verdict::Keep, busy),
        }
    }

    /// A step was taken for the sake of a dead letter.
    #[cold]
    fn turned(&self, turn: Turn) -> Turn {
        if turn.ended {
            self.close_locals();
        }
        turn
    }

    /// What comes of a step like most.
    #[inline]
    fn kept(&mut self, busy: bool, outcome: Outcome) -> Turn {
        if outcome.committed && self.share != Share::WHOLE {
            self.share = self.next_share();
        }
        Turn {
            busy: busy || outcome.committed,
            visible: outcome.visible | self.shows_locals(),
            ended: false,
        }
    }

    /// Whether a local link has something that its other end hasn't seen.
    #[inline]
    fn shows_locals(&self) -> bool {
        let mut shown = false;
        for end in &self.locals {
            shown |= end.has_shown();
        }
        shown
    }

    /// One step that is rolled back whatever comes of it; whether peers were shown anything, which at most is credit.
    pub(crate) fn rehearse(&mut self) -> Result<bool, StepError> {
        if self.core.is_done() {
            return Ok(false);
        }
        let (core, actor) = (&mut self.core, &mut self.actor);
        let outcome = core.rehearse(self.share.0.max(1), || {
            let _ = actor.step();
        })?;
        Ok(outcome.visible)
    }

    #[cold]
    #[inline(never)]
    fn end(&mut self, verdict: Verdict, busy: bool) -> Result<Turn, StepError> {
        let outcome = self.core.finish(verdict)?;
        let mut turn = self.kept(busy, outcome);
        if self.core.is_done() {
            turn.ended = true;
            self.close_locals();
        }
        if outcome.refused.is_some() && self.has_inputs && self.share.0 > Share::ONE.0 {
            self.share = Share::ONE;
            turn.busy = true;
        } else if outcome.refused.is_some() {
            self.refused = outcome.refused;
            turn.busy = false;
        } else if outcome.limited && !outcome.committed {
            self.share = self.share.doubled();
            turn.busy = true;
        }
        Ok(turn)
    }

    /// The share of the step after one that has committed with less than all.
    #[cold]
    fn next_share(&mut self) -> Share {
        let core = &self.core;
        self.suspects
            .retain(|&(input, to)| core.received(input) < to);
        if self.suspects.is_empty() {
            self.share.doubled()
        } else {
            Share::SINGLE
        }
    }

    /// Nobody is left to receive: the step doesn't count, and the actor ends.
    #[cold]
    fn end_closed(&mut self) -> Result<Turn, StepError> {
        let aborted = self.core.finish(Verdict::Abort)?;
        self.core.begin(0);
        let ended = self.core.finish(Verdict::Done)?;
        self.close_locals();
        Ok(Turn {
            busy: true,
            visible: aborted.visible || ended.visible,
            ended: true,
        })
    }
}
