//! The tables of docs/memory-layout.md.

use super::{Block, table};
use crate::latency::{BUCKETS, upper_ns};
use crate::layout::{
    CAPACITY_MAX, CELL_SIZE_MAX, CELLS_MAX, CHANGES_MAX, CONTROL_WORDS, ENTRIES_MAX, Layout,
    MESSAGE_ALIGN_MAX, MESSAGE_SIZE_MAX, RingShape, collection_word, command_word, credit_word,
    hint_word, pulse_word, record_word, ring_word, slot_word, undo_entry_word, undo_word,
};
use crate::memory::LINE_PAIR;
use crate::region::directory::entry_at;
use crate::region::header::{self, at};
use crate::region::{FILE_LEN_MAX, NAME_LEN_MAX, PAGE, SECTIONS_MAX, STRINGS_LEN_MAX, SectionKind};
use crate::schema::{Field, Kind, Schema};
use crate::{Message as _, layout, park, pulse};

/// A word or a field: its place in what it is part of.
pub(super) struct Word {
    /// `module::NAME` of the constant that places it.
    constant: &'static str,
    name: String,
    pub(super) at: usize,
    pub(super) bytes: usize,
    by: &'static str,
    meaning: String,
}

/// Fields of any width, placed in bytes.
macro_rules! fields {
    ($module:ident: $($name:ident $bytes:literal $meaning:expr;)*) => { vec![$(Word {
        constant: concat!(stringify!($module), "::", stringify!($name)),
        name: spoken(stringify!($name)),
        at: $module::$name,
        bytes: $bytes,
        by: "",
        meaning: $meaning.into(),
    }),*] };
}

/// Words of eight bytes, placed in words; by whom they are written and how.
macro_rules! words {
    ($module:ident: $($name:ident $by:literal $meaning:expr;)*) => { vec![$(Word {
        constant: concat!(stringify!($module), "::", stringify!($name)),
        name: spoken(stringify!($name)),
        at: 8 * $module::$name,
        bytes: 8,
        by: $by,
        meaning: $meaning.into(),
    }),*] };
}

fn spoken(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}

fn header_fields() -> Vec<Word> {
    let magic = header::MAGIC.escape_ascii();
    fields! { at:
        MAGIC 8 format!("`{magic}`");
        BYTE_ORDER 4 format!("{:#010x}, as the machine that wrote the region stores it", header::BYTE_ORDER_MARK);
        VERSION 4 format!("layout version, {}", header::LAYOUT_VERSION);
        HEADER_LEN 4 format!("{}", header::HEADER_LEN);
        ENTRY_LEN 4 format!("length of a directory entry, {}", header::ENTRY_LEN);
        FILE_LEN 8 format!("length of the file, a multiple of {PAGE}, at most 2^{}", FILE_LEN_MAX.ilog2());
        BOOT_ID 16 "the kernel's boot id (`/proc/sys/kernel/random/boot_id`) without its dashes";
        DIGEST 8 "digest of the topology, the same in every region of a bus";
        DIRECTORY 8 format!("where the directory begins, {}", header::HEADER_LEN);
        ENTRIES 8 format!("entries of the directory, at most {SECTIONS_MAX}");
        DIRECTORY_LEN 8 format!("bytes of the directory, entries x {}", header::ENTRY_LEN);
        STRINGS 8 "where the strings begin, right after the directory";
        STRINGS_LEN 8 format!("bytes of all strings, at most {STRINGS_LEN_MAX}");
        BUS_LEN 4 format!("bytes of the bus's name, the first string, at most {NAME_LEN_MAX}");
        OWNER_LEN 4 "bytes of the owner's name, the second string, likewise";
        ZERO 16 "zero";
        CHECKSUM 8 "FNV-1a 64 of header, directory and strings, these eight bytes taken as zero";
    }
}

fn entry_fields() -> Vec<Word> {
    fields! { entry_at:
        KIND 4 "what the section holds: the table of kinds";
        ALIGN 4 format!("its alignment, a power of two from 64 to {PAGE}");
        OFFSET 8 format!("where it begins in the file: a multiple of {LINE_PAIR} and of its alignment");
        LEN 8 "its bytes, at least 1";
        COUNT 8 "how many items it holds";
        STRIDE 8 "bytes from item to item; count x stride is at most its length";
        NAME_LEN 4 format!("bytes of its name, at most {NAME_LEN_MAX}");
        SCHEMA_LEN 4 "bytes of its schema";
    }
}

