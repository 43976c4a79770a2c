//! Looking at an actor's committed state from outside, by anybody who has the region mapped.
//!
//! A record and a cell buffer selected at control word `c` are written again at the earliest by the step after the next, so
//! a copy is whole if the control word is still `c` after it. An observer is known to nobody and slows nobody; it may have
//! to try again.

use crate::latency::{self, BUCKETS, BucketCount};
use crate::layout::{CELLS_MAX, cell_buffer_words, credit_word, in_flight_at, ring_word};
use crate::memory::{PeerWords, RangeError, Words};
use crate::message::Message;
use crate::region::{OpenError, Region, SectionKind};
use crate::step::cell::Buffer;
use crate::step::ports::LinkFault;
use crate::step::record::{Control, Records};
use crate::word::{Ordering, Run, Word as _};

/// Tries before an observer gives up on an actor that commits faster than it can copy.
const TRIES: usize = 100_000;

/// Committed state couldn't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// The region has no such section.
    #[error(transparent)]
    Region(#[from] OpenError),
    /// The actor has other ends in the region.
    #[error(
        "actor `{actor}`: its records take {found} bytes in the region, {expected} with the ends asked for"
    )]
    Ends {
        /// The actor.
        actor: String,
        /// Bytes in the region.
        found: usize,
        /// Bytes for these ends.
        expected: usize,
    },
    /// A section is smaller than what it should hold.
    #[error("region `{region}`: {problem}")]
    Section {
        /// The region's owner.
        region: String,
        /// What is off.
        problem: RangeError,
    },
    /// The type asked for isn't the cell's.
    #[error("cell `{name}`: {difference}")]
    Schema {
        /// "actor/cell".
        name: String,
        /// Both sides.
        difference: String,
    },
    /// The collection is of another kind than was asked for.
    #[error("collection `{name}` is a {found}, not a {expected}; read it as what it is")]
    Kind {
        /// "actor/collection".
        name: String,
        /// What it is.
        found: SectionKind,
        /// What was asked for.
        expected: SectionKind,
    },
    /// The actor committed, or undid what it had changed, during every try.
    #[error(
        "collection `{name}`: actor `{actor}` ended a step during each of {tries} tries to copy {bytes} bytes of it; ask for less          of it at a time, or when the actor is less busy"
    )]
    Moving {
        /// "actor/collection".
        name: String,
        /// The actor.
        actor: String,
        /// How often it was tried.
        tries: usize,
        /// Bytes that a try copies.
        bytes: usize,
    },
    /// The actor committed again during every try.
    #[error(
        "actor `{actor}` committed during each of {TRIES} tries to copy its state; ask again, or when it is less busy"
    )]
    Busy {
        /// The actor.
        actor: String,
    },
}

/// What an actor has committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps committed.
    pub steps: u64,
    /// Whether it has ended by its own word.
    pub done: bool,
    /// Messages received, by input.
    pub received: Vec<u64>,
    /// Messages sent, by output.
    pub sent: Vec<u64>,
}

