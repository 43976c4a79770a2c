//! Source, middle and sink, on the ports that every actor has.
//!
//! Everything they know lies in durable cells: an incarnation goes on where the last committed step ended.

use airssys_ringbuf::message;
use airssys_ringbuf::step::{Attach, Durable, Receiver, Sender, StepCore, Verdict, mistake};

use crate::bus::Bus;
use crate::failure::{Failure, ensure};
pub(crate) use crate::traffic::{Flow, IN, Item, OUT};

/// The actors' names, and their regions'.
pub(crate) const SOURCE: &str = "source";
pub(crate) const MIDDLE: &str = "middle";
pub(crate) const SINK: &str = "sink";

/// The cells' names.
pub(crate) const STATE: &str = "state";
pub(crate) const FIXED: &str = "fixed";
pub(crate) const SEEN: &str = "seen";

/// What the middle's second cell holds for ever: no step touches it.
pub(crate) const FIXED_VALUE: u64 = 0x00f1_00f1_00f1_00f1;

/// The most messages that the middle takes in one step.
const BATCH: u64 = 2;

/// What a step shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Its work, and commit it.
    Work,
    /// Its work, and abort it.
    Abort,
    /// Nothing.
    Idle,
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
}

/// What the source keeps.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceState {
    /// What it sent, by output.
    pub(crate) sent: [Flow; 2],
}

/// What the middle keeps.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MiddleState {
    /// What it received, by input.
    pub(crate) taken: [Flow; 2],
    /// What it sent, by output.
    pub(crate) sent: [Flow; 2],
    /// How much it had sent before its last step, by output.
    pub(crate) before: [u64; 2],
}

/// What the sink keeps.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SinkState {
    /// What it received, by input.
    pub(crate) seen: [Flow; 2],
}

/// Sends as much as there is room for in each step.
#[derive(Debug)]
pub(crate) struct Source {
    core: StepCore,
    outputs: [Sender<Item>; 2],
    state: Durable<SourceState>,
    nonce: u64,
}

impl Source {
    /// The next incarnation.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't a bus of this harness.
    pub(crate) fn attach(bus: &Bus, nonce: u64) -> Result<Self, Failure> {
        let mut attach = Attach::<{ mistake::NONE }>::new(&bus.source.own, SOURCE, 0, 2)?;
        let initial = SourceState {
            sent: [Flow::NONE; 2],
        };
        Ok(Self {
            outputs: [
                attach.sender(IN[0].name, &bus.middle.seen)?,
                attach.sender(IN[1].name, &bus.middle.seen)?,
            ],
            state: attach.durable(STATE, initial)?,
            core: attach.finish(),
            nonce,
        })
    }

    /// One step: up to `most` messages on each link. With `last` the actor ends with it.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the step meets an error.
    pub(crate) fn step(&mut self, most: u64, last: bool) -> Result<Turn, Failure> {
        if self.core.is_done() {
            return Ok(Turn::Done);
        }
        self.core.begin(0);
        for (index, output) in self.outputs.iter_mut().enumerate() {
            let room = output.room() as u64;
            for _ in 0..room.min(most) {
                let item = self.state.borrow_mut().sent[index].next(IN[index], self.nonce);
                // The room was there a moment ago, and nobody but this actor takes any. A receiver that ends in between
                // refuses.
                if output.send(item).is_err() {
                    break;
                }
            }
        }
        let ends = last || self.is_refused();
        end(
            &mut self.core,
            if ends { Verdict::Done } else { Verdict::Keep },
        )
    }

    /// Whether the middle has told that it takes no more.
    #[must_use]
    pub(crate) fn is_refused(&self) -> bool {
        self.outputs.iter().any(Sender::is_closed)
    }
}

/// One life of the middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incarnation {
    /// What its messages carry.
    pub(crate) nonce: u64,
    /// Messages after which the middle ends, whoever received them.
    pub(crate) limit: u64,
    /// Called before recovery, before each step, and before the end of each step.
    pub(crate) pause: fn(),
}

impl Incarnation {
    /// One that doesn't pause.
    pub(crate) fn new(nonce: u64, limit: u64) -> Self {
        Self {
            nonce,
            limit,
            pause: || {},
        }
    }
}

/// Receives up to two messages of `in` and forwards each to `a` in place. In every third step it also receives one of `side`
/// and sends none to two more to `b`: the other steps leave those links alone.
///
/// How many go to `b` depends on the incarnation, as time or randomness would make it: a redo isn't the first try again.
#[derive(Debug)]
pub(crate) struct Middle<const MISTAKE: u8> {
    core: StepCore<MISTAKE>,
    inputs: [Receiver<Item>; 2],
    outputs: [Sender<Item>; 2],
    state: Durable<MiddleState>,
    fixed: Durable<u64>,
    life: Incarnation,
}

