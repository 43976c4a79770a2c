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

    fn weak(relaxed_load: bool, relaxed_store: bool) -> Self {
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
}

/// A ring of `u64` messages in loom's memory.
#[derive(Debug)]
struct Shared {
    sequences: Vec<LoomWord>,
    payloads: Vec<UnsafeCell<u64>>,
    credit: LoomWord,
    sender_close: LoomWord,
    receiver_close: LoomWord,
}

/// One end's hold on a ring in loom's memory.
#[derive(Clone, Debug)]
pub(crate) struct Modelled(Arc<Shared>);

impl Modelled {
    pub(super) fn new(capacity: usize, mistake: Mistake) -> Self {
        let sequence = || {
            LoomWord::weak(
                mistake == Mistake::RelaxedPeek,
                mistake == Mistake::RelaxedPublish,
            )
        };
        Self(Arc::new(Shared {
            sequences: (0..capacity).map(|_| sequence()).collect(),
            payloads: (0..capacity).map(|_| UnsafeCell::new(0)).collect(),
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
}

impl Storage for Modelled {
    type Word = LoomWord;

    fn capacity(&self) -> u64 {
        self.0.sequences.len() as u64
    }

    fn sequence(&self, position: u64) -> &LoomWord {
        &self.0.sequences[self.slot(position)]
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
        self.0.payloads[self.slot(position)].with_mut(|payload| {
            // SAFETY: loom fails the model when anybody else is at this cell, and runs one thread at a time.
            unsafe { *payload = value };
        });
    }

    unsafe fn read<T: Pod>(&self, position: u64) -> T {
        let value: u64 = self.0.payloads[self.slot(position)].with(|payload| {
            // SAFETY: as for `write`.
            unsafe { *payload }
        });
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(&value))
    }
}
