//! Declaring host ports: ends of links that the launching program itself holds.

use std::fmt;

use airssys_ringbuf::Message;

use super::builder::{ForeignEnd, HOST_DRAFT, TopologyBuilder};
use super::ends::{Declaration, Ends, LinkIn, LinkOut};
use super::model::{ActorId, ActorPlan, LinkId};

/// Declares the launching program's own ports; made by [`TopologyBuilder::host`].
///
/// ```
/// use airssys_rt::prelude::*;
///
/// struct Double { numbers: Receiver<u64>, doubles: Sender<u64> }
/// impl Actor for Double {
///     fn step(&mut self) -> Result<Step, Refused> {
///         let Some(number) = self.numbers.try_recv() else { return Ok(Step::Idle) };
///         self.doubles.send(2 * number)?;
///         Ok(Step::Busy)
///     }
/// }
///
/// let mut plan = Topology::builder("doubles");
/// let (number_out, number_in) = plan.link::<u64>("numbers", 16);
/// let (double_out, double_in) = plan.link::<u64>("doubles", 16);
/// plan.host().sends(number_out).receives(double_in);
/// plan.partition("worker")
///     .actor("double", (number_in, double_out), |(numbers, doubles)| Double { numbers, doubles });
///
/// let mut bus = plan.build()?.inline(0)?;
/// let (mut numbers, mut doubles) = (bus.sender::<u64>("numbers")?, bus.receiver::<u64>("doubles")?);
/// numbers.try_send(21)?;
/// bus.turn()?;
/// assert_eq!(doubles.try_recv()?, Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HostBuilder<'a> {
    plan: &'a mut TopologyBuilder,
}

impl fmt::Debug for HostBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostBuilder")
            .field(&self.plan.host.len())
            .finish()
    }
}

impl<'a> HostBuilder<'a> {
    pub(super) fn new(plan: &'a mut TopologyBuilder) -> Self {
        Self { plan }
    }

    /// The launching program sends on this link, through [`Running::sender`](crate::Running::sender).
    pub fn sends<T: Message>(&mut self, end: LinkOut<T>) -> &mut Self {
        self.add(end)
    }

    /// The launching program receives from this link, through [`Running::receiver`](crate::Running::receiver).
    pub fn receives<T: Message>(&mut self, end: LinkIn<T>) -> &mut Self {
        self.add(end)
    }

    fn add(&mut self, mut end: impl Ends) -> &mut Self {
        let mut declaration = Declaration::new(self.plan.id);
        end.declare(&mut declaration);
        let actor = ActorId {
            partition: HOST_DRAFT,
            actor: self.plan.host.len(),
        };
        let foreign = declaration.foreign.into_iter();
        self.plan
            .foreign
            .extend(foreign.map(|link| ForeignEnd { actor, link }));
        let mut name = String::new();
        for &LinkId(link) in &declaration.outputs {
            self.plan.links[link].from = Some(actor);
            name.clone_from(&self.plan.links[link].name);
        }
        for &LinkId(link) in &declaration.inputs {
            self.plan.links[link].to = Some(actor);
            name.clone_from(&self.plan.links[link].name);
        }
        self.plan.host.push(ActorPlan {
            name,
            inputs: declaration.inputs,
            outputs: declaration.outputs,
            cells: Vec::new(),
            collections: Vec::new(),
            changes: 0,
        });
        self
    }
}
