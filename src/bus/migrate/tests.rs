//! A migration that is killed between any two of its steps leaves one bus or the other.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::cell::Cell;
use std::path::PathBuf;

use airssys_ringbuf::message;
use airssys_ringbuf::region::boot_id;
use airssys_ringbuf::step::{
    Durable, DurableMap, DurableRing, DurableTable, DurableVec, StepCore, Verdict,
};

use super::super::leftover::Fate;
use super::*;
use crate::topology::{Leftover, Topology, TopologyBuilder, durable};

thread_local! {
    /// Places that are left until this thread is killed.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

const KILLED: &str = "killed at a place of its migration";

pub(super) fn pass() {
    let left = LEFT.get();
    LEFT.set(left.wrapping_sub(1));
    assert!(left != 0, "{KILLED}");
}

#[message]
#[derive(Debug, PartialEq, Eq)]
struct Old {
    price: u32,
}

#[message]
#[derive(Debug, PartialEq, Eq)]
struct New {
    bid: u64,
    ask: u64,
}

impl From<&Old> for New {
    fn from(old: &Old) -> Self {
        let bid = u64::from(old.price);
        Self { bid, ask: bid + 1 }
    }
}

struct Nothing;

impl crate::Actor for Nothing {
    fn step(&mut self) -> Result<crate::Step, crate::Refused> {
        Ok(crate::Step::Done)
    }
}

fn plan<T: airssys_ringbuf::Message>(
    bus: &str,
    extend: impl FnOnce(&mut TopologyBuilder),
) -> std::sync::Arc<Plan> {
    let mut draft = Topology::builder("quotes");
    draft.bus(bus).leftover(Leftover::Resume);
    draft.partition("other").actor("other", (), |()| Nothing);
    let ends = (
        (durable::<u64>("steps"), durable::<T>("quote")),
        durable::vector::<T>("vector", 4),
        durable::last::<T>("last", 3),
        durable::table::<T>("table", 3),
        durable::<T>("untouched"),
    );
    draft.partition("book").actor("book", ends, |_| Nothing);
    extend(&mut draft);
    std::sync::Arc::clone(draft.build().unwrap().plan())
}

fn old_topology(bus: &str) -> std::sync::Arc<Plan> {
    plan::<Old>(bus, |_| ())
}

fn new_topology(bus: &str) -> std::sync::Arc<Plan> {
    plan::<New>(bus, |draft| {
        for state in ["quote", "vector", "last", "table", "untouched"] {
            draft.migrate("book", state, |old: &Old| New::from(old));
        }
    })
}

/// Removed when dropped.
struct Root(PathBuf);

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Root {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(format!(
            "/dev/shm/airssys-test-{name}-{}",
            std::process::id()
        )))
    }

    fn acquire(&self, plan: &Plan) -> Result<BusDirectory, BusError> {
        BusDirectory::acquire(Some(&self.0), plan, |fate, _, _| {
            assert_eq!(fate, Fate::Resumed);
        })
    }

    fn region(&self, plan: &Plan) -> Region {
        let path = self.0.join(&plan.bus).join("book.region");
        open(&path, plan, "book", boot_id().unwrap()).unwrap()
    }

    /// Leaves a bus on which two steps were committed, and a third was cut short.
    fn leave(&self, plan: &Plan) {
        let bus = self.acquire(plan).unwrap();
        bus.write_topology(plan).unwrap();
        for (owner, region) in regions(plan) {
            let file = BusDirectory::region_file_name(owner);
            region
                .create(bus.path(), &file, boot_id().unwrap())
                .unwrap();
        }
        let region = self.region(plan);
        let mut book = Book::<Old>::attach(&region);
        for price in [10, 20, 30] {
            book.core.begin(0);
            book.change(Old { price }, u64::from(price));
            if price < 30 {
                assert!(book.core.finish(Verdict::Keep).unwrap().committed);
            }
        }
    }
}

struct Book<T: airssys_ringbuf::Message> {
    core: StepCore,
    steps: Durable<u64>,
    quote: Durable<T>,
    vector: DurableVec<T>,
    last: DurableRing<T>,
    table: DurableTable<T>,
    untouched: Durable<T>,
}

