//! Partitions in a ring, partition i sending to i + 1: with a ball that goes round, or with none, so that all of them wait.
//!
//! The first partition serves and times: each trip begins with the clock reading that ended the one before, so the trips cover
//! the whole run and nothing that delays the ball is left out. It is declared last and therefore started last, when
//! everybody else already waits. With one partition the ring is an actor that sends to itself through a link of its own:
//! nobody ever waits, and a trip is what a turn costs.

use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{CellSpec, LinkIn, LinkOut, Monitor, TopologyBuilder, enter, monotonic_ns};
use hdrhistogram::Histogram;

use crate::carry::{self, Page};
use crate::part::Result;

/// The partition, and the actor, that serves.
const FIRST: &str = "p0";

#[message]
struct Ball {
    sent_ns: u64,
}

struct Server {
    back: Receiver<Ball>,
    out: Sender<Ball>,
    pages: Vec<Durable<Page>>,
    trips: Histogram<u64>,
    lasts_ns: u64,
    until_ns: u64,
}

impl Server {
    fn serve(&mut self) -> std::result::Result<Step, Refused> {
        if self.out.sent() > 0 {
            return Ok(Step::Idle);
        }
        let sent_ns = monotonic_ns();
        self.until_ns = sent_ns + self.lasts_ns;
        self.out.send(Ball { sent_ns })?;
        Ok(Step::Busy)
    }
}

impl Actor for Server {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let Some(ball) = self.back.try_recv() else {
            return self.serve();
        };
        let sent_ns = monotonic_ns();
        self.trips.saturating_record(sent_ns - ball.sent_ns);
        if sent_ns >= self.until_ns {
            carry::store(&self.trips, &mut self.pages);
            return Ok(Step::Done);
        }
        self.out.send(Ball { sent_ns })?;
        Ok(Step::Busy)
    }
}

struct Relay {
    from: Receiver<Ball>,
    to: Sender<Ball>,
}

impl Actor for Relay {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let Some(ball) = self.from.try_recv() else {
            let ended = self.from.is_closed();
            return Ok(if ended { Step::Done } else { Step::Idle });
        };
        self.to.send(ball)?;
        Ok(Step::Busy)
    }
}

/// A ring to be launched.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// The part of the report that it belongs to: two rings of one name are one bus.
    pub(crate) part: &'static str,
    pub(crate) wait: Wait,
    pub(crate) partitions: usize,
    /// How long the ball goes round; `None` for no ball.
    pub(crate) lasts: Option<Duration>,
}

impl Ring {
    fn bus(&self) -> String {
        let Self {
            part,
            wait,
            partitions,
            lasts,
        } = self;
        let ball = if lasts.is_some() { "ball" } else { "idle" };
        format!("embedding-{part}-{wait}-{partitions}-{ball}")
    }

    pub(crate) fn topology(&self) -> std::result::Result<Topology, TopologyError> {
        let mut plan = Topology::builder(self.bus());
        plan.leftover(Leftover::Discard); // of a run that was killed
        let links = (0..self.partitions).map(|to| plan.link::<Ball>(format!("into-{to}"), 2));
        let (mut outs, ins): (Vec<_>, Vec<_>) = links.unzip();
        outs.rotate_left(1);
        let mut ends: Vec<_> = outs.into_iter().zip(ins).enumerate().collect();
        ends.rotate_left(1); // the first is started last
        for (index, (to, from)) in ends {
            self.partition(&mut plan, index, from, to);
        }
        plan.build()
    }

    fn partition(
        &self,
        plan: &mut TopologyBuilder,
        index: usize,
        from: LinkIn<Ball>,
        to: LinkOut<Ball>,
    ) {
        let name = format!("p{index}");
        let mut partition = plan.partition(name.clone());
        partition.wait(self.wait);
        match self.lasts {
            Some(lasts) if index == 0 => {
                let pages: Vec<CellSpec<Page>> = carry::cells();
                partition.actor(name, (from, to, pages), move |(back, out, pages)| Server {
                    back,
                    out,
                    pages,
                    trips: carry::empty(),
                    lasts_ns: lasts.as_nanos() as u64,
                    until_ns: 0,
                });
            }
            Some(_) | None => {
                partition.actor(name, (from, to), |(from, to)| Relay { from, to });
            }
        }
    }

    /// In a process of this ring's: runs it and never returns.
    pub(crate) fn enter(&self) -> Result<()> {
        Ok(enter(|| self.topology())?)
    }
}

/// The trips of a ring that has ended.
pub(crate) fn trips(monitor: &Monitor) -> Result<Histogram<u64>> {
    let trips = carry::load(monitor, FIRST)?;
    let received = monitor
        .links()
        .iter()
        .find_map(|link| (link.name == "into-0").then_some(link.received));
    let restarts: u64 = monitor.partitions().iter().map(|one| one.restarts).sum();
    if received != Some(trips.len()) || restarts > 0 {
        let counted = trips.len();
        return Err(format!(
            "{counted} trips counted, {received:?} received, {restarts} restarts: not one undisturbed run"
        )
        .into());
    }
    Ok(trips)
}
