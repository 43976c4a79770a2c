//! The sections of a region: their sizes, the words in them, and who writes which.
//!
//! | section | words (each row on 128 bytes of its own) | writer |
//! |---|---|---|
//! | pulse | beat, phase, actor, step | the owner |
//! | | pid, start time, incarnation, started at, first step at, pid namespace, locked, huge bytes | the owner |
//! | | parked | the owner |
//! | doorbells | one 32-bit word for each region of the bus | the owner |
//! | actor | control; record 0; record 1; in flight | the owner |
//! | cell | buffer 0; buffer 1 | the owner |
//! | ring | sender's close, fault | the owner, which sends on it |
//! | | reserved | the owner |
//! | | tail (contiguous slots) | the owner |
//! | | slots | the owner |
//! | credit | credit | the owner, which receives from it |
//! | | receiver's close, fault | the owner |
//! | command | order | the supervisor |
//! | latency | buckets | the owner, which receives from it |
//! | hints | count; numbers | the owner, which sends on the links that they name |
//! | undo | step, count, undone, reset; entries | the owner |
//! | vector, last, map, table | length; entries | the owner |
//! | blame | for each input: suspect to, aside, attempts, cause, requeue to, drop to | the supervisor |
//! | | written, reset | the supervisor |
//! | | two records: judged, attempts, row, steps; for each input: start | the supervisor |
//! | clock | step, monotonic; step, realtime | the owner |
//! | instance | high, low | the supervisor, in its own region |
//! | panic | incarnation, length; text | the owner |
//!
//! A test pins every figure; a change of one is a new layout version.

mod collections;
mod shape;

pub use collections::{
    CHANGES, CHANGES_MAX, ENTRIES_MAX, last_section, map_section, table_section, undo_section,
    vector_section,
};
pub(crate) use collections::{
    collection_word, map_slots, slot_word, undo_entry_word, undo_word, value_words,
};
pub use shape::{Layout, RingShape};

use crate::memory::LINE_PAIR;
use crate::region::{Section, SectionKind};

/// The largest message, in bytes.
pub const MESSAGE_SIZE_MAX: usize = 1 << 20;
/// The largest durable cell, in bytes.
pub const CELL_SIZE_MAX: usize = 4096;
/// The most durable cells of one actor: one bit of a word selects the buffer of each.
pub const CELLS_MAX: usize = 64;
/// The largest capacity of a ring, in messages.
pub const CAPACITY_MAX: u64 = 1 << 24;
/// The longest panic message that a partition's process leaves, in bytes.
pub const PANIC_TEXT_MAX: usize = 2048;
/// The strictest alignment of a message, in bytes: that of a slot.
pub const MESSAGE_ALIGN_MAX: usize = 64;

const WORDS_A_PAIR: usize = LINE_PAIR / 8;

/// Words of the pulse section.
pub(crate) mod pulse_word {
    use super::WORDS_A_PAIR;
    pub(crate) const BEAT: usize = 0;
    pub(crate) const PHASE: usize = 1;
    pub(crate) const ACTOR: usize = 2;
    pub(crate) const STEP: usize = 3;
    pub(crate) const PID: usize = WORDS_A_PAIR;
    pub(crate) const START_TIME: usize = WORDS_A_PAIR + 1;
    pub(crate) const INCARNATION: usize = WORDS_A_PAIR + 2;
    pub(crate) const STARTED_AT: usize = WORDS_A_PAIR + 3;
    pub(crate) const FIRST_STEP_AT: usize = WORDS_A_PAIR + 4;
    // The rest is zero in a region whose owner has not written it: the section's size is what it was before there were these
    // words, so they made no new layout version.
    pub(crate) const PID_NAMESPACE: usize = WORDS_A_PAIR + 5;
    pub(crate) const LOCKED: usize = WORDS_A_PAIR + 6;
    pub(crate) const HUGE_BYTES: usize = WORDS_A_PAIR + 7;
    pub(crate) const PARKED: usize = 2 * WORDS_A_PAIR;
    pub(crate) const COUNT: usize = 3 * WORDS_A_PAIR;
}

