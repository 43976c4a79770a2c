//! Making an actor's ports from regions.
//!
//! Ends are attached in the order in which the topology declares them: an end's index is its place in the commit record.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use crate::instance::Instance;
use crate::latency::{BUCKETS, Latencies};
use crate::layout::{CELLS_MAX, SCANNED_LINKS_MAX, actor_words, cell_buffer_words, clock_word};
use crate::memory::{Access, Words};
use crate::message::Message;
use crate::region::{Region, SectionEntry, SectionKind};
use crate::ring::inlet::Inlet;
use crate::ring::outlet::Outlet;
use crate::slots::MappedRing;
use crate::step::cell::{AnyCell, CellState, Durable, ValueToSet};
use crate::step::clock::{Clock, ClockSource};
use crate::step::collections::UndoLog;
use crate::step::core::{CellPort, StepCore};
use crate::step::delta::Delta;
use crate::step::fan_in::{Hinted, Receivers};
use crate::step::gate::Gate;
use crate::step::hints::{
    HintReader, Hinting, Hints, links_between, section_of as section_of_hints,
};
use crate::step::in_flight::InFlight;
use crate::step::mistake;
use crate::step::ports::{InPort, OutPort};
use crate::step::receiver::Receiver;
use crate::step::record::Records;
use crate::step::sections::{AttachError, check_schema, claim, in_range, ring_of, section_of};
use crate::step::sender::Sender;
use crate::word::Ordering;

/// Attaches one actor's ports for one incarnation.
///
/// Everything in the active record is in force from [`finish`](Self::finish) on. Only one incarnation of a partition may
/// exist at a time: the next is attached after the last was reaped or joined.
#[derive(Debug)]
pub struct Attach<'a, const MISTAKE: u8 = { mistake::NONE }> {
    pub(super) own: &'a Region,
    pub(super) actor: String,
    incarnation: u64,
    trusts: bool,
    pub(super) core: StepCore<MISTAKE>,
    clock: Option<Clock>,
    /// By the owner of the receiving region: the hints to it, and the numbers of the links.
    hinted: HashMap<String, Option<(Rc<Hints>, Numbers)>>,
}

/// The numbers of the links between two partitions.
type Numbers = HashMap<String, u32>;

