//! Who wakes whom: the doorbells between the partitions of a topology and its supervisor.
//!
//! A partition listens to those that it shares a link with, and to the supervisor. It rings those of them that may park.

use std::collections::BTreeSet;

use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::region::{OpenError, Region};

use crate::partition::view::{BusView, doorbells, pulse};
use crate::topology::model::{Plan, WaitKind};

/// Doorbells can't be had from a region.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BellError {
    #[error(transparent)]
    Region(#[from] OpenError),
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// The partitions that `partition` shares a link with.
fn peers(plan: &Plan, partition: usize) -> BTreeSet<usize> {
    plan.links
        .iter()
        .filter_map(|link| match (link.from.partition, link.to.partition) {
            (from, to) if from == partition => Some(to),
            (from, to) if to == partition => Some(from),
            _ => None,
        })
        .filter(|&peer| peer != partition)
        .collect()
}

/// What a wait strategy comes to; `auto` was settled at launch.
pub(crate) fn settled(wait: WaitKind, auto: WaitKind) -> WaitKind {
    if wait == WaitKind::Auto { auto } else { wait }
}

fn may_park(plan: &Plan, partition: usize, auto: WaitKind) -> bool {
    settled(plan.partitions[partition].wait.kind(), auto) == WaitKind::SpinThenPark
}

/// A partition's sleep: it listens to its peers and the supervisor.
pub(crate) fn sleeper(
    plan: &Plan,
    view: &BusView,
    partition: usize,
    barrier: Barrier,
) -> Result<Sleeper, BellError> {
    let own = view.partition(partition);
    let mut sleeper = Sleeper::new(own, pulse(own)?, barrier)?;
    let wakers = peers(plan, partition)
        .into_iter()
        .map(|peer| view.partition(peer))
        .chain([view.supervisor()]);
    for waker in wakers {
        sleeper.listen(waker, doorbells(waker)?, partition)?;
    }
    Ok(sleeper)
}

fn waker_of(
    own: &Region,
    view: &BusView,
    barrier: Barrier,
    sleepers: impl Iterator<Item = usize>,
) -> Result<Waker, BellError> {
    let mut waker = Waker::new(own, doorbells(own)?, barrier)?;
    for sleeper in sleepers {
        let region = view.partition(sleeper);
        waker.add(region, pulse(region)?, sleeper)?;
    }
    Ok(waker)
}

/// Whom a partition wakes.
pub(crate) fn waker(
    plan: &Plan,
    view: &BusView,
    partition: usize,
    (auto, barrier): (WaitKind, Barrier),
) -> Result<Waker, BellError> {
    let sleepers = peers(plan, partition)
        .into_iter()
        .filter(|&peer| may_park(plan, peer, auto));
    waker_of(view.partition(partition), view, barrier, sleepers)
}

/// Whom the supervisor wakes: every partition that may park.
pub(crate) fn supervisor_waker(
    plan: &Plan,
    view: &BusView,
    (auto, barrier): (WaitKind, Barrier),
) -> Result<Waker, BellError> {
    let sleepers = (0..plan.partitions.len()).filter(|&index| may_park(plan, index, auto));
    waker_of(view.supervisor(), view, barrier, sleepers)
}
