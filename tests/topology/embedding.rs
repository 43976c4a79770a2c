//! Host ports, hosted partitions and local links: what `build` refuses, and what the topology's texts say of them.

use airssys_rt::prelude::*;
use airssys_rt::{LinkIn, LinkOut, TopologyBuilder, TopologyError};

use crate::refused::{refused, says};
use crate::{Nothing, Tick};

/// Wires an end to an actor of a partition of its own.
fn wire(plan: &mut TopologyBuilder, ends: impl airssys_rt::Ends) {
    plan.partition("other").actor("other", ends, |_| Nothing);
}

#[test]
fn a_link_has_an_actor_at_one_of_its_ends() {
    let error = refused(|plan| {
        let (out, into) = plan.link::<Tick>("ticks", 8);
        plan.host().sends(out).receives(into);
    });
    assert!(matches!(error, TopologyError::HostToHost { .. }));
    says(
        &error,
        "topology `quotes`, link `ticks`: both of its ends are host ports; wire one of them to an actor, or use a channel",
    );
}

#[test]
fn a_link_of_the_hosts_is_wired_at_its_other_end_too() {
    type HostEnd = fn(&mut TopologyBuilder, LinkOut<Tick>, LinkIn<Tick>);
    let cases: [(HostEnd, &str); 2] = [
        (|plan, out, _| _ = plan.host().sends(out), "receiving"),
        (|plan, _, into| _ = plan.host().receives(into), "sending"),
    ];
    for (declare, end) in cases {
        let error = refused(|plan| {
            let (out, into) = plan.link::<Tick>("ticks", 8);
            declare(plan, out, into);
        });
        assert!(matches!(error, TopologyError::Unwired { .. }));
        says(
            &error,
            &format!(
                "topology `quotes`, link `ticks`: its {end} end is not wired; hand it to an actor with `.actor(name, ends, ..)`"
            ),
        );
    }
}

#[test]
fn the_host_takes_ends_of_its_own_builder() {
    let mut other = Topology::builder("other");
    let (out, _into) = other.link::<Tick>("ticks", 8);
    let error = refused(|plan| {
        plan.host().sends(out);
    });
    assert!(matches!(error, TopologyError::ForeignEnd { .. }));
    says(
        &error,
        "topology `quotes`, actor `(host)`: the end of link `ticks` was made by another builder; declare the link with the \
         builder that declares the actor",
    );
}

#[test]
fn a_thousand_host_ports_are_enough() {
    let ports = |count: usize| {
        let mut plan = Topology::builder("quotes");
        for chunk in 0..count.div_ceil(64) {
            let mut ends = Vec::new();
            for port in 0..(count - 64 * chunk).min(64) {
                let (out, into) = plan.link::<Tick>(format!("ticks-{chunk}-{port}"), 1);
                plan.host().sends(out);
                ends.push(into);
            }
            let name = format!("part-{chunk}");
            plan.partition(&name).actor(&name, ends, |_| Nothing);
        }
        plan.build()
    };
    ports(1_024).unwrap();
    let error = ports(1_025).unwrap_err();
    assert!(matches!(error, TopologyError::TooManyHostPorts { .. }));
    says(
        &error,
        "topology `quotes`: 1025 host ports are above the maximum of 1024; send several kinds over one link",
    );
}

#[test]
fn a_hosted_partition_is_pinned_by_whoever_drives_it() {
    let error = refused(|plan| {
        plan.partition("ui")
            .hosted()
            .core(3)
            .actor("ui", (), |()| Nothing);
    });
    assert!(matches!(error, TopologyError::HostedPinned { .. }));
    says(
        &error,
        "topology `quotes`, partition `ui`: it is hosted and pinned to CPU 3, but runs on a thread of yours, which is not ours \
         to pin; drop `.core(3)` and pin that thread",
    );
}

#[test]
fn local_links_are_wired_named_and_sized_like_others() {
    let error = refused(|plan| {
        let (_out, into) = plan.local_link::<String>("texts", 8);
        wire(plan, into);
    });
    assert!(
        matches!(error, TopologyError::Unwired { end: "sending", .. }),
        "{error}"
    );
    let error = refused(|plan| {
        let (out, _into) = plan.local_link::<String>("texts", 8);
        wire(plan, out);
    });
    assert!(
        matches!(
            error,
            TopologyError::Unwired {
                end: "receiving",
                ..
            }
        ),
        "{error}"
    );

    let error = refused(|plan| {
        let ends = plan.local_link::<String>("texts", 0);
        wire(plan, ends);
    });
    says(
        &error,
        "topology `quotes`, local link `texts`: capacity 0 holds no value; give it room for one at least",
    );

    let error = refused(|plan| {
        let ends = plan.local_link::<String>("texts", usize::MAX);
        wire(plan, ends);
    });
    assert!(
        matches!(error, TopologyError::CapacityTooLarge { .. }),
        "{error}"
    );

    let error = refused(|plan| {
        let ends = (
            plan.local_link::<String>("texts", 1),
            plan.local_link::<u8>("texts", 1),
        );
        wire(plan, ends);
    });
    assert!(
        matches!(error, TopologyError::DuplicateLink { .. }),
        "{error}"
    );
    let error = refused(|plan| {
        let ends = (
            plan.link::<Tick>("ticks", 1),
            plan.local_link::<u8>("ticks", 1),
        );
        wire(plan, ends);
    });
    assert!(
        matches!(error, TopologyError::DuplicateLink { .. }),
        "{error}"
    );

    let error = refused(|plan| {
        let ends = plan.local_link::<String>("Texts", 1);
        wire(plan, ends);
    });
    assert!(matches!(error, TopologyError::LinkName { .. }), "{error}");

    let mut other = Topology::builder("other");
    let (out, _into) = other.local_link::<String>("texts", 1);
    let error = refused(|plan| wire(plan, out));
    assert!(matches!(error, TopologyError::ForeignEnd { .. }), "{error}");
}

/// Any capacity will do: nobody else has to find its way in it.
#[test]
fn a_local_link_holds_three() {
    let mut plan = Topology::builder("quotes");
    let ends = plan.local_link::<String>("texts", 3);
    wire(&mut plan, ends);
    plan.build_for(Launch::Threads).unwrap();
}

#[test]
fn the_texts_tell_all_of_it() {
    let mut plan = Topology::builder("quotes");
    let (tick_out, tick_in) = plan.link::<Tick>("ticks", 8);
    let (text_out, text_in) = plan.local_link::<String>("texts", 3);
    plan.host().sends(tick_out);
    plan.partition("ui")
        .hosted()
        .actor("ui", (tick_in, text_out), |_| Nothing);
    plan.partition("log").actor("log", text_in, |_| Nothing);
    let topology = plan.build().unwrap();
    let text = topology.describe();
    assert!(text.contains("partition ui\n  wait auto\n  restart permanent\n  shutdown 5 s\n  hang-after 5 s\n  hosted yes\n"), "{text}");
    assert!(
        text.contains("link ticks\n  from (host)\n  to ui\n"),
        "{text}"
    );
    assert!(
        text.ends_with("local-link texts\n  from ui\n  to log\n  capacity 3\n"),
        "{text}"
    );
    let plan = topology.plan_text();
    assert!(
        plan.contains("ui         the caller's  auto  ui\n"),
        "{plan}"
    );
    assert!(plan.contains("\nhost "), "{plan}");
}
