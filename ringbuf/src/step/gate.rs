//! What an actor's ports share: whether a step runs, and which of them it has used.
//!
//! A step may have thousands of ports and uses a few. So nothing is done for a port that isn't used: while the gate is shut a
//! port's limit is 0, its first use in a step meets the slow path, and that path opens the port and enters it
//! here. The end of the step looks at those that were entered and at no others. An actor with few ports has all of them opened
//! when a step begins: that is less work than to find out which it uses.

use std::cell::Cell;

use crate::instance::Instance;

/// Ports, of both kinds together, up to which a step treats all of them as used.
pub(super) const FEW: usize = 3;

/// Whether the actor is inside a step, and what its ports met there.
#[derive(Debug)]
pub(crate) struct Gate {
    open: Cell<bool>,
    rehearses: Cell<bool>,
    /// Counts the steps of this incarnation, so that a port can tell that it is in another one.
    step: Cell<u64>,
    /// Counts the closes that a look has found, so that who scans many links looks for them.
    closes: Cell<u64>,
    /// All ports count as used in each step.
    few: bool,
    /// Messages that each receiver may take in this step.
    most: Cell<u64>,
    /// Something isn't as in most steps: a receiver met the limit, a claim was refused, a peer wrote what can't be.
    marked: Cell<bool>,
    /// A receiver met the limit.
    limited: Cell<bool>,
    refused: Cell<Option<usize>>,
    /// A handler was shown a message and left it where it is.
    left: Cell<bool>,
    /// With no message for any receiver: whichever asks first may have one all the same.
    single: Cell<bool>,
    /// The input whose oldest letter takes the place of its next message, and that letter's position on its link.
    requeues: Cell<Option<(usize, u64)>>,
    /// One bit for each cell that was changed.
    pub(crate) dirty: Cell<u64>,
    pub(crate) inputs: Used,
    pub(crate) outputs: Used,
    /// Of which bus the ports are.
    pub(super) instance: Cell<Instance>,
}

impl Gate {
    /// A shut gate of an actor with so many ports.
    pub(crate) fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            open: Cell::new(false),
            rehearses: Cell::new(false),
            step: Cell::new(0),
            closes: Cell::new(0),
            few: inputs + outputs <= FEW,
            most: Cell::new(0),
            marked: Cell::new(false),
            limited: Cell::new(false),
            refused: Cell::new(None),
            left: Cell::new(false),
            single: Cell::new(false),
            requeues: Cell::new(None),
            dirty: Cell::new(0),
            inputs: Used::new(inputs, inputs + outputs <= FEW),
            outputs: Used::new(outputs, inputs + outputs <= FEW),
            instance: Cell::new(Instance::default()),
        }
    }

    /// Whether all ports are to be opened when a step begins, and are entered once and for all.
    #[inline]
    pub(crate) fn opens_all(&self) -> bool {
        self.few
    }

    /// Begins a step: no port is used yet, or all are.
    #[inline]
    pub(crate) fn open(&self, most: u64) {
        if self.marked.get() {
            self.refused.set(None);
            self.limited.set(false);
            self.marked.set(false);
        }
        if !self.few {
            self.inputs.clear();
            self.outputs.clear();
        }
        self.most.set(most);
        self.step.set(self.step.get() + 1);
        self.open.set(true);
    }

    /// Ends it; whether it was marked. What was used stays known until the next one.
    #[inline]
    pub(crate) fn shut(&self) -> bool {
        self.open.set(false);
        self.marked.get()
    }

    /// Notes that a port has met what can't be.
    #[cold]
    pub(crate) fn mark(&self) {
        self.marked.set(true);
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    #[inline]
    pub(crate) fn step(&self) -> u64 {
        self.step.get()
    }

    #[inline]
    pub(crate) fn closes(&self) -> u64 {
        self.closes.get()
    }

    pub(crate) fn note_close(&self) {
        self.closes.set(self.closes.get() + 1);
    }

    #[inline]
    pub(crate) fn most(&self) -> u64 {
        self.most.get()
    }

    /// Notes that the claim of output `index` was refused, which aborts the step.
    pub(crate) fn refuse(&self, index: usize) {
        self.mark();
        self.refused.set(Some(index));
    }

    /// Grants the step that is about to begin with no message for any receiver one for whichever asks first.
    pub(crate) fn grant_one(&self) {
        self.single.set(true);
    }

    /// Whether this step has that one message still to give.
    pub(crate) fn has_one(&self) -> bool {
        self.most.get() == 0 && self.single.get()
    }

    pub(crate) fn give_one(&self) {
        self.single.set(false);
    }

    pub(crate) fn requeue(&self, letter: Option<(usize, u64)>) {
        self.requeues.set(letter);
    }

    pub(crate) fn requeues(&self) -> Option<(usize, u64)> {
        self.requeues.get()
    }

    /// Notes that a message was shown and not received.
    pub(crate) fn leave(&self) {
        self.mark();
        self.left.set(true);
    }

    /// Whether there was one since the last call.
    pub(crate) fn take_left(&self) -> bool {
        self.left.replace(false)
    }

    /// Notes that a receiver has had all that this step may take from its link.
    #[cold]
    pub(crate) fn limit(&self) {
        self.mark();
        self.limited.set(true);
    }

    #[inline]
    pub(crate) fn limited(&self) -> bool {
        self.limited.get()
    }

    #[inline]
    pub(crate) fn refused(&self) -> Option<usize> {
        self.refused.get()
    }

    /// Receipts don't count: the step is rolled back in any case.
    #[inline]
    pub(crate) fn rehearses(&self) -> bool {
        self.rehearses.get()
    }

    pub(crate) fn set_rehearses(&self, rehearses: bool) {
        self.rehearses.set(rehearses);
    }
}

/// The places of the ports that a step has used, each once, in the order of their first use.
#[derive(Debug)]
pub(crate) struct Used {
    places: Box<[Cell<u32>]>,
    count: Cell<usize>,
}

impl Used {
    fn new(ports: usize, all: bool) -> Self {
        Self {
            places: (0..ports as u32).map(Cell::new).collect(),
            count: Cell::new(if all { ports } else { 0 }),
        }
    }

    #[inline]
    fn clear(&self) {
        self.count.set(0);
    }

    /// Enters a port that wasn't used in this step before: it opens once in a step, so there is always a place left.
    #[inline]
    pub(crate) fn enter(&self, port: usize) {
        let count = self.count.get();
        if let Some(place) = self.places.get(count) {
            place.set(port as u32);
            self.count.set(count + 1);
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        let used = self.places.get(..self.count.get()).unwrap_or_default();
        used.iter().map(|place| place.get() as usize)
    }
}