impl<T: airssys_ringbuf::Message + std::fmt::Debug + PartialEq> Book<T> {
    fn attach(region: &Region) -> Self {
        let mut attach = Attach::new(region, "book", 0, 0).unwrap();
        Self {
            steps: attach.durable("steps", 7).unwrap(),
            quote: attach.durable("quote", T::zeroed()).unwrap(),
            vector: attach.vector("vector", 4).unwrap(),
            last: attach.last("last", 3).unwrap(),
            table: attach.table("table", 3).unwrap(),
            untouched: attach.durable("untouched", T::zeroed()).unwrap(),
            core: attach.finish(),
        }
    }

    fn change(&mut self, value: T, step: u64) {
        self.steps.set(step);
        self.quote.set(value);
        self.vector.push(value).unwrap();
        self.last.push(value).unwrap();
        self.last.push(value).unwrap();
        self.table.set(1, value).unwrap();
    }

    fn is(&self, value: impl Fn(u32) -> T) {
        let [zero, ten, twenty] = [0, 10, 20].map(value);
        assert_eq!((self.steps.get(), self.quote.get()), (20, twenty));
        assert!(self.vector.iter().eq([ten, twenty]));
        assert!(self.last.iter().eq([ten, twenty, twenty]));
        assert_eq!(self.last.pushed(), 4);
        assert!(self.table.iter().eq([zero, twenty, zero]));
        assert_eq!(self.untouched.get(), zero);
    }
}

fn new(price: u32) -> New {
    New::from(&Old { price })
}

#[test]
fn a_kill_leaves_the_old_bus_or_the_new_one() {
    let root = Root::new("migrate");
    let (mut before, mut after) = (0, 0);
    for place in 0.. {
        let bus = format!("quotes-{place}");
        let (old, migrating) = (old_topology(&bus), new_topology(&bus));
        root.leave(&old);
        LEFT.set(place);
        let taken = catch_unwind(AssertUnwindSafe(|| root.acquire(&migrating).map(drop)));
        LEFT.set(usize::MAX);
        if let Ok(taken) = taken {
            taken.unwrap();
            Book::attach(&root.region(&migrating)).is(new);
            break;
        }
        match root.acquire(&old) {
            Ok(taken) => {
                Book::<Old>::attach(&root.region(&old)).is(|price| Old { price });
                let is_of_a_migration = |name: &std::ffi::OsStr| {
                    name.to_str().is_some_and(|name| name.ends_with(SUFFIX))
                };
                let mut files = fs::read_dir(taken.path()).unwrap();
                assert!(!files.any(|file| is_of_a_migration(&file.unwrap().file_name())));
                before += 1;
            }
            Err(error) => {
                assert!(matches!(error, BusError::OtherTopology { .. }), "{error}");
                after += 1;
            }
        }
        // Whichever it was, the new program takes it up.
        drop(root.acquire(&migrating).unwrap());
        Book::attach(&root.region(&migrating)).is(new);
        drop(root.acquire(&migrating).unwrap());
    }
    // Three regions, two places each, and the text; then the marker, four names and the marker's end.
    assert_eq!((before, after), (7, 6));
}

#[test]
fn what_else_differs_is_told_and_nothing_is_migrated() {
    let root = Root::new("migrate-refused");
    let old = old_topology("quotes");
    root.leave(&old);
    let more = plan::<New>("quotes", |draft| {
        for state in ["quote", "vector", "last", "table"] {
            draft.migrate("book", state, |old: &Old| New::from(old));
        }
    });
    let text = root.acquire(&more).unwrap_err().to_string();
    assert!(
        text.contains(
            "cell `book/untouched`: the message is `New` in this program, `Old` in what was left"
        ),
        "{text}"
    );
    let other = plan::<New>("quotes", |draft| {
        for state in ["quote", "vector", "last", "table", "untouched"] {
            draft.migrate("book", state, |old: &Old| New::from(old));
        }
        draft.drain_timeout(std::time::Duration::from_secs(77));
    });
    let text = root.acquire(&other).unwrap_err().to_string();
    assert!(
        text.contains("topology: drain is 77 s in this program, 5 s in what was left"),
        "{text}"
    );
    drop(root.acquire(&old).unwrap());
    Book::<Old>::attach(&root.region(&old)).is(|price| Old { price });
}

