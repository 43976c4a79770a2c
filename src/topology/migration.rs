//! Declaring migrations: how what an earlier program left becomes what this one keeps.

use std::fmt;
use std::sync::Arc;

use airssys_ringbuf::__private::bytemuck;
use airssys_ringbuf::Message;

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
    pub(crate) old_size: usize,
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
            new_schema: New::SCHEMA.to_text(),
            convert: Arc::new(convert),
        }
    }

    pub(crate) fn is_of(&self, actor: &str, state: &str) -> bool {
        (self.actor.as_str(), self.state.as_str()) == (actor, state)
    }
}

impl TopologyBuilder {
    /// Takes over what a program has left in whose topology this cell, or each value of this collection, was an `Old`: where a
    /// start is to resume a bus ([`Leftover::Resume`](crate::Leftover::Resume)) and that is all in which the two topologies
    /// differ, `convert` is called for each value that is there. A cell that no step has set yet starts as the topology says.
    ///
    /// A start that is killed meanwhile leaves the old bus or the new one, whole, for the next start. It takes as much memory
    /// again as the bus has, until it is done. One that fails, because `convert` panics or memory is short, leaves the old bus.
    /// Several migrations from different types to the same may be registered; what is left is converted once. The bound of
    /// [`durable::changes`](crate::durable::changes), capacities and links aren't migrated, nor is a map.
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
        return Ok(&cell.schema_text);
    }
    let mut collections = actor.collections.iter();
    let collection = collections
        .find(|collection| collection.name == migration.state)
        .ok_or("the actor has no such cell or collection")?;
    if collection.kind == CollectionKind::Map {
        return Err("it is a map, whose entries can't be migrated".to_owned());
    }
    Ok(&collection.schema_text)
}
