//! What an actor is declared with: ends of links and durable cells, by value.
//!
//! An end is neither `Clone` nor `Copy`, so that wiring it twice does not compile. Declaring an actor writes its ends
//! into a [`Declaration`]; the ends then live on in the actor's factory, which opens them anew at each incarnation.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use airssys_ringbuf::__private::bytemuck;
use airssys_ringbuf::Message;
use airssys_ringbuf::step::{Clock, Durable, Receiver, Sender};

use super::model::{CellPlan, CollectionPlan, LinkId};
use crate::partition::ports::{PortError, PortOpener};

/// What can be handed to [`PartitionBuilder::actor`](super::PartitionBuilder::actor) as an actor's ends.
///
/// Implemented for [`LinkOut`], [`LinkIn`], [`FanIn`](super::FanIn), [`CellSpec`], [`ClockSpec`],
/// [`CollectionSpec`](super::durable::CollectionSpec), [`ChangesSpec`](super::durable::ChangesSpec),
/// [`LocalOut`](super::LocalOut), [`LocalIn`](super::LocalIn), `()`, and for `Vec`s, arrays and tuples (up to eight) of these, in
/// any nesting. The factory gets the ports in the same shape. Not meant to be implemented elsewhere.
pub trait Ends: Send + Sync + 'static {
    /// What the factory gets: the opened ports.
    type Ports;

    /// Enters these ends into the actor's declaration.
    #[doc(hidden)]
    fn declare(&mut self, declaration: &mut Declaration);

    /// Opens the ports, on the partition's own thread.
    ///
    /// # Errors
    ///
    /// What the region says when it doesn't hold what was declared.
    #[doc(hidden)]
    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError>;
}

/// An actor's ends as they are declared, in order; made and read by the builder.
#[doc(hidden)]
#[derive(Debug)]
pub struct Declaration {
    builder: u64,
    pub(crate) inputs: Vec<LinkId>,
    pub(crate) outputs: Vec<LinkId>,
    pub(crate) cells: Vec<CellPlan>,
    pub(crate) collections: Vec<CollectionPlan>,
    /// Each bound that was declared.
    pub(crate) changes: Vec<u64>,
    pub(crate) clock: bool,
    /// Places of local links.
    pub(crate) local_inputs: Vec<usize>,
    pub(crate) local_outputs: Vec<usize>,
    /// Names of links whose ends came from another builder.
    pub(crate) foreign: Vec<String>,
}

impl Declaration {
    pub(crate) fn new(builder: u64) -> Self {
        Self {
            builder,
            inputs: Vec::new(),
            outputs: Vec::new(),
            cells: Vec::new(),
            collections: Vec::new(),
            changes: Vec::new(),
            clock: false,
            local_inputs: Vec::new(),
            local_outputs: Vec::new(),
            foreign: Vec::new(),
        }
    }
}

/// Where an end belongs. The name is for errors only: the link of another builder can't be looked up.
pub(super) struct Origin<I> {
    pub(super) builder: u64,
    pub(super) link: I,
    pub(super) name: Arc<str>,
}

impl<I: Copy> Origin<I> {
    /// Whether the end is the declaring builder's own; notes it as foreign if it isn't.
    pub(super) fn checked(&self, declaration: &mut Declaration) -> Option<I> {
        if self.builder == declaration.builder {
            return Some(self.link);
        }
        declaration.foreign.push(self.name.to_string());
        None
    }
}

/// The sending end of a link, to be wired to exactly one actor, whose [`Sender`] it becomes, or to the host.
#[must_use = "a link whose end is not wired is refused by `build`"]
pub struct LinkOut<T> {
    origin: Origin<LinkId>,
    message: PhantomData<fn(T)>,
}

/// The receiving end of a link, to be wired to exactly one actor, whose [`Receiver`] it becomes, or to the host.
#[must_use = "a link whose end is not wired is refused by `build`"]
pub struct LinkIn<T> {
    origin: Origin<LinkId>,
    message: PhantomData<fn() -> T>,
}

/// Both ends of a new link of the builder.
pub(crate) fn pair<T>(builder: u64, link: LinkId, name: &str) -> (LinkOut<T>, LinkIn<T>) {
    let name: Arc<str> = name.into();
    let origin = |name: Arc<str>| Origin {
        builder,
        link,
        name,
    };
    let out = LinkOut {
        origin: origin(Arc::clone(&name)),
        message: PhantomData,
    };
    let into = LinkIn {
        origin: origin(name),
        message: PhantomData,
    };
    (out, into)
}

impl<T> fmt::Debug for LinkOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LinkOut").field(&self.origin.name).finish()
    }
}

impl<T> fmt::Debug for LinkIn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LinkIn").field(&self.origin.name).finish()
    }
}

impl<T> LinkIn<T> {
    pub(super) fn link(&self) -> LinkId {
        self.origin.link
    }
}

impl<T: Message> Ends for LinkOut<T> {
    type Ports = Sender<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        if let Some(link) = self.origin.checked(declaration) {
            declaration.outputs.push(link);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.sender(self.origin.link)
    }
}

impl<T: Message> Ends for LinkIn<T> {
    type Ports = Receiver<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        if let Some(link) = self.origin.checked(declaration) {
            declaration.inputs.push(link);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.receiver(self.origin.link)
    }
}

/// A durable cell of an actor, as declared; becomes its [`Durable`]. Made by [`durable`] and [`durable_with`].
#[must_use = "a cell exists only once it is declared with an actor"]
pub struct CellSpec<S> {
    name: String,
    initial: S,
    /// The cell's place among its actor's cells, known once it is declared.
    place: usize,
}

