//! Bringing what a region holds into one that is laid out anew: as it is, or value by value.
//!
//! Nobody lives in either: what the last commit left is there to be read, and nothing is written meanwhile.

use crate::layout::collection_word;
use crate::memory::Words;
use crate::region::{Access, Region, SectionEntry, SectionKind};
use crate::step::cell::Buffer;
use crate::step::observe::{ObserveError, records_of};
use crate::word::Ordering;

/// How the values of a section become those of the same section elsewhere.
pub struct Conversion<'a> {
    /// Bytes of a value there.
    pub from: usize,
    /// Bytes of a value here.
    pub to: usize,
    /// Makes the second of the first.
    pub convert: &'a mut dyn FnMut(&[u8], &mut [u8]),
}

impl std::fmt::Debug for Conversion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {} to {} bytes", self.from, self.to)
    }
}

/// Copies a section, as far as both are long, word by word.
///
/// # Errors
///
/// [`ObserveError`] if a section doesn't lie in its region.
///
/// # Panics
///
/// If `to` is mapped read-only.
pub fn copy_section(
    (from, old): (&Region, &SectionEntry),
    (to, new): (&Region, &SectionEntry),
) -> Result<(), ObserveError> {
    let words = old.len.min(new.len) / 8;
    copy_words(&words_of(from, old)?, &words_to(to, new)?, words);
    Ok(())
}

/// Converts every value of a cell or a collection of `actor`, which has so many inputs and outputs; a cell is its `index`-th.
/// What a map holds isn't converted.
///
/// # Errors
///
/// [`ObserveError`] if a section doesn't lie in its region.
///
/// # Panics
///
/// If `to` is mapped read-only, or a value is longer than its place.
pub fn convert_section(
    (from, old): (&Region, &SectionEntry),
    (to, new): (&Region, &SectionEntry),
    (actor, ends, index): (&str, (usize, usize), usize),
    conversion: &mut Conversion<'_>,
) -> Result<(), ObserveError> {
    let (there, here) = (words_of(from, old)?, words_to(to, new)?);
    let (first, values) = if old.kind == SectionKind::Cell {
        let records = records_of(from, actor, ends.0, ends.1)?;
        let control = records.load_control();
        let bits = records.cell_bits(control.active).load(Ordering::Relaxed);
        let buffer = bits >> index & 1;
        // Before the first commit there is no value.
        (0, buffer..buffer + u64::from(control.steps > 0))
    } else {
        copy_words(&there, &here, collection_word::ENTRIES);
        let len = there.at(collection_word::LEN).load(Ordering::Relaxed);
        let all = old.kind == SectionKind::Table;
        let values = if all { old.count } else { len.min(old.count) };
        (collection_word::ENTRIES, 0..values)
    };
    let place = |value: u64, entry: &SectionEntry| first + (value * entry.stride / 8) as usize;
    let (mut bytes, mut converted) = (vec![0; conversion.from], vec![0; conversion.to]);
    for value in values {
        let buffer = |words, entry| Buffer {
            words,
            first: place(value, entry),
        };
        buffer(&there, old).load(&mut bytes);
        (conversion.convert)(&bytes, &mut converted);
        buffer(&here, new).store(&converted);
    }
    Ok(())
}

fn copy_words(from: &Words, to: &Words, count: usize) {
    for word in 0..count {
        let value = from.at(word).load(Ordering::Relaxed);
        to.at(word).store(value, Ordering::Relaxed);
    }
}

fn words_to(region: &Region, entry: &SectionEntry) -> Result<Words, ObserveError> {
    assert!(
        region.memory().access() == Access::ReadWrite,
        "a region to write is mapped read-only"
    );
    words_of(region, entry)
}

fn words_of(region: &Region, entry: &SectionEntry) -> Result<Words, ObserveError> {
    let words = Words::any(region.memory(), entry.offset, entry.len / 8);
    words.map_err(|problem| ObserveError::Section {
        region: region.owner().to_owned(),
        problem,
    })
}
