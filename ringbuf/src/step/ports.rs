//! The two ends of a link, untyped: what the step's end does with them. [`Sender`](super::Sender) and
//! [`Receiver`](super::Receiver) are what an actor holds.
//!
//! Ports stage: what is sent shows, and what is received counts as consumed, when the step commits. They work inside a step
//! only, aren't `Send`, and belong to one incarnation.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::clock::monotonic_ns;
use crate::latency::Latencies;
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::{Outlet, Refusal};
use crate::slots::{MappedRing, Storage};
use crate::step::gate::Gate;
use crate::step::hints::Hinting;
use crate::step::in_flight::Mark;
use crate::step::outcome::StepError;
use crate::word::Ordering;

/// A link refused to take a message. Returned from a step with `?`, it aborts the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No room: the whole step is aborted, and run again when the receiver has given back.
    #[error("the link is full")]
    Full,
    /// The receiver has ended. A step that returns this ends its actor: nobody is left to send to.
    #[error("the link's receiver has ended")]
    Closed,
}

/// Why an untrusted link was given up: its peer wrote a position that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "link `{link}`: its peer `{peer}` wrote position {found}, impossible at {position} with capacity {capacity}: the link has \
     ended"
)]
pub struct LinkFault {
    /// The link.
    pub link: String,
    /// The partition at its other end.
    pub peer: String,
    /// The word that was read.
    pub found: u64,
    /// This end's own position.
    pub position: u64,
    /// The link's capacity.
    pub capacity: u64,
}

/// The sending end, untyped.
#[derive(Debug)]
pub(crate) struct OutPort {
    pub(crate) name: String,
    /// The region's owner at the other end.
    pub(crate) peer: String,
    pub(crate) outlet: Outlet<MappedRing>,
    pub(crate) held: Cell<bool>,
    pub(crate) gate: Rc<Gate>,
    /// Its place among the actor's outputs.
    pub(crate) index: usize,
    /// Where the receiving partition has many links.
    pub(crate) hinting: Option<Hinting>,
}

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

    /// Free slots that a claim of this step would find.
    pub(super) fn room(&self) -> u64 {
        self.enter();
        let room = self.outlet.room();
        if self.outlet.fault().is_some() {
            self.gate.mark();
        }
        room
    }

    /// Opens the port for this step. Without a step it stays shut.
    pub(super) fn enter(&self) {
        if self.gate.is_open() && self.outlet.is_shut() {
            self.outlet.open();
            self.gate.outputs.enter(self.index);
        }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.outlet.storage.capacity()
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            known: self.outlet.published(),
            capacity: self.capacity(),
        }
    }

    /// Why the link was given up, in this incarnation or an earlier one.
    pub(crate) fn link_fault(&self) -> Option<LinkFault> {
        let (position, found) = self.outlet.storage.sender_fault()?;
        Some(LinkFault {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            position,
            capacity: self.capacity(),
        })
    }
}

/// The receiving end, untyped.
#[derive(Debug)]
pub(crate) struct InPort {
    pub(crate) name: String,
    /// The region's owner at the other end.
    pub(crate) peer: String,
    /// Messages are copied before anybody looks at them.
    pub(super) copies: bool,
    pub(crate) inlet: Inlet<MappedRing>,
    pub(crate) latencies: Option<Latencies>,
    pub(super) gate: Rc<Gate>,
    /// Its place among the actor's inputs.
    index: usize,
    /// A step or a look has seen the link's close.
    close_seen: Cell<bool>,
    /// Among those that owe credit.
    pub(crate) owes: Cell<bool>,
    /// Below this every message has been seen by a look.
    looked_to: Cell<u64>,
    in_flight: Mark,
    /// Where messages of this link lie that were set aside.
    pub(super) letters: OnceCell<Rc<InPort>>,
    /// Whoever looks for news reads hints instead of this link.
    pub(super) hinted: Cell<bool>,
}

