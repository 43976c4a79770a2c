//! The actor, and what it keeps.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    actor_section, cell_section, last_section, map_section, table_section, undo_section,
    vector_section,
};
use airssys_ringbuf::region::{Access, Expected, Region, RegionPlan, boot_id};
use airssys_ringbuf::step::{
    Attach, CollectionError, Durable, DurableMap, DurableRing, DurableTable, DurableVec, MapEntry,
    StepCore, Verdict, reset,
};

use crate::bus::Directory;
use crate::failure::{Failure, ensure};
use crate::instructions::marker;

const OWNER: &str = "owner";
const VECTOR: usize = 4;
const LAST: usize = 3;
const MAP: usize = 4;
const ROWS: usize = 4;
/// Words that a step may change: somewhat more than one does.
const CHANGES: u64 = 48;
/// Steps of which the outcome is known.
const STEPS: u64 = 12;

type Pair = [u64; 2];

/// One region.
#[derive(Debug)]
pub(crate) struct Bus {
    own: Region,
    start: usize,
    len: usize,
}

impl Bus {
    /// A fresh one.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if `/dev/shm` has no room for it.
    pub(crate) fn create() -> Result<Self, Failure> {
        let broken = |error| Failure::broken("creating a directory in /dev/shm", error);
        let directory = Directory::create().map_err(broken)?;
        let boot_id = boot_id().map_err(|error| Failure::broken("reading the boot id", error))?;
        let name = |collection: &str| format!("{OWNER}/{collection}");
        let pair = Pair::SCHEMA.to_text();
        let entry = MapEntry::<u64, Pair>::SCHEMA.to_text();
        let mut plan = RegionPlan::new("collections", OWNER, 1);
        plan.add(actor_section(OWNER, 0, 0))
            .add(cell_section(&name("steps"), &u64::SCHEMA.to_text(), 8))
            .add(undo_section(OWNER, CHANGES))
            .add(vector_section(&name("vector"), &pair, 16, VECTOR as u64))
            .add(last_section(&name("last"), &pair, 16, LAST as u64))
            .add(map_section(&name("map"), &entry, (8, 16), MAP as u64))
            .add(table_section(&name("table"), &pair, 16, ROWS as u64));
        plan.create(directory.path(), OWNER, boot_id)?;
        let expected = Expected {
            bus: "collections",
            owner: OWNER,
            digest: 1,
            boot_id,
        };
        let own = Region::open(&directory.path().join(OWNER), Access::ReadWrite, &expected)?;
        let sections = own.sections();
        let start = sections.iter().map(|section| section.offset).min();
        let ends = sections.iter().map(|section| section.offset + section.len);
        let start = start.unwrap_or(0);
        let len = ends.max().unwrap_or(0) - start;
        Ok(Self { own, start, len })
    }

    /// All bytes that are ever written.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be read.
    pub(crate) fn image(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; self.len];
        let read = self.file()?.read_exact_at(&mut bytes, self.start as u64);
        read.map_err(|error| Failure::broken("reading a region", error))?;
        Ok(bytes)
    }

    /// Puts them back as they were; nobody may be attached.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if they can't be written.
    pub(crate) fn restore(&self, image: &[u8]) -> Result<(), Failure> {
        let written = self.file()?.write_all_at(image, self.start as u64);
        written.map_err(|error| Failure::broken("restoring a region", error))
    }

    /// Has the actor's state start anew, if so many steps of this harness were its last commits.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the region isn't as that must find it.
    pub(crate) fn reset<const MISTAKE: u8>(&self, after: u64) -> Result<(), Failure> {
        let cells: [(&str, &[u8]); 1] = [("steps", &[0; 8])];
        // The first values are a commit.
        let _ = reset::<MISTAKE>(&self.own, OWNER, (&[], &[]), &cells, after + 1)?;
        Ok(())
    }

    fn file(&self) -> Result<&File, Failure> {
        let none = || Failure::broken("reading a region", "it has no file");
        self.own.file().ok_or_else(none)
    }
}

/// What a step shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Its work, and commit it.
    Work,
    /// Other work, and abort it.
    Abort,
    /// Its work and more, up to the bound on its changes and beyond, and abort it.
    Exceed,
}

/// Everything that the actor keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    steps: u64,
    vector: Vec<Pair>,
    last: (u64, Vec<Pair>),
    map: Vec<(u64, Pair)>,
    table: Vec<Pair>,
}

