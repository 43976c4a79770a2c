//! `tokenizer`: counts each block and hands it on.

use airssys_rt::prelude::*;

use super::{Block, CountedBlock, batch};
use crate::counting::count;

pub(crate) struct Tokenizer {
    pub(crate) blocks: Receiver<Block>,
    pub(crate) counted: Sender<CountedBlock>,
    /// 1 if the last block ended inside of a word, which then goes on in the next.
    pub(crate) in_word: Durable<u8>,
}

impl Actor for Tokenizer {
    fn step(&mut self) -> Result<Step, Refused> {
        let most = batch(self.counted.room());
        let mut in_word = self.in_word.get() == 1;
        let seen = self.blocks.try_drain(most, |block| {
            let bytes = &block.bytes[..block.length as usize];
            let mut slot = self.counted.claim()?;
            let counts = count(bytes, &mut in_word);
            slot.number = block.number;
            slot.length = block.length;
            slot.lines = counts.lines;
            slot.words = counts.words;
            slot.bytes[..bytes.len()].copy_from_slice(bytes);
            slot.publish();
            Ok(())
        })?;
        if seen > 0 {
            self.in_word.set(u8::from(in_word));
        } else if self.blocks.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}
