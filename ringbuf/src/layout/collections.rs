//! Durable collections and the undo log that their actor writes them through.

use super::{LINE_PAIR, WORDS_A_PAIR, section};
use crate::region::{Section, SectionKind};

/// The most entries of a durable collection.
pub const ENTRIES_MAX: u64 = 1 << 32;
/// The most words that one step may be allowed to change in its actor's collections.
pub const CHANGES_MAX: u64 = 1 << 28;
/// What it is allowed unless the topology says otherwise.
pub const CHANGES: u64 = 4096;

/// Words of an undo section.
pub(crate) mod undo_word {
    use super::WORDS_A_PAIR;
    pub(crate) const STEP: usize = 0;
    pub(crate) const COUNT: usize = 1;
    /// Times that entries were undone: observers tell by it that a log isn't the one they have begun with.
    pub(crate) const UNDONE: usize = 2;
    /// The step that starts all collections anew.
    pub(crate) const RESET: usize = 3;
    pub(crate) const ENTRIES: usize = WORDS_A_PAIR;
}

/// Words of an entry of an undo section.
pub(crate) mod undo_entry_word {
    pub(crate) const PLACE: usize = 0;
    pub(crate) const OLD: usize = 1;
    pub(crate) const COUNT: usize = 2;
}

/// Words of a collection's section.
pub(crate) mod collection_word {
    use super::WORDS_A_PAIR;
    pub(crate) const LEN: usize = 0;
    pub(crate) const ENTRIES: usize = WORDS_A_PAIR;
}

/// Words of a map's slot.
pub(crate) mod slot_word {
    pub(crate) const MARK: usize = 0;
    pub(crate) const KEY: usize = 1;
}

/// Words of a value of so many bytes, as an entry of a collection.
pub(crate) const fn value_words(size: usize) -> usize {
    size.div_ceil(8)
}

/// Slots of a map for so many entries: a power of two of which they fill two thirds at most.
pub(crate) fn map_slots(capacity: u64) -> u64 {
    (capacity.saturating_add(capacity / 2).saturating_add(1)).next_power_of_two()
}

/// Words of a map's slot: the key's mark, the key, the value.
pub(crate) fn slot_words(key: usize, value: usize) -> usize {
    slot_word::KEY + value_words(key) + value_words(value)
}

/// The undo log of an actor's collections, with room for so many changed words a step.
#[must_use]
pub fn undo_section(actor: &str, changes: u64) -> Section {
    let entry = 8 * undo_entry_word::COUNT as u64;
    entries(SectionKind::Undo, actor, "", (changes, entry))
}

/// A bounded vector of values of `size` bytes; `name` is "actor/vector".
#[must_use]
pub fn vector_section(name: &str, schema: &str, size: usize, capacity: u64) -> Section {
    let stride = 8 * value_words(size) as u64;
    entries(SectionKind::Vector, name, schema, (capacity, stride))
}

/// The last `capacity` of a row of values of `size` bytes; `name` is "actor/ring".
#[must_use]
pub fn last_section(name: &str, schema: &str, size: usize, capacity: u64) -> Section {
    let stride = 8 * value_words(size) as u64;
    entries(SectionKind::Last, name, schema, (capacity, stride))
}

/// A map of at most `capacity` entries with a key and a value of so many bytes; `name` is "actor/map".
#[must_use]
pub fn map_section(
    name: &str,
    schema: &str,
    (key, value): (usize, usize),
    capacity: u64,
) -> Section {
    let stride = 8 * slot_words(key, value) as u64;
    let slots = map_slots(capacity);
    entries(SectionKind::Map, name, schema, (slots, stride))
}

/// A table of `rows` rows of `size` bytes; `name` is "actor/table".
#[must_use]
pub fn table_section(name: &str, schema: &str, size: usize, rows: u64) -> Section {
    let stride = 8 * value_words(size) as u64;
    entries(SectionKind::Table, name, schema, (rows, stride))
}

/// A line pair of words, then `count` entries.
fn entries(kind: SectionKind, name: &str, schema: &str, (count, stride): (u64, u64)) -> Section {
    let bytes = count.saturating_mul(stride).min(1 << 60) as usize;
    Section {
        count,
        stride,
        schema: schema.to_owned(),
        ..section(kind, name, LINE_PAIR + bytes.next_multiple_of(LINE_PAIR))
    }
}