fn phases() -> String {
    use pulse::Phase::{Parked, Recovering, Running, Starting, Stopping, Unborn};
    let all = [Unborn, Starting, Recovering, Running, Parked, Stopping];
    let named =
        all.map(|phase| format!("{} {}", phase as u64, format!("{phase:?}").to_lowercase()));
    named.join(", ")
}

fn orders() -> String {
    use pulse::Order::{Drain, Run, Stop};
    let named = [Run, Drain, Stop]
        .map(|order| format!("{} {}", order as u64, format!("{order:?}").to_lowercase()));
    named.join(", ")
}

fn pulse_words() -> Vec<Word> {
    words! { pulse_word:
        BEAT "Relaxed" "turns of the partition's loop, over all incarnations";
        PHASE "Relaxed" phases();
        ACTOR "Relaxed" "the actor that ran last, by its place in the partition";
        STEP "Relaxed" "the step that it was about to run";
        PID "Relaxed" "its process, as numbered in its pid namespace";
        START_TIME "Relaxed" "when that process started, in clock ticks since boot";
        INCARNATION "Release, after the words around it" "the n-th life of the owner, from 1; 0 if none has begun";
        STARTED_AT "Relaxed" "when this life began, in nanoseconds of CLOCK_MONOTONIC";
        FIRST_STEP_AT "Relaxed" "when its first step had ended, likewise; 0 before";
        PID_NAMESPACE "Relaxed" "inode of its pid namespace, or 0";
        LOCKED "Relaxed" "low half: 0 nobody tried to lock its pages, 1 locked, 2 refused with the errno in the high half";
        HUGE_BYTES "Relaxed" "how many of its bytes are mapped as huge pages";
        PARKED "Release to sleep, Relaxed to get up" format!(
            "sleeps so far << 2, and {} awake, {} asleep on its doorbells, {} asleep in an event loop",
            park::AWAKE, park::ASLEEP, park::ARMED
        );
    }
}

fn record_words() -> Vec<Word> {
    words! { record_word:
        CELL_BITS "Relaxed, before the control word" "bit n selects the buffer of the actor's n-th durable cell";
        DONE "likewise" "1 if the actor has ended by its own word";
        POSITIONS "likewise" "received, a word for each input; then (published before the last commit, sent), two words for each output";
    }
}

fn ring_words() -> Vec<Word> {
    words! { ring_word:
        CLOSE "Release" "0 while the sender may send, else one more than the position that it ended at";
        FAULT "Release" "0, or one more than the position at which the sender gave an untrusted link up";
        FOUND "Relaxed, before the fault" "the credit that was impossible";
        RESERVED "Relaxed, then a Release fence before any store into a slot" "no slot of this position or a later one has been written; never goes down";
        TAIL "Release" "contiguous slots: the first position that isn't published; else 0";
    }
}

fn credit_words() -> Vec<Word> {
    words! { credit_word:
        CREDIT "Release" "the first position that isn't given back to the sender";
        CLOSE "Release" "0 while the receiver may receive, else one more than the position that it ended at";
        FAULT "Release" "0, or one more than the position at which the receiver gave an untrusted link up";
        FOUND "Relaxed, before the fault" "the sequence word, or the tail, that was impossible";
    }
}

fn command_words() -> Vec<Word> {
    words! { command_word: ORDER "Release" orders(); }
}

fn undo_words() -> Vec<Word> {
    words! { undo_word:
        STEP "Release" "the step that the entries are of: one more than the steps committed before it; of another step, none is in force";
        COUNT "Release, after the entries and before what they are of changes" "how many entries are in force; 0 again after they were undone";
        ENTRIES "Relaxed" "the first entry";
    }
}

fn undo_entry_words() -> Vec<Word> {
    words! { undo_entry_word:
        PLACE "Relaxed" "the byte offset in the region of a word of one of the actor's collections";
        OLD "Relaxed" "what was there";
    }
}

fn collection_words() -> Vec<Word> {
    words! { collection_word:
        LEN "Relaxed" "vector, map: how many entries; last: how many were pushed so far; table: 0";
        ENTRIES "Relaxed" "the first entry, or the first slot of a map";
    }
}

fn slot_words() -> Vec<Word> {
    words! { slot_word:
        MARK "Relaxed" "0 if the slot is free, else the key's hash with its lowest bit set; the highest bits say which slot is its home";
        KEY "Relaxed" "the key, then, on the next whole word, the value";
    }
}

fn hint_words() -> Vec<Word> {
    words! { hint_word:
        COUNT "Release, after the numbers below it" "hints given so far; a new life of the sender jumps ahead by more than the ring holds";
        NUMBERS "Relaxed, after a Release fence" "the first number: hint n lies n modulo count words behind it";
    }
}

