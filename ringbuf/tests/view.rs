//! Collections seen from outside: what a commit left, whatever the actor is at, and what it starts anew with.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    actor_section, cell_section, last_section, map_section, table_section, undo_section,
    vector_section,
};
use airssys_ringbuf::region::{Region, RegionPlan, SectionKind};
use airssys_ringbuf::step::{
    Attach, CollectionError, CollectionView, Durable, DurableMap, DurableRing, DurableTable,
    DurableVec, MapEntry, ObserveError, StepCore, Verdict, mistake, read_cell, recover, reset,
};

const VECTOR: usize = 5;
const LAST: usize = 3;
const MAP: usize = 40;
const ROWS: usize = 64;
/// Words that a step may change.
const CHANGES: u64 = 400;

type Row = [u64; 2];
/// Three words but for one byte.
type Odd = [u8; 23];

fn odd(nth: u64) -> Odd {
    let mut value = [7; 23];
    value[..8].copy_from_slice(&nth.to_ne_bytes());
    value
}

fn bus() -> Region {
    let entry = MapEntry::<u64, Odd>::SCHEMA.to_text();
    let odd = Odd::SCHEMA.to_text();
    let row = Row::SCHEMA.to_text();
    let mut plan = RegionPlan::new("view", "own", 1);
    plan.add(actor_section("actor", 0, 0))
        .add(cell_section("actor/count", &u64::SCHEMA.to_text(), 8))
        .add(undo_section("actor", CHANGES))
        .add(vector_section("actor/vector", &odd, 23, VECTOR as u64))
        .add(last_section("actor/last", &odd, 23, LAST as u64))
        .add(map_section("actor/map", &entry, (8, 23), MAP as u64))
        .add(table_section("actor/table", &row, 16, ROWS as u64))
        .add(actor_section("other", 0, 0))
        .add(undo_section("other", CHANGES))
        .add(vector_section("other/vector", &row, 16, VECTOR as u64));
    Region::heap(&plan).unwrap()
}

struct Owner {
    core: StepCore,
    count: Durable<u64>,
    vector: DurableVec<Odd>,
    last: DurableRing<Odd>,
    map: DurableMap<u64, Odd>,
    table: DurableTable<Row>,
}

impl Owner {
    fn begin(region: &Region) -> Self {
        let mut attach = Attach::<{ mistake::NONE }>::new(region, "actor", 0, 0).unwrap();
        Self {
            count: attach.durable("count", 100).unwrap(),
            vector: attach.vector("vector", VECTOR).unwrap(),
            last: attach.last("last", LAST).unwrap(),
            map: attach.map("map", MAP).unwrap(),
            table: attach.table("table", ROWS).unwrap(),
            core: attach.finish(),
        }
    }

    fn work(&mut self, nth: u64) {
        *self.count.borrow_mut() += 1;
        if self.vector.len() == VECTOR {
            self.vector.truncate(1).unwrap();
        }
        self.vector.push(odd(nth)).unwrap();
        self.last.push(odd(nth)).unwrap();
        self.map.remove(&(nth % 7)).unwrap();
        self.map.insert(nth % 11, odd(nth)).unwrap();
        self.table.set(nth as usize % ROWS, [nth, !nth]).unwrap();
    }