fn numbers(sender: &Region, receiver: &Region) -> Numbers {
    let links = links_between(sender, receiver).map(str::to_owned);
    links.zip(0..).collect()
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
        let gate = Rc::new(Gate::new(inputs, outputs));
        // Before anything is undone: nobody else of this process may be at it.
        let claims = vec![claim(own, SectionKind::Actor, actor)?];
        let undo = UndoLog::open(own, actor, &gate, control.steps)?;
        let in_flight = in_range(
            own,
            entry,
            InFlight::new(own.memory(), entry.offset, inputs, outputs),
        )?;
        Ok(Self {
            own,
            actor: actor.to_owned(),
            incarnation: 0,
            trusts: true,
            clock: None,
            hinted: HashMap::new(),
            core: StepCore {
                records,
                control,
                done,
                in_flight,
                gate,
                delta: Delta::new(inputs, outputs),
                owing: Vec::with_capacity(inputs),
                failed: None,
                hints: Vec::new(),
                hint_readers: Vec::new(),
                watched: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                cells: Vec::new(),
                undo,
                claims,
            },
        })
    }

    /// Which life of the partition this is: messages in work are laid to its charge. 0, as at first, is nobody's.
    pub fn incarnation(&mut self, incarnation: u64) -> &mut Self {
        self.incarnation = incarnation;
        self
    }

    /// Of which bus the ends are, for the keys of their messages.
    pub fn instance(&mut self, instance: Instance) -> &mut Self {
        self.core.gate.instance.set(instance);
        self
    }

    /// The actor's clock, over `source`. Asked for again, it is the same one: a step has one reading.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the section is missing or too small.
    pub fn clock(&mut self, source: &ClockSource) -> Result<Clock, AttachError> {
        if let Some(clock) = &self.clock {
            return Ok(clock.clone());
        }
        let entry = section_of(
            self.own,
            SectionKind::Clock,
            &self.actor,
            clock_word::COUNT * 8,
        )?;
        let words = Words::new(self.own.memory(), entry.offset, clock_word::COUNT);
        let clock = Clock::new(
            in_range(self.own, entry, words)?,
            self.core.records.clone(),
            Rc::clone(&self.core.gate),
            source.clone(),
        );
        Ok(self.clock.insert(clock).clone())
    }

    /// Whether the ends attached from now on trust their peers, which they do at first.
    ///
    /// An end that does takes an impossible position for a corrupt bus: the step fails. One that doesn't gives the link up,
    /// and receives copies.
    pub fn trusting(&mut self, trusts: bool) -> &mut Self {
        self.trusts = trusts;
        self
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

    pub(super) fn add_output(
        &mut self,
        link: &str,
        receiver: &Region,
        ring: MappedRing,
    ) -> Result<Rc<OutPort>, AttachError> {
        let index = self.core.outputs.len();
        assert!(index < self.core.records.outputs(), "an output too many");
        let claimed = claim(self.own, SectionKind::Ring, link)?;
        self.core.claims.push(claimed);
        let capacity = crate::slots::Storage::capacity(&ring);
        let (records, active) = (&self.core.records, self.core.control.active);
        let sent = records.sent(active, index, (link, capacity));
        let sent = sent.map_err(|problem| self.corrupt(problem))?;
        let fault = ring.sender_fault().map(|(_, found)| found);
        let mut outlet = Outlet::new(ring, sent, sent.saturating_sub(capacity));
        if MISTAKE == mistake::RESERVED_FORGOTTEN {
            outlet.forget_reserved();
        }
        if !self.trusts {
            outlet = outlet.untrusting(fault);
        }
        let port = Rc::new(OutPort {
            name: link.to_owned(),
            peer: receiver.owner().to_owned(),
            outlet,
            held: Cell::new(false),
            gate: Rc::clone(&self.core.gate),
            index,
            hinting: self.hinting(link, receiver)?,
        });
        self.core.outputs.push(Rc::clone(&port));
        Ok(port)
    }

    /// How `link` is hinted at, if it is.
    fn hinting(&mut self, link: &str, receiver: &Region) -> Result<Option<Hinting>, AttachError> {
        if !self.hinted.contains_key(receiver.owner()) {
            let hinted = match section_of_hints(self.own, receiver) {
                Some(section) => {
                    let hints = in_range(self.own, section, Hints::new(self.own, section))?;
                    let hints = Rc::new(hints);
                    self.core.hints.push(Rc::clone(&hints));
                    Some((hints, numbers(self.own, receiver)))
                }
                None => None,
            };
            self.hinted.insert(receiver.owner().to_owned(), hinted);
        }
        let hinted = self.hinted.get(receiver.owner()).and_then(Option::as_ref);
        Ok(hinted.and_then(|(hints, numbers)| {
            Some(Hinting {
                hints: Rc::clone(hints),
                number: *numbers.get(link)?,
            })
        }))
    }

    /// The next incoming ends as one: each link with the region that it is sent in.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    ///
    /// # Panics
    ///
    /// If they are more than [`new`](Self::new) was told.
    pub fn receivers<T: Message>(
        &mut self,
        links: &[(&str, &Region)],
    ) -> Result<Receivers<T>, AttachError> {
        let mut ports = Vec::with_capacity(links.len());
        let mut hinted: HashMap<&str, Option<(Hinted, Numbers)>> = HashMap::new();
        let mut scanned = Vec::new();
        for (place, &(link, sender)) in (0..).zip(links) {
            ports.push(self.receiver(link, sender)?);
            let peer = match hinted.entry(sender.owner()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.hinted_by(sender, links.len())?),
            };
            let number = peer
                .as_ref()
                .and_then(|(_, numbers)| numbers.get(link).copied());
            match (peer, number) {
                (Some((hinted, _)), Some(number)) => {
                    hinted.links[number as usize] = place;
                    ports[place as usize].hinted();
                }
                _ => scanned.push(place),
            }
        }
        let hinted = hinted.into_values().flatten().map(|(hinted, _)| hinted);
        let gate = Rc::clone(&self.core.gate);
        Ok(Receivers::new(ports, gate, hinted.collect(), scanned))
    }

    /// The hints of `sender`, if it makes any and there are enough links that they are worth reading.
    fn hinted_by(
        &mut self,
        sender: &Region,
        links: usize,
    ) -> Result<Option<(Hinted, Numbers)>, AttachError> {
        let section = section_of_hints(sender, self.own).filter(|_| links > SCANNED_LINKS_MAX);
        let Some(section) = section else {
            return Ok(None);
        };
        let reader = in_range(sender, section, HintReader::new(sender, section))?;
        let reader = Rc::new(reader);
        self.core.hint_readers.push(Rc::clone(&reader));
        let numbers = numbers(sender, self.own);
        Ok(Some((Hinted::new(reader, numbers.len()), numbers)))
    }

    pub(super) fn own(&self) -> &'a Region {
        self.own
    }

    pub(super) fn input(&self, place: usize) -> &Rc<InPort> {
        &self.core.inputs[place]
    }

    fn corrupt(&self, problem: String) -> AttachError {
        AttachError::Section {
            region: self.own.owner().to_owned(),
            kind: SectionKind::Actor,
            name: self.actor.clone(),
            problem,
        }
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
        self.add_input(link, sender.owner(), ring)
            .map(Receiver::new)
    }

    pub(super) fn add_input(
        &mut self,
        link: &str,
        peer: &str,
        ring: MappedRing,
    ) -> Result<Rc<InPort>, AttachError> {
        let index = self.core.inputs.len();
        assert!(index < self.core.records.inputs(), "an input too many");
        let claimed = claim(self.own, SectionKind::Credit, link)?;
        self.core.claims.push(claimed);
        let (records, active) = (&self.core.records, self.core.control.active);
        let received = records.received(active, index, link);
        let received = received.map_err(|problem| self.corrupt(problem))?;
        let latencies = match self.own.section(SectionKind::Latency, link) {
            Ok(entry) => {
                let words = Words::new(self.own.memory(), entry.offset, BUCKETS);
                Some(Latencies(in_range(self.own, entry, words)?))
            }
            Err(_) => None,
        };
        let cut = ring.receiver_fault().map(|(position, _)| position);
        let mut inlet = Inlet::new(ring, received, received);
        if !self.trusts {
            inlet = inlet.untrusting(cut);
        }
        let mark = if MISTAKE == mistake::MARKED_LATE {
            self.core.in_flight.no_mark()
        } else {
            self.core.in_flight.mark(index)
        };
        let port = Rc::new(InPort::new(
            link.to_owned(),
            peer.to_owned(),
            inlet,
            latencies,
            (Rc::clone(&self.core.gate), index),
            mark,
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
        let (name, entry) = self.claim_cell(cell, size_of::<S>())?;
        check_schema::<S>(entry)?;
        let state = Rc::new(CellState::new(name, initial));
        let port = self.cell_port(Rc::clone(&state) as Rc<dyn AnyCell>, entry, size_of::<S>())?;
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

    /// The next durable cell, of whatever type: a [`reset`](StepCore::reset) gives it this value.
    pub(super) fn cell_to_set(&mut self, cell: &str, value: &[u8]) -> Result<(), AttachError> {
        let (name, entry) = self.claim_cell(cell, value.len())?;
        let value = Rc::new(ValueToSet {
            name,
            bytes: value.into(),
        });
        let port = self.cell_port(value.clone(), entry, value.bytes.len())?;
        self.core.cells.push(port);
        Ok(())
    }

    fn claim_cell(
        &mut self,
        cell: &str,
        size: usize,
    ) -> Result<(String, &'a SectionEntry), AttachError> {
        if self.core.cells.len() == CELLS_MAX {
            return Err(AttachError::TooManyCells(self.actor.clone()));
        }
        let name = format!("{}/{cell}", self.actor);
        let claimed = claim(self.own, SectionKind::Cell, &name)?;
        self.core.claims.push(claimed);
        let len = 2 * cell_buffer_words(size) * 8;
        let entry = section_of(self.own, SectionKind::Cell, &name, len)?;
        Ok((name, entry))
    }

    fn cell_port(
        &self,
        cell: Rc<dyn AnyCell>,
        entry: &SectionEntry,
        size: usize,
    ) -> Result<CellPort, AttachError> {
        let words = 2 * cell_buffer_words(size);
        let words = Words::new(self.own.memory(), entry.offset, words);
        let words = in_range(self.own, entry, words)?;
        Ok(CellPort { cell, words, size })
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
        core.in_flight
            .begin::<MISTAKE>(&core.records, core.control.active, self.incarnation);
        let looked_at = |port: &&Rc<InPort>| !port.hinted.get();
        core.watched = core.inputs.iter().filter(looked_at).cloned().collect();
        core.recover();
        core
    }
}