/// Every table of places.
pub(super) fn words() -> [(&'static str, Vec<Word>); 12] {
    [
        ("header", header_fields()),
        ("entry", entry_fields()),
        ("pulse", pulse_words()),
        ("record", record_words()),
        ("ring", ring_words()),
        ("credit", credit_words()),
        ("command", command_words()),
        ("hints", hint_words()),
        ("undo", undo_words()),
        ("undo-entry", undo_entry_words()),
        ("collection", collection_words()),
        ("slot", slot_words()),
    ]
}

/// The constants that a table describes.
pub(super) fn described() -> Vec<String> {
    let words = words().into_iter().flat_map(|(_, words)| words);
    words.map(|word| word.constant.to_owned()).collect()
}

fn places((name, words): (&'static str, Vec<Word>)) -> Block {
    let written = words.iter().any(|word| !word.by.is_empty());
    let rows = words.into_iter().map(|word| {
        let place = [word.at.to_string(), word.bytes.to_string(), word.name];
        let by = written.then(|| word.by.to_owned());
        place.into_iter().chain(by).chain([word.meaning]).collect()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if written {
        table(
            name,
            &["offset", "bytes", "word", "stored", "meaning"],
            &rows,
        )
    } else {
        table(name, &["offset", "bytes", "field", "meaning"], &rows)
    }
}

/// Length, items and bytes from item to item.
fn shape_of(kind: SectionKind) -> [String; 3] {
    let fixed = |section: crate::region::Section| {
        [
            section.len.to_string(),
            section.count.to_string(),
            section.stride.to_string(),
        ]
    };
    let said = |texts: [&str; 3]| texts.map(str::to_owned);
    let slots = format!("{} + count x stride", ring_word::SLOTS);
    let record = format!("{} + 2 records", 8 * CONTROL_WORDS);
    let rounded = format!("4 x count, rounded up to {LINE_PAIR}");
    let numbers = format!("{} + 8 x count", 8 * hint_word::NUMBERS);
    let entries = format!("{LINE_PAIR} + count x stride, rounded up to {LINE_PAIR}");
    let entry = (8 * undo_entry_word::COUNT).to_string();
    match kind {
        SectionKind::Pulse => fixed(layout::pulse_section()),
        SectionKind::Doorbells => said([&rounded, "doorbells", "4"]),
        SectionKind::Actor => said([&record, "1", "its length"]),
        SectionKind::Cell => said([
            "2 x stride",
            "2",
            &format!("the cell's bytes, rounded up to {LINE_PAIR}"),
        ]),
        SectionKind::Ring => said([&slots, "the capacity", "bytes from slot to slot"]),
        SectionKind::Credit => fixed(layout::credit_section("")),
        SectionKind::Command => fixed(layout::command_section("")),
        SectionKind::Latency => fixed(layout::latency_section("")),
        SectionKind::Hints => said([&numbers, "numbers, a power of two", "8"]),
        SectionKind::Undo => said([&entries, "changes of a step", &entry]),
        SectionKind::Vector | SectionKind::Last => said([
            &entries,
            "the capacity",
            "the value's bytes, rounded up to 8",
        ]),
        SectionKind::Map => said([
            &entries,
            "slots: a power of two, more than 3/2 of the capacity",
            "8 + key and value, each rounded up to 8",
        ]),
        SectionKind::Table => said([&entries, "rows", "the row's bytes, rounded up to 8"]),
    }
}

/// Name, and who writes it.
fn owner_of(kind: SectionKind) -> [&'static str; 2] {
    match kind {
        SectionKind::Pulse => ["`pulse`, of a host port `port/` and its link", "the owner"],
        SectionKind::Doorbells => ["`doorbells`", "the owner"],
        SectionKind::Actor => ["the actor", "the owner"],
        SectionKind::Cell => ["the actor, `/`, the cell", "the owner"],
        SectionKind::Ring => ["the link", "the owner, which sends on it"],
        SectionKind::Credit => ["the link", "the owner, which receives from it"],
        SectionKind::Command => ["the partition", "the supervisor, whose region it is in"],
        SectionKind::Latency => [
            "the link, if its messages carry the time of their send",
            "the owner, which receives from it",
        ],
        SectionKind::Hints => [
            "the receiving partition, where more links lead than are scanned",
            "the owner, which sends on some of them",
        ],
        SectionKind::Undo => ["the actor, if it has collections", "the owner"],
        SectionKind::Vector => ["the actor, `/`, the vector", "the owner"],
        SectionKind::Last => ["the actor, `/`, the ring", "the owner"],
        SectionKind::Map => ["the actor, `/`, the map", "the owner"],
        SectionKind::Table => ["the actor, `/`, the table", "the owner"],
    }
}

fn kinds() -> Block {
    let kinds = (1..).map_while(SectionKind::from_u32);
    let rows: Vec<_> = kinds
        .map(|kind| {
            let first = [(kind as u32).to_string(), kind.to_string()];
            let owner = owner_of(kind).map(str::to_owned);
            first
                .into_iter()
                .chain(owner)
                .chain(shape_of(kind))
                .collect()
        })
        .collect();
    let heads = [
        "number",
        "kind",
        "name",
        "written by",
        "length",
        "count",
        "stride",
    ];
    table("kinds", &heads, &rows)
}

fn limits() -> Block {
    let row = |what: &str, most: String| vec![what.to_owned(), most];
    let rows = [
        row("bytes of a message", MESSAGE_SIZE_MAX.to_string()),
        row("alignment of a message", MESSAGE_ALIGN_MAX.to_string()),
        row("slots of a ring, a power of two", CAPACITY_MAX.to_string()),
        row("bytes of a durable cell", CELL_SIZE_MAX.to_string()),
        row("durable cells of an actor", CELLS_MAX.to_string()),
        row(
            "bytes of an entry of a collection, of its key and of its value",
            CELL_SIZE_MAX.to_string(),
        ),
        row("entries of a collection", ENTRIES_MAX.to_string()),
        row(
            "words that a step changes in its collections",
            CHANGES_MAX.to_string(),
        ),
    ];
    table("limits", &["what", "at most"], &rows)
}

fn strides() -> Block {
    let payloads = [
        1, 8, 9, 16, 17, 24, 25, 48, 49, 56, 57, 64, 112, 113, 120, 121, 128, 248, 256, 1016, 1024,
        4096,
    ];
    let stride = |payload, stamped, layout| {
        let shape = RingShape::with_layout(payload, 8, stamped, layout);
        shape.map_or_else(|| "-".to_owned(), |shape| shape.stride.to_string())
    };
    let rows = payloads.map(|payload| {
        vec![
            payload.to_string(),
            stride(payload, false, Layout::Sequenced),
            stride(payload, true, Layout::Sequenced),
            stride(payload, false, Layout::Contiguous),
            format!("{:?}", Layout::of(payload)).to_lowercase(),
        ]
    });
    let heads = [
        "payload",
        "sequenced",
        "sequenced, stamped",
        "contiguous",
        "unless the topology says otherwise",
    ];
    table("strides", &heads, &rows)
}

fn buckets() -> Block {
    let rows: Vec<_> = [
        0,
        1,
        31,
        32,
        33,
        63,
        64,
        65,
        95,
        96,
        97,
        BUCKETS - 2,
        BUCKETS - 1,
    ]
    .into_iter()
    .map(|index| vec![index.to_string(), upper_ns(index).to_string()])
    .collect();
    table("buckets", &["bucket", "counts up to, ns"], &rows)
}

/// The text of a schema with everything in it that one may have.
fn schema() -> Block {
    const fn field(name: &'static str, offset: usize, schema: &'static Schema) -> Field {
        Field {
            name,
            offset,
            schema,
        }
    }
    const LEVEL: Schema = Schema {
        name: "Level",
        size: 16,
        align: 8,
        kind: Kind::Struct {
            fields: &[
                field("px", 0, &f64::SCHEMA),
                field("qty", 8, &<[u32; 2]>::SCHEMA),
            ],
        },
    };
    const BOOK: Schema = Schema {
        name: "Book",
        size: 64,
        align: 8,
        kind: Kind::Struct {
            fields: &[
                field("seq", 0, &u64::SCHEMA),
                field("best", 8, &LEVEL),
                field("venue", 24, &<[u8; 8]>::SCHEMA),
                field(
                    "depth",
                    32,
                    &Schema {
                        name: "array",
                        size: 32,
                        align: 8,
                        kind: Kind::Array {
                            element: &LEVEL,
                            len: 2,
                        },
                    },
                ),
            ],
        },
    };
    Block {
        name: "schema",
        text: format!("```text\n{}```\n", BOOK.to_text()),
    }
}

/// Every block of the document that is made from the code.
pub(super) fn all() -> Vec<Block> {
    let places = words().into_iter().map(places);
    places
        .chain([kinds(), limits(), strides(), buckets(), schema()])
        .collect()
}