    fn step(&mut self, nth: u64, verdict: Verdict) {
        self.core.begin(0);
        self.work(nth);
        let _ = self.core.finish(verdict).unwrap();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Kept {
    vector: Vec<Odd>,
    last: (u64, Vec<Odd>),
    map: Vec<(u64, Odd)>,
    table: Vec<Row>,
}

fn view(region: &Region, kind: SectionKind, name: &str) -> CollectionView {
    CollectionView::new(region, "actor", (0, 0), (kind, name)).unwrap()
}

fn seen(region: &Region) -> Kept {
    let of_map = view(region, SectionKind::Map, "map");
    let mut map = of_map.map::<u64, Odd>().unwrap();
    map.sort_unstable();
    for key in 0..12 {
        let found = of_map.get::<u64, Odd>(&key).unwrap();
        let expected = map.iter().find(|(other, _)| *other == key);
        assert_eq!(found, expected.map(|(_, value)| *value), "{key}");
    }
    Kept {
        vector: view(region, SectionKind::Vector, "vector")
            .vector()
            .unwrap(),
        last: view(region, SectionKind::Last, "last").last().unwrap(),
        map,
        table: view(region, SectionKind::Table, "table").rows(..).unwrap(),
    }
}

fn kept(owner: &Owner) -> Kept {
    let mut map: Vec<_> = owner.map.iter().collect();
    map.sort_unstable();
    Kept {
        vector: owner.vector.iter().collect(),
        last: (owner.last.pushed(), owner.last.iter().collect()),
        map,
        table: owner.table.iter().collect(),
    }
}

/// Amidst a step, after an aborted one, after a death amidst one, and in the next life.
#[test]
fn what_the_last_commit_left_is_seen() {
    let region = bus();
    let mut owner = Owner::begin(&region);
    for nth in 0..25 {
        owner.step(nth, Verdict::Keep);
        let committed = kept(&owner);
        assert_eq!(seen(&region), committed, "{nth}");
        owner.core.begin(0);
        owner.work(nth + 3);
        assert_eq!(seen(&region), committed, "{nth}: amidst a step");
        let _ = owner.core.finish(Verdict::Abort).unwrap();
        assert_eq!(seen(&region), committed, "{nth}: after it was aborted");
        owner.core.begin(0);
        owner.work(nth + 5);
        drop(owner);
        assert_eq!(seen(&region), committed, "{nth}: died amidst a step");
        owner = Owner::begin(&region);
        assert_eq!(seen(&region), committed, "{nth}: in the next life");
    }
}

/// An operation that is undone alone is one that observers don't see either.
#[test]
fn a_refused_operation_is_not_seen() {
    let region = bus();
    let mut owner = Owner::begin(&region);
    owner.step(1, Verdict::Keep);
    let committed = kept(&owner);
    owner.core.begin(0);
    let mut nth = 0;
    let refused = loop {
        nth += 1;
        if let Err(error) = owner.vector.set(0, odd(nth)) {
            break error;
        }
        let _ = owner.table.set(nth as usize % ROWS, [nth, nth]);
    };
    assert!(matches!(refused, CollectionError::TooManyChanges { .. }));
    assert_eq!(seen(&region), committed);
}

#[test]
fn some_rows_are_those_of_the_table() {
    let region = bus();
    let mut owner = Owner::begin(&region);
    for nth in 0..ROWS as u64 {
        owner.step(nth, Verdict::Keep);
    }
    let table = view(&region, SectionKind::Table, "table");
    let row = |nth: usize| [nth as u64, !(nth as u64)];
    let rows: Vec<Row> = (10..20).map(row).collect();
    assert_eq!(table.rows::<Row>(10..20).unwrap(), rows);
    assert_eq!(table.rows::<Row>(63..=700).unwrap(), [row(63)]);
    assert_eq!(table.rows::<Row>(64..).unwrap(), Vec::<Row>::new());
}

#[test]
fn another_kind_and_another_type_are_refused() {
    let region = bus();
    let error = view(&region, SectionKind::Map, "map")
        .rows::<Row>(..)
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("collection `actor/map` is a map, not a table"),
        "{text}"
    );
    let error = view(&region, SectionKind::Table, "table")
        .rows::<u64>(..)
        .unwrap_err();
    assert!(matches!(error, ObserveError::Schema { .. }), "{error}");
}

/// An actor moves amounts between rows, and gives up every other step: whoever looks finds the same sum.
#[test]
fn a_look_at_an_actor_that_runs_is_whole() {
    const LOOKS: usize = 100;
    let region = bus();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut owner = Owner::begin(&region);
            let mut draw = 1_u64;
            while !is_over.load(Ordering::Relaxed) {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let place = |shift: u32| (draw >> shift) as usize % ROWS;
                owner.core.begin(0);
                for (row, by) in [(place(20), draw), (place(40), draw.wrapping_neg())] {
                    let change = |[a, b]: &mut Row| {
                        *a = a.wrapping_add(by);
                        *b = b.wrapping_sub(by);
                    };
                    owner.table.update(row, change).unwrap();
                    // Long enough for a look that begins and ends amidst the step.
                    thread::yield_now();
                }
                let verdict = if draw >> 63 == 0 {
                    Verdict::Keep
                } else {
                    Verdict::Abort
                };
                let _ = owner.core.finish(verdict).unwrap();
            }
        });
        let table = view(&region, SectionKind::Table, "table");
        let (mut looks, mut before) = (0, Vec::new());
        while looks < LOOKS {
            let rows = match table.rows::<Row>(..) {
                Ok(rows) => rows,
                Err(ObserveError::Moving { .. }) => continue,
                Err(other) => panic!("{other}"),
            };
            let sums = rows.iter().fold([0_u64; 2], |[a, b], [row_a, row_b]| {
                [a.wrapping_add(*row_a), b.wrapping_add(*row_b)]
            });
            if sums != [0, 0] {
                is_over.store(true, Ordering::Relaxed);
            }
            assert_eq!(sums, [0, 0], "look {looks}");
            // Another one than before: the actor has gone on.
            looks += usize::from(rows != before);
            before = rows;
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

fn starts_anew(region: &Region, after: u64) -> bool {
    let cells: [(&str, &[u8]); 1] = [("count", &100_u64.to_ne_bytes())];
    reset::<{ mistake::NONE }>(region, "actor", (&[], &[]), &cells, after).unwrap()
}

#[test]
fn cells_and_collections_start_anew_after_one_step_alone() {
    let region = bus();
    let fresh = kept(&Owner::begin(&region));
    let mut attach = Attach::<{ mistake::NONE }>::new(&region, "other", 0, 0).unwrap();
    let mut others = attach.vector::<Row>("vector", VECTOR).unwrap();
    let mut other = attach.finish();
    other.begin(0);
    others.push([1, 2]).unwrap();
    assert!(other.finish(Verdict::Keep).unwrap().committed);
    let mut owner = Owner::begin(&region);
    for nth in 0..9 {
        owner.step(nth, Verdict::Keep);
    }
    owner.core.begin(0);
    owner.work(9);
    let steps = owner.core.steps();
    let held = owner.count.get() - 1;
    drop(owner);
    let count = || read_cell::<u64>(&region, "actor", (0, 0), ("count", 0)).unwrap();
    for wrong in [steps - 1, steps + 1] {
        assert!(!starts_anew(&region, wrong));
        assert_eq!(count(), Some(held));
    }
    assert!(starts_anew(&region, steps));
    assert_eq!((seen(&region), count()), (fresh, Some(100)));
    // Told again, by a life that finds it done.
    assert!(!starts_anew(&region, steps));
    let mut owner = Owner::begin(&region);
    assert_eq!((owner.core.steps(), owner.count.get()), (steps + 1, 100));
    owner.step(3, Verdict::Keep);
    let committed = kept(&owner);
    drop(owner);
    assert!(!recover(&region, "actor", &[], &[]).unwrap());
    assert_eq!(kept(&Owner::begin(&region)), committed);
    assert_eq!(others.get(0), Some([1, 2]), "another actor's");
}
