//! What `build` refuses, each with the object, what was found, what was expected and the remedy.

use std::time::Duration;

use super::limits::{
    ACTOR_LINKS_MAX, CAPACITY_MAX, CELL_SIZE_MAX, CELLS_MAX, CHANGES_MAX, ENTRIES_MAX,
    HOST_PORTS_MAX, MESSAGE_ALIGN_MAX, MESSAGE_SIZE_MAX, PARTITIONS_MAX,
};
use super::model::{HOST, SUPERVISOR};

const NAME_RULE: &str =
    "a name has 1 to 63 characters of a-z, 0-9, `_` and `-` and starts with a letter or a digit";

/// Why a topology was refused.
///
/// `build` reports the first one in the order of declaration: the topology itself, then its partitions with their
/// actors, then its host ports, its links, its local links.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's fields are the words of its message"
)]
pub enum TopologyError {
    /// The topology's name doesn't follow the rule for names.
    #[error("topology `{topology}`: its name is not valid; {NAME_RULE}")]
    TopologyName { topology: String },

    /// The bus's name doesn't follow the rule for names.
    #[error("topology `{topology}`, bus `{bus}`: the bus's name is not valid; {NAME_RULE}")]
    BusName { topology: String, bus: String },

    /// A partition's name doesn't follow the rule for names.
    #[error("topology `{topology}`, partition `{partition}`: its name is not valid; {NAME_RULE}")]
    PartitionName { topology: String, partition: String },