impl InPort {
    pub(crate) fn new(
        name: String,
        peer: String,
        inlet: Inlet<MappedRing>,
        latencies: Option<Latencies>,
        (gate, index): (Rc<Gate>, usize),
        in_flight: Mark,
    ) -> Self {
        Self {
            name,
            peer,
            copies: !inlet.trusts(),
            inlet,
            latencies,
            gate,
            index,
            close_seen: Cell::new(false),
            owes: Cell::new(false),
            looked_to: Cell::new(0),
            in_flight,
            letters: OnceCell::new(),
            hinted: Cell::new(false),
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
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        let from = self.looked_to.get().max(self.inlet.cursor());
        (self.inlet.is_ready_at(from) && self.sees(from))
            || (!self.close_seen.get() && self.inlet.is_closed() && self.sees_close())
    }

    /// Takes note of what lies there from `from` on.
    fn sees(&self, from: u64) -> bool {
        let to = self.inlet.ready_from(from);
        self.looked_to.set(to);
        to > from
    }

    #[cold]
    fn sees_close(&self) -> bool {
        self.close_seen.set(true);
        self.gate.note_close();
        true
    }

    pub(crate) fn impossible(&self, found: u64) -> StepError {
        StepError::ImpossiblePosition {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            known: self.inlet.cursor(),
            capacity: self.inlet.storage.capacity(),
        }
    }

    /// Why the link was given up, in this incarnation or an earlier one.
    pub(crate) fn link_fault(&self) -> Option<LinkFault> {
        let (position, found) = self.inlet.storage.receiver_fault()?;
        Some(LinkFault {
            link: self.name.clone(),
            peer: self.peer.clone(),
            found,
            position,
            capacity: self.inlet.storage.capacity(),
        })
    }

    /// The position of the next message, if this step may have it; from then on it is in work.
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        match self.inlet.peek() {
            Peek::Ready(position) => {
                self.in_flight.raise(position + 1);
                Some(position)
            }
            Peek::Shut => self.enter_and_next(),
            Peek::Limited => self.next_single(),
            Peek::Fault(_) => {
                self.gate.mark();
                None
            }
            Peek::Empty => None,
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
        self.next()
    }

    /// What is beyond the limit: the next message, if this step gives a single one and nobody has had it.
    #[cold]
    #[inline(never)]
    fn next_single(&self) -> Option<u64> {
        if !self.gate.has_one() {
            self.gate.limit();
            return None;
        }
        self.inlet.open(1);
        let Peek::Ready(position) = self.inlet.peek() else {
            return None;
        };
        self.gate.give_one();
        self.in_flight.raise(position + 1);
        Some(position)
    }

    /// Opens the port for a step that it doesn't choose by itself, for so many messages.
    pub(super) fn admit(&self, most: u64) {
        self.inlet.open(most);
        if !self.gate.opens_all() {
            self.gate.inputs.enter(self.index);
        }
    }

    /// Its place among the actor's inputs.
    pub(super) fn place(&self) -> usize {
        self.index
    }

    /// The letters, if this step shows one of them instead of what lies on the link.
    #[inline]
    pub(super) fn requeued(&self) -> Option<&InPort> {
        let letters = self.letters.get()?;
        let (input, _) = self.gate.requeues()?;
        (input == self.index).then_some(letters)
    }

    /// The position on this link of the message that was received last, if there is one.
    pub(super) fn last_received(&self) -> Option<u64> {
        match self.gate.requeues() {
            Some((input, position)) if input == self.index => {
                let taken = self.letters.get()?.inlet.has_moved();
                if taken {
                    return Some(position);
                }
            }
            _ => {}
        }
        self.inlet.cursor().checked_sub(1)
    }

    /// As many messages from `position` on, all at once, are in work.
    #[inline]
    pub(super) fn show_run(&self, position: u64, count: u64) {
        self.in_flight.raise(position + count);
    }

    /// The handler leaves the message that it was shown last where it is. It stays in work until the step ends: what the author
    /// makes of the error may still be that message's doing.
    #[cold]
    pub(super) fn leave(&self) {
        self.gate.leave();
    }

    /// What lies at the cursor or above is in work no longer.
    #[inline]
    pub(super) fn put_back(&self) {
        self.in_flight.raise(self.inlet.cursor());
    }

    #[inline]
    pub(super) fn record_latency(&self, position: u64) {
        if let (Some(latencies), Some(stamp)) =
            (&self.latencies, self.inlet.storage.stamp(position))
            && !self.gate.rehearses()
        {
            let sent = stamp.load(Ordering::Relaxed);
            latencies.record(monotonic_ns().saturating_sub(sent));
        }
    }
}

#[cold]
pub(super) fn used_outside(link: &str) -> ! {
    panic!("link `{link}`: a port was used outside of a step: only a step can commit what it does")
}
