//! The bus that is judged: source, middle and sink, a region each, with up to 17 links on either side of the middle.
//!
//! ```text
//! source --in----> middle --a--> sink
//!       \--side-->/      \--b-->/
//!            ..              ..
//! ```
//!
//! The files lie in a directory of their own in `/dev/shm`, which is removed as soon as they are mapped: nothing is left of
//! a bus, however this process ends. Children inherit the mappings.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    Layout, RingShape, SCANNED_LINKS_MAX, actor_section, blame_section, cell_section,
    credit_section, hints_section, ring_section,
};
use airssys_ringbuf::region::{
    Access, Expected, Region, RegionPlan, Section, SectionKind, boot_id,
};

use airssys_ringbuf::step::{Note, Tally};

use crate::actors::{
    AGAIN, FIXED, LOG, Log, MIDDLE, SEEN, SENT, SINK, SOURCE, STATE, SinkState, SourceState, TAKEN,
    TALLY, cell_name,
};
use crate::court::{Court, LETTERS, NOTES};
use crate::failure::Failure;
use crate::place::Place;
use crate::traffic::{Flow, IN, Item, Link, OUT};

const BUS: &str = "campaign";
const DIGEST: u64 = 1;

/// A link's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    /// How its slots lie.
    pub(crate) layout: Layout,
    /// How many messages it holds; a power of two.
    pub(crate) capacity: u64,
}

impl Wire {
    /// Slots with a sequence word each.
    pub(crate) const fn sequenced(capacity: u64) -> Self {
        Self {
            layout: Layout::Sequenced,
            capacity,
        }
    }

    /// Slots side by side, with one tail.
    pub(crate) const fn contiguous(capacity: u64) -> Self {
        Self {
            layout: Layout::Contiguous,
            capacity,
        }
    }
}

/// The middle's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// From the source.
    pub(crate) inputs: &'static [Wire],
    /// To the sink.
    pub(crate) outputs: &'static [Wire],
}

impl Shape {
    /// The middle's inputs.
    pub(crate) fn ins(self) -> &'static [Link] {
        &IN[..self.inputs.len()]
    }

    /// The middle's outputs.
    pub(crate) fn outs(self) -> &'static [Link] {
        &OUT[..self.outputs.len()]
    }
}

/// The three regions.
#[derive(Debug)]
pub(crate) struct Bus {
    /// Its links.
    pub(crate) shape: Shape,
    /// Where the source's actor, cell and the rings of the middle's inputs lie.
    pub(crate) source: Place,
    /// Where the middle's actor, cells, credits and the rings of its outputs lie.
    pub(crate) middle: Place,
    /// Where the sink's actor, cell and credits lie.
    pub(crate) sink: Place,
    /// What is held against the middle's messages, where they may be set aside.
    pub(crate) court: Option<Court>,
    /// Where the middle tells what it has in hand, if that is judged.
    pub(crate) witness: Option<Place>,
    /// How many letters there is room for.
    letters: u64,
}

/// The bytes of all three regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Images {
    source: Vec<u8>,
    middle: Vec<u8>,
    sink: Vec<u8>,
    /// Which letters are to be handled again: the one order that a life's end may change.
    requeue_to: u64,
}

