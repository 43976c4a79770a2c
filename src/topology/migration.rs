//! Declaring migrations: how what an earlier program left becomes what this one keeps.

use std::fmt;
use std::sync::Arc;

use airssys_ringbuf::__private::bytemuck;
use airssys_ringbuf::Message;
use airssys_ringbuf::step::MapEntry;

use super::TopologyError;
use super::builder::TopologyBuilder;
use super::model::{ActorPlan, CollectionKind, PartitionPlan};

/// A value's bytes, of the old type, to those of the new one.
type Convert = Arc<dyn Fn(&[u8], &mut [u8]) + Send + Sync>;

/// How the value of a cell, or each of a collection's, is taken over from an earlier type.
#[derive(Clone)]
pub(crate) struct Migration {
    pub(crate) actor: String,
    /// The cell or the collection.
    pub(crate) state: String,
    pub(crate) old_schema: String,
    /// Bytes of a value, or of a map's entry without its mark.
    pub(crate) old_size: usize,
    /// Bytes of a key, of a map, and of a value.
    pub(crate) old_sizes: (usize, usize),
    is_of_map: bool,
    new_schema: String,
    pub(crate) convert: Convert,
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "migration of {}/{}", self.actor, self.state)
    }
}

impl Migration {
    pub(super) fn of<Old: Message, New: Message>(
        (actor, state): (String, String),
        convert: impl Fn(&Old) -> New + Send + Sync + 'static,
    ) -> Self {
        let convert = move |old: &[u8], new: &mut [u8]| {
            let old: Old = bytemuck::pod_read_unaligned(old);
            new.copy_from_slice(bytemuck::bytes_of(&convert(&old)));
        };
        Self {
            actor,
            state,
            old_schema: Old::SCHEMA.to_text(),
            old_size: size_of::<Old>(),
            old_sizes: (0, size_of::<Old>()),
            is_of_map: false,
            new_schema: New::SCHEMA.to_text(),
            convert: Arc::new(convert),
        }
    }

    fn of_map<OldK: Message, OldV: Message, NewK: Message, NewV: Message>(
        (actor, state): (String, String),
        convert: impl Fn(&OldK, &OldV) -> (NewK, NewV) + Send + Sync + 'static,
    ) -> Self {
        let convert = move |old: &[u8], new: &mut [u8]| {
            let (old_key, old_value) = old.split_at(whole_words::<OldK>());
            let key: OldK = bytemuck::pod_read_unaligned(&old_key[..size_of::<OldK>()]);
            let value: OldV = bytemuck::pod_read_unaligned(&old_value[..size_of::<OldV>()]);
            let (key, value) = convert(&key, &value);
            new.fill(0);
            let (new_key, new_value) = new.split_at_mut(whole_words::<NewK>());
            new_key[..size_of::<NewK>()].copy_from_slice(bytemuck::bytes_of(&key));
            new_value[..size_of::<NewV>()].copy_from_slice(bytemuck::bytes_of(&value));
        };
        Self {
            actor,
            state,
            old_schema: MapEntry::<OldK, OldV>::SCHEMA.to_text(),
            old_size: MapEntry::<OldK, OldV>::SCHEMA.size,
            old_sizes: (size_of::<OldK>(), size_of::<OldV>()),
            is_of_map: true,
            new_schema: MapEntry::<NewK, NewV>::SCHEMA.to_text(),
            convert: Arc::new(convert),
        }
    }

    pub(crate) fn is_of(&self, actor: &str, state: &str) -> bool {
        (self.actor.as_str(), self.state.as_str()) == (actor, state)
    }
}

/// Bytes that a key or a value takes in an entry of a map.
fn whole_words<T>() -> usize {
    size_of::<T>().next_multiple_of(8)
}

impl TopologyBuilder {
    /// Takes over what a program has left in whose topology this cell, or each value of this collection, was an `Old`: where a
    /// start is to resume a bus ([`Leftover::Resume`](crate::Leftover::Resume)) and that is all in which the two topologies
    /// differ, `convert` is called for each value that is there. A cell that no step has set yet starts as the topology says.
    ///
    /// A start that is killed meanwhile leaves the old bus or the new one, whole, for the next start. It takes as much memory
    /// again as the bus has, until it is done. One that fails, because `convert` panics or memory is short, leaves the old bus.
    /// Several migrations from different types to the same may be registered; what is left is converted once. Of a map see
    /// [`migrate_map`](Self::migrate_map), of capacities [`migrate_capacity`](Self::migrate_capacity). Links aren't migrated.
    ///
    /// `build` refuses an actor, a cell or a collection that there isn't, a map, a `New` other than the topology's type, an `Old`
    /// that is the same, and two migrations from one type ([`TopologyError::Migration`]); the launch says what went wrong with
    /// the bus ([`BusError`](crate::BusError)).
    ///
    /// ```
    /// use airssys_rt::prelude::*;
    /// # struct Book(Durable<Quote>);
    /// # impl Actor for Book {
    /// #     fn step(&mut self) -> Result<Step, Refused> { Ok(Step::Done) }
    /// # }
    ///
    /// #[message]
    /// struct Quote { bid: f64, ask: f64 }
    ///
    /// /// As the last release had it.
    /// mod earlier {
    ///     #[airssys_rt::message]
    ///     pub struct Quote { pub price: f64 }
    /// }
    ///
    /// let mut plan = Topology::builder("quotes");
    /// plan.leftover(Leftover::Resume)
    ///     .migrate("book", "quote", |old: &earlier::Quote| Quote { bid: old.price, ask: old.price });
    /// plan.partition("book").actor("book", durable("quote"), Book);
    /// plan.build()?;
    /// # Ok::<(), TopologyError>(())
    /// ```
    pub fn migrate<Old: Message, New: Message>(
        &mut self,
        actor: impl Into<String>,
        state: impl Into<String>,
        convert: impl Fn(&Old) -> New + Send + Sync + 'static,
    ) -> &mut Self {
        let whose = (actor.into(), state.into());
        self.migrations.push(Migration::of(whose, convert));
        self
    }

