//! What the launching program opens on a bus that runs: host ports and hosted partitions.

use std::sync::Arc;

use airssys_ringbuf::Message;
use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::pulse::{Phase, Pulse, PulseView};
use airssys_ringbuf::region::{LockError, OpenError, Region};
use airssys_ringbuf::step::{self, AttachError};

use crate::embed::bell::PortBell;
use crate::embed::hosted::Hosted;
use crate::embed::receiver::HostReceiver;
use crate::embed::sender::HostSender;
use crate::host::process::identity;
use crate::local::LocalRings;
use crate::partition::bells::{BellError, Waiting, peer_of_port};
use crate::partition::view::{BusView, Party, pulse};
use crate::partition::{Life, PartitionError, Place};
use crate::topology::model::{ActorPlan, Plan};

/// A host port or a hosted partition couldn't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The topology has no such host port.
    #[error(
        "topology `{topology}` has no host port that {does} on link `{link}`; declare it with `plan.host().{method}(..)`; it has: \
         {known}"
    )]
    NoPort {
        /// The topology.
        topology: String,
        /// "sends" or "receives".
        does: &'static str,
        /// The method that declares one.
        method: &'static str,
        /// The link asked for.
        link: String,
        /// The host ports that there are.
        known: String,
    },
    /// The topology has no such hosted partition.
    #[error(
        "topology `{topology}` has no hosted partition `{partition}`; declare it with `plan.partition(..).hosted()`; it has: {known}"
    )]
    NotHosted {
        /// The topology.
        topology: String,
        /// The partition asked for.
        partition: String,
        /// The hosted partitions that there are.
        known: String,
    },
    /// The port can't be attached: it is held already, or carries another type.
    #[error("host port of link `{link}`: {source}")]
    Attach {
        /// The link.
        link: String,
        /// Why.
        source: AttachError,
    },
    /// A region can't be mapped or doesn't hold what it should.
    #[error(transparent)]
    Region(#[from] OpenError),
    /// A section is smaller than what it should hold.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// The region is held by somebody else.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The bus is launched inline.
    #[error(
        "topology `{topology}`, hosted partition `{partition}`: an inline bus runs its hosted partitions itself, with all others"
    )]
    Inline {
        /// The topology.
        topology: String,
        /// The partition asked for.
        partition: String,
    },
    /// The partition couldn't begin.
    #[error("hosted partition `{partition}`: {why}")]
    Begin {
        /// The partition.
        partition: String,
        /// Why.
        why: String,
    },
}

impl From<BellError> for HostError {
    fn from(error: BellError) -> Self {
        match error {
            BellError::Region(error) => Self::Region(error),
            BellError::Range(error) => Self::Range(error),
        }
    }
}

/// Where the regions of a bus are.
#[derive(Clone, Debug)]
pub(crate) enum Regions {
    /// In files: each party maps its own for writing.
    Files(Place),
    /// In this process's heap: one view for everybody.
    Heap,
}

/// The launching program's hold on a bus.
#[derive(Clone, Debug)]
pub(crate) struct HostSide {
    pub(crate) plan: Arc<Plan>,
    /// The host's own region for writing; on the heap, every region.
    pub(crate) view: BusView,
    pub(crate) regions: Regions,
    pub(crate) waiting: Waiting,
    pub(crate) locals: LocalRings,
}

impl HostSide {
    /// The hold on a bus in files, whose host's region, if there is one, is this process's from now on.
    pub(crate) fn of_bus(
        plan: &Arc<Plan>,
        place: &Place,
        waiting: Waiting,
    ) -> Result<Self, HostError> {
        let party = if plan.host.is_empty() {
            Party::Observer
        } else {
            Party::Partition(plan.host_index())
        };
        let view = BusView::open(&place.directory, plan, party, place.boot_id)?;
        if !plan.host.is_empty() {
            begin_host(view.partition(plan.host_index()))?;
        }
        Ok(Self {
            plan: Arc::clone(plan),
            view,
            regions: Regions::Files(place.clone()),
            waiting,
            locals: LocalRings::of(plan),
        })
    }

    pub(crate) fn sender<T: Message>(&self, link: &str) -> Result<HostSender<T>, HostError> {
        let port = self.find(link, true)?;
        let (own, peer) = self.regions_of(port);
        let attached = if self.is_trusted(port) {
            step::HostSender::attach(own, link, peer)
        } else {
            step::HostSender::attach_untrusting(own, link, peer)
        };
        let attached = attached.map_err(|source| refused(link, source))?;
        Ok(HostSender::new(attached, self.bell(port)?))
    }

