//! The same counts by one process alone, in the plainest way, for the comparison.

use std::path::Path;

use crc32fast::Hasher;

use crate::actors::{Place, Totals};
use crate::progress::bar;
use crate::source::{Source, SourceError, Trouble};

/// Counts what the reader was to read.
pub(crate) fn count_alone(
    path: &Path,
    place: &Place,
    watched: bool,
) -> Result<Expected, SourceError> {
    let counted = Source::open(path).and_then(|source| {
        let bar = bar(place.bytes(), watched, "checking");
        let mut expected = Expected::default();
        while expected.bytes < place.bytes() {
            expected.add(&source, place.size)?;
            bar.set_position(expected.bytes);
        }
        bar.finish_and_clear();
        Ok(expected)
    });
    counted.map_err(|trouble| trouble.of(path))
}

/// What the totals have to be.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    lines: u64,
    words: u64,
    bytes: u64,
    hasher: Hasher,
    in_word: bool,
}

impl Expected {
    /// Adds the first `size` bytes of the file.
    fn add(&mut self, source: &Source, size: u64) -> Result<(), Trouble> {
        let mut buffer = [0; 16 * 1024];
        let mut offset = 0;
        while offset < size {
            let wanted = buffer.len().min((size - offset) as usize);
            let count = source.read_at(&mut buffer[..wanted], offset)?;
            offset += count as u64;
            self.count(&buffer[..count]);
            if count < wanted {
                return Err(Trouble::Shrunk {
                    found: offset,
                    expected: size,
                });
            }
        }
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        for &byte in bytes {
            let is_space = matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
            self.lines += u64::from(byte == b'\n');
            self.words += u64::from(!is_space && !self.in_word);
            self.in_word = !is_space;
        }
    }

    pub(crate) fn equals(&self, totals: &Totals) -> bool {
        let checksum = self.hasher.clone().finalize();
        totals.misplaced == 0
            && (totals.lines, totals.words, totals.bytes) == (self.lines, self.words, self.bytes)
            && totals.checksum == checksum
    }
}
