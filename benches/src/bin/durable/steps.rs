//! Steps of an actor with one kind of durable state, on this thread.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use airssys_rt::prelude::*;

use crate::Result;

/// What a step changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    Nothing,
    SmallCell,
    Cell,
    /// So many rows in this process's heap, which nobody could recover.
    Heap {
        rows: usize,
    },
    /// A table of so many rows, of which any of `hot`, evenly spaced, are changed.
    Table {
        rows: usize,
        hot: usize,
    },
}

/// 64 bytes, of which one field is changed.
pub(crate) type Row = [u64; 8];

/// Whatever it changes.
trait Change: 'static {
    fn change(&mut self, random: usize);
}

impl Change for () {
    fn change(&mut self, random: usize) {
        std::hint::black_box(random);
    }
}

impl<const N: usize> Change for Durable<[u64; N]> {
    fn change(&mut self, random: usize) {
        self.borrow_mut()[random % N] += 1;
    }
}

impl Change for Vec<Row> {
    fn change(&mut self, random: usize) {
        let row = random % self.len();
        self[row][3] += 1;
    }
}

/// A table, and how far its hot rows lie from each other.
struct Spaced(DurableTable<Row>, usize);

impl Change for Spaced {
    fn change(&mut self, random: usize) {
        let hot = self.0.rows() / self.1;
        let row = (random % hot) * self.1;
        let changed = self.0.update(row, |row| row[3] += 1);
        changed.expect("a row that there is, far below the bound");
    }
}

struct Changing<C> {
    state: C,
    changes: Arc<AtomicUsize>,
    random: Cell<u64>,
}

impl<C: Change> Actor for Changing<C> {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        for _ in 0..self.changes.load(Ordering::Relaxed) {
            self.state.change(drawn(&self.random));
        }
        Ok(Step::Busy)
    }
}

pub(crate) fn drawn(random: &Cell<u64>) -> usize {
    let next = random.get().wrapping_mul(6_364_136_223_846_793_005);
    random.set(next.wrapping_add(1_442_695_040_888_963_407));
    (random.get() >> 33) as usize
}

/// Nanoseconds of a turn, for each number of changes.
pub(crate) fn nanoseconds(subject: Subject, changes: &[usize], turns: u64) -> Result<Vec<f64>> {
    let mut plan = Topology::builder(format!("bench-durable-{}", std::process::id()));
    let asked = Arc::new(AtomicUsize::new(0));
    let given = Arc::clone(&asked);
    let make = move || (Arc::clone(&given), Cell::new(1));
    let mut partition = plan.partition("owner");
    partition.hosted().wait(Wait::spin());
    match subject {
        Subject::Nothing => partition.actor("owner", (), move |()| actor((), make())),
        Subject::SmallCell => {
            let cell = durable::<[u64; 8]>("cell");
            partition.actor("owner", cell, move |cell| actor(cell, make()))
        }
        Subject::Cell => {
            let cell = durable::<[u64; 512]>("cell");
            partition.actor("owner", cell, move |cell| actor(cell, make()))
        }
        Subject::Heap { rows } => partition.actor("owner", (), move |()| {
            // Written, so that it is there.
            actor(vec![[1; 8]; rows], make())
        }),
        Subject::Table { rows, hot } => {
            let table = durable::table::<Row>("table", rows);
            partition.actor("owner", table, move |table| {
                actor(Spaced(table, rows / hot), make())
            })
        }
    };
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut hosted = running.hosted("owner")?;
    let mut found = Vec::with_capacity(changes.len());
    for changes in changes {
        asked.store(*changes, Ordering::Relaxed);
        for _ in 0..turns / 10 {
            hosted.turn()?;
        }
        let start = Instant::now();
        for _ in 0..turns {
            hosted.turn()?;
        }
        found.push(start.elapsed().as_nanos() as f64 / turns as f64);
    }
    running.stop();
    drop(hosted);
    running.join()?;
    Ok(found)
}

fn actor<C: Change>(state: C, (changes, random): (Arc<AtomicUsize>, Cell<u64>)) -> Changing<C> {
    Changing {
        state,
        changes,
        random,
    }
}
