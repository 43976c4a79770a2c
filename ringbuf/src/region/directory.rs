//! What lies in a region, to bytes and back, and the rules that hold for it on both ways.
//!
//! Decoding sees arbitrary bytes: each entry's strings are the next ones in the string area, so that the total of what is
//! allocated is bounded by the area's length, which the header bounds.

use std::fmt;

use super::error::OpenReason;
use super::header::{ENTRY_LEN, Header, get_u32, get_u64, put_u32, put_u64};
use super::{NAME_LEN_MAX, PAGE};
use crate::memory::LINE_PAIR;

/// Where the fields of an entry begin.
pub(crate) mod entry_at {
    pub(crate) const KIND: usize = 0;
    pub(crate) const ALIGN: usize = 4;
    pub(crate) const OFFSET: usize = 8;
    pub(crate) const LEN: usize = 16;
    pub(crate) const COUNT: usize = 24;
    pub(crate) const STRIDE: usize = 32;
    pub(crate) const NAME_LEN: usize = 40;
    pub(crate) const SCHEMA_LEN: usize = 44;
}

/// What a section of a region holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum SectionKind {
    /// Identity, heartbeat and life-cycle words of the owner.
    Pulse = 1,
    /// Words that the owner rings to wake its peers.
    Doorbells = 2,
    /// An actor's control word, records and in-flight range.
    Actor = 3,
    /// A durable cell.
    Cell = 4,
    /// An outgoing link's ring.
    Ring = 5,
    /// Positions up to which the owner gives incoming links back to their senders.
    Credit = 6,
    /// The supervisor's commands and history.
    Command = 7,
    /// Latency histograms.
    Latency = 8,
    /// Numbers of links that have something, towards one partition.
    Hints = 9,
    /// The undo log of an actor's durable collections.
    Undo = 10,
    /// A durable bounded vector.
    Vector = 11,
    /// A durable ring of the last so many values.
    Last = 12,
    /// A durable map of fixed capacity.
    Map = 13,
    /// A durable table of rows.
    Table = 14,
}

impl SectionKind {
    const ALL: [Self; 14] = [
        Self::Pulse,
        Self::Doorbells,
        Self::Actor,
        Self::Cell,
        Self::Ring,
        Self::Credit,
        Self::Command,
        Self::Latency,
        Self::Hints,
        Self::Undo,
        Self::Vector,
        Self::Last,
        Self::Map,
        Self::Table,
    ];

    /// Whether it is a durable collection: written in place, through its actor's undo log.
    #[must_use]
    pub fn is_collection(self) -> bool {
        matches!(self, Self::Vector | Self::Last | Self::Map | Self::Table)
    }

    /// The kind with that number, if there is one.
    #[must_use]
    pub fn from_u32(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u32 == number)
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pulse => "pulse",
            Self::Doorbells => "doorbells",
            Self::Actor => "actor",
            Self::Cell => "cell",
            Self::Ring => "ring",
            Self::Credit => "credit",
            Self::Command => "command",
            Self::Latency => "latency",
            Self::Hints => "hints",
            Self::Undo => "undo",
            Self::Vector => "vector",
            Self::Last => "last",
            Self::Map => "map",
            Self::Table => "table",
        })
    }
}

/// A section of a region that exists: it lies inside of the file, aligned, and overlaps no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionEntry {
    /// What it holds.
    pub kind: SectionKind,
    /// Its name, unique among those of its kind; up to 127 bytes without control characters.
    pub name: String,
    /// Bytes from the start of the file, a multiple of 128 and of `align`.
    pub offset: usize,
    /// Its length in bytes, at least 1.
    pub len: usize,
    /// Its alignment, a power of two from 64 to 4096.
    pub align: usize,
    /// How many items it holds: a ring's capacity, the number of doorbells.
    pub count: u64,
    /// Bytes from item to item; `count * stride` is at most `len`.
    pub stride: u64,
    /// The canonical text of the messages' schema, or nothing.
    pub schema: String,
}

/// What a region file says about itself, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The bus it belongs to.
    pub bus: String,
    /// The partition (or supervisor) whose memory it is.
    pub owner: String,
    /// The version of the layout.
    pub layout_version: u32,
    /// The digest of the topology.
    pub digest: u64,
    /// The boot during which it was created.
    pub boot_id: [u8; 16],
    /// The file's length in bytes.
    pub len: usize,
    /// All sections, in the order in which they were planned.
    pub sections: Vec<SectionEntry>,
    /// Indices of the sections by kind and name.
    pub(super) order: Vec<usize>,
}

