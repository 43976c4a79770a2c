//! One actor without links, and one collection of each kind.

use airssys_ringbuf::layout::{
    actor_section, cell_section, last_section, map_section, table_section, undo_section,
    vector_section,
};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{
    Attach, Durable, DurableMap, DurableRing, DurableTable, DurableVec, MapEntry, StepCore, Verdict,
};
use airssys_ringbuf::{Message, message};

/// Not a whole number of words.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: u32,
    pub(crate) left: [u16; 5],
    pub(crate) right: [u8; 6],
}

impl Row {
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            id: seed as u32,
            left: [seed as u16, 1, 2, 3, (seed >> 3) as u16],
            right: [(seed >> 1) as u8; 6],
        }
    }
}

pub(crate) const VECTOR: usize = 24;
pub(crate) const LAST: usize = 5;
pub(crate) const MAP: usize = 20;
pub(crate) const ROWS: usize = 8;

pub(crate) fn region(changes: u64) -> Region {
    let row = Row::SCHEMA.to_text();
    let entry = MapEntry::<u64, Row>::SCHEMA.to_text();
    let mut plan = RegionPlan::new("collections", "own", 1);
    plan.add(actor_section("actor", 0, 0))
        .add(undo_section("actor", changes))
        .add(cell_section("actor/steps", &u64::SCHEMA.to_text(), 8))
        .add(vector_section(
            "actor/vector",
            &row,
            size_of::<Row>(),
            VECTOR as u64,
        ))
        .add(last_section(
            "actor/last",
            &row,
            size_of::<Row>(),
            LAST as u64,
        ))
        .add(map_section(
            "actor/map",
            &entry,
            (8, size_of::<Row>()),
            MAP as u64,
        ))
        .add(table_section(
            "actor/table",
            &row,
            size_of::<Row>(),
            ROWS as u64,
        ));
    Region::heap(&plan).unwrap()
}

pub(crate) struct Own {
    pub(crate) core: StepCore,
    pub(crate) cell: Durable<u64>,
    pub(crate) vector: DurableVec<Row>,
    pub(crate) last: DurableRing<Row>,
    pub(crate) map: DurableMap<u64, Row>,
    pub(crate) table: DurableTable<Row>,
}

/// Everything that the actor keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) cell: u64,
    pub(crate) vector: Vec<Row>,
    pub(crate) last: (u64, Vec<Row>),
    pub(crate) map: Vec<(u64, Row)>,
    pub(crate) table: Vec<Row>,
}

impl Own {
    /// The next incarnation.
    pub(crate) fn attach(region: &Region) -> Self {
        let mut attach = Attach::new(region, "actor", 0, 0).unwrap();
        let cell = attach.durable("steps", 0).unwrap();
        let vector = attach.vector("vector", VECTOR).unwrap();
        let last = attach.last("last", LAST).unwrap();
        let map = attach.map("map", MAP).unwrap();
        let table = attach.table("table", ROWS).unwrap();
        Self {
            core: attach.finish(),
            cell,
            vector,
            last,
            map,
            table,
        }
    }

    pub(crate) fn kept(&self) -> Kept {
        let mut map: Vec<_> = self.map.iter().collect();
        map.sort_unstable_by_key(|(key, _)| *key);
        Kept {
            cell: self.cell.get(),
            vector: self.vector.iter().collect(),
            last: (self.last.pushed(), self.last.iter().collect()),
            map,
            table: self.table.iter().collect(),
        }
    }

    /// Something to each of them; entries that are there are changed as well.
    pub(crate) fn change(&mut self, seed: u64) {
        self.cell.set(self.cell.get() + 1);
        self.vector.push(Row::of(seed)).unwrap();
        self.vector.set(0, Row::of(seed + 1)).unwrap();
        self.vector.update(0, |row| row.id += 7).unwrap();
        for place in 0..3 {
            self.last.push(Row::of(seed + place)).unwrap();
        }
        for key in seed..seed + 4 {
            self.map.insert(key, Row::of(key)).unwrap();
        }
        self.map.remove(&seed).unwrap();
        self.map
            .upsert(seed + 1, Row::of(0), |row| row.id += 1)
            .unwrap();
        self.table.set(seed as usize % ROWS, Row::of(seed)).unwrap();
    }

    /// A step that changes something, and how it ends.
    pub(crate) fn step(&mut self, seed: u64, verdict: Verdict) -> bool {
        self.core.begin(0);
        self.change(seed);
        self.core.finish(verdict).unwrap().committed
    }
}

/// Numbers that are the same in each run.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