/// Words of a hints section.
pub(crate) mod hint_word {
    use super::WORDS_A_PAIR;
    pub(crate) const COUNT: usize = 0;
    pub(crate) const NUMBERS: usize = WORDS_A_PAIR;
}

/// Words of a clock section: what the actor's step in work has read of the clock. A step's number is one more than the steps
/// committed before it; 0 if none has read.
pub(crate) mod clock_word {
    use super::WORDS_A_PAIR;
    pub(crate) const MONOTONIC_STEP: usize = 0;
    pub(crate) const MONOTONIC: usize = 1;
    pub(crate) const REALTIME_STEP: usize = 2;
    pub(crate) const REALTIME: usize = 3;
    pub(crate) const COUNT: usize = WORDS_A_PAIR;
}

/// Words of an instance section: a random number of 128 bits.
pub(crate) mod instance_word {
    use super::WORDS_A_PAIR;
    pub(crate) const HIGH: usize = 0;
    pub(crate) const LOW: usize = 1;
    pub(crate) const COUNT: usize = WORDS_A_PAIR;
}

/// Words of a panic section.
pub(crate) mod panic_word {
    use super::WORDS_A_PAIR;
    pub(crate) const INCARNATION: usize = 0;
    pub(crate) const LEN: usize = 1;
    pub(crate) const TEXT: usize = WORDS_A_PAIR;
    pub(crate) const COUNT: usize = WORDS_A_PAIR + super::PANIC_TEXT_MAX / 8;
}

/// Words of a command section.
pub(crate) mod command_word {
    use super::WORDS_A_PAIR;
    pub(crate) const ORDER: usize = 0;
    pub(crate) const COUNT: usize = WORDS_A_PAIR;
}

/// Words of a blame section: so many for each input of the actor.
pub(crate) mod blame_word {
    /// Below this position the input's messages are received one at a time.
    pub(crate) const SUSPECT_TO: usize = 0;
    /// One more than the position of the message to be set aside.
    pub(crate) const ASIDE: usize = 1;
    /// How many deaths were laid to its charge.
    pub(crate) const ATTEMPTS: usize = 2;
    /// What the last of them was.
    pub(crate) const CAUSE: usize = 3;
    /// Messages set aside below this position of their ring are to be handled again.
    pub(crate) const REQUEUE_TO: usize = 4;
    /// Those below this one are to be dropped.
    pub(crate) const DROP_TO: usize = 5;
    pub(crate) const COUNT: usize = 8;
}

/// Words of a blame section behind those of the inputs: what is held against the actor as a whole.
pub(crate) mod account_word {
    use super::WORDS_A_PAIR;
    /// How often the account was written; its lowest bit says in which of the two records.
    pub(crate) const WRITTEN: usize = 0;
    /// One more than the number of the step after which the actor's state starts anew.
    pub(crate) const RESET: usize = 1;
    pub(crate) const RECORDS: usize = WORDS_A_PAIR;
}

/// Words of a record of the account.
pub(crate) mod tally_word {
    /// The last life whose end was judged.
    pub(crate) const JUDGED: usize = 0;
    /// Deaths with the same messages in work.
    pub(crate) const ATTEMPTS: usize = 1;
    /// Times in a row that messages were set aside.
    pub(crate) const ROW: usize = 2;
    /// The actor's steps once the last of them is set aside.
    pub(crate) const STEPS: usize = 3;
    /// One word an input: one more than the position of the first message in work at the last death that was blamed on any.
    pub(crate) const STARTS: usize = 4;
}

/// Words of the inputs of a blame section, padded.
pub(crate) fn account_at(inputs: usize) -> usize {
    (inputs.max(1) * blame_word::COUNT).next_multiple_of(WORDS_A_PAIR)
}

/// Words of a record of the account, padded.
pub(crate) fn tally_words(inputs: usize) -> usize {
    (tally_word::STARTS + inputs).next_multiple_of(WORDS_A_PAIR)
}

