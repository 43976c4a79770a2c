//! Sends as much as there is room for in each step.

use airssys_ringbuf::step::{Attach, Durable, Sender, StepCore, Verdict, mistake};

use super::{SOURCE, STATE, SourceState, Turn, end};
use crate::bus::Bus;
use crate::failure::Failure;
use crate::traffic::{Flow, IN, Item, LINKS_MAX};

#[derive(Debug)]
pub(crate) struct Source {
    core: StepCore,
    outputs: Vec<Sender<Item>>,
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
        let links = bus.shape.ins();
        let mut attach = Attach::<{ mistake::NONE }>::new(&bus.source.own, SOURCE, 0, links.len())?;
        let initial = SourceState {
            sent: [Flow::NONE; LINKS_MAX],
        };
        let outputs = links
            .iter()
            .map(|link| attach.sender(link.name, &bus.middle.seen));
        Ok(Self {
            outputs: outputs.collect::<Result<_, _>>()?,
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

    /// Whether it has ended.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.core.is_done()
    }

    /// Messages sent on all links.
    #[must_use]
    pub(crate) fn sent(&self) -> u64 {
        self.state.borrow().sent.iter().map(|flow| flow.count).sum()
    }
}
