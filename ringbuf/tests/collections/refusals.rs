//! What a collection, a step and an attach refuse, and what each says.

use std::sync::atomic::Ordering;

use airssys_ringbuf::layout::{actor_section, undo_section, vector_section};
use airssys_ringbuf::memory::Words;
use airssys_ringbuf::region::{Region, RegionPlan, SectionKind};
use airssys_ringbuf::step::{Attach, Verdict};
use airssys_ringbuf::{Message, message};

use crate::common::{MAP, Own, ROWS, Row, VECTOR, region};

#[test]
fn a_full_one_names_itself_its_capacity_and_the_remedy() {
    let region = region(4000);
    let mut own = Own::attach(&region);
    own.core.begin(0);
    for seed in 0..VECTOR as u64 {
        own.vector.push(Row::of(seed)).unwrap();
    }
    for key in 0..MAP as u64 {
        assert_eq!(own.map.insert(key, Row::of(key)).unwrap(), None);
    }
    assert_eq!(
        own.vector.push(Row::of(0)).unwrap_err().to_string(),
        "durable collection `actor/vector` is full: it holds 24 entries, its capacity; remove some first, or declare it with a \
         larger capacity"
    );
    let full = own.map.insert(99, Row::of(0)).unwrap_err().to_string();
    assert!(
        full.contains("`actor/map` is full: it holds 20 entries"),
        "{full}"
    );
    assert_eq!(
        own.map
            .upsert(99, Row::of(0), |_| ())
            .unwrap_err()
            .to_string(),
        full
    );
    assert_eq!(
        own.map.insert(7, Row::of(1)).unwrap(),
        Some(Row::of(7)),
        "it is there"
    );
    assert!(own.core.finish(Verdict::Keep).unwrap().committed);
    assert_eq!((own.vector.len(), own.map.len()), (VECTOR, MAP));
}

#[test]
fn an_index_too_large_is_named() {
    let region = region(4000);
    let mut own = Own::attach(&region);
    own.core.begin(0);
    assert_eq!(
        own.table.set(ROWS, Row::of(0)).unwrap_err().to_string(),
        "durable collection `actor/table` has no entry 8: it holds 8, from 0; check the index before"
    );
    assert!(own.vector.update(0, |_| ()).is_err());
    assert!(own.vector.swap_remove(0).is_err());
}

#[test]
fn a_step_that_changes_too_much_is_told_and_loses_nothing() {
    // A row of three words, a length; a removal that has to move entries needs more.
    let region = region(9);
    let mut own = Own::attach(&region);
    own.core.begin(0);
    own.vector.push(Row::of(5)).unwrap();
    own.vector.push(Row::of(6)).unwrap();
    let kept = own.kept();
    let error = own.vector.push(Row::of(7)).unwrap_err().to_string();
    assert_eq!(
        error,
        "durable collection `actor/vector`: the step has changed 8 words of 8 bytes of actor `actor`'s collections, and this \
         takes it above its bound of 9; do less in one step, or declare a higher bound with `durable::changes(..)`"
    );
    assert!(own.map.insert(1, Row::of(70)).is_err());
    assert_eq!(own.kept(), kept, "each is as it was before the call");
    assert!(
        own.core.finish(Verdict::Keep).unwrap().committed,
        "what was done before may be committed"
    );
    own.core.begin(0);
    own.vector.push(Row::of(7)).unwrap();
    assert!(
        own.map.insert(1, Row::of(70)).is_err(),
        "of six words, five fit"
    );
    assert!(!own.core.finish(Verdict::Abort).unwrap().committed);
    assert_eq!(own.kept(), kept);
}

#[message]
struct Other {
    id: u32,
    left: [u16; 5],
    right: [i8; 6],
}

#[test]
fn another_schema_kind_size_or_actor_is_refused_with_both_sides() {
    let region = region(40);
    let mut attach = Attach::<0>::new(&region, "actor", 0, 0).unwrap();
    assert_eq!(
        attach
            .vector::<Other>("vector", VECTOR)
            .unwrap_err()
            .to_string(),
        "link or cell `actor/vector`: the message is `Other` in this program, `Row` in the region"
    );
    drop(attach);
    let mut attach = Attach::<0>::new(&region, "actor", 0, 0).unwrap();
    let other = attach.map::<u32, Row>("map", MAP).unwrap_err().to_string();
    assert!(
        other.contains("field `key` is u32 at 0 in this program, u64 at 0 in the region"),
        "{other}"
    );
    assert!(
        attach.table::<Row>("vector", VECTOR).is_err(),
        "it is a vector"
    );
    let short = attach
        .table::<Row>("table", ROWS - 1)
        .unwrap_err()
        .to_string();
    assert!(
        short.contains("8 entries of 24 bytes, 7 of 24 expected"),
        "{short}"
    );
}

#[test]
fn a_collection_without_an_undo_log_is_refused() {
    let mut plan = RegionPlan::new("collections", "own", 1);
    plan.add(actor_section("actor", 0, 0)).add(vector_section(
        "actor/vector",
        &u64::SCHEMA.to_text(),
        8,
        4,
    ));
    let region = Region::heap(&plan).unwrap();
    let mut attach = Attach::<0>::new(&region, "actor", 0, 0).unwrap();
    let error = attach.vector::<u64>("vector", 4).unwrap_err().to_string();
    assert!(error.contains("its actor has no undo log"), "{error}");
}

/// Two actors of a region: neither's log reaches the other's collections.
#[test]
fn a_log_that_cannot_be_is_refused() {
    let mut plan = RegionPlan::new("collections", "own", 1);
    plan.add(actor_section("actor", 0, 0))
        .add(undo_section("actor", 4))
        .add(vector_section("actor/vector", &u64::SCHEMA.to_text(), 8, 4))
        .add(vector_section("other/vector", &u64::SCHEMA.to_text(), 8, 4));
    let region = Region::heap(&plan).unwrap();
    let undo = region.section(SectionKind::Undo, "actor").unwrap();
    let words = Words::new(region.memory(), undo.offset, undo.len / 8).unwrap();
    let place = |name| region.section(SectionKind::Vector, name).unwrap().offset as u64;
    let refused = |count, at: u64| {
        words.at(0).store(1, Ordering::Relaxed);
        words.at(1).store(count, Ordering::Relaxed);
        words.at(16).store(at, Ordering::Relaxed);
        let attached = Attach::<0>::new(&region, "actor", 0, 0);
        attached
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let text = refused(5, place("actor/vector"));
    assert!(
        text.contains("5 changes of step 1, which may make 4"),
        "{text}"
    );
    for wrong in [
        0,
        place("other/vector"),
        place("actor/vector") + 4,
        u64::MAX,
    ] {
        let text = refused(1, wrong);
        assert!(
            text.contains("where none of the actor's collections is"),
            "{text}"
        );
    }
    assert_eq!(refused(1, place("actor/vector") + 128), "");
}
