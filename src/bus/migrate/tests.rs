//! A migration that is killed between any two of its steps leaves one bus or the other.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::cell::Cell;
use std::path::PathBuf;

use airssys_ringbuf::message;
use airssys_ringbuf::region::boot_id;
use airssys_ringbuf::step::{Durable, DurableRing, DurableTable, DurableVec, StepCore, Verdict};

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
