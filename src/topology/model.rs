//! The validated plan, as the partition loop, the supervisor and the tools read it.
//!
//! Plain values, made once by `build` and never changed afterwards: every index in here is in range, every name is valid
//! and unique, and every link has both of its ends. Order is the order of declaration everywhere, since places in the
//! regions follow from it: a restart finds its own place again.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use airssys_ringbuf::Layout;
use airssys_ringbuf::region::SectionKind;

use super::migration::Migration;
use super::options::LetterPolicy;
use crate::actor::Actor;
use crate::local::MakeLocal;
use crate::partition::ports::{PortError, PortOpener};

/// The name under which the supervisor's own region lies in the bus directory; no partition may take it.
pub(crate) const SUPERVISOR: &str = "supervisor";

/// The same for the launching program's region, with its host ports.
pub(crate) const HOST: &str = "host";

/// Which link of a topology: its place among the links, in order of declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) usize);

impl LinkId {
    /// The link's place in the order of declaration, from zero.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// Which actor of a topology, or which host port: ports lie in the records like actors with one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ActorId {
    /// Place in [`Plan::partitions`], or [`Plan::host_index`].
    pub(crate) partition: usize,
    /// Place in [`PartitionPlan::actors`] or [`Plan::host`].
    pub(crate) actor: usize,
}

/// Makes an actor from its opened ports: called on the partition's own thread, once per incarnation.
pub(crate) type Factory =
    Arc<dyn Fn(&mut PortOpener<'_>) -> Result<Box<dyn Actor>, PortError> + Send + Sync>;

/// The whole plan.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) bus: String,
    pub(crate) partitions: Vec<PartitionPlan>,
    /// The host ports: each like an actor with one end, named after its link.
    pub(crate) host: Vec<ActorPlan>,
    pub(crate) links: Vec<LinkPlan>,
    pub(crate) locals: Vec<LocalPlan>,
    /// More failures than this within `period` end the topology.
    pub(crate) intensity: u32,
    pub(crate) period: Duration,
    pub(crate) backoff_first: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) leftover: Leftover,
    pub(crate) drain_timeout: Duration,
    /// How long the end of the bus waits for a disk, and a life for what was before it to be kept. No part of the digest.
    pub(crate) disk_patience: Duration,
    pub(crate) lock_memory: Want,
    pub(crate) huge_pages: Want,
    /// How what an earlier program left is taken over.
    pub(crate) migrations: Vec<Migration>,
    /// The collections whose capacities may have been others, by actor and name.
    pub(crate) resized: Vec<(String, String)>,
    /// Where crashes are kept, if they are.
    pub(crate) capsules: Option<CapsulePlan>,
    /// FNV-1a of [`super::describe::describe`]'s text.
    pub(crate) digest: u64,
}

impl Plan {
    /// The actor's plan; the id must be of this topology.
    pub(crate) fn actor(&self, id: ActorId) -> &ActorPlan {
        &self.actors(id.partition)[id.actor]
    }

    /// The actors of a partition, or the host ports.
    pub(crate) fn actors(&self, party: usize) -> &[ActorPlan] {
        match self.partitions.get(party) {
            Some(partition) => &partition.actors,
            None => &self.host,
        }
    }

    /// Whose region it is: a partition's name, or [`HOST`].
    pub(crate) fn party_name(&self, party: usize) -> &str {
        match self.partitions.get(party) {
            Some(partition) => &partition.name,
            None => HOST,
        }
    }

    /// The launching program's place after the partitions.
    pub(crate) fn host_index(&self) -> usize {
        self.partitions.len()
    }

    /// Regions but the supervisor's: one for each partition, and the host's if it has ports.
    pub(crate) fn parties(&self) -> usize {
        self.partitions.len() + usize::from(!self.host.is_empty())
    }

    /// The links that the topology's author declared, which come first.
    pub(crate) fn declared_links(&self) -> &[LinkPlan] {
        let hidden = self.links.iter().position(|link| link.hidden);
        &self.links[..hidden.unwrap_or(self.links.len())]
    }

    /// Whether a link carries notes about dead letters instead of messages.
    pub(crate) fn is_note(&self, link: usize) -> bool {
        let mut letters = self.links.iter().filter_map(|link| link.letters);
        self.links[link].hidden && letters.any(|letters| letters.notes.0 == link)
    }

