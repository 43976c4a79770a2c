//! What a topology says of its durable collections and migrations before it is launched, and what `build` refuses of them.

use airssys_rt::prelude::*;
use airssys_rt::{Message, TopologyBuilder, TopologyError};

use crate::refused::says;
use crate::{Nothing, Tick};

fn ledger(capacity: usize, changes: usize) -> Topology {
    let mut plan = Topology::builder("ledger");
    let ends = (
        durable::<u64>("cell"),
        durable::changes(changes),
        durable::vector::<Tick>("trades", 100),
        [durable::last::<u8>("last", 10)],
        durable::map::<u64, Tick>("orders", capacity),
        durable::table::<Tick>("rows", 1 << 22),
    );
    plan.partition("ledger")
        .actor("ledger", ends, |(_, (), _, [_], _, _)| Nothing);
    plan.build().unwrap()
}

#[test]
fn they_are_in_its_text_its_digest_and_its_bill() {
    let topology = ledger(100, 1000);
    let text = topology.describe();
    let expected = "\
actor ledger
  partition ledger
  inputs 
  outputs 
  changes 1000
cell ledger/cell
  schema u64 8 8
vector ledger/trades
  capacity 100
  schema Tick 16 8 | seq u64 0 | price f64 8
last ledger/last
  capacity 10
  schema u8 1 1
map ledger/orders
  capacity 100
  schema entry 24 8 | key u64 0 | value.seq u64 8 | value.price f64 16
table ledger/rows
  capacity 4194304
  schema Tick 16 8 | seq u64 0 | price f64 8
";
    assert!(text.contains(expected), "{text}");
    for other in [ledger(101, 1000), ledger(100, 1001)] {
        assert_ne!(topology.digest(), other.digest());
    }
    let told = topology.difference(&ledger(120, 1000).describe()).unwrap();
    assert_eq!(
        told,
        "map `ledger/orders`: capacity is 100 in this program, 120 in the region"
    );
    let plan = topology.plan_text();
    for line in [
        "ledger/trades  100      1.8 KiB\n",
        "ledger/last    10       256 B\n",
        "ledger/orders  100      8.2 KiB\n",
        "ledger/rows    4194304  64.1 MiB\n",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
}

/// The error of an actor `base` with these ends.
fn refused_ends<E: airssys_rt::Ends>(ends: E) -> TopologyError {
    let mut plan = Topology::builder("quotes");
    plan.partition("base").actor("base", ends, |_| Nothing);
    plan.build().unwrap_err()
}

#[test]
fn collections_of_impossible_sizes_and_names_are_refused() {
    says(
        &refused_ends(durable::vector::<Tick>("trades", 0)),
        "topology `quotes`, actor `base`, durable vector `trades`: capacity 0 holds no entry; use 1 to 4294967296",
    );
    says(
        &refused_ends(durable::map::<u64, Tick>("orders", (1 << 32) + 1)),
        "topology `quotes`, actor `base`, durable map `orders`: capacity 4294967297 is above the maximum; use at most \
         4294967296",
    );
    let error = refused_ends(durable::last::<Tick>("Last", 4));
    assert!(matches!(error, TopologyError::CellName { .. }), "{error}");
    let error = refused_ends((durable::<u64>("a"), durable::table::<Tick>("a", 4)));
    assert!(
        matches!(error, TopologyError::DuplicateCell { .. }),
        "{error}"
    );
    let huge = || durable::table::<[u64; 512]>("rows", 1 << 32);
    let name = |table: u32| format!("rows-{table}");
    let many: Vec<_> = (0..8)
        .map(|table| durable::table::<[u64; 512]>(name(table), 1 << 32))
        .collect();
    let error = refused_ends(many);
    assert!(
        matches!(error, TopologyError::RegionTooLarge { .. }),
        "{error}"
    );
    let mut plan = Topology::builder("quotes");
    plan.partition("base").actor("base", huge(), |_| Nothing);
    assert!(plan.build().is_ok(), "no machine may have it");
}

#[test]
fn bounds_on_changes_are_checked() {
    says(
        &refused_ends((durable::vector::<Tick>("trades", 4), durable::changes(0))),
        "topology `quotes`, actor `base`: 0 changed words a step are out of range; use `durable::changes` with 1 to 268435456",
    );
    says(
        &refused_ends((durable::changes(5), durable::changes(5))),
        "topology `quotes`, actor `base`: it has more than one `durable::changes`; an actor's collections share one bound, \
         keep one",
    );
}

/// The error of a topology with a cell, a map and the migration from `Old` to `New` of one of them.
fn refused_migration<Old: Message, New: Message>(
    whose: [&str; 2],
    convert: fn(&Old) -> New,
) -> String {
    let mut plan = Topology::builder("quotes");
    let ends = (
        durable::<Tick>("last"),
        durable::map::<u64, Tick>("orders", 4),
    );
    plan.partition("base").actor("base", ends, |_| Nothing);
    plan.migrate(whose[0], whose[1], convert);
    let error = plan.build().unwrap_err().to_string();
    let [actor, state] = whose;
    let head = format!("topology `quotes`, migration of `{actor}/{state}`: ");
    let remedy = "; name a cell or a collection of the topology and the type that it has now";
    let problem = error
        .strip_prefix(&head)
        .and_then(|rest| rest.strip_suffix(remedy));
    problem.unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn migrations_lead_from_another_type_to_one_that_there_is() {
    let byte = |_: &u64| 0_u8;
    assert_eq!(
        refused_migration(["book", "last"], byte),
        "there is no such actor"
    );
    assert_eq!(
        refused_migration(["base", "first"], byte),
        "the actor has no such cell or collection"
    );
    assert_eq!(
        refused_migration(["base", "orders"], byte),
        "it is a map: use `.migrate_map(..)`"
    );
    assert_eq!(
        refused_migration(["base", "last"], byte),
        "it leads to another type than the topology has: the message is `u8` in the migration, `Tick` in the topology"
    );
    assert_eq!(
        refused_migration(["base", "last"], |old: &Tick| *old),
        "both of its types are the same"
    );
    let refused = |state: &str, migrate: fn(&mut TopologyBuilder, &str)| {
        let mut plan = Topology::builder("quotes");
        let ends = (durable::<Tick>("last"), durable::vector::<Tick>("all", 4));
        plan.partition("base").actor("base", ends, |_| Nothing);
        migrate(&mut plan, state);
        plan.build().unwrap_err().to_string()
    };
    let of_map: fn(&mut TopologyBuilder, &str) = |plan, state| {
        plan.migrate_map("base", state, |key: &u64, tick: &Tick| (*key as u32, *tick));
    };
    let capacity: fn(&mut TopologyBuilder, &str) = |plan, state| {
        plan.migrate_capacity("base", state);
    };
    let of_nobody: fn(&mut TopologyBuilder, &str) = |plan, state| {
        plan.migrate_capacity("book", state);
    };
    for (state, migrate, problem) in [
        (
            "all",
            of_nobody,
            "migration of `book/all`: there is no such actor;",
        ),
        ("last", of_map, "it is a cell: use `.migrate(..)`"),
        (
            "all",
            of_map,
            "it is a vector, not a map: use `.migrate(..)`",
        ),
        (
            "last",
            capacity,
            "the actor has no such collection, and nothing else has",
        ),
    ] {
        let text = refused(state, migrate);
        assert!(text.contains(problem), "{text}");
    }
    let mut plan = Topology::builder("quotes");
    plan.partition("base")
        .actor("base", durable::<Tick>("last"), |_| Nothing);
    for price in [0.0, 1.0] {
        plan.migrate("base", "last", move |seq: &u64| Tick { seq: *seq, price });
    }
    let text = plan.build().unwrap_err().to_string();
    assert!(
        text.contains("there is another one from the same type"),
        "{text}"
    );
}
