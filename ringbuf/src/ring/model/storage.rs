//! A ring's memory as loom models it: words whose orders may be stripped, and payloads that report a race.

use bytemuck::Pod;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;

use super::Mistake;
use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// A loom word whose loads or stores may have been stripped of their order.
#[derive(Debug)]
pub(crate) struct LoomWord {
    word: AtomicU64,
    relaxed_load: bool,
    relaxed_store: bool,
}

impl LoomWord {
    pub(crate) fn new() -> Self {
        Self::weak(false, false)
    }

    pub(crate) fn weak(relaxed_load: bool, relaxed_store: bool) -> Self {
        Self {
            word: AtomicU64::new(0),
            relaxed_load,
            relaxed_store,
        }
    }
}

impl Word for LoomWord {
    fn load(&self, order: Ordering) -> u64 {
        self.word.load(if self.relaxed_load {
            Ordering::Relaxed
        } else {
            order
        })
    }

    fn store(&self, value: u64, order: Ordering) {
        let order = if self.relaxed_store {
            Ordering::Relaxed
        } else {
            order
        };
        self.word.store(value, order);
    }

    fn fence(order: Ordering) {
        loom::sync::atomic::fence(order);
    }
}

/// What a slot holds: `u64` messages.
#[derive(Debug)]
enum Payload {
    /// Reports a race of the two ends.
    Cell(UnsafeCell<u64>),
    /// For rings that are observed: the message twice, so that a torn copy shows.
    Words([AtomicU64; 2]),
}

/// A ring in loom's memory.
#[derive(Debug)]
struct Shared {
    contiguous: bool,
    sequences: Vec<LoomWord>,
    tail: LoomWord,
    reserved: LoomWord,
    payloads: Vec<Payload>,
    credit: LoomWord,
    sender_close: LoomWord,
    receiver_close: LoomWord,
}

/// One end's hold on a ring in loom's memory.
#[derive(Clone, Debug)]
pub(crate) struct Modelled(Arc<Shared>);

/// How a ring is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sequenced,
    Contiguous,
    /// Sequenced, with payloads that may be copied while they are written.
    Observed,
    /// The same, contiguous.
    ObservedContiguous,
}

impl Form {
    fn is_contiguous(self) -> bool {
        matches!(self, Self::Contiguous | Self::ObservedContiguous)
    }

    fn payload(self) -> Payload {
        match self {
            Self::Sequenced | Self::Contiguous => Payload::Cell(UnsafeCell::new(0)),
            Self::Observed | Self::ObservedContiguous => {
                Payload::Words([AtomicU64::new(0), AtomicU64::new(0)])
            }
        }
    }
}

impl Modelled {
    pub(super) fn new(capacity: usize, form: Form, mistake: Mistake) -> Self {
        let signal = || {
            LoomWord::weak(
                mistake == Mistake::RelaxedPeek,
                mistake == Mistake::RelaxedPublish,
            )
        };
        Self(Arc::new(Shared {
            contiguous: form.is_contiguous(),
            sequences: (0..capacity).map(|_| signal()).collect(),
            tail: signal(),
            reserved: LoomWord::new(),
            payloads: (0..capacity).map(|_| form.payload()).collect(),
            credit: LoomWord::weak(
                mistake == Mistake::RelaxedRefill,
                mistake == Mistake::RelaxedCredit,
            ),
            sender_close: LoomWord::new(),
            receiver_close: LoomWord::new(),
        }))
    }

    fn slot(&self, position: u64) -> usize {
        position as usize & (self.0.sequences.len() - 1)
    }

    /// Both words of an observed slot.
    pub(super) fn words(&self, position: u64) -> [u64; 2] {
        match &self.0.payloads[self.slot(position)] {
            Payload::Words(words) => words.each_ref().map(|word| word.load(Ordering::Relaxed)),
            Payload::Cell(_) => panic!("only an observed ring is copied from"),
        }
    }
}

impl Storage for Modelled {
    type Word = LoomWord;

    fn capacity(&self) -> u64 {
        self.0.sequences.len() as u64
    }

    fn is_contiguous(&self) -> bool {
        self.0.contiguous
    }

    fn sequence(&self, position: u64) -> &LoomWord {
        &self.0.sequences[self.slot(position)]
    }

    fn tail(&self) -> &LoomWord {
        &self.0.tail
    }

    fn reserved(&self) -> &LoomWord {
        &self.0.reserved
    }

    fn credit(&self) -> &LoomWord {
        &self.0.credit
    }

    fn sender_close(&self) -> &LoomWord {
        &self.0.sender_close
    }

    fn receiver_close(&self) -> &LoomWord {
        &self.0.receiver_close
    }

    unsafe fn write<T: Pod>(&self, position: u64, value: &T) {
        let value = bytemuck::pod_read_unaligned(bytemuck::bytes_of(value));
        match &self.0.payloads[self.slot(position)] {
            Payload::Cell(payload) => payload.with_mut(|payload| {
                // SAFETY: loom fails the model when anybody else is at this cell, and runs one thread at a time.
                unsafe { *payload = value };
            }),
            Payload::Words(words) => {
                for word in words {
                    word.store(value, Ordering::Relaxed);
                }
            }
        }
    }

    unsafe fn read<T: Pod>(&self, position: u64) -> T {
        let value: u64 = match &self.0.payloads[self.slot(position)] {
            Payload::Cell(payload) => payload.with(|payload| {
                // SAFETY: as for `write`.
                unsafe { *payload }
            }),
            Payload::Words(words) => words[0].load(Ordering::Relaxed),
        };
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(&value))
    }

    fn copy<T: Pod>(&self, position: u64) -> T {
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(&self.words(position)[0]))
    }
}
