//! Dead letters that `build` refuses.

use airssys_rt::TopologyError;
use airssys_rt::prelude::*;

use crate::Nothing;
use crate::refused::says;

#[test]
fn dead_letters_that_nobody_could_keep() {
    let mut plan = Topology::builder("quotes");
    let (out, input) = plan.link_with::<u64>("ticks", LinkOptions::new(8).dead_letters(8));
    plan.partition("base").actor("base", out, |_| Nothing);
    plan.host().receives(input);
    let error = plan.build().unwrap_err();
    assert!(matches!(error, TopologyError::DeadLettersOfHost { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: its dead letters have nobody to keep them, since the launching program receives from \
         it; drop `.dead_letters(..)`, or let an actor receive",
    );
}

#[test]
fn dead_letters_are_a_link_and_a_cell_of_their_own() {
    let refused = |capacity, cells| {
        let mut plan = Topology::builder("quotes");
        let options = LinkOptions::new(8).dead_letters(capacity);
        let (out, input) = plan.link_with::<u64>("ticks", options);
        plan.partition("feed").actor("feed", out, |_| Nothing);
        let cells: Vec<_> = (0..cells)
            .map(|cell| durable::<u64>(format!("cell-{cell}")))
            .collect();
        plan.partition("base")
            .actor("base", (input, cells), |_| Nothing);
        plan.build().unwrap_err()
    };
    says(
        &refused(6, 0),
        "topology `quotes`, link `ticks/letters`: capacity 6 is not a power of two; use 8",
    );
    assert!(matches!(refused(0, 0), TopologyError::CapacityZero { .. }));
    let error = refused(8, 64);
    assert!(matches!(
        error,
        TopologyError::TooManyCells { found: 65, .. }
    ));
}
