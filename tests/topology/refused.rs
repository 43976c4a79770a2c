//! Every mistake that `build` refuses, with its words.

use std::time::Duration;

use airssys_ringbuf::{Kind, Message, Schema};
use airssys_rt::prelude::*;
use airssys_rt::{TopologyBuilder, TopologyError};

use crate::{Nothing, Tick};

/// What `#[message]` doesn't make, and somebody's own `impl` might.
mod by_hand {
    use airssys_ringbuf::__private::bytemuck;

    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[bytemuck(crate = "bytemuck")]
    #[repr(C)]
    pub(crate) struct Empty;

    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[bytemuck(crate = "bytemuck")]
    #[repr(C, align(128))]
    pub(crate) struct Wide([u64; 16]);
}

impl Message for by_hand::Empty {
    const SCHEMA: Schema = Schema {
        name: "Empty",
        size: 0,
        align: 1,
        kind: Kind::Struct { fields: &[] },
    };
}

impl Message for by_hand::Wide {
    const SCHEMA: Schema = Schema {
        name: "Wide",
        size: 128,
        align: 128,
        kind: Kind::Struct { fields: &[] },
    };
}

/// The error of a topology with one good partition and whatever `declare` adds.
pub(crate) fn refused(declare: impl FnOnce(&mut TopologyBuilder)) -> TopologyError {
    let mut plan = Topology::builder("quotes");
    plan.partition("base").actor("base", (), |()| Nothing);
    declare(&mut plan);
    plan.build().unwrap_err()
}

/// The error of a link of `T` with this name and capacity, wired from the actor `base` to itself.
fn refused_link<T: Message>(name: &str, capacity: u64) -> TopologyError {
    let mut plan = Topology::builder("quotes");
    let ends = plan.link::<T>(name, capacity);
    plan.partition("base").actor("base", ends, |_| Nothing);
    plan.build().unwrap_err()
}

/// The error of an actor `base` with this durable cell.
fn refused_cell<S: Message>(name: &str) -> TopologyError {
    let mut plan = Topology::builder("quotes");
    let cell = durable::<S>(name);
    plan.partition("base").actor("base", cell, |_| Nothing);
    plan.build().unwrap_err()
}

#[track_caller]
pub(crate) fn says(error: &TopologyError, text: &str) {
    assert_eq!(error.to_string(), text);
}

const NAME_RULE: &str = "its name is not valid; a name has 1 to 63 characters of a-z, 0-9, `_` and `-` and starts with a letter or a digit";

#[test]
fn bad_names_are_refused_each_with_its_object() {
    let error = Topology::builder("Quotes").build().unwrap_err();
    assert!(matches!(error, TopologyError::TopologyName { .. }));
    says(&error, &format!("topology `Quotes`: {NAME_RULE}"));

    let error = refused(|plan| {
        plan.bus("../etc");
    });
    assert!(matches!(error, TopologyError::BusName { .. }));
    assert!(
        error
            .to_string()
            .starts_with("topology `quotes`, bus `../etc`: the bus's name")
    );

    let error = refused(|plan| {
        plan.partition("Feed");
    });
    assert!(matches!(error, TopologyError::PartitionName { .. }));
    says(
        &error,
        &format!("topology `quotes`, partition `Feed`: {NAME_RULE}"),
    );

    let error = refused(|plan| {
        plan.partition("feed").actor("a/b", (), |()| Nothing);
    });
    assert!(matches!(error, TopologyError::ActorName { .. }));
    says(
        &error,
        &format!("topology `quotes`, partition `feed`, actor `a/b`: {NAME_RULE}"),
    );

    let error = refused_link::<Tick>("", 8);
    assert!(matches!(error, TopologyError::LinkName { .. }));
    says(&error, &format!("topology `quotes`, link ``: {NAME_RULE}"));

    let error = refused_cell::<Tick>(&"x".repeat(64));
    assert!(matches!(error, TopologyError::CellName { .. }));
    assert!(
        error
            .to_string()
            .starts_with("topology `quotes`, actor `base`, durable cell `xxx")
    );
}