/// A durable cell that starts zeroed. It survives every restart; a plain field does not. For more than 4 KiB, see the
/// [module](mod@crate::durable) of this name.
///
/// The name is unique within its actor: `[a-z0-9][a-z0-9_-]{0,62}`. An actor has at most 64 cells, of which each incoming link with
/// dead letters takes one.
pub fn durable<S: Message>(name: impl Into<String>) -> CellSpec<S> {
    durable_with(name, S::zeroed())
}

/// A durable cell that starts as `initial`: written once, when the bus is new, and never again at a restart; but see
/// [`reset_state`](super::PartitionBuilder::reset_state).
pub fn durable_with<S: Message>(name: impl Into<String>, initial: S) -> CellSpec<S> {
    CellSpec {
        name: name.into(),
        initial,
        place: 0,
    }
}

impl<S> fmt::Debug for CellSpec<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CellSpec").field(&self.name).finish()
    }
}

impl<S: Message> Ends for CellSpec<S> {
    type Ports = Durable<S>;

    fn declare(&mut self, declaration: &mut Declaration) {
        self.place = declaration.cells.len();
        declaration.cells.push(CellPlan {
            name: self.name.clone(),
            schema_text: S::SCHEMA.to_text(),
            size: size_of::<S>(),
            align: align_of::<S>(),
            initial: bytemuck::bytes_of(&self.initial).to_vec(),
        });
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.durable(self.place, self.initial)
    }
}

/// An actor's clock, as declared; becomes its [`Clock`]. Made by [`clock`].
#[derive(Debug)]
#[must_use = "a clock exists only once it is declared with an actor"]
pub struct ClockSpec(());

/// A clock that gives one reading a step: a step that died by what it read can be [replayed](crate::replay()) with the same
/// reading. The next try of the step, after a refusal or in the next life, reads anew.
///
/// However often an actor declares it, it has one clock.
///
/// ```
/// use airssys_rt::prelude::*;
///
/// struct Timeout { beats: Receiver<u64>, clock: Clock, last: Durable<u64> }
/// impl Actor for Timeout {
///     fn step(&mut self) -> Result<Step, Refused> {
///         let now = self.clock.now(); // nanoseconds of CLOCK_MONOTONIC, the same throughout the step
///         if self.beats.drain(64, |_| ()) > 0 {
///             self.last.set(now);
///         } else if now - self.last.get() > 1_000_000_000 {
///             return Ok(Step::Done);
///         }
///         Ok(Step::Idle)
///     }
/// }
///
/// let mut plan = Topology::builder("beats");
/// let (beat_out, beat_in) = plan.link::<u64>("beats", 16);
/// plan.host().sends(beat_out);
/// plan.partition("watch").actor("timeout", (beat_in, clock(), durable("last")), |(beats, clock, last)| {
///     Timeout { beats, clock, last }
/// });
///
/// let mut bus = plan.build()?.inline(0)?; // here time is virtual
/// assert_eq!(bus.turn()?, Turned::Idle);
/// bus.clock().advance(std::time::Duration::from_secs(2));
/// assert_eq!(bus.run_until_idle(10)?, Turned::Ended);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn clock() -> ClockSpec {
    ClockSpec(())
}

impl Ends for ClockSpec {
    type Ports = Clock;

    fn declare(&mut self, declaration: &mut Declaration) {
        declaration.clock = true;
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.clock()
    }
}

impl Ends for () {
    type Ports = ();

    fn declare(&mut self, _: &mut Declaration) {}

    fn open(&self, _: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        Ok(())
    }
}

impl<E: Ends> Ends for Vec<E> {
    type Ports = Vec<E::Ports>;

    fn declare(&mut self, declaration: &mut Declaration) {
        for end in self {
            end.declare(declaration);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        self.iter().map(|end| end.open(opener)).collect()
    }
}

impl<E: Ends, const N: usize> Ends for [E; N] {
    type Ports = [E::Ports; N];

    fn declare(&mut self, declaration: &mut Declaration) {
        for end in self {
            end.declare(declaration);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        let mut ports = Vec::with_capacity(N);
        for end in self {
            ports.push(end.open(opener)?);
        }
        let Ok(ports) = ports.try_into() else {
            unreachable!("each of the array's ends gave one port");
        };
        Ok(ports)
    }
}

macro_rules! tuple_ends {
    ($($end:ident $place:tt),+) => {
        impl<$($end: Ends),+> Ends for ($($end,)+) {
            type Ports = ($($end::Ports,)+);

            fn declare(&mut self, declaration: &mut Declaration) {
                $(self.$place.declare(declaration);)+
            }

            fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
                Ok(($(self.$place.open(opener)?,)+))
            }
        }
    };
}

tuple_ends!(A 0);
tuple_ends!(A 0, B 1);
tuple_ends!(A 0, B 1, C 2);
tuple_ends!(A 0, B 1, C 2, D 3);
tuple_ends!(A 0, B 1, C 2, D 3, E 4);
tuple_ends!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_ends!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_ends!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_know_their_places_however_they_are_nested() {
        let mut ends = (
            durable::<u64>("a"),
            [durable::<u32>("b"), durable("c")],
            (vec![durable::<u8>("d")], ()),
        );
        let mut declaration = Declaration::new(0);
        ends.declare(&mut declaration);
        let (a, [b, c], (d, ())) = &ends;
        assert_eq!([a.place, b.place, c.place, d[0].place], [0, 1, 2, 3]);
        let names: Vec<&str> = declaration
            .cells
            .iter()
            .map(|cell| cell.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}
