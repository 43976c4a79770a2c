//! A hash map of fixed capacity.
//!
//! Slots by open addressing with linear probing: an entry lies at its home, which the high bits of its mark name, or in the
//! next free slot behind it. A removal moves those back that lie behind their homes, so that no slot between an entry and its
//! home is ever free, and nothing is left to clean up later. The mark is the key's hash with its lowest bit set: zero is a free
//! slot.

use std::fmt;
use std::marker::PhantomData;

use crate::layout::slot_word::{KEY, MARK};
use crate::layout::{collection_word, map_slots, value_words};
use crate::message::Message;
use crate::schema::{Field, Kind, Schema};
use crate::step::collections::store::{CollectionError, Store, Writer, words_of};
use crate::step::collections::undo::Spent;
use crate::step::mistake;

/// A map of fixed capacity that survives its actor's restart and is part of the step's commit.
///
/// Keys are equal if their bytes are: `0.0` and `-0.0` are two keys. The hash is the same in every program and run, so
/// somebody who chooses the keys can choose them such that they share their homes: a look-up then costs as much as there
/// are entries. With keys that nobody chose so, it looks at two or three slots, and a removal moves about one entry. For what
/// holds of it otherwise, see [`DurableVec`](super::DurableVec).
pub struct DurableMap<K: Message, V: Message, const MISTAKE: u8 = { mistake::NONE }> {
    store: Store<MISTAKE>,
    capacity: usize,
    entry: PhantomData<(K, V)>,
}

/// What a slot holds behind its mark, as the region's directory spells it.
pub struct MapEntry<K, V>(PhantomData<(K, V)>);

impl<K: Message, V: Message> MapEntry<K, V> {
    /// The key and the value, each on whole words.
    pub const SCHEMA: Schema = Schema {
        name: "entry",
        size: 8 * (value_words(size_of::<K>()) + value_words(size_of::<V>())),
        align: 8,
        kind: Kind::Struct {
            fields: &[
                Field {
                    name: "key",
                    offset: 0,
                    schema: &K::SCHEMA,
                },
                Field {
                    name: "value",
                    offset: 8 * value_words(size_of::<K>()),
                    schema: &V::SCHEMA,
                },
            ],
        },
    };
}

impl<K, V> fmt::Debug for MapEntry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapEntry")
    }
}

/// Where a key is, or would be.
enum Found {
    Here(usize),
    Free(usize),
    /// No slot is free: not of this map's making.
    Nowhere,
}

impl<K: Message, V: Message, const MISTAKE: u8> fmt::Debug for DurableMap<K, V, MISTAKE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DurableMap").field(&self.store).finish()
    }
}

impl<K: Message, V: Message, const MISTAKE: u8> DurableMap<K, V, MISTAKE> {
    const VALUE: usize = KEY + value_words(size_of::<K>());

    pub(crate) fn new(store: Store<MISTAKE>, capacity: usize) -> Self {
        debug_assert_eq!(store.count as u64, map_slots(capacity as u64));
        Self {
            store,
            capacity,
            entry: PhantomData,
        }
    }

