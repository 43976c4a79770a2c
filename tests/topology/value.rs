//! What a topology that was built is good for: its text, its digest, sharing, and the shapes of ends.

use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Refused, TopologyBuilder, Want};

use crate::{Nothing, Tick};

/// A topology with one of everything, after `change` has had its way.
fn quotes(capacity: u64, change: impl FnOnce(&mut TopologyBuilder)) -> Topology {
    let mut plan = Topology::builder("quotes");
    let (out, into) = plan.link::<Tick>("ticks", capacity);
    plan.partition("feed")
        .core(3)
        .share_core()
        .wait(Wait::spin())
        .restart(Restart::transient())
        .shutdown(Duration::from_secs(1))
        .hang_after(Duration::from_secs(2))
        .actor("feed", out, |_| Nothing);
    plan.partition("book")
        .actor("book", (into, durable::<Tick>("last")), |(_, _)| Nothing);
    change(&mut plan);
    plan.build().unwrap()
}

#[test]
fn the_digest_covers_what_two_programs_must_agree_about() {
    let base = quotes(1024, |_| {});
    let same = quotes(1024, |_| {});
    assert_eq!(base.digest(), same.digest());
    assert_eq!(base.difference(&same.describe()), None);
    // Another build of this source must get the same: a change of this figure is a change of every digest.
    assert_eq!(
        base.describe(),
        "topology\n  name quotes\n  intensity 10 in 10 s\n  backoff 1 ms to 1 s\n  drain 5 s\n\
         partition feed\n  wait spin\n  restart transient\n  shutdown 1 s\n  hang-after 2 s\n\
         actor feed\n  partition feed\n  inputs \n  outputs ticks\n\
         partition book\n  wait auto\n  restart permanent\n  shutdown 5 s\n  hang-after 5 s\n\
         actor book\n  partition book\n  inputs ticks\n  outputs \n\
         cell book/last\n  schema Tick 16 8 | seq u64 0 | price f64 8\n\
         link ticks\n  from feed\n  to book\n  capacity 1024\n  stamped no\n  layout sequenced\n  trusted yes\n  schema Tick 16 8 | seq u64 0 | price f64 8\n"
    );

    let elsewhere = quotes(1024, |plan| {
        plan.bus("another");
    });
    assert_eq!(elsewhere.bus(), "another");
    assert_eq!(elsewhere.digest(), base.digest(), "the bus is of one run");

    let warmer = quotes(1024, |plan| {
        plan.lock_memory(Want::Require).huge_pages(Want::No);
    });
    assert_eq!(warmer.digest(), base.digest(), "memory is of one machine");

    let larger = quotes(2048, |_| {});
    assert_ne!(larger.digest(), base.digest());
    assert_eq!(
        larger.difference(&base.describe()).as_deref(),
        Some("link `ticks`: capacity is 2048 in this program, 1024 in the region")
    );
    let other_policy = quotes(1024, |plan| {
        plan.intensity(3, Duration::from_secs(10));
    });
    assert_ne!(other_policy.digest(), base.digest());
    assert_eq!(
        other_policy.difference(&base.describe()).as_deref(),
        Some("topology: intensity is 3 in 10 s in this program, 10 in 10 s in the region")
    );
    for leftover in [Leftover::Discard, Leftover::Refuse, Leftover::Resume] {
        let other_start = quotes(1024, |plan| {
            plan.leftover(leftover);
        });
        assert_eq!(other_start.digest(), base.digest(), "of one start");
    }
}

#[test]
fn a_topology_is_a_value_that_threads_can_share() {
    fn shareable<T: Clone + Send + Sync + std::fmt::Debug + 'static>(_: &T) {}
    let topology = quotes(1024, |_| {});
    shareable(&topology);
    let text = format!("{:?}", topology.clone());
    assert!(
        text.starts_with(
            "Topology { name: \"quotes\", bus: \"quotes\", partitions: 2, links: 1, digest: 0x"
        ),
        "{text}"
    );
}

/// Compiles or doesn't: factories get their ports in the shape of the ends, whatever it is.
#[test]
fn ends_nest() {
    struct Hub {
        _single: Sender<Tick>,
        _many: Vec<Receiver<Tick>>,
        _pair: [Durable<u64>; 2],
    }
    impl Actor for Hub {
        fn step(&mut self) -> Result<Step, Refused> {
            Ok(Step::Done)
        }
    }
    let mut plan = Topology::builder("hub");
    let (out, into) = plan.link_with::<Tick>("ticks", LinkOptions::new(8).stamped());
    let cells = [durable::<u64>("a"), durable_with("b", 7)];
    plan.partition("hub")
        .actor("hub", (out, vec![into], cells), |(single, many, pair)| {
            Hub {
                _single: single,
                _many: many,
                _pair: pair,
            }
        });
    plan.build().unwrap();
}
