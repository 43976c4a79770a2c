//! How a step comes to a port: its first use opens it. And what a look at a port says to a partition about to park.

use crate::ring::inlet::Peek;
use crate::ring::outlet::Refusal;
use crate::step::ports::{InPort, OutPort};

impl OutPort {
    /// The next free position, if there is room; opens the port where this step hasn't used it yet.
    #[inline]
    pub(super) fn claim(&self) -> Result<u64, Refusal> {
        match self.outlet.claim() {
            Err(Refusal::Shut) => self.enter_and_claim(),
            claimed => claimed,
        }
    }

    #[inline(never)]
    fn enter_and_claim(&self) -> Result<u64, Refusal> {
        self.enter();
        self.outlet.claim()
    }

    /// Opens the port for this step. Without a step it stays shut.
    pub(super) fn enter(&self) {
        if self.gate.is_open() && self.outlet.is_shut() {
            self.outlet.open();
            self.gate.outputs.enter(self.index);
        }
    }
}

impl InPort {
    /// The position of the next message, if this step may have it.
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        match self.inlet.peek() {
            Peek::Ready(position) => Some(position),
            Peek::Shut => self.enter_and_next(),
            Peek::Empty | Peek::Limited | Peek::Fault(_) => None,
        }
    }

    /// Opens the port, which this step hasn't used yet.
    #[inline(never)]
    fn enter_and_next(&self) -> Option<u64> {
        if !self.gate.is_open() {
            used_outside(&self.name);
        }
        self.inlet.open(self.gate.most());
        self.gate.inputs.enter(self.index);
        match self.inlet.peek() {
            Peek::Ready(position) => Some(position),
            Peek::Shut | Peek::Empty | Peek::Limited | Peek::Fault(_) => None,
        }
    }

    /// Whether the sender has ended and everything it sent lies behind. A step that is told so has seen it.
    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        let closed = self.inlet.is_closed();
        if closed && self.gate.is_open() {
            self.close_seen.set(true);
        }
        closed
    }

    /// Whether something came that no look has seen yet: after a look that finds something there is a step. A message that
    /// the author left where it is, waiting for another link's, is none, nor is a close that the author doesn't ask for: else
    /// the partition would never park.
    pub(crate) fn has_news(&self) -> bool {
        let from = self.looked_to.get().max(self.inlet.cursor());
        let to = self.inlet.ready_from(from);
        self.looked_to.set(to);
        let closed = !self.close_seen.get() && self.inlet.is_closed();
        if closed {
            self.close_seen.set(true);
            self.gate.note_close();
        }
        to > from || closed
    }
}

#[cold]
pub(super) fn used_outside(link: &str) -> ! {
    panic!("link `{link}`: a port was used outside of a step: only a step can commit what it does")
}
