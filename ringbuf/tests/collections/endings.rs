//! What is left of a step: all of it, or nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::step::{Verdict, recover};

use crate::common::{Own, Row, region};

#[test]
fn a_committed_step_is_there_in_the_next_incarnation() {
    let region = region(400);
    let mut own = Own::attach(&region);
    assert!(own.step(1, Verdict::Keep));
    let kept = own.kept();
    assert_eq!(kept.cell, 1);
    assert_eq!(kept.vector.len(), 1);
    assert_eq!(kept.map.len(), 3);
    drop(own);
    assert_eq!(Own::attach(&region).kept(), kept);
}

#[test]
fn an_aborted_an_abandoned_and_a_rehearsed_step_leave_nothing() {
    let region = region(400);
    let mut own = Own::attach(&region);
    assert!(own.step(1, Verdict::Keep));
    let kept = own.kept();
    assert!(!own.step(2, Verdict::Abort));
    assert_eq!(own.kept(), kept);
    own.core.begin(0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        own.change(3);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    own.core.abandon();
    assert_eq!(own.kept(), kept);
    let Own { core, vector, .. } = &mut own;
    let rehearsed = core.rehearse(0, || vector.push(Row::of(9)).unwrap());
    assert!(!rehearsed.unwrap().committed);
    assert_eq!(own.kept(), kept);
    assert!(own.step(4, Verdict::Keep), "the next step is whole");
    let kept = own.kept();
    drop(own);
    assert_eq!(Own::attach(&region).kept(), kept);
}

/// The author's closure is done before anything is changed.
#[test]
fn a_panic_within_an_update_leaves_the_value() {
    let region = region(400);
    let mut own = Own::attach(&region);
    assert!(own.step(1, Verdict::Keep));
    own.core.begin(0);
    let before = own.kept();
    let table = &mut own.table;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        table.update(0, |row| {
            row.id = 99;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(own.kept(), before);
}

#[test]
fn recovery_without_the_actor_undoes_too() {
    let region = region(400);
    let mut own = Own::attach(&region);
    assert!(own.step(1, Verdict::Keep));
    let kept = own.kept();
    own.core.begin(0);
    own.change(2);
    drop(own);
    assert!(!recover(&region, "actor", &[], &[]).unwrap());
    // What the next one finds, it finds undone: its own log says that there is nothing to undo.
    let own = Own::attach(&region);
    assert_eq!(own.kept(), kept);
}

#[test]
fn a_collection_alone_makes_a_step_one_that_counts() {
    let region = region(400);
    let mut own = Own::attach(&region);
    let steps = own.core.steps();
    own.core.begin(0);
    own.table.update(3, |row| row.id += 1).unwrap();
    assert!(own.core.finish(Verdict::Keep).unwrap().committed);
    assert_eq!(own.core.steps(), steps + 1);
    own.core.begin(0);
    own.table.update(3, |row| row.id += 0).unwrap();
    assert!(
        !own.core.finish(Verdict::Keep).unwrap().committed,
        "nothing differs"
    );
    own.core.begin(0);
    assert_eq!(own.table.get(3).unwrap().id, 1);
    assert!(
        !own.core.finish(Verdict::Keep).unwrap().committed,
        "only looked at"
    );
}

#[test]
fn a_change_outside_of_a_step_is_refused_and_a_look_is_not() {
    let region = region(400);
    let mut own = Own::attach(&region);
    let panicked = catch_unwind(AssertUnwindSafe(|| own.vector.push(Row::of(1))));
    let text = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(
        text,
        "durable collection `actor/vector` changed outside of a step: only a step can commit it"
    );
    assert_eq!(own.vector.get(0), None);
}