/// Words of a ring section. The sender's close is looked at in every step of the receiver, `reserved` by observers, and the
/// tail is waited on: each has a line pair of its own.
pub(crate) mod ring_word {
    use super::{LINE_PAIR, WORDS_A_PAIR};
    pub(crate) const CLOSE: usize = 0;
    /// One more than the position at which this end gave the link up, if the receiver's credit became impossible.
    pub(crate) const FAULT: usize = 1;
    /// The word that was impossible.
    pub(crate) const FOUND: usize = 2;
    pub(crate) const RESERVED: usize = WORDS_A_PAIR;
    pub(crate) const TAIL: usize = 2 * WORDS_A_PAIR;
    pub(crate) const COUNT: usize = 3 * WORDS_A_PAIR;
    /// Byte offset of the slots. An odd number of line pairs: rings of the same power of two, one after the other, don't
    /// begin in the same sets of the cache.
    pub(crate) const SLOTS: usize = 3 * LINE_PAIR;
}

/// Words of a credit section. The close lies apart from the credit: a sender looks at it in every step, and must not lose
/// the line each time that credit moves.
pub(crate) mod credit_word {
    use super::WORDS_A_PAIR;
    pub(crate) const CREDIT: usize = 0;
    pub(crate) const CLOSE: usize = WORDS_A_PAIR;
    /// One more than the position at which this end gave the link up, if the sender's word for it became impossible.
    pub(crate) const FAULT: usize = WORDS_A_PAIR + 1;
    /// The word that was impossible.
    pub(crate) const FOUND: usize = WORDS_A_PAIR + 2;
    pub(crate) const COUNT: usize = 2 * WORDS_A_PAIR;
}

/// Words before the first record: the control word, alone on its line pair.
pub(crate) const CONTROL_WORDS: usize = WORDS_A_PAIR;

/// Words of a record: a commit fills the inactive one and selects it by the control word.
pub(crate) mod record_word {
    pub(crate) const CELL_BITS: usize = 0;
    pub(crate) const DONE: usize = 1;
    /// In positions, one a link, then (from, to) of each outgoing link.
    pub(crate) const POSITIONS: usize = 2;
}

/// Words of one record of an actor with so many links, padded so that the records share no line.
pub(crate) fn record_words(inputs: usize, outputs: usize) -> usize {
    (record_word::POSITIONS + inputs + 2 * outputs).next_multiple_of(WORDS_A_PAIR)
}

/// Words that say which messages an actor has in work. They change with every receive, so no record shares their lines.
pub(crate) mod in_flight_word {
    /// Whose work it is; 0 while that changes.
    pub(crate) const INCARNATION: usize = 0;
    /// One word a link: what lies below it was shown to the handler.
    pub(crate) const TO: usize = 1;
}

/// Words before an actor's words in flight: the control word's line pair and two records.
pub(crate) fn in_flight_at(inputs: usize, outputs: usize) -> usize {
    CONTROL_WORDS + 2 * record_words(inputs, outputs)
}

/// Words in flight of an actor with so many incoming links, padded.
pub(crate) fn in_flight_words(inputs: usize) -> usize {
    (in_flight_word::TO + inputs).next_multiple_of(WORDS_A_PAIR)
}

/// Words of an actor section: the control word's line pair, two records, what is in flight.
pub(crate) fn actor_words(inputs: usize, outputs: usize) -> usize {
    in_flight_at(inputs, outputs) + in_flight_words(inputs)
}

/// Words of one buffer of a cell, padded so that the two share no line.
pub(crate) fn cell_buffer_words(size: usize) -> usize {
    size.div_ceil(8).next_multiple_of(WORDS_A_PAIR)
}

fn section(kind: SectionKind, name: &str, len: usize) -> Section {
    Section {
        kind,
        name: name.to_owned(),
        len,
        align: LINE_PAIR,
        count: 1,
        stride: len as u64,
        schema: String::new(),
    }
}

/// Heartbeat, phase and identity of the region's owner.
#[must_use]
pub fn pulse_section() -> Section {
    section(SectionKind::Pulse, "pulse", pulse_word::COUNT * 8)
}

/// The name of a host port's pulse section: a link's name has no slash in it, so none is another section's.
#[must_use]
pub fn port_pulse_name(link: &str) -> String {
    format!("port/{link}")
}

/// Heartbeat, phase and identity of a host port, by its link: a port may park alone.
#[must_use]
pub fn port_pulse_section(link: &str) -> Section {
    section(
        SectionKind::Pulse,
        &port_pulse_name(link),
        pulse_word::COUNT * 8,
    )
}

