#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::sync::mpsc::channel;
use std::thread;

use super::super::halt;
use super::*;
use crate::layout::{actor_section, table_section, undo_section};
use crate::region::RegionPlan;
use crate::step::{Attach, Verdict, mistake};

/// The observer has copied what a step has changed when the step is undone; the log that it looks at then tells of nothing.
#[test]
fn a_look_during_which_a_step_is_undone_begins_again() {
    let schema = u64::SCHEMA.to_text();
    let mut plan = RegionPlan::new("view", "own", 1);
    plan.add(actor_section("actor", 0, 0))
        .add(undo_section("actor", 8))
        .add(table_section("actor/table", &schema, 8, 2));
    let region = Region::heap(&plan).unwrap();
    let (change, changed) = channel();
    let (copy, copied) = channel();
    let (undo, undone) = channel();
    let (look, looked) = channel::<()>();
    thread::scope(|scope| {
        let region = &region;
        scope.spawn(move || {
            let mut attach = Attach::<{ mistake::NONE }>::new(region, "actor", 0, 0).unwrap();
            let mut table = attach.table::<u64>("table", 2).unwrap();
            let mut core = attach.finish();
            core.begin(0);
            table.set(0, 1).unwrap();
            assert!(core.finish(Verdict::Keep).unwrap().committed);
            core.begin(0);
            table.set(0, 2).unwrap();
            change.send(()).unwrap();
            copied.recv().unwrap();
            halt::at_next(move || {
                undo.send(()).unwrap();
                looked.recv().unwrap();
            });
            let _ = core.finish(Verdict::Abort).unwrap();
        });
        let view = CollectionView::new(region, "actor", (0, 0), (SectionKind::Table, "table"));
        let view = view.unwrap();
        changed.recv().unwrap();
        halt::at_next(move || {
            copy.send(()).unwrap();
            undone.recv().unwrap();
        });
        let rows = view.rows::<u64>(..);
        look.send(()).unwrap();
        assert_eq!(rows.unwrap(), [1, 0]);
    });
}