#[test]
fn a_panic_in_a_migration_leaves_the_old_bus() {
    let root = Root::new("migrate-panic");
    let old = old_topology("quotes");
    root.leave(&old);
    let panics = plan::<New>("quotes", |draft| {
        for state in ["quote", "vector", "last", "table", "untouched"] {
            draft.migrate("book", state, |old: &Old| {
                assert!(old.price != 20, "no such price");
                New::from(old)
            });
        }
    });
    let text = root.acquire(&panics).unwrap_err().to_string();
    assert!(
        text.contains("and is as it was: migration of book/quote panicked: no such price"),
        "{text}"
    );
    drop(root.acquire(&old).unwrap());
    Book::<Old>::attach(&root.region(&old)).is(|price| Old { price });
}

/// One of each collection, of these capacities.
fn sized(
    bus: &str,
    (capacities, changes): ([usize; 4], usize),
    extend: impl FnOnce(&mut TopologyBuilder),
) -> std::sync::Arc<Plan> {
    let mut draft = Topology::builder("sizes");
    draft.bus(bus).leftover(Leftover::Resume);
    let [vector, last, map, table] = capacities;
    let ends = (
        durable::vector::<u64>("vector", vector),
        durable::last::<u64>("last", last),
        durable::map::<u32, Old>("map", map),
        durable::table::<u64>("table", table),
        durable::changes(changes),
    );
    draft.partition("book").actor("book", ends, |_| Nothing);
    extend(&mut draft);
    std::sync::Arc::clone(draft.build().unwrap().plan())
}

fn resized(bus: &str, sizes: ([usize; 4], usize)) -> std::sync::Arc<Plan> {
    sized(bus, sizes, |draft| {
        for state in ["vector", "last", "map", "table"] {
            draft.migrate_capacity("book", state);
        }
    })
}

struct Sized {
    core: StepCore,
    vector: DurableVec<u64>,
    last: DurableRing<u64>,
    map: DurableMap<u32, Old>,
    table: DurableTable<u64>,
}

impl Sized {
    fn attach(region: &Region, [vector, last, map, table]: [usize; 4]) -> Self {
        let mut attach = Attach::new(region, "book", 0, 0).unwrap();
        Self {
            vector: attach.vector("vector", vector).unwrap(),
            last: attach.last("last", last).unwrap(),
            map: attach.map("map", map).unwrap(),
            table: attach.table("table", table).unwrap(),
            core: attach.finish(),
        }
    }

    /// As the first program has left it.
    fn is(&self, pushed: u64, last: &[u64]) {
        assert!(self.vector.iter().eq([1, 2, 3]));
        assert_eq!(self.last.pushed(), pushed);
        assert!(self.last.iter().eq(last.iter().copied()));
        let mut entries: Vec<_> = self.map.iter().map(|(key, old)| (key, old.price)).collect();
        entries.sort_unstable();
        assert_eq!(
            entries,
            (0..9).map(|key| (key, key + 100)).collect::<Vec<_>>()
        );
        assert!((0..9).all(|key| self.map.contains_key(&key)));
        let set = self.table.iter().filter(|row| *row != 0);
        assert!(set.eq([7, 8]) && self.table.get(3) == Some(8));
    }
}

const FIRST: ([usize; 4], usize) = ([4, 4, 10, 8], 200);

impl Root {
    /// A bus of [`FIRST`] sizes, on which a step was committed and another was cut short.
    fn leave_sized(&self, bus: &str) {
        let plan = sized(bus, FIRST, |_| ());
        let taken = self.acquire(&plan).unwrap();
        taken.write_topology(&plan).unwrap();
        for (owner, region) in regions(&plan) {
            let file = BusDirectory::region_file_name(owner);
            region
                .create(taken.path(), &file, boot_id().unwrap())
                .unwrap();
        }
        let mut book = Sized::attach(&self.region(&plan), FIRST.0);
        book.core.begin(0);
        for value in 1..4 {
            book.vector.push(value).unwrap();
        }
        for value in 10..16 {
            book.last.push(value).unwrap();
        }
        for key in 0..9 {
            book.map.insert(key, Old { price: key + 100 }).unwrap();
        }
        book.table.set(0, 7).unwrap();
        book.table.set(3, 8).unwrap();
        assert!(book.core.finish(Verdict::Keep).unwrap().committed);
        book.core.begin(0);
        book.vector.clear().unwrap();
        book.last.push(99).unwrap();
        book.map.remove(&4).unwrap();
        book.table.set(5, 99).unwrap();
    }
}

