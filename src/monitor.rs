//! Looking at a running bus from the program that launched it.

use std::fmt;
use std::sync::Arc;

use airssys_ringbuf::region::Region;
use airssys_ringbuf::step::{
    AttachError, CollectionView, LinkFault, ObserveError, Observer, latencies, read_cell,
};
use airssys_ringbuf::{Instance, Message};
use hdrhistogram::Histogram;

use crate::dead_letters::{DeadLetters, LetterCounts};
use crate::machine::{self, MemoryReport};
use crate::partition::progress::{counts_of, fault_of, view_of};
use crate::partition::view::BusView;
use crate::supervisor::Command;
use crate::supervisor::control::Control;
use crate::supervisor::status::{CapsuleCounts, PartitionStatus, StatusBoard};
use crate::topology::model::{ActorId, LinkPlan, Plan};

/// Something of a running bus couldn't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The topology has no such thing.
    #[error("topology `{topology}` has no {kind} `{name}`; it has: {known}")]
    Unknown {
        /// The topology.
        topology: String,
        /// What was asked for.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        known: String,
    },
    /// The link's messages carry no time of sending.
    #[error("link `{link}` isn't stamped; declare it with `LinkOptions::new(..).stamped()`")]
    NotStamped {
        /// The link.
        link: String,
    },
    /// The link has no dead letters.
    #[error(
        "link `{link}` has no dead letters; declare it with `LinkOptions::new(..).dead_letters(..)`"
    )]
    NoDeadLetters {
        /// The link.
        link: String,
    },
    /// The link carries something else.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The region doesn't say.
    #[error(transparent)]
    Observe(#[from] ObserveError),
}

/// One link's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The link.
    pub name: String,
    /// Messages that the sender has committed.
    pub sent: u64,
    /// Messages that the receiver has committed.
    pub received: u64,
    /// Slots.
    pub capacity: u64,
    /// Why one of its ends gave the link up, if it is an untrusted one and did.
    pub fault: Option<LinkFault>,
    /// What has become of the messages that were to be set aside, if it has dead letters.
    pub dead_letters: Option<LetterCounts>,
}

impl LinkStatus {
    /// Messages sent and not received.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }
}

/// A handle on a running bus: durable state, counts, latencies, lives. Cheap to clone, usable from any thread, and good for
/// reading even after the bus has ended, as long as the handle lives.
#[derive(Clone)]
pub struct Monitor {
    pub(crate) plan: Arc<Plan>,
    pub(crate) view: BusView,
    pub(crate) status: Arc<StatusBoard>,
    pub(crate) commands: Control,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("bus", &self.plan.bus)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// The committed value of a durable cell; `None` before its actor's first life has set it. Collections: see
    /// [`collection`](Self::collection).
    ///
    /// # Errors
    ///
    /// [`ReadError`]: there is no such actor or cell, it holds another type, or its actor commits faster than it can be
    /// copied.
    pub fn read<S: Message>(&self, actor: &str, cell: &str) -> Result<Option<S>, ReadError> {
        let id = self.find_actor(actor)?;
        let found = self.plan.actor(id);
        let index = found
            .cells
            .iter()
            .position(|plan| plan.name == cell)
            .ok_or_else(|| {
                let known = found.cells.iter().map(|plan| plan.name.as_str());
                self.unknown("cell", cell, known)
            })?;
        let ends = (found.inputs.len(), found.outputs.len());
        let region = self.view.partition(id.partition);
        Ok(read_cell(region, actor, ends, (cell, index))?)
    }

    /// A durable collection, to be looked at: each look shows what one commit of its actor left, never half a step, whether the actor
    /// runs or has died amidst one. The actor knows nothing of it.
    ///
    /// A look copies what it shows, and has to begin again when the actor ends a step meanwhile. So of a large collection whose actor is
    /// busy a look gives up in the end ([`ObserveError::Moving`]): [`CollectionView::rows`] and [`CollectionView::get`] copy less.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: there is no such actor or collection.
    pub fn collection(&self, actor: &str, collection: &str) -> Result<CollectionView, ReadError> {
        let id = self.find_actor(actor)?;
        let all = &self.plan.actor(id).collections;
        let found = all.iter().find(|plan| plan.name == collection);
        let found = found.ok_or_else(|| {
            let known = all.iter().map(|plan| plan.name.as_str());
            self.unknown("collection", collection, known)
        })?;
        Ok(view_of(&self.plan, &self.view, id, found)?)
    }

    fn find_actor(&self, name: &str) -> Result<ActorId, ReadError> {
        let all = || {
            let parties = 0..self.plan.partitions.len();
            parties.flat_map(|partition| {
                let actors = self.plan.actors(partition).iter().enumerate();
                actors.map(move |(actor, plan)| (ActorId { partition, actor }, &plan.name))
            })
        };
        all()
            .find_map(|(id, found)| (found == name).then_some(id))
            .ok_or_else(|| self.unknown("actor", name, all().map(|(_, name)| name.as_str())))
    }