impl Inspection {
    /// The section of that kind and name, if there is one.
    #[must_use]
    pub fn section(&self, kind: SectionKind, name: &str) -> Option<&SectionEntry> {
        let key = |index: &usize| {
            self.sections
                .get(*index)
                .map(|section| (section.kind, section.name.as_str()))
        };
        let place = self
            .order
            .binary_search_by_key(&Some((kind, name)), key)
            .ok()?;
        self.sections.get(self.order[place])
    }
}

/// What holds for a section wherever it lies: `None`, or what is wrong with it.
pub(super) fn defect(section: &SectionEntry) -> Option<String> {
    if let Some(problem) = name_defect(&section.name) {
        return Some(problem);
    }
    if section.len == 0 {
        return Some("its length is 0, expected at least 1".to_owned());
    }
    if !section.align.is_power_of_two() || !(64..=PAGE).contains(&section.align) {
        return Some(format!(
            "its alignment is {}, expected a power of two from 64 to {PAGE}",
            section.align
        ));
    }
    let items = section.count.checked_mul(section.stride);
    if items.is_none_or(|bytes| bytes > section.len as u64) {
        return Some(format!(
            "{} items of {} bytes do not fit its length of {} bytes",
            section.count, section.stride, section.len
        ));
    }
    None
}

/// What is wrong with a name, if anything.
pub(super) fn name_defect(name: &str) -> Option<String> {
    if name.len() > NAME_LEN_MAX {
        return Some(format!(
            "its name has {} bytes, expected at most {NAME_LEN_MAX}",
            name.len()
        ));
    }
    let control = name.chars().find(|c| c.is_control())?;
    Some(format!(
        "its name contains the control character {control:?}"
    ))
}

/// Indices of `sections` by kind and name, or the index of a section that has the same as an earlier one.
pub(super) fn order(sections: &[SectionEntry]) -> Result<Vec<usize>, usize> {
    let key = |index: &usize| (sections[*index].kind, sections[*index].name.as_str());
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(key);
    match order.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        Some(pair) => Err(pair[1]),
        None => Ok(order),
    }
}

/// Directory and strings, ready to follow the header.
pub(super) fn encode(bus: &str, owner: &str, sections: &[SectionEntry]) -> Vec<u8> {
    let mut bytes = vec![0; sections.len() * ENTRY_LEN];
    for (section, entry) in sections.iter().zip(bytes.chunks_exact_mut(ENTRY_LEN)) {
        put_u32(entry, entry_at::KIND, section.kind as u32);
        put_u32(entry, entry_at::ALIGN, section.align as u32);
        put_u64(entry, entry_at::OFFSET, section.offset as u64);
        put_u64(entry, entry_at::LEN, section.len as u64);
        put_u64(entry, entry_at::COUNT, section.count);
        put_u64(entry, entry_at::STRIDE, section.stride);
        put_u32(entry, entry_at::NAME_LEN, section.name.len() as u32);
        put_u32(entry, entry_at::SCHEMA_LEN, section.schema.len() as u32);
    }
    bytes.extend(bus.bytes().chain(owner.bytes()));
    bytes.extend(
        sections
            .iter()
            .flat_map(|section| section.name.bytes().chain(section.schema.bytes())),
    );
    bytes
}

/// The string area, read from front to back.
pub(super) struct Strings<'a>(&'a str);

impl<'a> Strings<'a> {
    pub(super) fn new(area: &'a [u8]) -> Result<Self, OpenReason> {
        std::str::from_utf8(area)
            .map(Self)
            .map_err(|error| OpenReason::Strings {
                what: "string area".to_owned(),
                problem: error.to_string(),
            })
    }

    /// The next string, `len` bytes long.
    pub(super) fn take(
        &mut self,
        len: usize,
        what: impl FnOnce() -> String,
    ) -> Result<&'a str, OpenReason> {
        let Some((text, rest)) = self.0.split_at_checked(len) else {
            let problem = format!(
                "{len} bytes do not fit the {} that are left of the string area, or cut a character",
                self.0.len()
            );
            return Err(OpenReason::Strings {
                what: what(),
                problem,
            });
        };
        self.0 = rest;
        Ok(text)
    }

    fn end(&self) -> Result<(), OpenReason> {
        if self.0.is_empty() {
            return Ok(());
        }
        let problem = format!("{} bytes belong to no section", self.0.len());
        Err(OpenReason::Strings {
            what: "string area".to_owned(),
            problem,
        })
    }
}