    /// Entries that there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.store.len() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// A copy of the key's value, if it has one.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &K) -> Option<V> {
        match self.find(key, mark_of(key)) {
            Found::Here(slot) => Some(self.value(slot)),
            Found::Free(_) | Found::Nowhere => None,
        }
    }

    /// Whether the key has a value.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        matches!(self.find(key, mark_of(key)), Found::Here(_))
    }

    /// Copies of all entries, in an order that follows from what was done to the map and from nothing else. Looks at all
    /// slots, up to three for each entry that there is room for.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        let used = (0..self.store.count).filter(|slot| self.mark(*slot) != 0);
        used.map(|slot| (self.store.read(self.store.at(slot) + KEY), self.value(slot)))
    }

    /// Gives the key a value; returns a copy of the one that it had.
    ///
    /// # Errors
    ///
    /// [`CollectionError::Full`] if the key is one too many, [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, CollectionError> {
        let mark = mark_of(&key);
        match self.find(&key, mark) {
            Found::Here(slot) => {
                let old = self.value(slot);
                self.replace(slot, &value)?;
                Ok(Some(old))
            }
            Found::Free(slot) if self.len() < self.capacity => {
                self.fill(slot, mark, (&key, &value))?;
                Ok(None)
            }
            Found::Free(_) | Found::Nowhere => Err(self.store.full(self.capacity)),
        }
    }

    /// Changes the key's value by way of a copy, of which what differs is written back; `None`, and `change` isn't called, if
    /// it has none.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn update<R>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<Option<R>, CollectionError> {
        let Found::Here(slot) = self.find(key, mark_of(key)) else {
            return Ok(None);
        };
        let mut value = self.value(slot);
        let result = change(&mut value);
        self.replace(slot, &value)?;
        Ok(Some(result))
    }

    /// Like [`update`](Self::update), but a key that has no value gets `initial` first.
    ///
    /// # Errors
    ///
    /// [`CollectionError::Full`] if the key is one too many, [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn upsert<R>(
        &mut self,
        key: K,
        initial: V,
        change: impl FnOnce(&mut V) -> R,
    ) -> Result<R, CollectionError> {
        let mark = mark_of(&key);
        let (slot, mut value, is_new) = match self.find(&key, mark) {
            Found::Here(slot) => (slot, self.value(slot), false),
            Found::Free(slot) if self.len() < self.capacity => (slot, initial, true),
            Found::Free(_) | Found::Nowhere => return Err(self.store.full(self.capacity)),
        };
        let result = change(&mut value);
        if is_new {
            self.fill(slot, mark, (&key, &value))?;
        } else {
            self.replace(slot, &value)?;
        }
        Ok(result)
    }

    /// Takes the key's entry away; returns a copy of the value that it had.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn remove(&mut self, key: &K) -> Result<Option<V>, CollectionError> {
        let Found::Here(slot) = self.find(key, mark_of(key)) else {
            return Ok(None);
        };
        let value = self.value(slot);
        let (left, shape) = (self.store.len() - 1, self.shape());
        self.store.change(|writer| {
            shape.vacate(slot, writer)?;
            writer.set_len(left)
        })?;
        Ok(Some(value))
    }

    /// Takes all entries away: as many changes as there are entries, and one.
    ///
    /// # Errors
    ///
    /// [`CollectionError::TooManyChanges`].
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn clear(&mut self) -> Result<(), CollectionError> {
        let (shape, is_empty) = (self.shape(), self.is_empty());
        self.store.change(|writer| {
            for slot in 0..if is_empty { 0 } else { shape.slots } {
                writer.word(shape.at(slot) + MARK, 0)?;
            }
            writer.set_len(0)
        })
    }

    #[inline]
    fn shape(&self) -> Shape {
        Shape {
            slots: self.store.count,
            stride: self.store.stride,
        }
    }

    #[inline]
    fn mark(&self, slot: usize) -> u64 {
        self.store.space.load(self.store.at(slot) + MARK)
    }

    #[inline]
    fn value(&self, slot: usize) -> V {
        self.store.read(self.store.at(slot) + Self::VALUE)
    }

    #[inline]
    fn find(&self, key: &K, mark: u64) -> Found {
        let shape = self.shape();
        let mut slot = shape.home(mark);
        for _ in 0..self.store.count {
            match self.mark(slot) {
                0 => return Found::Free(slot),
                found if found == mark && self.has_key(slot, key) => return Found::Here(slot),
                _ => slot = shape.next(slot),
            }
        }
        Found::Nowhere
    }

    #[inline]
    fn has_key(&self, slot: usize, key: &K) -> bool {
        let first = self.store.at(slot) + KEY;
        (first..)
            .zip(words_of(key))
            .all(|(word, value)| self.store.space.load(word) == value)
    }

    fn replace(&mut self, slot: usize, value: &V) -> Result<(), CollectionError> {
        let at = self.store.at(slot) + Self::VALUE;
        self.store.change(|writer| writer.value(at, value))
    }

    fn fill(
        &mut self,
        slot: usize,
        mark: u64,
        (key, value): (&K, &V),
    ) -> Result<(), CollectionError> {
        let (at, len) = (self.store.at(slot), self.store.len());
        self.store
            .change(|writer| fill(writer, at, (mark, key, value), len))
    }
}

/// Slots are a power of two, at least 2.
#[derive(Clone, Copy)]
struct Shape {
    slots: usize,
    /// Words from slot to slot.
    stride: usize,
}

impl Shape {
    #[inline]
    fn at(self, slot: usize) -> usize {
        collection_word::ENTRIES + slot * self.stride
    }

    /// A mark's highest bits say which slot is its home.
    #[inline]
    fn home(self, mark: u64) -> usize {
        (mark >> (64 - self.slots.trailing_zeros())) as usize
    }

    #[inline]
    fn next(self, slot: usize) -> usize {
        (slot + 1) & (self.slots - 1)
    }

    /// How far `slot` lies behind another one.
    fn behind(self, slot: usize, other: usize) -> usize {
        slot.wrapping_sub(other) & (self.slots - 1)
    }