#[test]
fn duplicate_and_reserved_names_are_refused() {
    let error = refused(|plan| {
        plan.partition("base").actor("feed", (), |()| Nothing);
    });
    assert!(matches!(error, TopologyError::DuplicatePartition { .. }));
    says(
        &error,
        "topology `quotes`, partition `base`: declared twice; add all of its actors to one `partition(..)` call, or \
         rename one",
    );

    let error = refused(|plan| {
        plan.partition("feed").actor("base", (), |()| Nothing);
    });
    assert!(matches!(error, TopologyError::DuplicateActor { .. }));
    says(
        &error,
        "topology `quotes`, actor `base`: declared in partition `base` and again in `feed`; actor names are unique in \
         a topology, rename one",
    );

    let error = refused(|plan| {
        let ends = [plan.link::<Tick>("ticks", 8), plan.link::<Tick>("ticks", 8)];
        plan.partition("feed").actor("feed", ends, |_| Nothing);
    });
    assert!(matches!(error, TopologyError::DuplicateLink { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: declared twice; rename one",
    );

    let error = refused(|plan| {
        let cells = vec![durable::<Tick>("last"), durable::<Tick>("last")];
        plan.partition("feed").actor("feed", cells, |_| Nothing);
    });
    assert!(matches!(error, TopologyError::DuplicateCell { .. }));
    says(
        &error,
        "topology `quotes`, actor `feed`, durable cell `last`: declared twice; rename one",
    );

    for name in ["supervisor", "host"] {
        let error = refused(|plan| {
            plan.partition(name).actor("feed", (), |()| Nothing);
        });
        assert!(matches!(error, TopologyError::ReservedPartition { .. }));
        let text = format!(
            "topology `quotes`, partition `{name}`: this name is reserved (`supervisor` and `host` have regions of their own); \
             choose another"
        );
        says(&error, &text);
    }
}

#[test]
fn capacities_are_powers_of_two_within_bounds() {
    let error = refused_link::<Tick>("ticks", 0);
    assert!(matches!(error, TopologyError::CapacityZero { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: capacity 0 holds no message; use a power of two from 1 to 16777216",
    );

    let error = refused_link::<Tick>("ticks", 1000);
    assert!(matches!(
        error,
        TopologyError::CapacityNotPowerOfTwo { next: 1024, .. }
    ));
    says(
        &error,
        "topology `quotes`, link `ticks`: capacity 1000 is not a power of two; use 1024",
    );

    for capacity in [(1 << 24) + 1, 1 << 25, u64::MAX] {
        let error = refused_link::<Tick>("ticks", capacity);
        assert!(matches!(error, TopologyError::CapacityTooLarge { .. }));
        says(
            &error,
            &format!(
                "topology `quotes`, link `ticks`: capacity {capacity} is above the maximum; use at most 16777216"
            ),
        );
    }
}

#[test]
fn a_stamp_has_no_place_in_contiguous_slots() {
    let link = |options: LinkOptions| {
        refused(move |plan| {
            let ends = plan.link_with::<Tick>("ticks", options);
            plan.partition("feed").actor("feed", ends, |_| Nothing);
        })
    };
    let contiguous = LinkOptions::new(64).layout(Layout::Contiguous);
    for options in [
        contiguous.stamped(),
        LinkOptions::new(64).stamped().layout(Layout::Contiguous),
    ] {
        let error = link(options);
        assert!(matches!(error, TopologyError::StampedContiguous { .. }));
        says(
            &error,
            "topology `quotes`, link `ticks`: a stamped link can't be contiguous; leave out `stamped` or take \
             `Layout::Sequenced`",
        );
    }
}

#[test]
fn messages_and_states_fit_their_slots() {
    let error = refused_link::<by_hand::Empty>("ticks", 8);
    assert!(matches!(error, TopologyError::MessageEmpty { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: its message has no bytes; give it at least one field",
    );

    let error = refused_link::<[u8; (1 << 20) + 1]>("ticks", 8);
    assert!(matches!(error, TopologyError::MessageTooLarge { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: a message of 1048577 bytes is above the maximum of 1048576; send it in parts",
    );

    // Wired to an actor it would not even compile.
    let error = refused(|plan| {
        let _ends = plan.link::<by_hand::Wide>("ticks", 8);
    });
    assert!(matches!(
        error,
        TopologyError::MessageAlignment { align: 128, .. }
    ));
    says(
        &error,
        "topology `quotes`, link `ticks`: a message aligned to 128 bytes does not fit a slot, which is aligned to 64; \
         lower its `repr(align)`",
    );

    let error = refused_cell::<by_hand::Empty>("last");
    assert!(matches!(error, TopologyError::StateEmpty { .. }));
    says(
        &error,
        "topology `quotes`, actor `base`, durable cell `last`: its type has no bytes; give it at least one field",
    );

    let error = refused_cell::<by_hand::Wide>("last");
    assert!(matches!(
        error,
        TopologyError::StateAlignment { align: 128, .. }
    ));
    says(
        &error,
        "topology `quotes`, actor `base`, durable cell `last`: its type is aligned to 128 bytes, above the maximum of \
         64; lower its `repr(align)`",
    );
}

#[test]
fn an_actor_and_a_topology_have_their_bounds() {
    let cells = |count| {
        (0..count)
            .map(|n| durable::<u64>(format!("c{n}")))
            .collect::<Vec<_>>()
    };
    let error = refused(|plan| {
        plan.partition("feed").actor("feed", cells(65), |_| Nothing);
    });
    assert!(matches!(
        error,
        TopologyError::TooManyCells { found: 65, .. }
    ));
    says(
        &error,
        "topology `quotes`, actor `feed`: 65 durable cells are above the maximum of 64; join some into one",
    );

    let links = |plan: &mut TopologyBuilder| -> (Vec<_>, Vec<_>) {
        (0..4097)
            .map(|n| plan.link::<u8>(format!("l{n}"), 1))
            .unzip()
    };
    let error = refused(|plan| {
        let (outs, mut ins) = links(plan);
        plan.partition("book")
            .actor("a", ins.split_off(40), |_| Nothing)
            .actor("b", ins, |_| Nothing);
        plan.partition("feed").actor("feed", outs, |_| Nothing);
    });
    assert!(matches!(
        error,
        TopologyError::TooManyLinks { found: 4097, .. }
    ));
    says(
        &error,
        "topology `quotes`, actor `feed`: 4097 outgoing links are above the maximum of 4096; split the actor",
    );
    let error = refused(|plan| {
        let (mut outs, ins) = links(plan);
        plan.partition("feed")
            .actor("a", outs.split_off(40), |_| Nothing)
            .actor("b", outs, |_| Nothing);
        plan.partition("book").actor("book", ins, |_| Nothing);
    });
    says(
        &error,
        "topology `quotes`, actor `book`: 4097 incoming links are above the maximum of 4096; split the actor",
    );

    let error = refused(|plan| {
        for n in 0..63 {
            plan.partition(format!("p{n}"))
                .actor(format!("a{n}"), (), |()| Nothing);
        }
    });
    assert!(matches!(
        error,
        TopologyError::TooManyPartitions { found: 64, .. }
    ));
    says(
        &error,
        "topology `quotes`: 64 partitions are above the maximum of 63; put several actors into one partition",
    );

    let error = refused(|plan| {
        let links = (0..5).map(|n| plan.link::<[u8; 1 << 20]>(format!("l{n}"), 1 << 24));
        let ends: Vec<_> = links.collect();
        plan.partition("feed").actor("feed", ends, |_| Nothing);
    });
    assert!(matches!(error, TopologyError::RegionTooLarge { .. }));
    says(
        &error,
        "topology `quotes`, partition `feed`: its region would not fit into an address space; lower the capacities of \
         its outgoing links",
    );
}

#[test]
fn every_end_is_wired_to_an_actor_of_its_own_builder() {
    let error = refused(|plan| {
        let (_, into) = plan.link::<Tick>("ticks", 8);
        plan.partition("book").actor("book", into, |_| Nothing);
    });
    assert!(matches!(
        error,
        TopologyError::Unwired { end: "sending", .. }
    ));
    says(
        &error,
        "topology `quotes`, link `ticks`: its sending end is not wired; hand it to an actor with `.actor(name, ends, \
         ..)`",
    );

    let error = refused(|plan| {
        let (out, _) = plan.link::<Tick>("ticks", 8);
        plan.partition("feed").actor("feed", out, |_| Nothing);
    });
    assert!(matches!(
        error,
        TopologyError::Unwired {
            end: "receiving",
            ..
        }
    ));

    let mut other = Topology::builder("trades");
    let (_, of_other) = other.link::<Tick>("trades", 8);
    let error = refused(|plan| {
        plan.partition("book").actor("book", of_other, |_| Nothing);
    });
    assert!(matches!(error, TopologyError::ForeignEnd { .. }));
    says(
        &error,
        "topology `quotes`, actor `book`: the end of link `trades` was made by another builder; declare the link with \
         the builder that declares the actor",
    );
}

#[test]
fn nothing_is_left_empty() {
    let error = Topology::builder("quotes").build().unwrap_err();
    assert!(matches!(error, TopologyError::NoPartitions { .. }));
    says(
        &error,
        "topology `quotes`: it has no partition; add one with `.partition(name)`",
    );

    let error = refused(|plan| {
        plan.partition("feed");
    });
    assert!(matches!(error, TopologyError::NoActors { .. }));
    says(
        &error,
        "topology `quotes`, partition `feed`: it has no actor; add one with `.actor(name, ends, ..)` or leave the \
         partition out",
    );
}

#[test]
fn policies_leave_time() {
    let error = refused(|plan| {
        plan.intensity(3, Duration::ZERO);
    });
    assert!(matches!(error, TopologyError::IntensityPeriodZero { .. }));
    says(
        &error,
        "topology `quotes`: intensity 3 in a period of zero can't be judged; give a period such as 10 s",
    );

    let error = refused(|plan| {
        plan.backoff(Duration::from_secs(2), Duration::from_secs(1));
    });
    assert!(matches!(error, TopologyError::BackoffOrder { .. }));
    says(
        &error,
        "topology `quotes`: the backoff starts at 2s, above its maximum of 1s; swap them",
    );

    let error = refused(|plan| {
        plan.drain_timeout(Duration::ZERO);
    });
    assert!(matches!(error, TopologyError::DrainTimeoutZero { .. }));
    says(
        &error,
        "topology `quotes`: a drain timeout of zero lets no inbox drain; give it time, such as 5 s",
    );

    let error = refused(|plan| {
        plan.partition("feed").hang_after(Duration::ZERO);
    });
    assert!(matches!(error, TopologyError::HangAfterZero { .. }));
    says(
        &error,
        "topology `quotes`, partition `feed`: with hang_after zero every step counts as hung; give it time, such as 5 s",
    );
}

#[test]
fn what_cannot_be_rolled_back_cannot_be_warmed_up() {
    for warm in ["feed", "book"] {
        let error = refused(|plan| {
            let (out, into) = plan.local_link::<String>("lines", 4);
            plan.partition("feed")
                .warm_up(u32::from(warm == "feed"))
                .actor("feed", out, |_| Nothing);
            plan.partition("book")
                .warm_up(u32::from(warm == "book"))
                .actor("book", into, |_| Nothing);
        });
        assert!(matches!(error, TopologyError::WarmUpLocal { .. }));
        says(
            &error,
            &format!(
                "topology `quotes`, partition `{warm}`: it warms up, but local link `lines` takes no part in a step and can't \
                 be rolled back; drop `.warm_up(..)`, or make it a link of a `#[message]` type"
            ),
        );
    }
}

#[test]
fn the_first_mistake_in_the_order_of_declaration_is_reported() {
    let error = refused(|plan| {
        let _ends = plan.link::<Tick>("ticks", 1000);
        plan.partition("feed");
        plan.partition("base");
    });
    assert!(matches!(error, TopologyError::NoActors { .. }), "{error}");
}