    fn unknown<'a>(
        &self,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> ReadError {
        ReadError::Unknown {
            topology: self.plan.name.clone(),
            kind,
            name: name.to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    }

    /// What tells this bus from every other one, of the same name or not: the first part of its messages' keys
    /// ([`Receiver::key`](crate::Receiver::key)). Zero on an inline bus.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.view.instance()
    }

    /// Every link's counts, in order of declaration.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        let links = self.plan.declared_links().iter().enumerate();
        links
            .map(|(index, link)| {
                let (sent, received) = counts_of(&self.plan, &self.view, index);
                LinkStatus {
                    name: link.name.clone(),
                    sent,
                    received,
                    capacity: link.capacity,
                    fault: fault_of(&self.view, link),
                    dead_letters: link
                        .letters
                        .map(|letters| DeadLetters::new(self.clone(), index, letters).counts()),
                }
            })
            .collect()
    }

    /// The regions of a link's sender and receiver.
    fn link_regions(&self, link: &LinkPlan) -> (&Region, &Region) {
        (
            self.view.partition(link.from.partition),
            self.view.partition(link.to.partition),
        )
    }

    fn find_link(&self, name: &str) -> Result<&LinkPlan, ReadError> {
        let links = self.plan.declared_links();
        let found = links.iter().find(|plan| plan.name == name);
        found.ok_or_else(|| {
            let known = links.iter().map(|plan| plan.name.as_str());
            self.unknown("link", name, known)
        })
    }

    /// Looks at a link's messages from outside, live or after the bus has ended: neither end knows of it.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: there is no such link, or it carries another message.
    pub fn observe<T: Message>(&self, link: &str) -> Result<Observer<T>, ReadError> {
        let (from, to) = self.link_regions(self.find_link(link)?);
        Ok(Observer::attach(from, to, link)?)
    }

    /// The dead letters of a link ([`LinkOptions::dead_letters`](crate::LinkOptions::dead_letters)): to be looked at, handled
    /// again, or dropped.
    ///
    /// # Errors
    ///
    /// [`ReadError::Unknown`]: there is no such link; [`ReadError::NoDeadLetters`]: it was declared without.
    pub fn dead_letters(&self, link: &str) -> Result<DeadLetters, ReadError> {
        self.find_link(link)?;
        let links = self.plan.declared_links();
        let index = links.iter().position(|plan| plan.name == link);
        let found = index.and_then(|index| Some((index, links[index].letters?)));
        match found {
            Some((index, letters)) => Ok(DeadLetters::new(self.clone(), index, letters)),
            None => Err(ReadError::NoDeadLetters {
                link: link.to_owned(),
            }),
        }
    }

    /// Every partition's lives, in order of start.
    #[must_use]
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        self.status.all()
    }

    /// What has become of the capsules of this run's crashes ([`capsules`](crate::TopologyBuilder::capsules)). Lives are
    /// restarted without them: one that is `waiting` is written in its time, by the end of the bus at the latest.
    #[must_use]
    pub fn capsules(&self) -> CapsuleCounts {
        self.status.capsules()
    }

    /// What the bus has of this machine's memory: every region, as its present owner found it, or as the last one did.
    ///
    /// It reads a file about all of this process's memory, and tries a huge page where some were not had: for a start or a
    /// report, not for every second.
    #[must_use]
    pub fn memory(&self) -> MemoryReport {
        machine::found_report(&self.plan, &self.view)
    }

    /// One-way latencies of a stamped link in nanoseconds, from each message's send to its receipt, to within 3.2 %.
    ///
    /// # Errors
    ///
    /// [`ReadError`]: there is no such link, or it isn't stamped.
    ///
    /// # Panics
    ///
    /// Never: the histogram's bounds are constants that it accepts.
    pub fn latency(&self, link: &str) -> Result<Histogram<u64>, ReadError> {
        let plan = self.find_link(link)?;
        if !plan.stamped {
            return Err(ReadError::NotStamped {
                link: link.to_owned(),
            });
        }
        let mut histogram =
            Histogram::new_with_bounds(1, 1 << 42, 2).expect("constant bounds that are in range");
        for bucket in latencies(self.view.partition(plan.to.partition), link)? {
            histogram.saturating_record_n(bucket.upper_ns.max(1), bucket.count);
        }
        Ok(histogram)
    }

    /// Kills one partition's process at once, by `SIGKILL`: a fault injected, followed by whatever its policy says. Threads
    /// can't be killed, nor partitions hosted by one; for those it does nothing. On an inline bus the partition's life ends
    /// before the next turn.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if there is no such partition.
    pub fn kill(&self, partition: &str) -> Result<(), ReadError> {
        let index = self
            .plan
            .partitions
            .iter()
            .position(|plan| plan.name == partition)
            .ok_or_else(|| {
                let known = self.plan.partitions.iter().map(|plan| plan.name.as_str());
                self.unknown("partition", partition, known)
            })?;
        // A bus that has ended has nobody to kill.
        self.commands.send(Command::Kill(index));
        Ok(())
    }

    /// Asks the bus to drain and stop; returns at once.
    pub fn stop(&self) {
        self.commands.send(Command::Stop);
    }
}
