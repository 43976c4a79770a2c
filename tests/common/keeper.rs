//! An actor whose collections are a function of the number of items that it has seen.

use airssys_rt::prelude::*;
use airssys_rt::{LinkIn, TopologyBuilder};

use super::{Item, Seen};

/// Entries of each of its collections: fewer than it has seen for most of a run.
const ENTRIES: usize = 50;

/// Puts every item into each of its collections, and checks them when it is made.
pub(crate) struct Keeper {
    input: Receiver<Item>,
    seen: Durable<Seen>,
    vector: DurableVec<Item>,
    last: DurableRing<u64>,
    map: DurableMap<u64, u64>,
    table: DurableTable<[u64; 3]>,
    batch: usize,
    /// What its incarnation has found wrong.
    wrong: u64,
}

impl Keeper {
    fn keep(&mut self, item: Item) -> Result<(), CollectionError> {
        let seq = item.seq;
        if self.vector.len() == ENTRIES {
            self.vector.clear()?;
        }
        self.vector.push(item)?;
        self.last.push(seq)?;
        self.map.insert(seq, item.value)?;
        if let Some(old) = seq.checked_sub(ENTRIES as u64 - 1) {
            self.map.remove(&old)?;
        }
        let sum = item.value.wrapping_add(seq);
        self.table
            .set(seq as usize % ENTRIES, [seq, item.value, sum])
    }

    /// Counts what isn't as so many items leave it.
    fn check(&self) -> u64 {
        let next = self.seen.get().next;
        let recent = |most: u64| next.saturating_sub(most)..next;
        let entries = ENTRIES as u64;
        let in_vector = next.saturating_sub((next + entries - 1) % entries + 1)..next;
        let is_kept = |seq| self.map.get(&seq) == Some(Item::new(seq).value);
        let is_there = |seq: u64| {
            let value = Item::new(seq).value;
            let row = [seq, value, value.wrapping_add(seq)];
            self.table.get((seq % entries) as usize) == Some(row)
        };
        let sound = [
            self.vector.iter().map(|item| item.seq).eq(in_vector),
            self.last.pushed() == next,
            self.last.iter().eq(recent(entries)),
            self.map.len() as u64 == next.min(entries - 1),
            recent(entries - 1).all(is_kept),
            recent(entries).all(is_there),
        ];
        sound.into_iter().filter(|sound| !sound).count() as u64
    }
}

impl Actor for Keeper {
    fn step(&mut self) -> Result<Step, Refused> {
        let mut items = Vec::with_capacity(self.batch);
        let received = self.input.drain(self.batch, |item| items.push(*item));
        if received > 0 {
            self.wrong += self.check();
        }
        for item in items {
            self.keep(item).unwrap();
            self.seen.borrow_mut().note(&item);
        }
        self.seen.borrow_mut().wrong += std::mem::take(&mut self.wrong);
        if received == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(received.into())
    }
}

/// A partition `keeper` that keeps and checks up to `batch` items in a step; `seen` says what was wrong.
pub(crate) fn keeper(plan: &mut TopologyBuilder, input: LinkIn<Item>, batch: usize) {
    let ends = (
        (input, durable::<Seen>("seen"), durable::changes(400)),
        durable::vector("vector", ENTRIES),
        durable::last("last", ENTRIES),
        durable::map("map", ENTRIES),
        durable::table("table", ENTRIES),
    );
    plan.partition("keeper").actor(
        "keeper",
        ends,
        move |((input, seen, ()), vector, last, map, table)| {
            let mut keeper = Keeper {
                input,
                seen,
                vector,
                last,
                map,
                table,
                batch,
                wrong: 0,
            };
            keeper.wrong = keeper.check();
            keeper
        },
    );
}
