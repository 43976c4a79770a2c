//! Looking at messages, positions and cells of whatever type, as bytes: for what is kept of a life that died.
//!
//! As an [`Observer`](super::Observer) does, it stores nothing and is known to nobody.

use crate::memory::{RangeError, Words};
use crate::region::{Region, SectionEntry};
use crate::ring::look::{Look, look};
use crate::slots::{MappedRing, Storage as _};
use crate::step::observe::{ObserveError, copy_cell};
use crate::step::sections::{AttachError, ring_between};
use crate::word::Ordering;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// Its position on the link.
    pub position: u64,
    /// When it was sent, in nanoseconds of `CLOCK_MONOTONIC`, on a stamped link.
    pub stamp_ns: Option<u64>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The words of a link that belong to none of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLink {
    /// The first position that the receiver hasn't given back.
    pub given_back: u64,
    /// The position at which the sender has ended, if it has.
    pub sender_ended: Option<u64>,
    /// The position at which the receiver has ended, if it has.
    pub receiver_ended: Option<u64>,
}

/// A link's ends: the region that it is sent in, the one that it is received in, its name, and the bytes of a message.
type Ends<'a> = (&'a Region, &'a Region, &'a str, usize);

fn ring((sender, receiver, link, payload): Ends<'_>) -> Result<MappedRing, AttachError> {
    ring_between(sender, receiver, link, payload)
}

/// The link's words.
///
/// # Errors
///
/// [`AttachError`] if a section is missing or doesn't hold such messages.
pub fn raw_link(ends: Ends<'_>) -> Result<RawLink, AttachError> {
    let ring = ring(ends)?;
    Ok(RawLink {
        given_back: ring.credit().load(Ordering::Acquire),
        sender_ended: ring.sender_close().load(Ordering::Acquire).checked_sub(1),
        receiver_ended: ring.receiver_close().load(Ordering::Acquire).checked_sub(1),
    })
}

/// Up to `most` messages that lie on the link from `position` on.
///
/// # Errors
///
/// [`AttachError`] if a section is missing or doesn't hold such messages.
pub fn raw_messages(
    ends: Ends<'_>,
    position: u64,
    most: usize,
) -> Result<Vec<RawMessage>, AttachError> {
    let ring = ring(ends)?;
    let most = (most as u64).min(ring.capacity());
    let mut messages = Vec::new();
    for position in position..position.saturating_add(most) {
        let copied = look(&ring, position, || {
            let stamp_ns = ring
                .stamp(position)
                .map(|stamp| stamp.load(Ordering::Relaxed));
            (stamp_ns, ring.copy_bytes(position))
        });
        let Look::Message((stamp_ns, bytes)) = copied else {
            break;
        };
        messages.push(RawMessage {
            position,
            stamp_ns,
            bytes,
        });
    }
    Ok(messages)
}

/// The committed bytes of the `index`-th cell of `actor`, which has so many inputs and outputs; `None` before the first
/// incarnation has set it.
///
/// # Errors
///
/// [`ObserveError`].
pub fn raw_cell(
    region: &Region,
    actor: &str,
    ends: (usize, usize),
    (cell, index, size): (&str, usize, usize),
) -> Result<Option<Vec<u8>>, ObserveError> {
    let mut bytes = vec![0; size];
    let is_set = copy_cell(region, actor, ends, (cell, index), &mut bytes)?;
    Ok(is_set.then_some(bytes))
}

/// All bytes of a section, as they lie there.
///
/// # Errors
///
/// [`RangeError`] if it isn't made of words.
pub fn raw_section(region: &Region, section: &SectionEntry) -> Result<Vec<u8>, RangeError> {
    let words = Words::any(region.memory(), section.offset, section.len / 8)?;
    let words = words.as_slice().iter();
    Ok(words
        .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
        .collect())
}
