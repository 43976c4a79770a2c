//! One partition's region: its bytes, and where the words lie that the harness looks at.
//!
//! The offsets are those of docs/memory-layout.md, written down here once more: a harness that asked the code it judges would
//! follow it into a mistake.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;

use airssys_ringbuf::region::{Region, SectionKind};

use crate::failure::Failure;

const LINE_PAIR: usize = Place::LINE_PAIR;
/// Where a ring's section has the word that observers are told by which slots may be written.
const RESERVED: usize = LINE_PAIR;
/// Where a ring's section has the tail of a contiguous ring.
const TAIL: usize = 2 * LINE_PAIR;
/// Where a ring's slots begin.
const SLOTS: usize = 3 * LINE_PAIR;
/// Where a credit section has the receiver's close.
const CREDIT_CLOSE: usize = LINE_PAIR;

/// One partition's region, as its owner and as its peers have it mapped.
#[derive(Debug)]
pub(crate) struct Place {
    /// For the owner: writable.
    pub(crate) own: Region,
    /// For everybody else: read-only.
    pub(crate) seen: Region,
}

impl Place {
    /// Bytes that words of different writers never share.
    pub(crate) const LINE_PAIR: usize = 128;

    /// Bytes of a record: two words come before the positions, and each record has line pairs of its own.
    pub(crate) const fn record_len(inputs: usize, outputs: usize) -> usize {
        ((2 + inputs + 2 * outputs) * 8).next_multiple_of(Self::LINE_PAIR)
    }

    /// Where the words in flight are, of an actor whose control word is at `control`: whose work it is, then a word an input.
    pub(crate) const fn in_flight_at(control: usize, inputs: usize, outputs: usize) -> usize {
        control + Self::LINE_PAIR + 2 * Self::record_len(inputs, outputs)
    }

    /// The bytes of all sections. What lies before them is never written.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn image(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; self.span().1];
        self.image_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Like [`image`](Self::image), into bytes that an earlier image has.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn image_into(&self, bytes: &mut [u8]) -> Result<(), Failure> {
        let read = self.file()?.read_exact_at(bytes, self.span().0 as u64);
        read.map_err(|error| Failure::broken("reading a region", error))
    }

    /// One word of the image, as it is now.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if it can't be read.
    pub(crate) fn word(&self, offset: usize) -> Result<u64, Failure> {
        let mut bytes = [0; 8];
        let read = self
            .file()?
            .read_exact_at(&mut bytes, (self.span().0 + offset) as u64);
        read.map_err(|error| Failure::broken("reading a region", error))?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// Puts the bytes of all sections back.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be written.
    pub(crate) fn restore(&self, image: &[u8]) -> Result<(), Failure> {
        let written = self.file()?.write_all_at(image, self.span().0 as u64);
        written.map_err(|error| Failure::broken("restoring a region", error))
    }

    fn file(&self) -> Result<&fs::File, Failure> {
        let none = || Failure::broken("reading a region", io::ErrorKind::Unsupported);
        self.own.file().ok_or_else(none)
    }

    /// Where the image starts in the file, and its length.
    fn span(&self) -> (usize, usize) {
        let sections = self.own.sections();
        let start = sections.iter().map(|section| section.offset).min();
        let end = sections
            .iter()
            .map(|section| section.offset + section.len)
            .max();
        let start = start.unwrap_or(0);
        (start, end.unwrap_or(0) - start)
    }

    /// Where a section starts in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such section.
    pub(crate) fn offset(&self, kind: SectionKind, name: &str) -> Result<usize, Failure> {
        Ok(self.own.section(kind, name)?.offset - self.span().0)
    }

    /// Where the words of a link's sending half are in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such ring.
    pub(crate) fn ring_words(&self, link: &str, payload: usize) -> Result<RingWords, Failure> {
        let ring = self.own.section(SectionKind::Ring, link)?;
        let start = ring.offset - self.span().0;
        let stride = ring.stride as usize;
        let sequence = |slot| start + SLOTS + (slot + 1) * stride - 8;
        // A slot without room for a word behind the payload has none.
        let shows = if stride < payload + 8 {
            vec![start + TAIL]
        } else {
            (0..ring.count as usize).map(sequence).collect()
        };
        Ok(RingWords {
            close: start,
            reserved: start + RESERVED,
            shows,
        })
    }

    /// Where the slot of a position of a ring is in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such ring.
    pub(crate) fn slot(&self, link: &str, position: u64) -> Result<usize, Failure> {
        let ring = self.own.section(SectionKind::Ring, link)?;
        let slot = (position % ring.count * ring.stride) as usize;
        Ok(ring.offset - self.span().0 + SLOTS + slot)
    }

    /// Where the credit and the close of a link's receiving half are in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such link.
    pub(crate) fn credit_words(&self, link: &str) -> Result<(usize, usize), Failure> {
        let credit = self.offset(SectionKind::Credit, link)?;
        Ok((credit, credit + CREDIT_CLOSE))
    }

    /// The ranges that the active record of `actor` publishes, by output.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such actor.
    pub(crate) fn ranges(
        &self,
        image: &[u8],
        actor: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Vec<(u64, u64)>, Failure> {
        let control = self.offset(SectionKind::Actor, actor)?;
        // The control word has a line pair of its own.
        let record = Self::record_len(inputs, outputs);
        let active = (word_at(image, control) & 1) as usize;
        let first = control + LINE_PAIR + active * record + (2 + inputs) * 8;
        let range = |output: usize| {
            let from = first + 16 * output;
            (word_at(image, from), word_at(image, from + 8))
        };
        Ok((0..outputs).map(range).collect())
    }
}

/// Where the words of a link's sending half are in an image.
#[derive(Clone, Debug)]
pub(crate) struct RingWords {
    /// The sender's close.
    pub(crate) close: usize,
    /// Which slots may be written.
    pub(crate) reserved: usize,
    /// What shows messages: the sequence words, or the tail alone.
    pub(crate) shows: Vec<usize>,
}

/// The word at a byte offset of an image.
pub(crate) fn word_at(image: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&image[offset..offset + 8]);
    u64::from_ne_bytes(word)
}
