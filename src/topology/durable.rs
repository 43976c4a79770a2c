//! Declaring durable collections: state beyond the size of a cell, of which a step pays for what it changes.
//!
//! A collection is declared with its actor, by value, like a [cell](crate::durable()); the actor's factory gets it opened. It lies in
//! the region of the actor's partition, whole, from the start: a capacity is memory that the bus takes. Its methods change it in
//! place and are part of the step like everything else: a step that is retried, refused or panics leaves no change, and
//! neither does one that is killed at any of its instructions. What they overwrite is kept in an undo log until the step
//! commits; a step may change as many words of 8 bytes as that has room for, 4096 unless [`changes`] says otherwise.
//!
//! [`Monitor::collection`](crate::Monitor::collection) looks at one from outside, as the last commit left it, whether its actor
//! runs or has died. Where the state of an actor is to blame for its deaths, collections are emptied with its cells, if
//! [`reset_state`](crate::PartitionBuilder::reset_state) says so.
//!
//! ```
//! use airssys_rt::prelude::*;
//!
//! #[message]
//! struct Trade { account: u64, amount: i64 }
//!
//! struct Ledger { trades: Receiver<Trade>, balances: DurableMap<u64, i64>, recent: DurableRing<Trade> }
//! impl Actor for Ledger {
//!     fn step(&mut self) -> Result<Step, Refused> {
//!         let Some(trade) = self.trades.try_recv() else { return Ok(Step::Idle) };
//!         match self.balances.upsert(trade.account, 0, |balance| *balance += trade.amount) {
//!             Ok(()) => self.recent.push(trade).expect("far below the bound"),
//!             Err(full) => eprintln!("{full}"), // one account too many: the message is taken, nothing else changes
//!         }
//!         Ok(Step::Busy)
//!     }
//! }
//!
//! let mut plan = Topology::builder("ledger");
//! let (trade_out, trade_in) = plan.link::<Trade>("trades", 16);
//! plan.host().sends(trade_out);
//! plan.partition("ledger").actor(
//!     "ledger",
//!     (trade_in, durable::map("balances", 1000), durable::last("recent", 64), durable::changes(10_000)),
//!     |(trades, balances, recent, ())| Ledger { trades, balances, recent },
//! );
//! let mut bus = plan.build()?.inline(0)?;
//! bus.sender::<Trade>("trades")?.try_send(Trade { account: 7, amount: 40 })?;
//! bus.turn()?;
//! bus.kill("ledger")?; // the next turn begins the next incarnation, with the same balances
//! bus.turn()?;
//! assert_eq!(bus.collection("ledger", "balances")?.get::<u64, i64>(&7)?, Some(40));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::marker::PhantomData;

use airssys_ringbuf::layout::{last_section, map_section, table_section, vector_section};
use airssys_ringbuf::region::Section;
use airssys_ringbuf::step::{DurableMap, DurableRing, DurableTable, DurableVec, MapEntry};
use airssys_ringbuf::{Message, Schema};

use super::ends::{Declaration, Ends};
use super::model::{CollectionKind, CollectionPlan};
use crate::partition::ports::{PortError, PortOpener};

/// A durable collection of an actor, as declared; `C` is what it becomes. Made by [`vector`], [`last`], [`map`] and [`table`].
#[must_use = "a collection exists only once it is declared with an actor"]
pub struct CollectionSpec<C> {
    name: String,
    capacity: usize,
    collection: PhantomData<fn() -> C>,
}

impl<C> CollectionSpec<C> {
    fn new(name: impl Into<String>, capacity: usize) -> Self {
        Self {
            name: name.into(),
            capacity,
            collection: PhantomData,
        }
    }

    fn declare_as(
        &self,
        declaration: &mut Declaration,
        kind: CollectionKind,
        schema: Schema,
        sizes: (usize, usize),
    ) {
        declaration.collections.push(CollectionPlan {
            name: self.name.clone(),
            kind,
            schema_text: schema.to_text(),
            sizes,
            capacity: self.capacity as u64,
        });
    }
}

impl<C> fmt::Debug for CollectionSpec<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CollectionSpec").field(&self.name).finish()
    }
}

