//! The peer that does as it should, and notices what doesn't reach it.

use airssys_ringbuf::message;
use airssys_rt::{Actor, Durable, Receiver, Refused, Sender, Step};

use super::Count;
use crate::traffic::{Flow, IN, Item, OUT};

/// Questions that are still asked after the raid has come to its writes.
const AFTER: u64 = 2_000;

/// Steps from one look at the raider's count to the next: a look is a system call.
const LOOK_EVERY: u64 = 64;

#[message]
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HonestState {
    pub(super) sent: Flow,
    pub(super) seen: Flow,
    /// The questions after which it asks no more; 0 while the raid isn't there yet.
    end: u64,
}

#[derive(Debug)]
pub(super) struct Honest {
    ask: Sender<Item>,
    answers: Receiver<Item>,
    state: Durable<HonestState>,
    writes: u64,
    count: Option<Count>,
    steps: u64,
}

impl Honest {
    pub(super) fn new(
        (ask, answers, state): (Sender<Item>, Receiver<Item>, Durable<HonestState>),
        writes: u64,
    ) -> Self {
        Self {
            ask,
            answers,
            state,
            writes,
            count: Count::of_parent().ok(),
            steps: 0,
        }
    }

    fn is_raided(&self) -> bool {
        self.count
            .as_ref()
            .is_none_or(|count| count.get() >= self.writes)
    }
}

impl Actor for Honest {
    fn step(&mut self) -> Result<Step, Refused> {
        self.steps += 1;
        let mut state = self.state.get();
        let seen = self
            .answers
            .drain(64, |item| state.seen.receive(OUT[0], item));
        if state.end == 0 && self.steps.is_multiple_of(LOOK_EVERY) && self.is_raided() {
            state.end = state.sent.count + AFTER;
        }
        // What was asked is answered before the end.
        let asks = state.end == 0 || state.sent.count < state.end;
        let room = if asks { self.ask.room().min(16) } else { 0 };
        for _ in 0..room {
            let item = state.sent.next(IN[0], 0);
            self.ask.send(item)?;
        }
        let moved = seen + room > 0;
        let ends = !asks && state.seen.count == state.sent.count;
        if moved || ends {
            self.state.set(state);
        }
        Ok(if ends {
            Step::Done
        } else if moved {
            Step::Busy
        } else {
            Step::Idle
        })
    }
}