/// A directory in shared memory. Removed when dropped, with what lies in it.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!(
            "/dev/shm/airssys-campaign-{}-{number}",
            std::process::id()
        ));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What can't be removed stays; there is nobody to tell from here, and the name says whose it was.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Bus {
    /// Three fresh regions.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if `/dev/shm` has no room for them, or a capacity isn't a power of two.
    pub(crate) fn create(shape: Shape) -> Result<Self, Failure> {
        Self::with(shape, 0, false)
    }

    /// The same for a life that is judged, with room for so many letters; 0 is none.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub(crate) fn judged(shape: Shape, letters: u64) -> Result<Self, Failure> {
        Self::with(shape, letters, true)
    }

    fn with(shape: Shape, letters: u64, judged: bool) -> Result<Self, Failure> {
        let directory = Directory::create()
            .map_err(|error| Failure::broken("creating a directory in /dev/shm", error))?;
        let boot = boot_id().map_err(|error| Failure::broken("reading the boot id", error))?;
        let place = |owner, sections| place(&directory.0, boot, owner, sections);
        let (ins, outs) = (shape.ins(), shape.outs());
        let mut source = vec![
            actor_section(SOURCE, 0, ins.len()),
            cell::<SourceState>(SOURCE, STATE),
        ];
        source.extend(rings(ins, shape.inputs)?);
        source.extend(hints(MIDDLE, ins.len()));
        let hidden = if letters > 0 { 2 } else { 0 };
        let inputs = ins.len() + hidden;
        let mut middle = vec![actor_section(MIDDLE, inputs, outs.len() + hidden)];
        middle.extend((0..ins.len()).map(|index| cell::<Flow>(MIDDLE, &cell_name(TAKEN, index))));
        middle.extend((0..outs.len()).map(|index| cell::<Flow>(MIDDLE, &cell_name(SENT, index))));
        middle.push(cell::<Log>(MIDDLE, LOG));
        middle.push(cell::<u64>(MIDDLE, FIXED));
        middle.extend(ins.iter().map(|link| credit_section(link.name)));
        middle.extend(rings(outs, shape.outputs)?);
        middle.extend(hints(SINK, outs.len()));
        let mut court = None;
        if letters > 0 {
            middle.extend(letters_sections(letters)?);
            let charges = vec![blame_section(MIDDLE, ins.len())];
            court = Some(Court::new(place("supervisor", charges)?));
        }
        let words = vec![blame_section(MIDDLE, inputs + 1)];
        let witness = judged.then(|| place("witness", words)).transpose()?;
        let mut sink = vec![
            actor_section(SINK, outs.len(), 0),
            cell::<SinkState>(SINK, SEEN),
        ];
        sink.extend(outs.iter().map(|link| credit_section(link.name)));
        Ok(Self {
            shape,
            source: place(SOURCE, source)?,
            middle: place(MIDDLE, middle)?,
            sink: place(SINK, sink)?,
            court,
            witness,
            letters,
        })
    }

    /// The middle's inputs and outputs, the hidden ones included: letters and notes, behind all others.
    pub(crate) fn ends(&self) -> (usize, usize) {
        let hidden = if self.letters > 0 { 2 } else { 0 };
        let Shape { inputs, outputs } = self.shape;
        (inputs.len() + hidden, outputs.len() + hidden)
    }

    /// The names and capacities of the middle's inputs.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = self.shape.ins().iter().map(|link| link.name);
        let wires = self.shape.inputs.iter().map(|wire| wire.capacity);
        names.zip(wires).chain(self.hidden())
    }

    /// The names of the middle's outputs, and the size of their messages.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let links = self.shape.outs().iter();
        let links = links.map(|link| (link.name, size_of::<Item>()));
        let sizes = [size_of::<Item>(), size_of::<Note>()].into_iter();
        links.chain(self.hidden().map(|(name, _)| name).zip(sizes))
    }

    fn hidden(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let hidden = [(LETTERS, self.letters), (NOTES, self.letters)];
        hidden.into_iter().filter(|(_, capacity)| *capacity > 0)
    }

    /// Where the count of the middle's hints is in its image, if it hints.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region has no such section.
    pub(crate) fn hints(&self) -> Result<Option<usize>, Failure> {
        let hinted = self.shape.outputs.len() > SCANNED_LINKS_MAX;
        let offset = hinted.then(|| self.middle.offset(SectionKind::Hints, SINK));
        offset.transpose()
    }

    /// All bytes as they are now.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn images(&self) -> Result<Images, Failure> {
        Ok(Images {
            source: self.source.image()?,
            middle: self.middle.image()?,
            sink: self.sink.image()?,
            requeue_to: self.requeue_to()?,
        })
    }

    /// Puts all bytes back as they were; nobody may be attached.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be written.
    pub(crate) fn restore(&self, images: &Images) -> Result<(), Failure> {
        self.source.restore(&images.source)?;
        self.middle.restore(&images.middle)?;
        self.sink.restore(&images.sink)?;
        self.requeue_below(images.requeue_to)
    }

    /// Messages that were to be set aside.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn asides(&self) -> Result<u64, Failure> {
        let orders = self.court.as_ref().map(Court::orders).transpose()?;
        Ok(orders.map_or(0, |orders| orders.asides.len() as u64))
    }

    /// Below which place letters are to be handled again; 0 without any.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn requeue_to(&self) -> Result<u64, Failure> {
        let orders = self.court.as_ref().map(Court::orders).transpose()?;
        Ok(orders.map_or(0, |orders| orders.requeue_to))
    }

    /// Puts that back.
    ///
    /// # Errors
    ///
    /// As [`requeue_to`](Self::requeue_to).
    pub(crate) fn requeue_below(&self, place: u64) -> Result<(), Failure> {
        match &self.court {
            Some(court) => court.requeue_below(place),
            None => Ok(()),
        }
    }
}

