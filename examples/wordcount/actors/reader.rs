//! `reader`: the file, as often as it is repeated, as one stream of full blocks.

use std::path::Path;

use airssys_rt::prelude::*;

use super::{Block, batch};
use crate::source::{Source, Trouble};

/// The kernel refused to open or to read the file: `errno` says why.
const REFUSED: u32 = 1;
/// Something else has taken the file's place.
const REPLACED: u32 = 2;
/// It has no size any more and yet content.
const MADE_UP: u32 = 3;
/// The file ended before the size that it had.
const SHRUNK: u32 = 4;

/// Where the reader stands, and what it met there.
#[message]
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Bytes of the file, fixed by the first step: what is written behind them later doesn't count.
    pub(crate) size: u64,
    /// How often the file is read, fixed by the first step; 0 before it.
    repeat: u64,
    repetition: u64,
    offset: u64,
    /// What ended the reading, as above; 0 for nothing.
    trouble: u32,
    errno: i32,
}

impl Place {
    fn begin(&mut self, size: u64, repeat: u64) {
        self.size = size;
        self.repeat = repeat;
        if size == 0 {
            self.repetition = repeat;
        }
    }

    fn advance(&mut self, count: usize) {
        self.offset += count as u64;
        if self.offset == self.size {
            self.offset = 0;
            self.repetition += 1;
        }
    }

    fn is_end(&self) -> bool {
        self.repetition == self.repeat || self.trouble != 0
    }

    /// Bytes in all.
    pub(crate) fn bytes(&self) -> u64 {
        self.size.saturating_mul(self.repeat)
    }

    /// Ends the reading. A restart would meet the same; so the launching program finds it here when the line has ended in
    /// order.
    fn end_by(&mut self, trouble: Trouble) {
        (self.trouble, self.errno) = match trouble {
            Trouble::Refused(errno) => (REFUSED, errno),
            Trouble::NotAFile(_) => (REPLACED, 0),
            Trouble::MadeUp => (MADE_UP, 0),
            Trouble::Shrunk { .. } => (SHRUNK, 0),
        };
    }

    /// What kept the reader from coming to the end.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match self.trouble {
            0 => None,
            REPLACED => Some(Trouble::NotAFile("no regular file any more")),
            MADE_UP => Some(Trouble::MadeUp),
            SHRUNK => Some(Trouble::Shrunk {
                found: self.offset,
                expected: self.size,
            }),
            _ => Some(Trouble::Refused(self.errno)),
        }
    }
}

pub(crate) struct Reader {
    /// Opened anew by each incarnation.
    source: Result<Source, Trouble>,
    repeat: u64,
    blocks: Sender<Block>,
    place: Durable<Place>,
}

impl Reader {
    /// `repeat_of` says how often a file of so many bytes is read.
    pub(crate) fn new(
        path: &Path,
        repeat_of: impl Fn(u64) -> u64,
        (blocks, place): (Sender<Block>, Durable<Place>),
    ) -> Self {
        let source = Source::open(path);
        Self {
            repeat: source.as_ref().map_or(1, |source| repeat_of(source.size)),
            source,
            blocks,
            place,
        }
    }
}

impl Actor for Reader {
    fn step(&mut self) -> Result<Step, Refused> {
        let mut place = self.place.get();
        match &self.source {
            Ok(source) => {
                if place.repeat == 0 {
                    place.begin(source.size, self.repeat);
                }
                read_blocks(source, &mut self.blocks, &mut place)?;
            }
            Err(trouble) => place.end_by(*trouble),
        }
        self.place.set(place);
        Ok(if place.is_end() {
            Step::Done
        } else {
            Step::Busy
        })
    }
}

/// Sends as many blocks as there is room for.
fn read_blocks(
    source: &Source,
    blocks: &mut Sender<Block>,
    place: &mut Place,
) -> Result<(), Refused> {
    for _ in 0..batch(blocks.room()) {
        let mut slot = blocks.claim()?;
        match fill(&mut slot.bytes, source, place) {
            Ok(0) => break,
            Ok(length) => {
                slot.number = slot.position();
                slot.length = length as u64;
                slot.publish();
            }
            Err(trouble) => {
                place.end_by(trouble);
                break;
            }
        }
    }
    Ok(())
}

/// Fills `bytes` from `place` on, across repetitions, and moves `place`. Less than all of it is the end.
fn fill(bytes: &mut [u8], source: &Source, place: &mut Place) -> Result<usize, Trouble> {
    let mut filled = 0;
    while filled < bytes.len() && !place.is_end() {
        let left = (place.size - place.offset) as usize;
        let wanted = left.min(bytes.len() - filled);
        let count = source.read_at(&mut bytes[filled..][..wanted], place.offset)?;
        filled += count;
        place.advance(count);
        if count < wanted {
            return Err(Trouble::Shrunk {
                found: place.offset,
                expected: place.size,
            });
        }
    }
    Ok(filled)
}
