//! The bus that is judged: source, middle and sink, a region each.
//!
//! ```text
//! source --in----> middle --a--> sink
//!       \--side-->/      \--b-->/
//! ```
//!
//! The files lie in a directory of their own in `/dev/shm`, which is removed as soon as they are mapped: nothing is left of
//! a bus, however this process ends. Children inherit the mappings.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, ring_section,
};
use airssys_ringbuf::region::{
    Access, Expected, Region, RegionPlan, Section, SectionKind, boot_id,
};

use crate::actors::{
    FIXED, IN, Item, MIDDLE, MiddleState, OUT, SEEN, SINK, SOURCE, STATE, SinkState, SourceState,
};
use crate::failure::Failure;
use crate::watch::word_at;

const LINE_PAIR: usize = 128;
const BUS: &str = "campaign";
const DIGEST: u64 = 1;

/// How many messages the links hold; powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacities {
    /// Each of the middle's inputs.
    pub(crate) input: u64,
    /// Each of the middle's outputs.
    pub(crate) outputs: u64,
}

/// One partition's region, as its owner and as its peers have it mapped.
#[derive(Debug)]
pub(crate) struct Place {
    /// For the owner: writable.
    pub(crate) own: Region,
    /// For everybody else: read-only.
    pub(crate) seen: Region,
}

/// The three regions.
#[derive(Debug)]
pub(crate) struct Bus {
    /// Where the source's actor, cell and the rings of `in` and `side` lie.
    pub(crate) source: Place,
    /// Where the middle's actor, cells, credits and the rings of `a` and `b` lie.
    pub(crate) middle: Place,
    /// Where the sink's actor, cell and credits lie.
    pub(crate) sink: Place,
}

/// The bytes of all three regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Images {
    source: Vec<u8>,
    middle: Vec<u8>,
    sink: Vec<u8>,
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
    pub(crate) fn create(capacities: Capacities) -> Result<Self, Failure> {
        let directory = Directory::create()
            .map_err(|error| Failure::broken("creating a directory in /dev/shm", error))?;
        let boot = boot_id().map_err(|error| Failure::broken("reading the boot id", error))?;
        let place = |owner, sections| place(&directory.0, boot, owner, sections);
        let source = vec![
            actor_section(SOURCE, 0, 2),
            cell::<SourceState>(SOURCE, STATE),
            ring(IN[0].name, capacities.input)?,
            ring(IN[1].name, capacities.input)?,
        ];
        let middle = vec![
            actor_section(MIDDLE, 2, 2),
            cell::<MiddleState>(MIDDLE, STATE),
            cell::<u64>(MIDDLE, FIXED),
            credit_section(IN[0].name),
            credit_section(IN[1].name),
            ring(OUT[0].name, capacities.outputs)?,
            ring(OUT[1].name, capacities.outputs)?,
        ];
        let sink = vec![
            actor_section(SINK, 2, 0),
            cell::<SinkState>(SINK, SEEN),
            credit_section(OUT[0].name),
            credit_section(OUT[1].name),
        ];
        Ok(Self {
            source: place(SOURCE, source)?,
            middle: place(MIDDLE, middle)?,
            sink: place(SINK, sink)?,
        })
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
        self.sink.restore(&images.sink)
    }
}

impl Images {
    /// These, with another middle.
    #[must_use]
    pub(crate) fn with_middle(&self, middle: &[u8]) -> Self {
        Self {
            middle: middle.to_vec(),
            ..self.clone()
        }
    }

    /// The middle's bytes.
    #[must_use]
    pub(crate) fn middle(&self) -> &[u8] {
        &self.middle
    }
}

impl Place {
    /// The bytes of all sections. What lies before them is never written.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn image(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; self.span().1];
        self.image_into(&mut bytes)?;
        Ok(bytes)
    }

    /// Like [`image`](Self::image), into bytes that an earlier image has.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn image_into(&self, bytes: &mut [u8]) -> Result<(), Failure> {
        let read = self.file()?.read_exact_at(bytes, self.span().0 as u64);
        read.map_err(|error| Failure::broken("reading a region", error))
    }

    fn restore(&self, image: &[u8]) -> Result<(), Failure> {
        let written = self.file()?.write_all_at(image, self.span().0 as u64);
        written.map_err(|error| Failure::broken("restoring a region", error))
    }

    fn file(&self) -> Result<&fs::File, Failure> {
        let none = || Failure::broken("reading a region", io::ErrorKind::Unsupported);
        self.own.file().ok_or_else(none)
    }

    /// Where the image starts in the file, and its length.
    fn span(&self) -> (usize, usize) {
        let sections = self.own.sections();
        let start = sections.iter().map(|section| section.offset).min();
        let end = sections
            .iter()
            .map(|section| section.offset + section.len)
            .max();
        let start = start.unwrap_or(0);
        (start, end.unwrap_or(0) - start)
    }

    /// Where a section starts in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such section.
    pub(crate) fn offset(&self, kind: SectionKind, name: &str) -> Result<usize, Failure> {
        Ok(self.own.section(kind, name)?.offset - self.span().0)
    }

    /// The ranges that the active record of `actor` publishes, by output.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such actor.
    pub(crate) fn ranges(
        &self,
        image: &[u8],
        actor: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Vec<(u64, u64)>, Failure> {
        let control = self.offset(SectionKind::Actor, actor)?;
        // The control word has a line pair of its own, as has each record; two words come before the positions.
        let record = ((2 + inputs + 2 * outputs) * 8).next_multiple_of(LINE_PAIR);
        let active = (word_at(image, control) & 1) as usize;
        let first = control + LINE_PAIR + active * record + (2 + inputs) * 8;
        let range = |output: usize| {
            let from = first + 16 * output;
            (word_at(image, from), word_at(image, from + 8))
        };
        Ok((0..outputs).map(range).collect())
    }

    /// Where the sequence words of a ring are in the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there is no such ring.
    pub(crate) fn sequences(&self, link: &str) -> Result<Vec<usize>, Failure> {
        let ring = self.own.section(SectionKind::Ring, link)?;
        let stride = ring.stride as usize;
        let slots_len = ring.count as usize * stride;
        let end = ring.offset + ring.len - self.span().0;
        Ok((1..=ring.count as usize)
            .map(|slot| end - slots_len + slot * stride - 8)
            .collect())
    }
}

fn cell<S: Message>(actor: &str, name: &str) -> Section {
    cell_section(
        &format!("{actor}/{name}"),
        &S::SCHEMA.to_text(),
        size_of::<S>(),
    )
}

fn ring(link: &str, capacity: u64) -> Result<Section, Failure> {
    let shape = RingShape::new(size_of::<Item>(), capacity, false).ok_or_else(|| {
        Failure::broken(
            format_args!("link `{link}`"),
            format!("capacity {capacity} is not a power of two"),
        )
    })?;
    Ok(ring_section(link, &Item::SCHEMA.to_text(), &shape))
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