    /// Frees a slot: entries behind it that may lie there, none before its home, move up.
    fn vacate<const MISTAKE: u8>(
        self,
        slot: usize,
        writer: &Writer<'_, MISTAKE>,
    ) -> Result<(), Spent> {
        let mut hole = slot;
        let mut slot = self.next(slot);
        for _ in 0..self.slots {
            let mark = writer.load(self.at(slot) + MARK);
            if mark == 0 {
                break;
            }
            if self.behind(slot, self.home(mark)) >= self.behind(slot, hole) {
                writer.copy(self.at(slot), self.at(hole), self.stride)?;
                hole = slot;
            }
            slot = self.next(slot);
        }
        writer.word(self.at(hole) + MARK, 0)
    }
}

#[inline]
fn fill<K: Message, V: Message, const MISTAKE: u8>(
    writer: &Writer<'_, MISTAKE>,
    at: usize,
    (mark, key, value): (u64, &K, &V),
    len: u64,
) -> Result<(), Spent> {
    writer.word(at + MARK, mark)?;
    writer.value(at + KEY, key)?;
    writer.value(at + KEY + value_words(size_of::<K>()), value)?;
    writer.set_len(len + 1)
}

/// What a key is marked with. Part of the layout.
#[inline]
fn mark_of<K: Message>(key: &K) -> u64 {
    mark_of_words(words_of(key))
}

#[inline]
fn mark_of_words(key: impl Iterator<Item = u64>) -> u64 {
    let hash = key.fold(SEED, |hash, word| mixed(hash ^ word).wrapping_add(SEED));
    mixed(hash) | 1
}

/// Why an entry has no place in a map that is filled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Every slot is taken.
    Full,
    /// There is an entry of that key.
    Twice,
}

/// The slot at which an entry belongs whose key is of these words, among `slots` that `word` reads; and its mark.
pub(crate) fn slot_for(
    key: &[u64],
    (slots, stride): (usize, usize),
    word: impl Fn(usize) -> u64,
) -> Result<(usize, u64), NoPlace> {
    let (mark, shape) = (mark_of_words(key.iter().copied()), Shape { slots, stride });
    let mut slot = shape.home(mark);
    for _ in 0..slots {
        let at = shape.at(slot);
        let has_key = || (0..key.len()).all(|nth| word(at + KEY + nth) == key[nth]);
        match word(at + MARK) {
            0 => return Ok((at, mark)),
            found if found == mark && has_key() => return Err(NoPlace::Twice),
            _ => slot = (slot + 1) % slots,
        }
    }
    Err(NoPlace::Full)
}

/// The words that a key's slot begins with: its mark and the key.
pub(crate) fn key_words<K: Message>(key: &K) -> Vec<u64> {
    let mark = std::iter::once(mark_of(key));
    mark.chain(words_of(key)).collect()
}

/// The slot at which the search for a key begins, of any number of slots but 0: a region that one only looks at may say any.
pub(crate) fn home_of<K: Message>(key: &K, slots: usize) -> usize {
    let home = mark_of(key).checked_shr(64 - slots.trailing_zeros());
    home.map_or(0, |home| home as usize % slots)
}

/// 2^64 divided by the golden ratio, made odd; and the start of the digits of pi.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0x2438_f6a8_885a_308d;

/// Both halves of a product, in one word: every bit depends on all of them.
#[inline]
fn mixed(word: u64) -> u64 {
    let product = u128::from(word) * u128::from(FACTOR);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::mark_of;

    /// A map that an earlier program has filled is looked up in by this one.
    #[test]
    fn the_marks_are_part_of_the_layout() {
        let marks = [mark_of(&0_u64), mark_of(&1_u64), mark_of(&u64::MAX)];
        let pinned = [
            2_860_001_063_888_204_033,
            17_598_678_450_484_719_369,
            5_209_116_591_012_909_079,
        ];
        assert_eq!(marks, pinned);
        assert_eq!(mark_of(&[1_u8, 2, 3]), mark_of(&0x03_0201_u64));
        assert_eq!(mark_of(&[7_u64, 8]), 4_831_653_599_826_656_879);
    }

    /// With numbers one after the other, multiples of powers of two, and single bits: no home has much more than its share.
    #[test]
    fn keys_that_look_alike_have_homes_apart() {
        let spread = |keys: &mut dyn Iterator<Item = u64>| {
            let mut homes = [0_u32; 256];
            for key in keys.take(2560) {
                homes[(mark_of(&key) >> 56) as usize] += 1;
            }
            homes.into_iter().max().unwrap_or(0)
        };
        assert!(spread(&mut (0..)) < 30);
        for shift in [3, 8, 16, 32, 48] {
            assert!(spread(&mut (0..).map(|key| key << shift)) < 30, "{shift}");
        }
        let bits = (0..64).flat_map(|high| (0..high).map(move |low| 1 << high ^ 1 << low));
        assert!(spread(&mut bits.into_iter()) < 24);
    }
}