    /// An actor's name doesn't follow the rule for names.
    #[error(
        "topology `{topology}`, partition `{partition}`, actor `{actor}`: its name is not valid; {NAME_RULE}"
    )]
    ActorName {
        topology: String,
        partition: String,
        actor: String,
    },

    /// A link's name doesn't follow the rule for names.
    #[error("topology `{topology}`, link `{link}`: its name is not valid; {NAME_RULE}")]
    LinkName { topology: String, link: String },

    /// A durable cell's name doesn't follow the rule for names.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable cell `{cell}`: its name is not valid; {NAME_RULE}"
    )]
    CellName {
        topology: String,
        actor: String,
        cell: String,
    },

    /// A partition has the name of the supervisor's own region.
    #[error(
        "topology `{topology}`, partition `{partition}`: this name is reserved (`{SUPERVISOR}` and `{HOST}` have regions of their own); choose another"
    )]
    ReservedPartition { topology: String, partition: String },

    /// A hosted partition is pinned.
    #[error(
        "topology `{topology}`, partition `{partition}`: it is hosted and pinned to CPU {core}, but runs on a thread of yours, which is not ours to pin; drop `.core({core})` and pin that thread"
    )]
    HostedPinned {
        topology: String,
        partition: String,
        core: usize,
    },

    /// More host ports than there are places for.
    #[error(
        "topology `{topology}`: {found} host ports are above the maximum of {HOST_PORTS_MAX}; send several kinds over one link"
    )]
    TooManyHostPorts { topology: String, found: usize },

    /// Both ends of a link are the host's.
    #[error(
        "topology `{topology}`, link `{link}`: both of its ends are host ports; wire one of them to an actor, or use a channel"
    )]
    HostToHost { topology: String, link: String },

    /// A step that moves something over a local link can't be rolled back.
    #[error(
        "topology `{topology}`, partition `{partition}`: it warms up, but local link `{link}` takes no part in a step and can't be rolled back; drop `.warm_up(..)`, or make it a link of a `#[message]` type"
    )]
    WarmUpLocal {
        topology: String,
        partition: String,
        link: String,
    },

    /// A local link lies in one process's heap.
    #[error(
        "topology `{topology}`, local link `{link}`: it can't connect processes; launch with Launch::Threads, or make it a link of a `#[message]` type"
    )]
    LocalLinkAcrossProcesses { topology: String, link: String },

    /// Two partitions have one name.
    #[error(
        "topology `{topology}`, partition `{partition}`: declared twice; add all of its actors to one `partition(..)` call, or rename one"
    )]
    DuplicatePartition { topology: String, partition: String },

    /// Two actors of the topology have one name.
    #[error(
        "topology `{topology}`, actor `{actor}`: declared in partition `{first}` and again in `{second}`; actor names are unique in a topology, rename one"
    )]
    DuplicateActor {
        topology: String,
        actor: String,
        first: String,
        second: String,
    },

    /// Two links have one name.
    #[error("topology `{topology}`, link `{link}`: declared twice; rename one")]
    DuplicateLink { topology: String, link: String },

    /// Two durable cells or collections of an actor have one name.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable cell `{cell}`: declared twice; rename one"
    )]
    DuplicateCell {
        topology: String,
        actor: String,
        cell: String,
    },

    /// A link has no room for a single message.
    #[error(
        "topology `{topology}`, link `{link}`: capacity 0 holds no message; use a power of two from 1 to {CAPACITY_MAX}"
    )]
    CapacityZero { topology: String, link: String },

    /// A local link has no room for a single value.
    #[error(
        "topology `{topology}`, local link `{link}`: capacity 0 holds no value; give it room for one at least"
    )]
    LocalCapacityZero { topology: String, link: String },

    /// A link's capacity is not a power of two.
    #[error(
        "topology `{topology}`, link `{link}`: capacity {capacity} is not a power of two; use {next}"
    )]
    CapacityNotPowerOfTwo {
        topology: String,
        link: String,
        capacity: u64,
        /// The next power of two.
        next: u64,
    },

    /// A link's capacity is above the largest one.
    #[error(
        "topology `{topology}`, link `{link}`: capacity {capacity} is above the maximum; use at most {CAPACITY_MAX}"
    )]
    CapacityTooLarge {
        topology: String,
        link: String,
        capacity: u64,
    },

    /// Stamps have no place between messages that lie side by side.
    #[error(
        "topology `{topology}`, link `{link}`: a stamped link can't be contiguous; leave out `stamped` or take `Layout::Sequenced`"
    )]
    StampedContiguous { topology: String, link: String },

    /// A message type without a single byte.
    #[error(
        "topology `{topology}`, link `{link}`: its message has no bytes; give it at least one field"
    )]
    MessageEmpty { topology: String, link: String },

    /// A message type above the largest size.
    #[error(
        "topology `{topology}`, link `{link}`: a message of {size} bytes is above the maximum of {MESSAGE_SIZE_MAX}; send it in parts"
    )]
    MessageTooLarge {
        topology: String,
        link: String,
        /// Bytes.
        size: usize,
    },

    /// A message type with a stricter alignment than a slot has.
    #[error(
        "topology `{topology}`, link `{link}`: a message aligned to {align} bytes does not fit a slot, which is aligned to {MESSAGE_ALIGN_MAX}; lower its `repr(align)`"
    )]
    MessageAlignment {
        topology: String,
        link: String,
        /// Bytes.
        align: usize,
    },

    /// A durable cell's type without a single byte.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable cell `{cell}`: its type has no bytes; give it at least one field"
    )]
    StateEmpty {
        topology: String,
        actor: String,
        cell: String,
    },

    /// A durable cell above the largest size.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable cell `{cell}`: {size} bytes are above the maximum of {CELL_SIZE_MAX}; split it into several cells"
    )]
    StateTooLarge {
        topology: String,
        actor: String,
        cell: String,
        /// Bytes.
        size: usize,
    },

    /// A durable cell's type with a stricter alignment than its buffers have.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable cell `{cell}`: its type is aligned to {align} bytes, above the maximum of {MESSAGE_ALIGN_MAX}; lower its `repr(align)`"
    )]
    StateAlignment {
        topology: String,
        actor: String,
        cell: String,
        /// Bytes.
        align: usize,
    },

    /// An actor has more durable cells than a commit can select.
    #[error(
        "topology `{topology}`, actor `{actor}`: {found} durable cells are above the maximum of {CELLS_MAX}; join some into one"
    )]
    TooManyCells {
        topology: String,
        actor: String,
        found: usize,
    },

    /// A durable collection has no room for a single entry.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable {kind} `{collection}`: capacity 0 holds no entry; use 1 to {ENTRIES_MAX}"
    )]
    CollectionEmpty {
        topology: String,
        actor: String,
        /// "vector", "last", "map" or "table".
        kind: String,
        collection: String,
    },

    /// A durable collection's capacity is above the largest one.
    #[error(
        "topology `{topology}`, actor `{actor}`, durable {kind} `{collection}`: capacity {capacity} is above the maximum; use at most {ENTRIES_MAX}"
    )]
    CollectionTooLarge {
        topology: String,
        actor: String,
        /// "vector", "last", "map" or "table".
        kind: String,
        collection: String,
        capacity: u64,
    },

    /// The bound on a step's changes is out of range.
    #[error(
        "topology `{topology}`, actor `{actor}`: {found} changed words a step are out of range; use `durable::changes` with 1 to {CHANGES_MAX}"
    )]
    ChangesOutOfRange {
        topology: String,
        actor: String,
        found: u64,
    },

    /// The bound on a step's changes is declared twice.
    #[error(
        "topology `{topology}`, actor `{actor}`: it has more than one `durable::changes`; an actor's collections share one bound, keep one"
    )]
    ChangesTwice { topology: String, actor: String },

    /// A migration leads nowhere.
    #[error(
        "topology `{topology}`, migration of `{actor}/{state}`: {problem}; name a cell or a collection of the topology and the \
         type that it has now"
    )]
    Migration {
        topology: String,
        actor: String,
        /// The cell or the collection.
        state: String,
        problem: String,
    },

    /// An actor has too many links in one direction.
    #[error(
        "topology `{topology}`, actor `{actor}`: {found} {direction} are above the maximum of {ACTOR_LINKS_MAX}; split the actor"
    )]
    TooManyLinks {
        topology: String,
        actor: String,
        /// "incoming links" or "outgoing links".
        direction: &'static str,
        found: usize,
    },

    /// More partitions than one sleeper can wait for.
    #[error(
        "topology `{topology}`: {found} partitions are above the maximum of {PARTITIONS_MAX}; put several actors into one partition"
    )]
    TooManyPartitions { topology: String, found: usize },

    /// An end of a link was never given to an actor.
    #[error(
        "topology `{topology}`, link `{link}`: its {end} end is not wired; hand it to an actor with `.actor(name, ends, ..)`"
    )]
    Unwired {
        topology: String,
        link: String,
        /// "sending" or "receiving".
        end: &'static str,
    },

    /// An actor was given an end that another builder made.
    #[error(
        "topology `{topology}`, actor `{actor}`: the end of link `{link}` was made by another builder; declare the link with the builder that declares the actor"
    )]
    ForeignEnd {
        topology: String,
        actor: String,
        link: String,
    },

    /// A topology without partitions.
    #[error("topology `{topology}`: it has no partition; add one with `.partition(name)`")]
    NoPartitions { topology: String },

    /// A partition without actors.
    #[error(
        "topology `{topology}`, partition `{partition}`: it has no actor; add one with `.actor(name, ends, ..)` or leave the partition out"
    )]
    NoActors { topology: String, partition: String },

    /// The period of the restart intensity is zero.
    #[error(
        "topology `{topology}`: intensity {intensity} in a period of zero can't be judged; give a period such as 10 s"
    )]
    IntensityPeriodZero { topology: String, intensity: u32 },

    /// The restart backoff's first delay is above its last.
    #[error(
        "topology `{topology}`: the backoff starts at {first:?}, above its maximum of {max:?}; swap them"
    )]
    BackoffOrder {
        topology: String,
        first: Duration,
        max: Duration,
    },

    /// No time to drain.
    #[error(
        "topology `{topology}`: a drain timeout of zero lets no inbox drain; give it time, such as 5 s"
    )]
    DrainTimeoutZero { topology: String },

    /// No time before a silent partition counts as hung.
    #[error(
        "topology `{topology}`, partition `{partition}`: with hang_after zero every step counts as hung; give it time, such as 5 s"
    )]
    HangAfterZero { topology: String, partition: String },

    /// A partition's rings together are above what any machine can map.
    #[error(
        "topology `{topology}`, partition `{partition}`: its region would not fit into an address space; lower the capacities of its outgoing links"
    )]
    RegionTooLarge { topology: String, partition: String },
}
