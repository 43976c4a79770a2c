//! Receives everything, until all links are closed or it has had enough.

use airssys_ringbuf::step::{Attach, Durable, Receivers, StepCore, Verdict, mistake};

use super::{SEEN, SINK, SinkState, Turn, end};
use crate::bus::Bus;
use crate::failure::Failure;
use crate::traffic::{Answers, Flow, Item, LINKS_MAX, OUT};

#[derive(Debug)]
pub(crate) struct Sink {
    core: StepCore,
    inputs: Receivers<Item>,
    state: Durable<SinkState>,
    ends: u64,
}

impl Sink {
    /// The next incarnation, which ends when it has received `ends` messages, or with the middle.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't a bus of this harness.
    pub(crate) fn attach(bus: &Bus, ends: u64) -> Result<Self, Failure> {
        let initial = SinkState {
            seen: [Flow::NONE; LINKS_MAX],
            answered: Answers::NONE,
        };
        let links = bus.shape.outs();
        let mut attach = Attach::<{ mistake::NONE }>::new(&bus.sink.own, SINK, links.len(), 0)?;
        let links: Vec<_> = links
            .iter()
            .map(|link| (link.name, &bus.middle.seen))
            .collect();
        Ok(Self {
            inputs: attach.receivers(&links)?,
            state: attach.durable(SEEN, initial)?,
            core: attach.finish(),
            ends,
        })
    }

    /// One step, which takes up to `most` messages.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the step meets an error.
    pub(crate) fn step(&mut self, most: usize) -> Result<Turn, Failure> {
        if self.core.is_done() {
            return Ok(Turn::Done);
        }
        self.core.begin(u64::MAX);
        let Self { inputs, state, .. } = self;
        let left = usize::try_from(self.ends - count(&state.borrow())).unwrap_or(usize::MAX);
        inputs.drain(most.min(left), |link, item| {
            let mut state = state.borrow_mut();
            state.seen[link].receive(OUT[link], item);
            state.answered.add(item.answers);
        });
        let ends = inputs.is_closed() || count(&state.borrow()) >= self.ends;
        end(
            &mut self.core,
            if ends { Verdict::Done } else { Verdict::Keep },
        )
    }

    /// Takes all that it sees.
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub(crate) fn drain(&mut self) -> Result<(), Failure> {
        while self.step(usize::MAX)? == Turn::Busy {}
        Ok(())
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

fn count(state: &SinkState) -> u64 {
    state.seen.iter().map(|flow| flow.count).sum()
}