    /// The link's plan; the id must be of this topology.
    pub(crate) fn link(&self, id: LinkId) -> &LinkPlan {
        &self.links[id.0]
    }

    /// Doorbells in each region: one for each that may sleep: the partitions, the supervisor, the host ports.
    pub(crate) fn bells(&self) -> usize {
        self.partitions.len() + 1 + self.host.len()
    }

    /// Which doorbell a host port listens to.
    pub(crate) fn port_bell(&self, port: usize) -> usize {
        self.partitions.len() + 1 + port
    }
}

/// What is pinned, killed and restarted as one.
#[derive(Clone, Debug)]
pub(crate) struct PartitionPlan {
    pub(crate) name: String,
    pub(crate) core: Option<usize>,
    pub(crate) share_core: bool,
    pub(crate) wait: Wait,
    pub(crate) restart: Restart,
    /// Time between the request to stop and the kill; zero kills at once.
    pub(crate) shutdown: Duration,
    pub(crate) hang_after: Duration,
    /// Driven by the launching program's own thread instead of the supervisor's.
    pub(crate) hosted: bool,
    /// Steps of each actor that each incarnation runs and rolls back before its first.
    pub(crate) warm_up: u32,
    /// Where the state of its actors is kept that starts anew; `None` if it never does.
    pub(crate) reset_state: Option<PathBuf>,
    pub(crate) actors: Vec<ActorPlan>,
    /// How to make each actor.
    pub(crate) factories: Factories,
}

/// One for each actor of a partition.
#[derive(Clone, Default)]
pub(crate) struct Factories(pub(crate) Vec<Factory>);

impl fmt::Debug for Factories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} factories", self.0.len())
    }
}

/// One actor: its ports and cells in the order of its declaration.
#[derive(Clone, Debug)]
pub(crate) struct ActorPlan {
    pub(crate) name: String,
    pub(crate) inputs: Vec<LinkId>,
    pub(crate) outputs: Vec<LinkId>,
    pub(crate) cells: Vec<CellPlan>,
    /// Whether it reads the clock.
    pub(crate) clock: bool,
    pub(crate) collections: Vec<CollectionPlan>,
    /// Words that a step may change in the collections; of an actor without any, nothing.
    pub(crate) changes: u64,
    /// How many of the inputs and of the cells its author declared; those behind them are its dead letters'.
    pub(crate) declared: Declared,
}

/// What of an actor its author knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) inputs: usize,
    pub(crate) cells: usize,
}

/// One link with both of its ends.
#[derive(Clone, Debug)]
pub(crate) struct LinkPlan {
    pub(crate) name: String,
    pub(crate) schema_text: String,
    pub(crate) payload_size: usize,
    /// Messages; a power of two.
    pub(crate) capacity: u64,
    pub(crate) stamped: bool,
    pub(crate) layout: Layout,
    /// Whether either end takes the other's words for what they must be.
    pub(crate) trusted: bool,
    pub(crate) from: ActorId,
    pub(crate) to: ActorId,
    pub(crate) letters: Option<LettersPlan>,
    /// One of the two links that a link's dead letters lie in, from the receiving actor to itself.
    pub(crate) hidden: bool,
}

/// Where a link's dead letters lie: both links, and the cell of the counts, are the receiving actor's last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LettersPlan {
    pub(crate) policy: LetterPolicy,
    pub(crate) letters: LinkId,
    pub(crate) notes: LinkId,
    /// The counts' place among the actor's cells.
    pub(crate) tally: usize,
}

/// One local link with both of its ends: it lies in this process's heap, in no region.
#[derive(Clone, Debug)]
pub(crate) struct LocalPlan {
    pub(crate) name: String,
    pub(crate) capacity: usize,
    pub(crate) from: ActorId,
    pub(crate) to: ActorId,
    pub(crate) make: MakeLocal,
}

/// One durable cell of an actor.
#[derive(Clone, Debug)]
pub(crate) struct CellPlan {
    pub(crate) name: String,
    pub(crate) schema_text: String,
    pub(crate) size: usize,
    pub(crate) align: usize,
    /// The bytes of the value that it starts with.
    pub(crate) initial: Vec<u8>,
}

