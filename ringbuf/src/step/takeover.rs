//! Bringing what a region holds into one that is laid out anew: as it is, or value by value.
//!
//! Nobody lives in either: what the last commit left is there to be read, and nothing is written meanwhile.

use crate::layout::slot_word::{KEY, MARK};
use crate::layout::{collection_word, value_words};
use crate::memory::Words;
use crate::region::{Access, Region, SectionEntry, SectionKind};
use crate::step::cell::Buffer;
use crate::step::collections::{NoPlace, slot_for};
use crate::step::observe::{ObserveError, records_of};
use crate::word::Ordering;

/// How the values of a section become those of the same section elsewhere.
pub struct Conversion<'a> {
    /// Bytes of a value there; of a map of an entry, without its mark.
    pub from: usize,
    /// Bytes of a value here.
    pub to: usize,
    /// Makes the second of the first.
    pub convert: &'a mut dyn FnMut(&[u8], &mut [u8]),
    /// Bytes of a key here, of a map.
    pub key: usize,
    /// Entries that a collection may hold here.
    pub capacity: u64,
}

impl std::fmt::Debug for Conversion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "from {} to {} bytes", self.from, self.to)
    }
}

/// What was kept can't be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeoverError {
    /// A section doesn't lie in its region.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// It holds more than it may here.
    #[error(
        "collection `{name}` needs room for {needed} entries, its capacity is {capacity} here; declare it with {needed} or more, or \
         have the program that left it remove some"
    )]
    TooFew {
        /// "actor/collection".
        name: String,
        /// Entries there; of a table, rows up to the last that isn't zero.
        needed: u64,
        /// Entries here.
        capacity: u64,
    },
    /// Two entries of a map would have one key.
    #[error(
        "map `{name}`: two of its entries are migrated to the same key; have each migrated to one of its own"
    )]
    Twice {
        /// "actor/collection".
        name: String,
    },
}

/// Copies a section, as far as both are long, word by word.
///
/// # Errors
///
/// [`TakeoverError`] if a section doesn't lie in its region.
///
/// # Panics
///
/// If `to` is mapped read-only.
pub fn copy_section(
    (from, old): (&Region, &SectionEntry),
    (to, new): (&Region, &SectionEntry),
) -> Result<(), TakeoverError> {
    let words = old.len.min(new.len) / 8;
    copy_words(&words_of(from, old)?, &words_to(to, new)?, words);
    Ok(())
}

/// Converts the value of a cell of `actor`, its `index`-th, which has so many inputs and outputs.
///
/// # Errors
///
/// [`TakeoverError`] if a section doesn't lie in its region.
///
/// # Panics
///
/// If `to` is mapped read-only, or a value is longer than its place.
pub fn convert_cell(
    (from, old): (&Region, &SectionEntry),
    (to, new): (&Region, &SectionEntry),
    (actor, ends, index): (&str, (usize, usize), usize),
    conversion: &mut Conversion<'_>,
) -> Result<(), TakeoverError> {
    let mut values = Values::new((words_of(from, old)?, words_to(to, new)?), conversion);
    let records = records_of(from, actor, ends.0, ends.1)?;
    let control = records.load_control();
    let bits = records.cell_bits(control.active).load(Ordering::Relaxed);
    let buffer = (bits >> index & 1) as usize;
    // Before the first commit there is no value.
    if control.steps > 0 {
        let at = |entry: &SectionEntry| buffer * (entry.stride / 8) as usize;
        values.bring(at(old), at(new));
    }
    Ok(())
}

