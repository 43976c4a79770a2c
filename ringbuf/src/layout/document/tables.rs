//! The tables of docs/memory-layout.md.

use super::words::{Word, words};
use super::{Block, table};
use crate::latency::{BUCKETS, upper_ns};
use crate::layout::{
    CAPACITY_MAX, CELL_SIZE_MAX, CELLS_MAX, CHANGES_MAX, CONTROL_WORDS, ENTRIES_MAX, Layout,
    MESSAGE_ALIGN_MAX, MESSAGE_SIZE_MAX, RingShape, blame_word, hint_word, ring_word,
    undo_entry_word,
};
use crate::memory::LINE_PAIR;
use crate::region::SectionKind;
use crate::schema::{Field, Kind, Schema};
use crate::{Message as _, layout};

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
    let record = format!("{} + 2 x stride + what is in flight", 8 * CONTROL_WORDS);
    let rounded = format!("4 x count, rounded up to {LINE_PAIR}");
    let numbers = format!("{} + 8 x count", 8 * hint_word::NUMBERS);
    let entries = format!("{LINE_PAIR} + count x stride, rounded up to {LINE_PAIR}");
    let entry = (8 * undo_entry_word::COUNT).to_string();
    match kind {
        SectionKind::Pulse => fixed(layout::pulse_section()),
        SectionKind::Doorbells => said([&rounded, "doorbells", "4"]),
        SectionKind::Actor => said([&record, "2", "a record's bytes"]),
        SectionKind::Cell => said([
            "2 x stride",
            "2",
            &format!("the cell's bytes, rounded up to {LINE_PAIR}"),
        ]),
        SectionKind::Ring => said([&slots, "the capacity", "bytes from slot to slot"]),
        SectionKind::Credit => fixed(layout::credit_section("")),
        SectionKind::Command => fixed(layout::command_section("")),
        SectionKind::Latency => fixed(layout::latency_section("")),
        SectionKind::Clock => fixed(layout::clock_section("")),
        SectionKind::Instance => fixed(layout::instance_section()),
        SectionKind::Panic => fixed(layout::panic_section()),
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
        SectionKind::Blame => said([
            &format!(
                "count x stride, rounded up to {LINE_PAIR}, + {LINE_PAIR} + 2 x (32 + 8 x count, rounded up to {LINE_PAIR})"
            ),
            "the actor's inputs",
            &(8 * blame_word::COUNT).to_string(),
        ]),
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
        SectionKind::Blame => [
            "the actor, if it has inputs",
            "the supervisor, whose region it is in",
        ],
        SectionKind::Latency => [
            "the link, if its messages carry the time of their send",
            "the owner, which receives from it",
        ],
        SectionKind::Clock => ["the actor, if it reads the clock", "the owner"],
        SectionKind::Instance => ["`instance`", "the supervisor, whose region it is in"],
        SectionKind::Panic => ["`panic`", "the owner"],
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
