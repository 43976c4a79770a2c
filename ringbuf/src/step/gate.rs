//! What an actor's ports share: whether a step runs, and which of them it has used.
//!
//! A step may have thousands of ports and uses a few. So nothing is done for a port that isn't used: while the gate is shut a
//! port's limit lies at its cursor, its first use in a step meets the slow path, and that path opens the port and enters it
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
    refused: Cell<Option<usize>>,
    /// A handler was shown a message and left it where it is.
    left: Cell<bool>,
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
            refused: Cell::new(None),
            left: Cell::new(false),
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
        self.refused.set(None);
        if !self.few {
            self.inputs.clear();
            self.outputs.clear();
        }
        self.most.set(most);
        self.step.set(self.step.get() + 1);
        self.open.set(true);
    }

    /// Ends it. What was used stays known until the next one.
    #[inline]
    pub(crate) fn shut(&self) {
        self.open.set(false);
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
        self.refused.set(Some(index));
    }

    /// Notes that a message was shown and not received.
    pub(crate) fn leave(&self) {
        self.left.set(true);
    }

    /// Whether there was one since the last call.
    #[inline]
    pub(crate) fn take_left(&self) -> bool {
        self.left.replace(false)
    }

    /// Whether the step has used no port and changed no cell.
    #[inline]
    pub(crate) fn is_unused(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty() && self.dirty.get() == 0
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

    #[inline]
    fn is_empty(&self) -> bool {
        self.count.get() == 0
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
