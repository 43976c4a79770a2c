//! `counter`: adds up.

use airssys_rt::prelude::*;
use crc32fast::Hasher;

use super::{BATCH, CountedBlock};

/// What was counted so far.
#[message]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) words: u64,
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    /// CRC-32 of the bytes as they arrived here.
    pub(crate) checksum: u32,
    /// Blocks that were not the next one.
    pub(crate) misplaced: u32,
}

impl Totals {
    fn add(&mut self, block: &CountedBlock) {
        let bytes = &block.bytes[..block.length as usize];
        let mut hasher = Hasher::new_with_initial(self.checksum);
        hasher.update(bytes);
        self.checksum = hasher.finalize();
        self.misplaced += u32::from(block.number != self.blocks);
        self.blocks += 1;
        self.lines += block.lines;
        self.words += block.words;
        self.bytes += block.length;
    }
}

pub(crate) struct Counter {
    pub(crate) counted: Receiver<CountedBlock>,
    pub(crate) totals: Durable<Totals>,
}

impl Actor for Counter {
    fn step(&mut self) -> Result<Step, Refused> {
        let totals = &mut self.totals;
        let seen = self
            .counted
            .drain(BATCH, |block| totals.borrow_mut().add(block));
        if seen == 0 && self.counted.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}