/// The sections of a directory and their order by kind and name; `strings` has given up the bus's and the owner's names.
pub(super) fn decode(
    header: &Header,
    directory: &[u8],
    mut strings: Strings<'_>,
) -> Result<(Vec<SectionEntry>, Vec<usize>), OpenReason> {
    let mut sections = Vec::with_capacity(header.count);
    for (index, bytes) in directory.chunks_exact(ENTRY_LEN).enumerate() {
        let section = decode_entry(index, bytes, &mut strings)?;
        match defect(&section).or_else(|| place_defect(&section, header)) {
            Some(problem) => return Err(refused(index, &section, problem)),
            None => sections.push(section),
        }
    }
    strings.end()?;
    let order = order(&sections).map_err(|index| {
        let problem = format!(
            "there is another {} section of that name",
            sections[index].kind
        );
        refused(index, &sections[index], problem)
    })?;
    match overlap(&sections) {
        Some(reason) => Err(reason),
        None => Ok((sections, order)),
    }
}

fn decode_entry(
    index: usize,
    bytes: &[u8],
    strings: &mut Strings<'_>,
) -> Result<SectionEntry, OpenReason> {
    let name = strings.take(get_u32(bytes, entry_at::NAME_LEN) as usize, || {
        format!("section {index}, name")
    })?;
    let schema = strings.take(get_u32(bytes, entry_at::SCHEMA_LEN) as usize, || {
        format!("section {index}, schema")
    })?;
    let number = get_u32(bytes, entry_at::KIND);
    let kind = SectionKind::from_u32(number).ok_or_else(|| OpenReason::Section {
        index,
        name: shown(name),
        problem: format!(
            "its kind is {number}, expected 1 to {}",
            SectionKind::ALL.len()
        ),
    })?;
    Ok(SectionEntry {
        kind,
        name: name.to_owned(),
        offset: get_u64(bytes, entry_at::OFFSET) as usize,
        len: get_u64(bytes, entry_at::LEN) as usize,
        align: get_u32(bytes, entry_at::ALIGN) as usize,
        count: get_u64(bytes, entry_at::COUNT),
        stride: get_u64(bytes, entry_at::STRIDE),
        schema: schema.to_owned(),
    })
}

fn place_defect(section: &SectionEntry, header: &Header) -> Option<String> {
    let SectionEntry { offset, len, .. } = *section;
    let align = section.align.max(LINE_PAIR);
    if !offset.is_multiple_of(align) {
        return Some(format!(
            "it starts at {offset}, expected a multiple of {align}"
        ));
    }
    let first = header.preamble_len();
    if offset < first {
        return Some(format!(
            "it starts at {offset}, inside of the directory, which ends at {first}"
        ));
    }
    if offset
        .checked_add(len)
        .is_none_or(|end| end > header.file_len)
    {
        let file_len = header.file_len;
        return Some(format!(
            "{len} bytes at {offset} do not fit the file of {file_len} bytes"
        ));
    }
    None
}

fn overlap(sections: &[SectionEntry]) -> Option<OpenReason> {
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|index| sections[*index].offset);
    let pair = order.windows(2).find(|pair| {
        let (first, second) = (&sections[pair[0]], &sections[pair[1]]);
        first.offset + first.len > second.offset
    })?;
    let (first, second) = (&sections[pair[0]], &sections[pair[1]]);
    let problem = format!(
        "it starts at {}, inside of section {} (`{}`), which ends at {}",
        second.offset,
        pair[0],
        shown(&first.name),
        first.offset + first.len
    );
    Some(refused(pair[1], second, problem))
}

fn refused(index: usize, section: &SectionEntry, problem: String) -> OpenReason {
    OpenReason::Section {
        index,
        name: shown(&section.name),
        problem,
    }
}

/// A name that came out of a file, safe to print.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .take(NAME_LEN_MAX)
        .flat_map(char::escape_debug)
        .collect()
}
