//! An impossible word of a peer, met by a process: what it ends, and the lines about it.

use std::sync::Arc;

use airssys_rt::RunError;
use airssys_rt::prelude::*;

use crate::common::raid::{Place, between, is_still, is_survived, raided};
use crate::common::{Item, bus_name, join, remove_bus};
use crate::kills::kill;

const LAYOUTS: [Layout; 2] = [Layout::Sequenced, Layout::Contiguous];

fn tag(layout: Layout, trusted: bool) -> String {
    let trust = if trusted { "trusted" } else { "untrusted" };
    format!("{trust}-{layout:?}").to_lowercase()
}

fn plan(layout: Layout, trusted: bool) -> Result<Topology, TopologyError> {
    let name = tag(layout, trusted);
    let mut plan = Topology::builder(&name);
    plan.bus(bus_name(&name));
    let options = between(layout);
    let options = if trusted {
        options
    } else {
        options.untrusted()
    };
    raided(&mut plan, options, &Arc::default());
    plan.build()
}

pub(crate) fn sequenced() -> Result<Topology, TopologyError> {
    plan(Layout::Sequenced, false)
}

pub(crate) fn contiguous() -> Result<Topology, TopologyError> {
    plan(Layout::Contiguous, false)
}

pub(crate) fn trusted() -> Result<Topology, TopologyError> {
    plan(Layout::Sequenced, true)
}

pub(crate) fn ends_alone() {
    for (layout, build) in LAYOUTS.into_iter().zip([sequenced, contiguous]) {
        let topology = build().unwrap();
        let bus = topology.bus().to_owned();
        let running = topology.launch(Launch::Processes).unwrap();
        is_survived(running, &bus, layout, |monitor| kill(monitor, 0));
    }
}

/// Each link that was given up has one line, whoever lived or died meanwhile.
pub(crate) fn was_told_once(stderr: &str) {
    for layout in LAYOUTS {
        let prefix = format!("airssys: {}-", tag(layout, false));
        for place in [Place::Bait, Place::Raid(layout)] {
            let ending = format!("/victim: {}", place.complaint());
            let lines = stderr.lines();
            let told = lines.filter(|line| line.starts_with(&prefix) && line.ends_with(&ending));
            assert_eq!(told.count(), 1, "{prefix}..{ending}");
        }
    }
    assert_eq!(stderr.matches("the link has ended").count(), 4);
}

pub(crate) fn ends_the_partition() {
    let topology = trusted().unwrap();
    let bus = topology.bus().to_owned();
    let running = topology.launch(Launch::Processes).unwrap();
    is_still(&running.monitor());
    Place::Bait.spoil(&bus);
    let mut ask = running.sender::<Item>("ask").unwrap();
    // Nobody rings for a word that was written by hand, and it may have been seen without.
    let _ = ask.send(Item::new(0));
    let error = join(running).unwrap_err();
    let RunError::Escalated { why, directory, .. } = error else {
        panic!("{error}");
    };
    remove_bus(directory);
    assert!(why.starts_with("partition `victim`: exit code 70"), "{why}");
}

pub(crate) fn named_the_peer(stderr: &str) {
    let (found, _) = Place::Bait.spoilt();
    let names = format!("link `bait`: the position of its peer `feed` is {found}, impossible");
    assert!(stderr.contains(&names), "{names}");
}