/// A vector with room for `capacity` values, empty at first. A value takes its bytes rounded up to 8, and 4 KiB at most.
///
/// The name is unique among the actor's cells and collections: `[a-z0-9][a-z0-9_-]{0,62}`. The capacity is 1 to 2^32. `build` refuses
/// other names and capacities; a value of another size is an error at compile time.
pub fn vector<T: Message>(
    name: impl Into<String>,
    capacity: usize,
) -> CollectionSpec<DurableVec<T>> {
    CollectionSpec::new(name, capacity)
}

/// The last `n` values that were pushed, none at first; sizes and name as for a [`vector`].
pub fn last<T: Message>(name: impl Into<String>, n: usize) -> CollectionSpec<DurableRing<T>> {
    CollectionSpec::new(name, n)
}

/// A hash map with room for `capacity` entries, empty at first; sizes and name as for a [`vector`], for key and value each.
///
/// It takes between 1.5 and 3 slots for each entry, a power of two of them, of 8 bytes more than key and value take.
pub fn map<K: Message, V: Message>(
    name: impl Into<String>,
    capacity: usize,
) -> CollectionSpec<DurableMap<K, V>> {
    CollectionSpec::new(name, capacity)
}

/// A table of `rows` rows, zeroed at first; sizes and name as for a [`vector`].
pub fn table<R: Message>(name: impl Into<String>, rows: usize) -> CollectionSpec<DurableTable<R>> {
    CollectionSpec::new(name, rows)
}

/// How many words of 8 bytes one step of the actor may change in its collections, 1 to 2^28; 4096 unless this is declared with
/// it, once at most. Each takes 16 bytes of the region.
///
/// A word counts each time that an operation changes it to another value. Of what a step changes beyond that, an operation says
/// so and leaves its collection as it was ([`CollectionError::TooManyChanges`](crate::CollectionError::TooManyChanges)).
pub fn changes(words: usize) -> ChangesSpec {
    ChangesSpec { words }
}

/// The bound on the changes of an actor's step, as declared; becomes nothing. Made by [`changes`].
#[derive(Debug)]
#[must_use = "a bound holds only once it is declared with an actor"]
pub struct ChangesSpec {
    words: usize,
}

impl Ends for ChangesSpec {
    type Ports = ();

    fn declare(&mut self, declaration: &mut Declaration) {
        declaration.changes.push(self.words as u64);
    }

    fn open(&self, _: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        Ok(())
    }
}

impl<T: Message> Ends for CollectionSpec<DurableVec<T>> {
    type Ports = DurableVec<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        let sizes = (0, size_of::<T>());
        self.declare_as(declaration, CollectionKind::Vector, T::SCHEMA, sizes);
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.attach(|attach| attach.vector(&self.name, self.capacity))
    }
}

impl<T: Message> Ends for CollectionSpec<DurableRing<T>> {
    type Ports = DurableRing<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        let sizes = (0, size_of::<T>());
        self.declare_as(declaration, CollectionKind::Last, T::SCHEMA, sizes);
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.attach(|attach| attach.last(&self.name, self.capacity))
    }
}

impl<K: Message, V: Message> Ends for CollectionSpec<DurableMap<K, V>> {
    type Ports = DurableMap<K, V>;

    fn declare(&mut self, declaration: &mut Declaration) {
        let sizes = (size_of::<K>(), size_of::<V>());
        let schema = MapEntry::<K, V>::SCHEMA;
        self.declare_as(declaration, CollectionKind::Map, schema, sizes);
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.attach(|attach| attach.map(&self.name, self.capacity))
    }
}

impl<R: Message> Ends for CollectionSpec<DurableTable<R>> {
    type Ports = DurableTable<R>;

    fn declare(&mut self, declaration: &mut Declaration) {
        let sizes = (0, size_of::<R>());
        self.declare_as(declaration, CollectionKind::Table, R::SCHEMA, sizes);
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.attach(|attach| attach.table(&self.name, self.capacity))
    }
}

/// Where it lies; `actor` is the one that it belongs to.
pub(crate) fn section(actor: &str, plan: &CollectionPlan) -> Section {
    let name = super::layout::cell_section_name(actor, &plan.name);
    let (schema, capacity) = (&plan.schema_text, plan.capacity);
    let (_, size) = plan.sizes;
    match plan.kind {
        CollectionKind::Vector => vector_section(&name, schema, size, capacity),
        CollectionKind::Last => last_section(&name, schema, size, capacity),
        CollectionKind::Map => map_section(&name, schema, plan.sizes, capacity),
        CollectionKind::Table => table_section(&name, schema, size, capacity),
    }
}
