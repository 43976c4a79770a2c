//! Making an actor's ports from regions, and recovery.
//!
//! Ends are attached in the order in which the topology declares them: an end's index is its place in the commit record.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::latency::{BUCKETS, Latencies};
use crate::layout::{CELLS_MAX, RingShape, actor_words, cell_buffer_words};
use crate::memory::{Access, RangeError, Words};
use crate::message::Message;
use crate::region::{OpenError, Region, SectionEntry, SectionKind};
use crate::ring::inlet::Inlet;
use crate::ring::outlet::Outlet;
use crate::schema;
use crate::slots::MappedRing;
use crate::step::cell::{AnyCell, CellState, Durable};
use crate::step::claims::Claimed;
use crate::step::core::{CellPort, StepCore};
use crate::step::delta::Delta;
use crate::step::gate::Gate;
use crate::step::hinted::HintsTo;
use crate::step::mistake;
use crate::step::ports::{InPort, OutPort, Receiver, Sender};
use crate::step::record::Records;
use crate::word::Ordering;

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
    /// The region is mapped read-only.
    #[error("region `{0}` is mapped read-only: only its own partition attaches actors to it")]
    ReadOnly(String),
}

fn off(region: &Region, entry: &SectionEntry, problem: impl Into<String>) -> AttachError {
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
fn section_of<'a>(
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
fn claim(region: &Region, kind: SectionKind, name: &str) -> Result<Claimed, AttachError> {
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

fn check_schema<T: Message>(entry: &SectionEntry) -> Result<(), AttachError> {
    match schema::difference(&T::SCHEMA.to_text(), &entry.schema) {
        None => Ok(()),
        Some(difference) => Err(AttachError::Schema {
            name: entry.name.clone(),
            difference,
        }),
    }
}

/// The ring of `link`, whose slots lie in `sender` and whose credit in `receiver`, checked against `T`.
fn ring_of<T: Message>(
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
fn ring_between(
    sender: &Region,
    receiver: &Region,
    link: &str,
    payload: usize,
) -> Result<MappedRing, AttachError> {
    let slots = sender.section(SectionKind::Ring, link)?;
    let stamped = receiver.section(SectionKind::Latency, link).is_ok();
    let shape = RingShape::new(payload, slots.count, stamped)
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

/// Attaches one actor's ports for one incarnation.
///
/// Everything in the active record is in force from [`finish`](Self::finish) on. Only one incarnation of a partition may
/// exist at a time: the next is attached after the last was reaped or joined.
#[derive(Debug)]
pub struct Attach<'a, const MISTAKE: u8 = { mistake::NONE }> {
    pub(super) own: &'a Region,
    actor: String,
    pub(super) core: StepCore<MISTAKE>,
    /// By the owner of the receiving region.
    pub(super) hinted: HashMap<String, Option<HintsTo>>,
}

impl<'a, const MISTAKE: u8> Attach<'a, MISTAKE> {
    /// Starts with the actor's commit records in its own partition's region.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the region has no such actor, one with other ends, or is mapped read-only.
    pub fn new(
        own: &'a Region,
        actor: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, AttachError> {
        if own.memory().access() != Access::ReadWrite {
            return Err(AttachError::ReadOnly(own.owner().to_owned()));
        }
        let len = actor_words(inputs, outputs) * 8;
        let entry = section_of(own, SectionKind::Actor, actor, len)?;
        let records = in_range(
            own,
            entry,
            Records::new(own.memory(), entry.offset, inputs, outputs),
        )?;
        let mut control = records.load_control();
        if MISTAKE == mistake::RECOVER_INACTIVE {
            control.active = 1 - control.active;
        }
        let done = records.done(control.active).load(Ordering::Relaxed) != 0;
        Ok(Self {
            own,
            actor: actor.to_owned(),
            hinted: HashMap::new(),
            core: StepCore {
                records,
                control,
                done,
                gate: Rc::new(Gate::new(inputs, outputs)),
                delta: Delta::new(inputs, outputs),
                owing: Vec::with_capacity(inputs),
                failed: None,
                hints: Vec::new(),
                hint_readers: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                cells: Vec::new(),
                claims: vec![claim(own, SectionKind::Actor, actor)?],
            },
        })
    }

    /// The next outgoing end: `link`, received in the region `receiver`.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    ///
    /// # Panics
    ///
    /// If it is one more than [`new`](Self::new) was told.
    pub fn sender<T: Message>(
        &mut self,
        link: &str,
        receiver: &Region,
    ) -> Result<Sender<T>, AttachError> {
        let ring = ring_of::<T>(self.own, receiver, link)?;
        self.add_output(link, receiver, ring).map(Sender::new)
    }

    fn add_output(
        &mut self,
        link: &str,
        receiver: &Region,
        ring: MappedRing,
    ) -> Result<Rc<OutPort>, AttachError> {
        let index = self.core.outputs.len();
        assert!(index < self.core.records.outputs(), "an output too many");
        let claimed = claim(self.own, SectionKind::Ring, link)?;
        self.core.claims.push(claimed);
        let sent = self
            .core
            .records
            .out_to(self.core.control.active, index)
            .load(Ordering::Relaxed);
        let capacity = crate::slots::Storage::capacity(&ring);
        let port = Rc::new(OutPort {
            name: link.to_owned(),
            outlet: Outlet::new(ring, sent, sent.saturating_sub(capacity)),
            held: Cell::new(false),
            gate: Rc::clone(&self.core.gate),
            index,
            hinting: self.hinting(link, receiver)?,
        });
        self.core.outputs.push(Rc::clone(&port));
        Ok(port)
    }

    /// The next incoming end: `link`, sent in the region `sender`.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    ///
    /// # Panics
    ///
    /// If it is one more than [`new`](Self::new) was told.
    pub fn receiver<T: Message>(
        &mut self,
        link: &str,
        sender: &Region,
    ) -> Result<Receiver<T>, AttachError> {
        let ring = ring_of::<T>(sender, self.own, link)?;
        self.add_input(link, ring).map(Receiver::new)
    }

    fn add_input(&mut self, link: &str, ring: MappedRing) -> Result<Rc<InPort>, AttachError> {
        let index = self.core.inputs.len();
        assert!(index < self.core.records.inputs(), "an input too many");
        let claimed = claim(self.own, SectionKind::Credit, link)?;
        self.core.claims.push(claimed);
        let received = self
            .core
            .records
            .in_position(self.core.control.active, index)
            .load(Ordering::Relaxed);
        let latencies = match self.own.section(SectionKind::Latency, link) {
            Ok(entry) => {
                let words = Words::new(self.own.memory(), entry.offset, BUCKETS);
                Some(Latencies(in_range(self.own, entry, words)?))
            }
            Err(_) => None,
        };
        let port = Rc::new(InPort::new(
            link.to_owned(),
            Inlet::new(ring, received, received),
            latencies,
            (Rc::clone(&self.core.gate), index),
        ));
        self.core.inputs.push(Rc::clone(&port));
        Ok(port)
    }

    /// The next durable cell; `initial` counts until the first step that changes it.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the section is missing, too small, or of another schema.
    pub fn durable<S: Message>(
        &mut self,
        cell: &str,
        initial: S,
    ) -> Result<Durable<S>, AttachError> {
        const {
            assert!(
                size_of::<S>() <= crate::layout::CELL_SIZE_MAX,
                "a durable cell is at most 4 KiB: a commit copies all of it"
            );
        }
        if self.core.cells.len() == CELLS_MAX {
            return Err(AttachError::TooManyCells(self.actor.clone()));
        }
        let name = format!("{}/{cell}", self.actor);
        let claimed = claim(self.own, SectionKind::Cell, &name)?;
        self.core.claims.push(claimed);
        let words = 2 * cell_buffer_words(size_of::<S>());
        let entry = section_of(self.own, SectionKind::Cell, &name, words * 8)?;
        check_schema::<S>(entry)?;
        let state = Rc::new(CellState::new(name, initial));
        let port = CellPort {
            cell: Rc::clone(&state) as Rc<dyn AnyCell>,
            words: in_range(
                self.own,
                entry,
                Words::new(self.own.memory(), entry.offset, words),
            )?,
            size: size_of::<S>(),
        };
        if self.core.control.steps > 0 {
            let bits = self
                .core
                .records
                .cell_bits(self.core.control.active)
                .load(Ordering::Relaxed);
            state.load(&port.buffer(bits >> self.core.cells.len()));
        }
        let index = self.core.cells.len();
        self.core.cells.push(port);
        Ok(Durable::new(state, Rc::clone(&self.core.gate), index))
    }

    /// Recovers: does again what follows the last commit, and commits the cells' initial values if there was none.
    ///
    /// # Panics
    ///
    /// If fewer ends were attached than [`new`](Self::new) was told.
    #[must_use]
    pub fn finish(self) -> StepCore<MISTAKE> {
        let mut core = self.core;
        assert_eq!(core.inputs.len(), core.records.inputs(), "inputs attached");
        assert_eq!(
            core.outputs.len(),
            core.records.outputs(),
            "outputs attached"
        );
        core.recover();
        core
    }
}

/// One end of a link, for [`recover`]: the link, the region at its other end, and the size of its messages.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The link.
    pub link: &'a str,
    /// The region of the partition at the other end.
    pub peer: &'a Region,
    /// Bytes of a message.
    pub payload: usize,
}

/// Does again what follows an actor's last commit, without the actor: nobody's code runs. Returns whether it is done.
///
/// Every incarnation begins with this, before it makes its actors; a partition that will not live again gets one that does
/// nothing else. Idempotent.
///
/// # Errors
///
/// [`AttachError`] if the regions don't hold what the ends say.
pub fn recover(
    own: &Region,
    actor: &str,
    inputs: &[End<'_>],
    outputs: &[End<'_>],
) -> Result<bool, AttachError> {
    let mut attach = Attach::<{ mistake::NONE }>::new(own, actor, inputs.len(), outputs.len())?;
    for end in inputs {
        let ring = ring_between(end.peer, own, end.link, end.payload)?;
        attach.add_input(end.link, ring)?;
    }
    for end in outputs {
        let ring = ring_between(own, end.peer, end.link, end.payload)?;
        attach.add_output(end.link, end.peer, ring)?;
    }
    Ok(attach.finish().is_done())
}

impl<const MISTAKE: u8> StepCore<MISTAKE> {
    /// Step 5 of the protocol over the active record. Idempotent: a kill in here leaves it to the next incarnation.
    fn recover(&mut self) {
        let active = self.control.active;
        if MISTAKE != mistake::NO_REPUBLISH {
            for (index, port) in self.outputs.iter().enumerate() {
                let from = self.records.out_from(active, index).load(Ordering::Relaxed);
                port.outlet.publish_range(from, port.outlet.published());
            }
        }
        // The life before may have been killed before it hinted at what it had published.
        for hints in &self.hints {
            hints.overflow();
        }
        for port in &self.inputs {
            port.inlet.give_back();
        }
        if self.done {
            self.close();
        }
        if self.control.steps == 0 && !self.cells.is_empty() {
            self.gate
                .dirty
                .set(u64::MAX >> (CELLS_MAX - self.cells.len()));
            let _ = self.commit(false);
        }
    }
}
