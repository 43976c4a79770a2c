//! What an actor's ends find in the regions, checked against what they need.

use crate::layout::RingShape;
use crate::memory::RangeError;
use crate::message::Message;
use crate::region::{LAYOUT_VERSION, OpenError, Region, SectionEntry, SectionKind};
use crate::schema;
use crate::slots::MappedRing;
use crate::step::claims::Claimed;

/// An actor's ends don't fit what lies in the regions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// A section is missing.
    #[error(transparent)]
    Region(#[from] OpenError),
    /// A section doesn't hold what its kind needs.
    #[error(
        "{kind:?} `{name}` of region `{region}`: {problem}; the region was made by another program: start the bus anew"
    )]
    Section {
        /// The region's owner.
        region: String,
        /// What kind of section.
        kind: SectionKind,
        /// Its name.
        name: String,
        /// What is off.
        problem: String,
    },
    /// The message's type here isn't the one in the region.
    #[error("link or cell `{name}`: {difference}")]
    Schema {
        /// The link, or "actor/cell".
        name: String,
        /// Both sides.
        difference: String,
    },
    /// It is attached already in this process: a second set of ports would race with the first.
    #[error(
        "{kind:?} `{name}` of region `{region}` is attached already in this process; drop that one first"
    )]
    Attached {
        /// The region's owner.
        region: String,
        /// What kind of section.
        kind: SectionKind,
        /// Its name.
        name: String,
    },
    /// More cells than a record has bits for.
    #[error("actor `{0}` has more than 64 durable cells; join some of them into one")]
    TooManyCells(String),
    /// The region is of an earlier layout, whose rings can't be read: nothing in them tells an observer which slots may be
    /// written while it looks.
    #[error(
        "region `{region}` has layout version {found}, links are read in version {expected}; run a program of the version \
         that made the bus"
    )]
    LayoutVersion {
        /// The region's owner.
        region: String,
        /// Its version.
        found: u32,
        /// This program's.
        expected: u32,
    },
    /// The region is mapped read-only.
    #[error("region `{0}` is mapped read-only: only its own partition attaches actors to it")]
    ReadOnly(String),
}

pub(super) fn off(
    region: &Region,
    entry: &SectionEntry,
    problem: impl Into<String>,
) -> AttachError {
    AttachError::Section {
        region: region.owner().to_owned(),
        kind: entry.kind,
        name: entry.name.clone(),
        problem: problem.into(),
    }
}

pub(super) fn in_range<T>(
    region: &Region,
    entry: &SectionEntry,
    checked: Result<T, RangeError>,
) -> Result<T, AttachError> {
    checked.map_err(|error| off(region, entry, error.to_string()))
}

/// The section, if it is at least `len` bytes long.
pub(super) fn section_of<'a>(
    region: &'a Region,
    kind: SectionKind,
    name: &str,
    len: usize,
) -> Result<&'a SectionEntry, AttachError> {
    let entry = region.section(kind, name)?;
    if entry.len < len {
        return Err(off(
            region,
            entry,
            format!("{} bytes long, {len} needed", entry.len),
        ));
    }
    Ok(entry)
}

/// Takes a section for this process, or says that it is taken.
pub(super) fn claim(
    region: &Region,
    kind: SectionKind,
    name: &str,
) -> Result<Claimed, AttachError> {
    let claimed = Claimed::new(region, kind, name).map_err(|error| AttachError::Section {
        region: region.owner().to_owned(),
        kind,
        name: name.to_owned(),
        problem: error.to_string(),
    })?;
    claimed.ok_or_else(|| AttachError::Attached {
        region: region.owner().to_owned(),
        kind,
        name: name.to_owned(),
    })
}

pub(super) fn check_schema<T: Message>(entry: &SectionEntry) -> Result<(), AttachError> {
    check_schema_text(entry, &T::SCHEMA.to_text())
}

pub(super) fn check_schema_text(entry: &SectionEntry, ours: &str) -> Result<(), AttachError> {
    match schema::difference(ours, &entry.schema) {
        None => Ok(()),
        Some(difference) => Err(AttachError::Schema {
            name: entry.name.clone(),
            difference,
        }),
    }
}

/// The ring of `link`, whose slots lie in `sender` and whose credit in `receiver`, checked against `T`.
pub(super) fn ring_of<T: Message>(
    sender: &Region,
    receiver: &Region,
    link: &str,
) -> Result<MappedRing, AttachError> {
    check_schema::<T>(sender.section(SectionKind::Ring, link)?)?;
    const {
        assert!(
            align_of::<T>() <= crate::layout::MESSAGE_ALIGN_MAX,
            "a message is aligned to at most 64 bytes, the alignment of a slot"
        );
    }
    ring_between(sender, receiver, link, size_of::<T>())
}

/// The ring of `link` for messages of `payload` bytes, whatever their type.
pub(super) fn ring_between(
    sender: &Region,
    receiver: &Region,
    link: &str,
    payload: usize,
) -> Result<MappedRing, AttachError> {
    for region in [sender, receiver] {
        if region.layout_version() != LAYOUT_VERSION {
            return Err(AttachError::LayoutVersion {
                region: region.owner().to_owned(),
                found: region.layout_version(),
                expected: LAYOUT_VERSION,
            });
        }
    }
    let slots = sender.section(SectionKind::Ring, link)?;
    let stamped = receiver.section(SectionKind::Latency, link).is_ok();
    let shape = RingShape::with_stride(payload, slots.count, stamped, slots.stride)
        .filter(|shape| crate::layout::ring_section(link, "", shape).len == slots.len)
        .ok_or_else(|| {
            off(
                sender,
                slots,
                format!("{} bytes don't hold {} messages", slots.len, slots.count),
            )
        })?;
    let credit = section_of(
        receiver,
        SectionKind::Credit,
        link,
        crate::layout::credit_section(link).len,
    )?;
    in_range(
        sender,
        slots,
        MappedRing::new(
            shape,
            (sender.memory(), slots.offset),
            (receiver.memory(), credit.offset),
        ),
    )
}
