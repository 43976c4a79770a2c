//! The topology: declared with a builder, validated once, immutable from then on.
//!
//! | file | concern |
//! |---|---|
//! | `builder` | declaring: partitions, actors, links |
//! | `host` | declaring host ports |
//! | `ends`, `local_ends` | what an actor is declared with, by value |
//! | `durable` | durable collections, likewise |
//! | `migration` | declaring how a bus with other types is taken over |
//! | `validate`, `limits`, `error` | what `build` refuses |
//! | `model` | the plan that everybody else reads |
//! | `describe` | canonical text, digest, differences |
//! | `layout` | which sections lie in which region |
//! | `bill` | memory and cores, printed before anything is created |

pub(crate) mod bill;
mod builder;
pub(crate) mod describe;
pub mod durable;
mod ends;
mod error;
mod fan_in;
mod host;
pub(crate) mod layout;
pub(crate) mod letters;
pub(crate) mod limits;
mod links;
mod local_ends;
pub(crate) mod migration;
pub(crate) mod model;
pub(crate) mod options;
pub(crate) mod validate;

use std::fmt;
use std::sync::Arc;

pub use builder::{PartitionBuilder, TopologyBuilder};
pub use ends::{
    CellSpec, ClockSpec, Declaration, Ends, LinkIn, LinkOut, clock, durable, durable_with,
};
pub use error::TopologyError;
pub use fan_in::{FanIn, fan_in};
pub use host::HostBuilder;
pub use local_ends::{LocalIn, LocalOut};
pub use model::{Leftover, LinkId, Restart, Wait, Want};
pub use options::LinkOptions;

use model::Plan;

/// A validated, immutable plan: partitions, actors, links, policies and what they cost.
///
/// The same value runs as threads, as processes or inline. A clone is a reference to the same plan.
///
/// ```
/// use airssys_rt::prelude::*;
///
/// #[message]
/// struct Tick { seq: u64, price: f64 }
///
/// struct Feed { ticks: Sender<Tick> }
/// # impl Actor for Feed {
/// #     fn step(&mut self) -> Result<Step, Refused> { Ok(Step::Done) }
/// # }
/// struct Book { ticks: Receiver<Tick>, last: Durable<Tick> }
/// # impl Actor for Book {
/// #     fn step(&mut self) -> Result<Step, Refused> { Ok(Step::Done) }
/// # }
///
/// let mut plan = Topology::builder("quotes");
/// let (tick_out, tick_in) = plan.link::<Tick>("ticks", 1024);
/// plan.partition("feed").actor("feed", tick_out, |ticks| Feed { ticks });
/// plan.partition("book")
///     .actor("book", (tick_in, durable::<Tick>("last")), |(ticks, last)| Book { ticks, last });
/// let topology = plan.build()?;
/// assert_eq!(topology.name(), "quotes");
/// # Ok::<(), TopologyError>(())
/// ```
#[derive(Clone)]
pub struct Topology {
    plan: Arc<Plan>,
}

impl Topology {
    /// Starts a topology; its name is the bus's name too, unless another one is given.
    pub fn builder(name: impl Into<String>) -> TopologyBuilder {
        TopologyBuilder::new(name.into())
    }

    fn new(plan: Plan) -> Self {
        Self {
            plan: Arc::new(plan),
        }
    }

    /// The topology's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The name of the bus it runs on.
    #[must_use]
    pub fn bus(&self) -> &str {
        &self.plan.bus
    }

    /// A digest of [`describe`](Self::describe)'s text, the same in every build of the same source.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.plan.digest
    }

    /// The canonical text that the digest covers: names, schemas, capacities and policies.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::describe(&self.plan)
    }

    /// The first difference to another topology's [`describe`](Self::describe) text, as one sentence in which that
    /// other one is "the region"; `None` if the two are equal.
    #[must_use]
    pub fn difference(&self, other_text: &str) -> Option<String> {
        describe::difference(&self.describe(), other_text, describe::Side::Region)
    }

    /// The memory bill and the core map, as tables: what a launch will ask of the machine.
    #[must_use]
    pub fn plan_text(&self) -> String {
        self.to_string()
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topology")
            .field("name", &self.plan.name)
            .field("bus", &self.plan.bus)
            .field("partitions", &self.plan.partitions.len())
            .field("links", &self.plan.links.len())
            .field("digest", &format_args!("{:#018x}", self.plan.digest))
            .finish()
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "topology `{}`, bus `{}`\n", self.name(), self.bus())?;
        writeln!(f, "{}", bill::CoreMap::of(&self.plan))?;
        write!(f, "{}", bill::MemoryBill::of(&self.plan))
    }
}