impl Images {
    /// The middle's bytes.
    #[must_use]
    pub(crate) fn middle(&self) -> &[u8] {
        &self.middle
    }
}

fn cell<S: Message>(actor: &str, name: &str) -> Section {
    cell_section(
        &format!("{actor}/{name}"),
        &S::SCHEMA.to_text(),
        size_of::<S>(),
    )
}

fn rings(links: &[Link], wires: &[Wire]) -> Result<Vec<Section>, Failure> {
    let pairs = links.iter().zip(wires);
    pairs.map(|(link, wire)| ring(link.name, *wire)).collect()
}

fn ring(link: &str, wire: Wire) -> Result<Section, Failure> {
    let Wire { layout, capacity } = wire;
    let shape = RingShape::with_layout(size_of::<Item>(), capacity, false, layout);
    let shape = shape.ok_or_else(|| {
        Failure::broken(
            format_args!("link `{link}`"),
            format!("capacity {capacity} is not a power of two"),
        )
    })?;
    Ok(ring_section(link, &Item::SCHEMA.to_text(), &shape))
}

/// What the middle's region has besides, where messages of an input may be set aside: two links to itself, cells.
fn letters_sections(capacity: u64) -> Result<Vec<Section>, Failure> {
    let wire = Wire::sequenced(capacity);
    let notes = RingShape::with_layout(
        size_of::<Note>(),
        capacity,
        false,
        Layout::of(size_of::<Note>()),
    );
    let notes = notes.ok_or_else(|| Failure::broken("the notes' ring", capacity))?;
    Ok(vec![
        cell::<Flow>(MIDDLE, AGAIN),
        cell::<Tally>(MIDDLE, TALLY),
        ring(LETTERS, wire)?,
        credit_section(LETTERS),
        ring_section(NOTES, &Note::SCHEMA.to_text(), &notes),
        credit_section(NOTES),
    ])
}

/// What the sender of so many links to `receiver` hints by.
fn hints(receiver: &str, links: usize) -> Option<Section> {
    (links > SCANNED_LINKS_MAX).then(|| hints_section(receiver, links))
}

fn place(
    directory: &Path,
    boot_id: [u8; 16],
    owner: &str,
    sections: Vec<Section>,
) -> Result<Place, Failure> {
    let mut plan = RegionPlan::new(BUS, owner, DIGEST);
    for section in sections {
        plan.add(section);
    }
    plan.create(directory, owner, boot_id)?;
    let expected = Expected {
        bus: BUS,
        owner,
        digest: DIGEST,
        boot_id,
    };
    let path = directory.join(owner);
    Ok(Place {
        own: Region::open(&path, Access::ReadWrite, &expected)?,
        seen: Region::open(&path, Access::ReadOnly, &expected)?,
    })
}
