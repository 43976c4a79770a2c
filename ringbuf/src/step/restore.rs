//! Putting an actor's state and inbox into regions that hold nothing yet, so that a step finds what another one found.
//!
//! Only in the heap, where no other process looks and every word is this process's to write, and before the actor is attached.

#![allow(unsafe_code, reason = "payloads are written where they lie")]

use crate::layout::{actor_words, cell_buffer_words};
use crate::memory::Words;
use crate::region::{Region, SectionKind};
use crate::slots::{MappedRing, Storage as _};
use crate::step::cell::Buffer;
use crate::step::record::{Control, Records};
use crate::step::sections::{AttachError, claim, in_range, off, ring_between, section_of};
use crate::word::Ordering;

/// An incoming link: how far it was received, and what lies on it from there on.
#[derive(Debug)]
pub struct InputState<'a> {
    /// The link.
    pub link: &'a str,
    /// The region that it is sent in.
    pub peer: &'a Region,
    /// Bytes of a message.
    pub payload: usize,
    /// Messages received.
    pub received: u64,
    /// The next messages, each with the time of its sending, which counts on a stamped link.
    pub messages: Vec<(u64, &'a [u8])>,
    /// Whether the sender has ended after them.
    pub ended: bool,
}

/// An outgoing link: how far it was sent and given back.
#[derive(Debug)]
pub struct OutputState<'a> {
    /// The link.
    pub link: &'a str,
    /// The region that it is received in.
    pub peer: &'a Region,
    /// Bytes of a message.
    pub payload: usize,
    /// Messages sent.
    pub sent: u64,
    /// Messages that the receiver had given back.
    pub given_back: u64,
    /// Whether the receiver has ended.
    pub ended: bool,
}

/// Everything that an actor's next step finds.
#[derive(Debug)]
pub struct ActorState<'a> {
    /// Steps committed.
    pub steps: u64,
    /// In the order of their declaration.
    pub inputs: Vec<InputState<'a>>,
    /// In the order of their declaration.
    pub outputs: Vec<OutputState<'a>>,
    /// The cells by name and value, in the order of their declaration.
    pub cells: Vec<(&'a str, &'a [u8])>,
    /// Other sections of the actor, by kind and name, as they lay there.
    pub sections: Vec<(SectionKind, &'a str, &'a [u8])>,
}

/// Writes `state` of `actor` into heap regions in which it was never attached.
///
/// # Errors
///
/// [`AttachError`] if a region is a file, doesn't hold what the state says, or if the actor is attached.
pub fn restore(own: &Region, actor: &str, state: &ActorState<'_>) -> Result<(), AttachError> {
    let peers = state.inputs.iter().map(|input| input.peer);
    let peers = peers.chain(state.outputs.iter().map(|output| output.peer));
    for region in peers.chain([own]) {
        if region.file().is_some() {
            return Err(AttachError::NotHeap(region.owner().to_owned()));
        }
    }
    // Nobody holds its ports, and nobody gets them meanwhile.
    let _claimed = claim(own, SectionKind::Actor, actor)?;
    let (inputs, outputs) = (state.inputs.len(), state.outputs.len());
    let entry = section_of(
        own,
        SectionKind::Actor,
        actor,
        actor_words(inputs, outputs) * 8,
    )?;
    let records = Records::new(own.memory(), entry.offset, inputs, outputs);
    let records = in_range(own, entry, records)?;
    for (index, input) in state.inputs.iter().enumerate() {
        let ring = ring_between(input.peer, own, input.link, input.payload)?;
        fill(own, &ring, input)?;
        records
            .in_position(0, index)
            .store(input.received, Ordering::Relaxed);
    }
    for (index, output) in state.outputs.iter().enumerate() {
        let ring = ring_between(own, output.peer, output.link, output.payload)?;
        ring.credit().store(output.given_back, Ordering::Relaxed);
        ring.reserved().store(output.sent, Ordering::Relaxed);
        if ring.is_contiguous() {
            ring.tail().store(output.sent, Ordering::Relaxed);
        }
        if output.ended {
            ring.receiver_close()
                .store(output.given_back.saturating_add(1), Ordering::Relaxed);
        }
        for word in [records.out_from(0, index), records.out_to(0, index)] {
            word.store(output.sent, Ordering::Relaxed);
        }
    }
    for &(cell, bytes) in &state.cells {
        let words = 2 * cell_buffer_words(bytes.len());
        let entry = section_of(
            own,
            SectionKind::Cell,
            &format!("{actor}/{cell}"),
            words * 8,
        )?;
        let words = Words::new(own.memory(), entry.offset, words);
        let words = &in_range(own, entry, words)?;
        Buffer { words, first: 0 }.store(bytes);
    }
    for &(kind, name, bytes) in &state.sections {
        let entry = section_of(own, kind, name, bytes.len())?;
        if entry.len != bytes.len() {
            let problem = format!("{} bytes to restore, {} there", bytes.len(), entry.len);
            return Err(off(own, entry, problem));
        }
        let words = Words::new(own.memory(), entry.offset, entry.len / 8);
        let words = &in_range(own, entry, words)?;
        Buffer { words, first: 0 }.store(bytes);
    }
    let control = Control {
        steps: state.steps,
        active: 0,
    };
    records
        .control()
        .store(control.to_word(), Ordering::Release);
    Ok(())
}

/// Lays the input's messages into its ring, published.
fn fill(own: &Region, ring: &MappedRing, input: &InputState<'_>) -> Result<(), AttachError> {
    let problem = |problem: String| {
        own.section(SectionKind::Credit, input.link)
            .map_or_else(AttachError::from, |entry| off(own, entry, problem))
    };
    let count = input.messages.len() as u64;
    if count > ring.capacity() {
        return Err(problem(format!(
            "{count} messages to restore, room for {}",
            ring.capacity()
        )));
    }
    let wrong = |(_, bytes): &&(u64, &[u8])| bytes.len() != input.payload;
    if let Some((_, bytes)) = input.messages.iter().find(wrong) {
        let (found, expected) = (bytes.len(), input.payload);
        return Err(problem(format!(
            "a message of {found} bytes to restore, {expected} expected"
        )));
    }
    let end = input
        .received
        .checked_add(count)
        .filter(|end| *end < u64::MAX)
        .ok_or_else(|| {
            problem(format!(
                "{} messages received are impossible",
                input.received
            ))
        })?;
    ring.credit().store(input.received, Ordering::Relaxed);
    ring.reserved().store(end, Ordering::Relaxed);
    for (position, (stamp_ns, bytes)) in (input.received..).zip(&input.messages) {
        // SAFETY: nobody has either end: the actor's is claimed by `restore`, and of a heap region that was never attached no
        // other process and no port knows; the length was checked.
        unsafe { ring.write_bytes(position, bytes) };
        if let Some(stamp) = ring.stamp(position) {
            stamp.store(*stamp_ns, Ordering::Relaxed);
        }
        if !ring.is_contiguous() {
            ring.sequence(position)
                .store(position + 1, Ordering::Release);
        }
    }
    if ring.is_contiguous() {
        ring.tail().store(end, Ordering::Release);
    }
    if input.ended {
        ring.sender_close().store(end + 1, Ordering::Release);
    }
    Ok(())
}
