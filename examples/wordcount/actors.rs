//! The three actors, what travels between them and what they keep.

mod counter;
mod reader;
mod tokenizer;

pub(crate) use counter::{Counter, Totals};
pub(crate) use reader::{Place, Reader};
pub(crate) use tokenizer::Tokenizer;

use airssys_rt::prelude::*;

/// Bytes of the file in a block: with what else travels, and the sequence word that the ring adds, a slot is 64 KiB. Smaller
/// ones cost more wake-ups for each byte where the three share two cores.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024 - 40;

/// Blocks that a step handles at most: it commits once for all of them, and redoes as many when it is killed.
const BATCH: usize = 8;

/// A piece of the file.
#[message]
pub(crate) struct Block {
    /// From zero: its place in the stream.
    pub(crate) number: u64,
    /// How many of `bytes` are the file's.
    pub(crate) length: u64,
    pub(crate) bytes: [u8; BLOCK_BYTES],
}

/// A piece of the file and what was found in it.
#[message]
pub(crate) struct CountedBlock {
    pub(crate) number: u64,
    pub(crate) length: u64,
    pub(crate) lines: u64,
    pub(crate) words: u64,
    pub(crate) bytes: [u8; BLOCK_BYTES],
}

/// How many blocks a step takes on: what there is room for, so that it isn't refused half-way and done again. With no room
/// at all it tries one, is refused, and runs again when there is some.
fn batch(room: usize) -> usize {
    room.clamp(1, BATCH)
}