/// One durable collection of an actor.
#[derive(Clone, Debug)]
pub(crate) struct CollectionPlan {
    pub(crate) name: String,
    pub(crate) kind: CollectionKind,
    pub(crate) schema_text: String,
    /// Bytes of a key, of those that have keys, and of a value.
    pub(crate) sizes: (usize, usize),
    pub(crate) capacity: u64,
}

/// What a collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectionKind {
    Vector,
    Last,
    Map,
    Table,
}

impl CollectionKind {
    /// What its section is.
    pub(crate) fn section_kind(self) -> SectionKind {
        match self {
            Self::Vector => SectionKind::Vector,
            Self::Last => SectionKind::Last,
            Self::Map => SectionKind::Map,
            Self::Table => SectionKind::Table,
        }
    }
}

impl fmt::Display for CollectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vector => "vector",
            Self::Last => "last",
            Self::Map => "map",
            Self::Table => "table",
        })
    }
}

/// Where crashes are kept, and how much of them.
#[derive(Clone, Debug)]
pub(crate) struct CapsulePlan {
    pub(crate) directory: PathBuf,
    pub(crate) max_files: usize,
    /// Of all of them together.
    pub(crate) max_bytes: u64,
}

/// How much is asked of a machine that may not have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// It isn't asked for.
    No,
    /// It is taken where it can be had, and reported either way. The default.
    #[default]
    Try,
    /// Nothing starts without it.
    Require,
}

/// What a start does with a bus of the same name that a crash left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leftover {
    /// Remove it, once everybody who held it is provably dead, and report what was undelivered.
    Discard,
    /// Refuse to start: nothing is removed unasked. The default.
    #[default]
    Refuse,
    /// Take it up again, once everybody who held it is provably dead: no message is lost, durable state holds. It has to be
    /// of the same topology, but for types that are [migrated](super::TopologyBuilder::migrate); one whose creation was cut
    /// short, on which nothing was ever sent, is made anew.
    Resume,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discard => "discard",
            Self::Refuse => "refuse",
            Self::Resume => "resume",
        })
    }
}

/// When a partition that has ended is started again: OTP's restart types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart(RestartKind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartKind {
    Permanent,
    Transient,
    Temporary,
}

impl Restart {
    /// Always, unless all of its actors are done. The default.
    #[must_use]
    pub fn permanent() -> Self {
        Self(RestartKind::Permanent)
    }

    /// Only after an abnormal end: a signal, a panic, a nonzero exit, or killed as hung.
    #[must_use]
    pub fn transient() -> Self {
        Self(RestartKind::Transient)
    }

    /// Never.
    #[must_use]
    pub fn temporary() -> Self {
        Self(RestartKind::Temporary)
    }

    pub(crate) fn kind(self) -> RestartKind {
        self.0
    }
}

impl Default for Restart {
    fn default() -> Self {
        Self::permanent()
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            RestartKind::Permanent => "permanent",
            RestartKind::Transient => "transient",
            RestartKind::Temporary => "temporary",
        })
    }
}

/// What a partition does while none of its actors has anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(WaitKind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitKind {
    Auto,
    Spin,
    SpinThenYield,
    SpinThenPark,
}

impl Wait {
    /// Decided at launch: spin where the machine has a core for each partition, park otherwise. The default.
    #[must_use]
    pub fn auto() -> Self {
        Self(WaitKind::Auto)
    }

    /// Never give up the core: the lowest latency, one core at 100 %, and no fence on the senders' side.
    #[must_use]
    pub fn spin() -> Self {
        Self(WaitKind::Spin)
    }

    /// Spin for a while, then offer the core to others between looks: at once on a core that is shared.
    #[must_use]
    pub fn spin_then_yield() -> Self {
        Self(WaitKind::SpinThenYield)
    }

    /// Spin for a while, then sleep in the kernel until a peer rings: no CPU while idle, a wake-up's latency after it.
    #[must_use]
    pub fn spin_then_park() -> Self {
        Self(WaitKind::SpinThenPark)
    }

    pub(crate) fn kind(self) -> WaitKind {
        self.0
    }
}

impl Default for Wait {
    fn default() -> Self {
        Self::auto()
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            WaitKind::Auto => "auto",
            WaitKind::Spin => "spin",
            WaitKind::SpinThenYield => "spin-then-yield",
            WaitKind::SpinThenPark => "spin-then-park",
        })
    }
}