/// One doorbell towards each of `count` regions.
#[must_use]
pub fn doorbells_section(count: usize) -> Section {
    let mut bells = section(
        SectionKind::Doorbells,
        "doorbells",
        (count * 4).next_multiple_of(LINE_PAIR),
    );
    bells.count = count as u64;
    bells.stride = 4;
    bells
}

/// Control word, two records, and what is in flight, of an actor.
#[must_use]
pub fn actor_section(name: &str, inputs: usize, outputs: usize) -> Section {
    Section {
        count: 2,
        stride: record_words(inputs, outputs) as u64 * 8,
        ..section(SectionKind::Actor, name, actor_words(inputs, outputs) * 8)
    }
}

/// The two buffers of a durable cell of `size` bytes; `name` is "actor/cell".
#[must_use]
pub fn cell_section(name: &str, schema: &str, size: usize) -> Section {
    let buffer = cell_buffer_words(size) * 8;
    Section {
        count: 2,
        stride: buffer as u64,
        schema: schema.to_owned(),
        ..section(SectionKind::Cell, name, 2 * buffer)
    }
}

/// The sender's half of a link: its close word and the slots.
#[must_use]
pub fn ring_section(link: &str, schema: &str, shape: &RingShape) -> Section {
    Section {
        count: shape.capacity,
        stride: shape.stride as u64,
        schema: schema.to_owned(),
        ..section(
            SectionKind::Ring,
            link,
            ring_word::SLOTS + shape.slots_len(),
        )
    }
}

/// The receiver's half of a link: credit and close.
#[must_use]
pub fn credit_section(link: &str) -> Section {
    section(SectionKind::Credit, link, credit_word::COUNT * 8)
}

/// Incoming links of a partition up to which it looks at each of them; with more, its senders hint.
pub const SCANNED_LINKS_MAX: usize = 16;

/// Hints to partition `receiver` about `links` links: twice as many numbers as there are links, at least 64.
#[must_use]
pub fn hints_section(receiver: &str, links: usize) -> Section {
    let capacity = (2 * links).next_power_of_two().max(64);
    Section {
        count: capacity as u64,
        stride: 8,
        ..section(
            SectionKind::Hints,
            receiver,
            (hint_word::NUMBERS + capacity) * 8,
        )
    }
}

/// The supervisor's orders to one partition.
#[must_use]
pub fn command_section(partition: &str) -> Section {
    section(SectionKind::Command, partition, command_word::COUNT * 8)
}

/// Words of a blame section about so many inputs.
pub(crate) fn blame_words(inputs: usize) -> usize {
    account_at(inputs) + account_word::RECORDS + 2 * tally_words(inputs)
}

/// What the supervisor holds against the messages of each input of an actor.
#[must_use]
pub fn blame_section(actor: &str, inputs: usize) -> Section {
    Section {
        count: inputs as u64,
        stride: blame_word::COUNT as u64 * 8,
        ..section(SectionKind::Blame, actor, blame_words(inputs) * 8)
    }
}

/// What the step in work of an actor has read of the clock.
#[must_use]
pub fn clock_section(actor: &str) -> Section {
    section(SectionKind::Clock, actor, clock_word::COUNT * 8)
}

/// What tells this bus from every other one, also of the same name.
#[must_use]
pub fn instance_section() -> Section {
    section(SectionKind::Instance, "instance", instance_word::COUNT * 8)
}

/// The message of the panic that ended a life of the region's owner.
#[must_use]
pub fn panic_section() -> Section {
    section(SectionKind::Panic, "panic", panic_word::COUNT * 8)
}

/// The one-way latencies of a stamped link, as counts in fixed buckets.
#[must_use]
pub fn latency_section(link: &str) -> Section {
    Section {
        count: crate::latency::BUCKETS as u64,
        stride: 8,
        ..section(
            SectionKind::Latency,
            link,
            (crate::latency::BUCKETS * 8).next_multiple_of(LINE_PAIR),
        )
    }
}

#[cfg(test)]
mod document;
#[cfg(test)]
mod pins;
