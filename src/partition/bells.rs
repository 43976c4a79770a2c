//! Who wakes whom: the doorbells between the partitions of a topology, its supervisor and its host ports.
//!
//! A partition listens to those that it shares a link with, the launching program among them, and to the supervisor. It
//! rings those of them that may park. A host port sleeps and is woken by itself, whatever the other ports do.

use std::collections::BTreeSet;

use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::region::{OpenError, Region};

use crate::partition::view::{BusView, doorbells, port_pulse, pulse};
use crate::topology::model::{ActorId, Plan, WaitKind};

/// How a bus waits: settled once by its launcher, the same for everybody on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// What `Wait::auto()` means on this machine.
    pub(crate) auto: WaitKind,
    /// How sleepers and wakers keep their accesses in order.
    pub(crate) barrier: Barrier,
}

/// Doorbells can't be had from a region.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BellError {
    #[error(transparent)]
    Region(#[from] OpenError),
    #[error(transparent)]
    Range(#[from] RangeError),
}

/// Those who share a link with `party`.
fn neighbours(plan: &Plan, party: usize) -> impl Iterator<Item = ActorId> {
    let links = plan.links.iter().map(|link| (link.from, link.to));
    let locals = plan.locals.iter().map(|local| (local.from, local.to));
    links.chain(locals).filter_map(move |(from, to)| {
        if from.partition == party && to.partition != party {
            Some(to)
        } else if to.partition == party && from.partition != party {
            Some(from)
        } else {
            None
        }
    })
}

impl Waiting {
    /// What a wait strategy comes to.
    pub(crate) fn settled(self, wait: WaitKind) -> WaitKind {
        if wait == WaitKind::Auto {
            self.auto
        } else {
            wait
        }
    }

    /// Whoever drives a hosted partition may sleep between its turns.
    fn may_park(self, plan: &Plan, partition: usize) -> bool {
        let partition = &plan.partitions[partition];
        partition.hosted || self.settled(partition.wait.kind()) == WaitKind::SpinThenPark
    }

    /// A partition's sleep: it listens to its peers, the launching program and the supervisor.
    pub(crate) fn sleeper(
        self,
        plan: &Plan,
        view: &BusView,
        partition: usize,
    ) -> Result<Sleeper, BellError> {
        let own = view.partition(partition);
        let mut sleeper = Sleeper::new(own, pulse(own)?, self.barrier)?;
        let peers: BTreeSet<usize> = neighbours(plan, partition)
            .map(|peer| peer.partition)
            .collect();
        let peers = peers.into_iter().map(|peer| view.partition(peer));
        for waker in peers.chain([view.supervisor()]) {
            sleeper.listen(waker, doorbells(waker)?, partition)?;
        }
        Ok(sleeper)
    }

    /// Whom a partition wakes.
    pub(crate) fn waker(
        self,
        plan: &Plan,
        view: &BusView,
        partition: usize,
    ) -> Result<Waker, BellError> {
        let peers = neighbours(plan, partition).collect();
        self.waker_of(plan, view, view.partition(partition), peers)
    }

    /// Whom the supervisor wakes: everybody who may park.
    pub(crate) fn supervisor_waker(self, plan: &Plan, view: &BusView) -> Result<Waker, BellError> {
        let partitions = (0..plan.partitions.len()).map(|partition| ActorId {
            partition,
            actor: 0,
        });
        let ports = (0..plan.host.len()).map(|actor| ActorId {
            partition: plan.host_index(),
            actor,
        });
        let everybody = partitions.chain(ports).collect();
        self.waker_of(plan, view, view.supervisor(), everybody)
    }

    fn waker_of(
        self,
        plan: &Plan,
        view: &BusView,
        own: &Region,
        sleepers: BTreeSet<ActorId>,
    ) -> Result<Waker, BellError> {
        let mut waker = Waker::new(own, doorbells(own)?, self.barrier)?;
        let mut rung = BTreeSet::new();
        for ActorId { partition, actor } in sleepers {
            let region = view.partition(partition);
            if partition == plan.host_index() {
                let pulse = port_pulse(region, &plan.host[actor].name)?;
                let bell = view.alarm(actor).bell();
                waker.add_notified(region, pulse, plan.port_bell(actor), bell)?;
            } else if self.may_park(plan, partition) && rung.insert(partition) {
                waker.add(region, pulse(region)?, partition)?;
            }
        }
        Ok(waker)
    }

    /// A host port's sleep: it listens to the partition at its link's other end, and to the supervisor.
    pub(crate) fn port_sleeper(
        self,
        plan: &Plan,
        view: &BusView,
        port: usize,
    ) -> Result<Sleeper, BellError> {
        let host = view.partition(plan.host_index());
        let pulse = port_pulse(host, &plan.host[port].name)?;
        let mut sleeper = Sleeper::new(host, pulse, self.barrier)?;
        let peer = view.partition(peer_of_port(plan, port).partition);
        for waker in [peer, view.supervisor()] {
            sleeper.listen(waker, doorbells(waker)?, plan.port_bell(port))?;
        }
        Ok(sleeper)
    }

    /// Whom a host port wakes: the partition at its link's other end.
    pub(crate) fn port_waker(
        self,
        plan: &Plan,
        view: &BusView,
        port: usize,
    ) -> Result<Waker, BellError> {
        let host = view.partition(plan.host_index());
        let peer = BTreeSet::from([peer_of_port(plan, port)]);
        self.waker_of(plan, view, host, peer)
    }
}

/// The actor at the other end of a host port's link.
pub(crate) fn peer_of_port(plan: &Plan, port: usize) -> ActorId {
    let port = &plan.host[port];
    match (port.inputs.first(), port.outputs.first()) {
        (Some(&link), _) => plan.link(link).from,
        (None, Some(&link)) => plan.link(link).to,
        (None, None) => unreachable!("a host port is the end of a link"),
    }
}
