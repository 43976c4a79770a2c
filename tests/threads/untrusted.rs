//! What an impossible word of a peer ends: its link, or on a trusted one the partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use airssys_rt::prelude::*;
use airssys_rt::{RunError, TopologyBuilder};

use crate::common::raid::{Place, between, is_still, is_survived, raided};
use crate::common::{Item, await_that, bus_name, join, remove_bus};

const LAYOUTS: [Layout; 2] = [Layout::Sequenced, Layout::Contiguous];

fn plan_of(bus: &str, options: LinkOptions) -> (TopologyBuilder, Arc<AtomicBool>) {
    let falls = Arc::new(AtomicBool::new(false));
    let mut plan = Topology::builder(bus);
    raided(&mut plan, options, &falls);
    (plan, falls)
}

#[test]
fn an_untrusted_link_ends_alone_and_stays_ended_in_the_next_life() {
    for layout in LAYOUTS {
        let bus = bus_name(&format!("untrusted-{layout:?}").to_lowercase());
        let (plan, falls) = plan_of(&bus, between(layout).untrusted());
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        is_survived(running, &bus, layout, |_| {
            falls.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_trusted_link_ends_the_partition_with_an_error_that_names_the_peer() {
    let places = LAYOUTS.map(Place::Raid);
    for (nth, place) in [places[0], places[1], Place::Bait].into_iter().enumerate() {
        let bus = bus_name(&format!("trusted-{nth}"));
        let layout = match place {
            Place::Raid(layout) => layout,
            Place::Bait => Layout::Sequenced,
        };
        let (plan, _) = plan_of(&bus, between(layout));
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        is_still(&monitor);
        place.spoil(&bus);
        let mut ask = running.sender::<Item>("ask").unwrap();
        // Nobody rings for a word that was written by hand, and it may have been seen without.
        let _ = ask.send(Item::new(0));
        let error = join(running).unwrap_err();
        let RunError::Escalated { why, directory, .. } = error else {
            panic!("{error}");
        };
        remove_bus(directory);
        let (found, _) = place.spoilt();
        let names = format!("the position of its peer `feed` is {found}, impossible");
        assert!(why.starts_with("partition `victim`: "), "{why}");
        assert!(why.contains(&names), "{why}");
        assert!(monitor.links().iter().all(|link| link.fault.is_none()));
        await_that("the end of its ports", || ask.is_closed());
    }
}