/// The actor in one incarnation.
#[derive(Debug)]
pub(crate) struct Owner<const MISTAKE: u8> {
    core: StepCore<MISTAKE>,
    steps: Durable<u64>,
    vector: DurableVec<Pair, MISTAKE>,
    last: DurableRing<Pair, MISTAKE>,
    map: DurableMap<u64, Pair, MISTAKE>,
    table: DurableTable<Pair, MISTAKE>,
    pauses: bool,
}

impl<const MISTAKE: u8> Owner<MISTAKE> {
    /// The next incarnation.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the region isn't as an incarnation must find it.
    pub(crate) fn attach(bus: &Bus) -> Result<Self, Failure> {
        let mut attach = Attach::<MISTAKE>::new(&bus.own, OWNER, 0, 0)?;
        Ok(Self {
            steps: attach.durable("steps", 0)?,
            vector: attach.vector("vector", VECTOR)?,
            last: attach.last("last", LAST)?,
            map: attach.map("map", MAP)?,
            table: attach.table("table", ROWS)?,
            core: attach.finish(),
            pauses: false,
        })
    }

    /// With a marker before each step and before its end.
    pub(crate) fn pausing(mut self) -> Self {
        self.pauses = true;
        self
    }

    fn pause(&self) {
        if self.pauses {
            marker();
        }
    }

    /// Steps of this harness that were committed.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.get()
    }

    pub(crate) fn kept(&self) -> Kept {
        let mut map: Vec<_> = self.map.iter().collect();
        map.sort_unstable();
        Kept {
            steps: self.steps.get(),
            vector: self.vector.iter().collect(),
            last: (self.last.pushed(), self.last.iter().collect()),
            map,
            table: self.table.iter().collect(),
        }
    }

    /// One step.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a collection, or the step, refuses what it has to do.
    pub(crate) fn step(&mut self, plan: Plan) -> Result<(), Failure> {
        self.pause();
        self.core.begin(0);
        let number = self.steps.get();
        let worked = match plan {
            Plan::Work => self.work(number),
            Plan::Abort => self.table_first(number + 100),
            Plan::Exceed => self.work(number).and_then(|()| self.exceed()),
        };
        worked.map_err(|error| Failure::Violated(error.to_string()))?;
        self.steps.set(number + 1);
        self.pause();
        let verdict = match plan {
            Plan::Work => Verdict::Keep,
            Plan::Abort | Plan::Exceed => Verdict::Abort,
        };
        let outcome = self.core.finish(verdict)?;
        ensure!(
            outcome.committed == (plan == Plan::Work),
            "{plan:?} ended with {outcome:?}"
        );
        Ok(())
    }

    fn table_first(&mut self, number: u64) -> Result<(), CollectionError> {
        self.table.set(number as usize % ROWS, [number, 1])?;
        self.work(number)
    }

    fn work(&mut self, number: u64) -> Result<(), CollectionError> {
        if self.vector.len() == VECTOR {
            self.vector.swap_remove(number as usize % VECTOR)?;
        }
        self.vector.push([number, number << 32])?;
        self.last.push([number, !number])?;
        // Among five keys, so that there is always one to remove and the entries lie close.
        let key = number % 5;
        self.map.remove(&((number + 2) % 5))?;
        self.map.upsert(key, [0, 0], |[count, at]| {
            *count += 1;
            *at = number;
        })?;
        // The same words, more than once.
        for _ in 0..2 {
            self.table
                .update(number as usize % ROWS, |[count, _]| *count += 3)?;
        }
        Ok(())
    }

    /// Changes until it may not any more, the last one being refused half-way.
    fn exceed(&mut self) -> Result<(), CollectionError> {
        while self
            .table
            .update(0, |row| *row = row.map(|word| word + 1))
            .is_ok()
        {}
        match self.vector.set(0, [u64::MAX; 2]) {
            Err(CollectionError::TooManyChanges { .. }) => {}
            other => return other,
        }
        match self.map.insert(99, [u64::MAX; 2]) {
            Err(CollectionError::TooManyChanges { .. } | CollectionError::Full { .. }) => Ok(()),
            other => other.map(drop),
        }
    }
}

/// What is kept after each number of steps, if nobody is killed.
///
/// # Errors
///
/// [`Failure`] if that isn't possible.
pub(crate) fn undisturbed() -> Result<Vec<Kept>, Failure> {
    let bus = Bus::create()?;
    let mut owner = Owner::<{ airssys_ringbuf::step::mistake::NONE }>::attach(&bus)?;
    let mut expected = vec![owner.kept()];
    for _ in 0..STEPS {
        owner.step(Plan::Work)?;
        expected.push(owner.kept());
    }
    Ok(expected)
}