pub(super) fn records_of(
    region: &Region,
    actor: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Records, ObserveError> {
    let entry = region.section(SectionKind::Actor, actor)?;
    // Without what is in flight, which the layout before had not.
    let len = in_flight_at(inputs, outputs) * 8;
    if entry.len < len {
        return Err(ObserveError::Ends {
            actor: actor.to_owned(),
            found: entry.len,
            expected: len,
        });
    }
    Records::new(region.memory(), entry.offset, inputs, outputs).map_err(|problem| {
        ObserveError::Section {
            region: region.owner().to_owned(),
            problem,
        }
    })
}

/// Runs `copy` until the control word stood still during it.
pub(super) fn stable<R>(
    records: &Records,
    actor: &str,
    mut copy: impl FnMut(Control) -> R,
) -> Result<R, ObserveError> {
    for _ in 0..TRIES {
        if let Some(copied) = attempt(records, &mut copy) {
            return Ok(copied);
        }
        std::hint::spin_loop();
    }
    Err(ObserveError::Busy {
        actor: actor.to_owned(),
    })
}

/// What was copied, if the control word stood still meanwhile.
pub(crate) fn attempt<R: Run, C>(
    records: &Records<R>,
    copy: impl FnOnce(Control) -> C,
) -> Option<C> {
    let control = records.load_control();
    let copied = copy(control);
    // Acquire: the copy's relaxed loads come before the second look at the control word. If one of them saw what a later
    // step wrote, the fence at the end of the step before that makes its control word visible (StepCore::commit).
    R::Word::fence(Ordering::Acquire);
    let stands = records.control().load(Ordering::Relaxed) == control.to_word();
    stands.then_some(copied)
}

/// The committed progress of `actor`, which has so many inputs and outputs.
///
/// # Errors
///
/// [`ObserveError`].
pub fn progress(
    region: &Region,
    actor: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Progress, ObserveError> {
    let records = records_of(region, actor, inputs, outputs)?;
    stable(&records, actor, |control| {
        let record = control.active;
        Progress {
            steps: control.steps,
            done: records.done(record).load(Ordering::Relaxed) != 0,
            received: (0..inputs)
                .map(|index| records.in_position(record, index).load(Ordering::Relaxed))
                .collect(),
            sent: (0..outputs)
                .map(|index| records.out_to(record, index).load(Ordering::Relaxed))
                .collect(),
        }
    })
}

/// The committed value of the `index`-th cell of `actor`, by name `cell`; `None` before the first incarnation has set it.
///
/// # Errors
///
/// [`ObserveError`].
pub fn read_cell<S: Message>(
    region: &Region,
    actor: &str,
    (inputs, outputs): (usize, usize),
    (cell, index): (&str, usize),
) -> Result<Option<S>, ObserveError> {
    let name = format!("{actor}/{cell}");
    if let Some(difference) = crate::schema::difference(
        &S::SCHEMA.to_text(),
        &region.section(SectionKind::Cell, &name)?.schema,
    ) {
        return Err(ObserveError::Schema { name, difference });
    }
    let mut value = S::zeroed();
    let ends = (inputs, outputs);
    let is_set = copy_cell(
        region,
        actor,
        ends,
        (cell, index),
        bytemuck::bytes_of_mut(&mut value),
    )?;
    Ok(is_set.then_some(value))
}

/// Copies the bytes of a cell, if any step has set it yet.
pub(super) fn copy_cell(
    region: &Region,
    actor: &str,
    (inputs, outputs): (usize, usize),
    (cell, index): (&str, usize),
    bytes: &mut [u8],
) -> Result<bool, ObserveError> {
    let entry = region.section(SectionKind::Cell, &format!("{actor}/{cell}"))?;
    let records = records_of(region, actor, inputs, outputs)?;
    let buffer = cell_buffer_words(bytes.len());
    let words = Words::any(region.memory(), entry.offset, 2 * buffer).map_err(|problem| {
        ObserveError::Section {
            region: region.owner().to_owned(),
            problem,
        }
    })?;
    stable(&records, actor, |control| {
        if control.steps == 0 {
            return false;
        }
        let bits = records.cell_bits(control.active).load(Ordering::Relaxed);
        let first = (bits >> (index % CELLS_MAX) & 1) as usize * buffer;
        Buffer {
            words: &words,
            first,
        }
        .load(bytes);
        true
    })
}

/// The latencies counted for stamped link `link` in its receiver's region, lowest bucket first.
///
/// # Errors
///
/// [`ObserveError`] if the link isn't stamped or the section is too small.
pub fn latencies(region: &Region, link: &str) -> Result<Vec<BucketCount>, ObserveError> {
    let entry = region.section(SectionKind::Latency, link)?;
    let words = PeerWords::new(region.memory(), entry.offset, BUCKETS).map_err(|problem| {
        ObserveError::Section {
            region: region.owner().to_owned(),
            problem,
        }
    })?;
    Ok(latency::counted(|index| words.load(index, Ordering::Relaxed)).collect())
}

/// Why an end of the untrusted `link` gave it up, if one did.
///
/// # Errors
///
/// [`ObserveError`] if a section is missing or too small.
pub fn link_fault(
    sender: &Region,
    receiver: &Region,
    link: &str,
) -> Result<Option<LinkFault>, ObserveError> {
    let ring = sender.section(SectionKind::Ring, link)?;
    let credit = receiver.section(SectionKind::Credit, link)?;
    let sides = [
        (sender, ring, ring_word::FAULT, receiver),
        (receiver, credit, credit_word::FAULT, sender),
    ];
    for (own, entry, first, peer) in sides {
        let words = PeerWords::new(own.memory(), entry.offset, first + 2).map_err(|problem| {
            ObserveError::Section {
                region: own.owner().to_owned(),
                problem,
            }
        })?;
        if let Some(position) = words.load(first, Ordering::Acquire).checked_sub(1) {
            return Ok(Some(LinkFault {
                link: link.to_owned(),
                peer: peer.owner().to_owned(),
                found: words.load(first + 1, Ordering::Relaxed),
                position,
                capacity: ring.count,
            }));
        }
    }
    Ok(None)
}