    /// The same for a map whose keys or values, or both, were of other types: `convert` is called for each entry, and gives it its
    /// new key and value. The launch refuses two entries with one key.
    ///
    /// ```
    /// use airssys_rt::prelude::*;
    /// # struct Ledger(DurableMap<u64, i64>);
    /// # impl Actor for Ledger {
    /// #     fn step(&mut self) -> Result<Step, Refused> { Ok(Step::Done) }
    /// # }
    ///
    /// let mut plan = Topology::builder("ledger");
    /// plan.leftover(Leftover::Resume)
    ///     .migrate_map("ledger", "balances", |account: &u32, cents: &i32| (u64::from(*account), i64::from(*cents)))
    ///     .migrate_capacity("ledger", "balances");
    /// plan.partition("ledger").actor("ledger", durable::map("balances", 10_000), Ledger);
    /// plan.build()?;
    /// # Ok::<(), TopologyError>(())
    /// ```
    pub fn migrate_map<OldK: Message, OldV: Message, NewK: Message, NewV: Message>(
        &mut self,
        actor: impl Into<String>,
        map: impl Into<String>,
        convert: impl Fn(&OldK, &OldV) -> (NewK, NewV) + Send + Sync + 'static,
    ) -> &mut Self {
        let whose = (actor.into(), map.into());
        self.migrations.push(Migration::of_map(whose, convert));
        self
    }

    /// Takes over what a program has left in whose topology this collection had another capacity, whichever it was, as at
    /// [`migrate`](Self::migrate); and with it another bound on the changes of the actor's steps
    /// ([`durable::changes`](crate::durable::changes)).
    ///
    /// Everything is kept, or the launch says how much room it needs. A table may have fewer rows if those that it loses are zero. Only
    /// of a last-n fewer values are kept if it has less room; with more room than before, the values that were overwritten
    /// count as never pushed.
    ///
    /// `build` refuses an actor or a collection that there isn't ([`TopologyError::Migration`]).
    pub fn migrate_capacity(
        &mut self,
        actor: impl Into<String>,
        collection: impl Into<String>,
    ) -> &mut Self {
        self.resized.push((actor.into(), collection.into()));
        self
    }
}

/// Checks that each migration leads from another type to what the topology has.
pub(super) fn check(draft: &TopologyBuilder) -> Result<(), TopologyError> {
    for (place, migration) in draft.migrations.iter().enumerate() {
        let refused = |problem: String| TopologyError::Migration {
            topology: draft.name.clone(),
            actor: migration.actor.clone(),
            state: migration.state.clone(),
            problem,
        };
        let schema = schema_of(&draft.partitions, migration).map_err(refused)?;
        if let Some(difference) =
            airssys_ringbuf::schema::difference_to(&migration.new_schema, schema, "the topology")
        {
            let difference = difference.replace("in this program", "in the migration");
            return Err(refused(format!(
                "it leads to another type than the topology has: {difference}"
            )));
        }
        if migration.old_schema == migration.new_schema {
            return Err(refused("both of its types are the same".to_owned()));
        }
        let again = draft.migrations[..place].iter().any(|earlier| {
            earlier.is_of(&migration.actor, &migration.state)
                && earlier.old_schema == migration.old_schema
        });
        if again {
            return Err(refused(
                "there is another one from the same type".to_owned(),
            ));
        }
    }
    for (actor, state) in &draft.resized {
        let mut actors = draft.partitions.iter().flat_map(|one| &one.actors);
        let found = actors.find(|found| found.name == *actor);
        let problem = match found.map(|found| &found.collections) {
            None => "there is no such actor",
            Some(all) if all.iter().any(|one| one.name == *state) => continue,
            Some(_) => {
                "the actor has no such collection, and nothing else has a capacity to be migrated"
            }
        };
        return Err(TopologyError::Migration {
            topology: draft.name.clone(),
            actor: actor.clone(),
            state: state.clone(),
            problem: problem.to_owned(),
        });
    }
    Ok(())
}

fn schema_of<'a>(
    partitions: &'a [PartitionPlan],
    migration: &Migration,
) -> Result<&'a str, String> {
    let mut actors = partitions.iter().flat_map(|partition| &partition.actors);
    let actor: &ActorPlan = actors
        .find(|actor| actor.name == migration.actor)
        .ok_or("there is no such actor")?;
    if let Some(cell) = actor.cells.iter().find(|cell| cell.name == migration.state) {
        let is_its = (!migration.is_of_map).then_some(&*cell.schema_text);
        return is_its.ok_or_else(|| "it is a cell: use `.migrate(..)`".to_owned());
    }
    let mut collections = actor.collections.iter();
    let collection = collections
        .find(|collection| collection.name == migration.state)
        .ok_or("the actor has no such cell or collection")?;
    match (collection.kind, migration.is_of_map) {
        (CollectionKind::Map, false) => Err("it is a map: use `.migrate_map(..)`".to_owned()),
        (kind, true) if kind != CollectionKind::Map => {
            Err(format!("it is a {kind}, not a map: use `.migrate(..)`"))
        }
        _ => Ok(&collection.schema_text),
    }
}