impl<const MISTAKE: u8> Middle<MISTAKE> {
    /// The next incarnation, which ends at its limit, or when its input is closed.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't a bus of this harness.
    pub(crate) fn attach(bus: &Bus, life: Incarnation) -> Result<Self, Failure> {
        let initial = MiddleState {
            taken: [Flow::NONE; 2],
            sent: [Flow::NONE; 2],
            before: [0; 2],
        };
        let mut attach = Attach::<MISTAKE>::new(&bus.middle.own, MIDDLE, 2, 2)?;
        Ok(Self {
            inputs: [
                attach.receiver(IN[0].name, &bus.source.seen)?,
                attach.receiver(IN[1].name, &bus.source.seen)?,
            ],
            outputs: [
                attach.sender(OUT[0].name, &bus.sink.seen)?,
                attach.sender(OUT[1].name, &bus.sink.seen)?,
            ],
            state: attach.durable(STATE, initial)?,
            fixed: attach.durable(FIXED, FIXED_VALUE)?,
            core: {
                (life.pause)();
                attach.finish()
            },
            life,
        })
    }

    /// One step.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the step meets an error.
    pub(crate) fn step(&mut self, plan: Plan) -> Result<Turn, Failure> {
        if self.core.is_done() {
            return Ok(Turn::Done);
        }
        (self.life.pause)();
        self.core.begin(BATCH);
        let complete = plan != Plan::Idle && self.work();
        let verdict = match plan {
            Plan::Abort => Verdict::Abort,
            Plan::Work if complete => Verdict::Done,
            Plan::Work | Plan::Idle => Verdict::Keep,
        };
        (self.life.pause)();
        end(&mut self.core, verdict)
    }

    /// Whether this was the last message. A refused send leaves at once: the step is aborted then.
    fn work(&mut self) -> bool {
        let began = self.state.get();
        let third = (began.taken[0].count / BATCH).is_multiple_of(3);
        let mut received = false;
        while self.state.borrow().taken[0].count < self.life.limit {
            let Some(item) = self.inputs[0].try_recv() else {
                break;
            };
            received = true;
            self.state.borrow_mut().taken[0].receive(IN[0], &item);
            let out = self.state.borrow_mut().sent[0].next(OUT[0], self.life.nonce);
            let Ok(mut slot) = self.outputs[0].claim() else {
                return false;
            };
            *slot = out;
            slot.publish();
        }
        let more = if received && third {
            self.life.nonce % 3
        } else {
            0
        };
        for _ in 0..more {
            let out = self.state.borrow_mut().sent[1].next(OUT[1], self.life.nonce);
            if self.outputs[1].send(out).is_err() {
                return false;
            }
        }
        // What is left when the first link has ended is taken as well.
        let beside = received && third || self.inputs[0].is_closed();
        if let Some(item) = beside.then(|| self.inputs[1].try_recv()).flatten() {
            received = true;
            self.state.borrow_mut().taken[1].receive(IN[1], &item);
        }
        let ends = self.state.borrow().taken[0].count >= self.life.limit
            || self.inputs.iter().all(Receiver::is_closed);
        if received || ends {
            self.state.borrow_mut().before = began.sent.map(|flow| flow.count);
        }
        ends
    }

    /// What it keeps.
    #[must_use]
    pub(crate) fn state(&self) -> MiddleState {
        self.state.get()
    }

    /// What the cell holds that no step touches.
    #[must_use]
    pub(crate) fn fixed(&self) -> u64 {
        self.fixed.get()
    }

    /// Whether it has ended.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.core.is_done()
    }
}

/// Receives everything, until both links are closed.
#[derive(Debug)]
pub(crate) struct Sink {
    core: StepCore,
    inputs: [Receiver<Item>; 2],
    state: Durable<SinkState>,
}

impl Sink {
    /// The next incarnation.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't a bus of this harness.
    pub(crate) fn attach(bus: &Bus) -> Result<Self, Failure> {
        let initial = SinkState {
            seen: [Flow::NONE; 2],
        };
        let mut attach = Attach::<{ mistake::NONE }>::new(&bus.sink.own, SINK, 2, 0)?;
        Ok(Self {
            inputs: [
                attach.receiver(OUT[0].name, &bus.middle.seen)?,
                attach.receiver(OUT[1].name, &bus.middle.seen)?,
            ],
            state: attach.durable(SEEN, initial)?,
            core: attach.finish(),
        })
    }

    /// One step, which takes up to `most` messages of each link.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the step meets an error.
    pub(crate) fn step(&mut self, most: u64) -> Result<Turn, Failure> {
        if self.core.is_done() {
            return Ok(Turn::Done);
        }
        self.core.begin(most);
        let Self { inputs, state, .. } = self;
        for (index, input) in inputs.iter_mut().enumerate() {
            input.drain(most as usize, |item| {
                state.borrow_mut().seen[index].receive(OUT[index], item);
            });
        }
        let ends = inputs.iter().all(Receiver::is_closed);
        end(
            &mut self.core,
            if ends { Verdict::Done } else { Verdict::Keep },
        )
    }

    /// What it keeps.
    #[must_use]
    pub(crate) fn state(&self) -> SinkState {
        self.state.get()
    }

    /// Whether it has ended.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.core.is_done()
    }
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