#[test]
fn other_capacities_are_taken_over_or_say_what_they_need() {
    let root = Root::new("migrate-sizes");
    for (bus, sizes, (pushed, last)) in [
        (
            "more",
            ([400, 60, 700, 90], 5000),
            (4, &[12, 13, 14, 15][..]),
        ),
        ("less", ([3, 2, 9, 4], 40), (6, &[14, 15][..])),
        // As many slots for the map as before.
        ("alike", ([4, 4, 9, 8], 200), (6, &[12, 13, 14, 15][..])),
    ] {
        root.leave_sized(bus);
        let refused = root.acquire(&sized(bus, sizes, |_| ())).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("in what was left, which `.migrate_capacity(..)` takes over"),
            "{text}"
        );
        let plan = resized(bus, sizes);
        drop(root.acquire(&plan).unwrap());
        let mut book = Sized::attach(&root.region(&plan), sizes.0);
        book.is(pushed, last);
        book.core.begin(0);
        book.last.push(16).unwrap();
        book.table.set(sizes.0[3] - 1, 8).unwrap();
        assert!(book.core.finish(Verdict::Keep).unwrap().committed);
        assert_eq!(
            (book.last.last(), book.last.pushed()),
            (Some(16), pushed + 1)
        );
    }
    for (place, (capacities, needs)) in [
        (
            [2, 4, 10, 8],
            "`book/vector` needs room for 3 entries, its capacity is 2",
        ),
        (
            [4, 4, 8, 8],
            "`book/map` needs room for 9 entries, its capacity is 8",
        ),
        (
            [4, 4, 10, 3],
            "`book/table` needs room for 4 entries, its capacity is 3",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let bus = format!("needs-{place}");
        root.leave_sized(&bus);
        let refused = root.acquire(&resized(&bus, (capacities, 200))).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(needs), "{text}");
        let plan = sized(&bus, FIRST, |_| ());
        drop(root.acquire(&plan).unwrap());
        Sized::attach(&root.region(&plan), FIRST.0).is(6, &[12, 13, 14, 15]);
    }
}

#[test]
fn a_map_gets_other_keys_and_values() {
    let root = Root::new("migrate-map");
    let plan = |bus: &str, key: fn(u32) -> [u64; 2]| {
        let mut draft = Topology::builder("sizes");
        draft
            .bus(bus)
            .leftover(Leftover::Resume)
            .migrate_capacity("book", "map")
            .migrate_map("book", "map", move |old: &u32, value: &Old| {
                (key(*old), New::from(value))
            });
        let [vector, last, _, table] = FIRST.0;
        let ends = (
            durable::vector::<u64>("vector", vector),
            durable::last::<u64>("last", last),
            durable::map::<[u64; 2], New>("map", 100),
            durable::table::<u64>("table", table),
            durable::changes(FIRST.1),
        );
        draft.partition("book").actor("book", ends, |_| Nothing);
        std::sync::Arc::clone(draft.build().unwrap().plan())
    };
    root.leave_sized("map");
    let twice = plan("map", |key| [u64::from(key / 2), 0]);
    let text = root.acquire(&twice).unwrap_err().to_string();
    assert!(
        text.contains("map `book/map`: two of its entries are migrated to the same key"),
        "{text}"
    );
    let migrating = plan("map", |key| [u64::from(key), 77]);
    drop(root.acquire(&migrating).unwrap());
    let region = root.region(&migrating);
    let mut attach = Attach::<{ airssys_ringbuf::step::mistake::NONE }>::new(&region, "book", 0, 0);
    let map = attach
        .as_mut()
        .unwrap()
        .map::<[u64; 2], New>("map", 100)
        .unwrap();
    assert_eq!(map.len(), 9);
    for key in 0..9_u32 {
        let found = map.get(&[key.into(), 77]);
        assert_eq!(found, Some(new(key + 100)), "{key}");
    }
}