/// Converts every value of a collection, into one of another type, another capacity, or both.
///
/// Of a last-n as many of the last values are taken as there is room for; where there is more room than before, those that were
/// overwritten count as never pushed.
///
/// # Errors
///
/// [`TakeoverError`]: there is no room, or two entries get one key.
///
/// # Panics
///
/// If `to` is mapped read-only, or a value is longer than its place.
pub fn convert_collection<'a>(
    (from, old): (&Region, &'a SectionEntry),
    (to, new): (&Region, &'a SectionEntry),
    conversion: &'a mut Conversion<'_>,
) -> Result<(), TakeoverError> {
    let ends = (words_of(from, old)?, words_to(to, new)?);
    let len = ends.0.at(collection_word::LEN).load(Ordering::Relaxed);
    let mut taken = Taken {
        values: Values::new(ends, conversion),
        old,
        new,
        len,
    };
    let new_len = if old.kind == SectionKind::Last {
        taken.last()
    } else {
        if old.kind == SectionKind::Map {
            taken.map()?;
        } else if old.kind == SectionKind::Table {
            taken.table()?;
        } else {
            taken.vector()?;
        }
        len
    };
    taken.values.set(collection_word::LEN, new_len);
    Ok(())
}

/// A collection on its way.
struct Taken<'a, 'b> {
    values: Values<'a, 'b>,
    old: &'a SectionEntry,
    new: &'a SectionEntry,
    /// What its length word says there.
    len: u64,
}

impl Taken<'_, '_> {
    fn too_few(&self, needed: u64) -> TakeoverError {
        TakeoverError::TooFew {
            name: self.old.name.clone(),
            needed,
            capacity: self.values.conversion.capacity,
        }
    }

    fn fits(&self, needed: u64) -> Result<(), TakeoverError> {
        let fits = needed <= self.values.conversion.capacity;
        fits.then_some(()).ok_or_else(|| self.too_few(needed))
    }

    fn bring(&mut self, from: u64, to: u64) {
        self.values.bring(at(from, self.old), at(to, self.new));
    }

    fn vector(&mut self) -> Result<(), TakeoverError> {
        self.fits(self.len)?;
        (0..self.len.min(self.old.count)).for_each(|index| self.bring(index, index));
        Ok(())
    }

    /// Gives how many count as pushed.
    fn last(&mut self) -> u64 {
        let (there, here) = (self.old.count.max(1), self.new.count.max(1));
        let pushed = if here > there {
            self.len.min(there)
        } else {
            self.len
        };
        for nth in 1..=self.len.min(there).min(here) {
            self.bring((self.len - nth) % there, (pushed - nth) % here);
        }
        pushed
    }

    fn table(&mut self) -> Result<(), TakeoverError> {
        let (old, capacity) = (self.old, self.values.conversion.capacity);
        let is_set = |row: &u64| self.values.is_set(at(*row, old), at(row + 1, old));
        let last = (capacity..old.count).rev().find(is_set);
        self.fits(last.map_or(0, |row| row + 1))?;
        (0..old.count.min(self.new.count)).for_each(|row| self.bring(row, row));
        Ok(())
    }

    fn map(&mut self) -> Result<(), TakeoverError> {
        self.fits(self.len)?;
        let key = value_words(self.values.conversion.key);
        let shape = (self.new.count as usize, (self.new.stride / 8) as usize);
        for slot in (0..self.old.count).map(|slot| at(slot, self.old)) {
            if self.values.word_there(slot + MARK) == 0 {
                continue;
            }
            let entry = self.values.convert(slot + KEY);
            let entry: Vec<u64> = words_of_bytes(entry).collect();
            let place = slot_for(&entry[..key], shape, |word| self.values.word_here(word));
            let (place, mark) = place.map_err(|why| match why {
                NoPlace::Full => self.too_few(self.len),
                NoPlace::Twice => TakeoverError::Twice {
                    name: self.old.name.clone(),
                },
            })?;
            self.values.set(place + MARK, mark);
            self.values.store(place + KEY);
        }
        Ok(())
    }
}

/// The first word of an entry.
fn at(index: u64, entry: &SectionEntry) -> usize {
    collection_word::ENTRIES + (index * entry.stride / 8) as usize
}

/// Values on their way.
struct Values<'a, 'b> {
    there: Words,
    here: Words,
    conversion: &'a mut Conversion<'b>,
    bytes: Vec<u8>,
    converted: Vec<u8>,
}

impl<'a, 'b> Values<'a, 'b> {
    fn new((there, here): (Words, Words), conversion: &'a mut Conversion<'b>) -> Self {
        let (bytes, converted) = (vec![0; conversion.from], vec![0; conversion.to]);
        Self {
            there,
            here,
            conversion,
            bytes,
            converted,
        }
    }

    fn bring(&mut self, from: usize, to: usize) {
        let _ = self.convert(from);
        self.store(to);
    }

    fn convert(&mut self, first: usize) -> &[u8] {
        let words = &self.there;
        Buffer { words, first }.load(&mut self.bytes);
        (self.conversion.convert)(&self.bytes, &mut self.converted);
        &self.converted
    }

    fn store(&self, first: usize) {
        let words = &self.here;
        Buffer { words, first }.store(&self.converted);
    }

    fn set(&self, word: usize, value: u64) {
        self.here.at(word).store(value, Ordering::Relaxed);
    }

    fn word_there(&self, word: usize) -> u64 {
        self.there.at(word).load(Ordering::Relaxed)
    }

    fn word_here(&self, word: usize) -> u64 {
        self.here.at(word).load(Ordering::Relaxed)
    }

    fn is_set(&self, from: usize, to: usize) -> bool {
        (from..to).any(|word| self.word_there(word) != 0)
    }
}

/// Bytes as words; the last one is filled up with zeros.
fn words_of_bytes(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    })
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