    pub(crate) fn receiver<T: Message>(&self, link: &str) -> Result<HostReceiver<T>, HostError> {
        let port = self.find(link, false)?;
        let (own, peer) = self.regions_of(port);
        let attached = if self.is_trusted(port) {
            step::HostReceiver::attach(own, link, peer)
        } else {
            step::HostReceiver::attach_untrusting(own, link, peer)
        };
        let attached = attached.map_err(|source| refused(link, source))?;
        Ok(HostReceiver::new(attached, self.bell(port)?))
    }

    fn bell(&self, port: usize) -> Result<PortBell, HostError> {
        Ok(PortBell::new(&self.plan, &self.view, self.waiting, port)?)
    }

    fn is_trusted(&self, port: usize) -> bool {
        let ActorPlan {
            inputs, outputs, ..
        } = &self.plan.host[port];
        let mut links = inputs.iter().chain(outputs);
        links.all(|&link| self.plan.link(link).trusted)
    }

    /// The host's region, and that of the partition at the port's other end.
    fn regions_of(&self, port: usize) -> (&Region, &Region) {
        let peer = peer_of_port(&self.plan, port);
        (
            self.view.partition(self.plan.host_index()),
            self.view.partition(peer.partition),
        )
    }

    fn find(&self, link: &str, sends: bool) -> Result<usize, HostError> {
        let host = &self.plan.host;
        let found = host
            .iter()
            .position(|port| port.name == link && port.outputs.is_empty() != sends);
        found.ok_or_else(|| {
            let known = host.iter().map(|port| {
                let does = if port.outputs.is_empty() {
                    "receives"
                } else {
                    "sends"
                };
                format!("{does} on `{}`", port.name)
            });
            let (does, method) = if sends {
                ("sends", "sends")
            } else {
                ("receives", "receives")
            };
            HostError::NoPort {
                topology: self.plan.name.clone(),
                does,
                method,
                link: link.to_owned(),
                known: or_none(&known.collect::<Vec<_>>()),
            }
        })
    }

    /// Begins the next incarnation of a hosted partition, on the calling thread; with the partition's index.
    pub(crate) fn hosted(&self, name: &str) -> Result<(usize, Hosted), HostError> {
        let partitions = || self.plan.partitions.iter().enumerate();
        let found = partitions().find(|(_, partition)| partition.hosted && partition.name == name);
        let Some((partition, _)) = found else {
            let hosted = partitions().filter(|(_, partition)| partition.hosted);
            return Err(HostError::NotHosted {
                topology: self.plan.name.clone(),
                partition: name.to_owned(),
                known: or_none(
                    &hosted
                        .map(|(_, hosted)| hosted.name.clone())
                        .collect::<Vec<_>>(),
                ),
            });
        };
        if matches!(self.regions, Regions::Heap) {
            return Err(HostError::Inline {
                topology: self.plan.name.clone(),
                partition: name.to_owned(),
            });
        }
        let begun = self.begin(partition).map_err(|error| HostError::Begin {
            partition: name.to_owned(),
            why: if matches!(error, PartitionError::Lock(LockError::Held { .. })) {
                "somebody of this process holds it; drop that `Hosted` first".to_owned()
            } else {
                error.to_string()
            },
        })?;
        Ok((partition, Hosted::new(&self.plan, partition, begun)))
    }

    /// Begins the next incarnation of any partition, on the calling thread.
    pub(super) fn begin(
        &self,
        partition: usize,
    ) -> Result<crate::partition::Begun, PartitionError> {
        let view = match &self.regions {
            Regions::Heap => self.view.clone(),
            Regions::Files(place) => {
                let party = Party::Partition(partition);
                BusView::open(&place.directory, &self.plan, party, place.boot_id)?
            }
        };
        let own = view.partition(partition);
        let last = PulseView::new(own, pulse(own)?)?.vitals().identity;
        let life = Life {
            partition,
            incarnation: last.incarnation + 1,
            waiting: self.waiting,
            recovery_only: false,
        };
        crate::partition::begin(&self.plan, view, &life, &self.locals)
    }
}

/// Takes the host's region for this process's life, and says so in it.
fn begin_host(own: &Region) -> Result<(), HostError> {
    own.lock_for_life()?;
    let section = pulse(own)?;
    let last = PulseView::new(own, section)?.vitals().identity;
    let heart = Pulse::new(own, section)?;
    heart.begin(identity(last.incarnation + 1));
    heart.phase(Phase::Running);
    Ok(())
}

fn refused(link: &str, source: AttachError) -> HostError {
    HostError::Attach {
        link: link.to_owned(),
        source,
    }
}

fn or_none(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}
