//! Declaring a topology. Everything is taken as it comes; what is wrong is told once, by `build`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::CHANGES;

use super::ends::{self, Declaration, Ends, LinkIn, LinkOut};
use super::host::HostBuilder;
use super::local_ends::{self, LocalIn, LocalOut};
use super::migration::{self, Migration};
use super::model::{
    ActorId, ActorPlan, CapsulePlan, Declared, Factories, Factory, Leftover, LinkId, PartitionPlan,
    Plan, Restart, Wait, Want,
};
use super::options::LinkOptions;
use super::{Topology, TopologyError, describe, letters, validate};
use crate::actor::Actor;
use crate::local::MakeLocal;
use crate::mode::Launch;

/// Tells the builders of one process apart, so that an end wired into another builder's topology is noticed. The value
/// only has to be unique: nothing is ordered by it.
static NEXT_BUILDER: AtomicU64 = AtomicU64::new(0);

/// A restart a second over a short while is a fault that restarting will not mend.
const INTENSITY: u32 = 10;
const PERIOD: Duration = Duration::from_secs(10);
/// The first restart is all but immediate, since most deaths are single; the last delay keeps a storm off the CPU.
const BACKOFF_FIRST: Duration = Duration::from_millis(1);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// OTP's default for a worker.
const SHUTDOWN: Duration = Duration::from_secs(5);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const DISK_PATIENCE: Duration = Duration::from_secs(5);
/// Time on the supervisor's clock.
const HANG_AFTER: Duration = Duration::from_secs(5);

/// Collects partitions, actors and links; made by [`Topology::builder`], finished by [`build`](Self::build).
#[derive(Debug)]
pub struct TopologyBuilder {
    pub(super) id: u64,
    pub(super) name: String,
    bus: Option<String>,
    pub(super) intensity: u32,
    pub(super) period: Duration,
    pub(super) backoff_first: Duration,
    pub(super) backoff_max: Duration,
    pub(super) leftover: Leftover,
    pub(super) drain_timeout: Duration,
    /// Not for everybody: tests have no five seconds to lose.
    pub(crate) disk_patience: Duration,
    lock_memory: Want,
    huge_pages: Want,
    pub(super) capsules: Option<CapsulePlan>,
    pub(super) partitions: Vec<PartitionPlan>,
    pub(super) host: Vec<ActorPlan>,
    pub(super) links: Vec<LinkDraft>,
    pub(super) locals: Vec<LocalDraft>,
    pub(super) foreign: Vec<ForeignEnd>,
    pub(super) migrations: Vec<Migration>,
    /// Collections whose capacities may have been others.
    pub(super) resized: Vec<(String, String)>,
    /// Actors with more than one bound on their changes.
    pub(super) bounded_twice: Vec<String>,
}

/// A link as declared, of which an end may still be loose.
#[derive(Debug)]
pub(super) struct LinkDraft {
    pub(super) name: String,
    pub(super) schema_text: String,
    pub(super) payload_size: usize,
    pub(super) payload_align: usize,
    pub(super) options: LinkOptions,
    pub(super) from: Option<ActorId>,
    pub(super) to: Option<ActorId>,
}

/// A local link as declared, of which an end may still be loose.
#[derive(Debug)]
pub(super) struct LocalDraft {
    pub(super) name: String,
    pub(super) capacity: usize,
    pub(super) make: MakeLocal,
    pub(super) from: Option<ActorId>,
    pub(super) to: Option<ActorId>,
}

/// Stands for the host's place, which comes after that of the last partition, until `build` knows it.
pub(super) const HOST_DRAFT: usize = usize::MAX;

/// An end of another builder's link, handed to one of our actors.
#[derive(Debug)]
pub(super) struct ForeignEnd {
    pub(super) actor: ActorId,
    pub(super) link: String,
}

impl TopologyBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            id: NEXT_BUILDER.fetch_add(1, Ordering::Relaxed),
            name,
            bus: None,
            intensity: INTENSITY,
            period: PERIOD,
            backoff_first: BACKOFF_FIRST,
            backoff_max: BACKOFF_MAX,
            leftover: Leftover::default(),
            drain_timeout: DRAIN_TIMEOUT,
            disk_patience: DISK_PATIENCE,
            lock_memory: Want::default(),
            huge_pages: Want::default(),
            capsules: None,
            partitions: Vec::new(),
            host: Vec::new(),
            links: Vec::new(),
            locals: Vec::new(),
            foreign: Vec::new(),
            migrations: Vec::new(),
            resized: Vec::new(),
            bounded_twice: Vec::new(),
        }
    }

    /// Runs under this bus name instead of the topology's own: two instances of one topology need two names.
    pub fn bus(&mut self, name: impl Into<String>) -> &mut Self {
        self.bus = Some(name.into());
        self
    }

    /// How many failures within `period` are mended by restarts; one more ends the topology. Default: 10 in 10 s.
    pub fn intensity(&mut self, failures: u32, period: Duration) -> &mut Self {
        self.intensity = failures;
        self.period = period;
        self
    }

    /// What a start does with what a crash left of this bus. Default: [`Leftover::Refuse`].
    pub fn leftover(&mut self, leftover: Leftover) -> &mut Self {
        self.leftover = leftover;
        self
    }

    /// The delay before a partition's first restart, which doubles up to `max` while it keeps failing. Default: 1 ms, 1 s.
    pub fn backoff(&mut self, first: Duration, max: Duration) -> &mut Self {
        self.backoff_first = first;
        self.backoff_max = max;
        self
    }

    /// How long a stop lets inboxes drain before it stops the partitions anyway. Default: 5 s.
    pub fn drain_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.drain_timeout = timeout;
        self
    }

    /// Whether each region is locked into memory (`mlock`) by whoever runs its partition. Default: [`Want::Try`].
    ///
    /// Without it a page of a bus that is seldom used may be swapped out where there is swap.
    pub fn lock_memory(&mut self, want: Want) -> &mut Self {
        self.lock_memory = want;
        self
    }

    /// Whether each region of 2 MiB or more lies in huge pages, but for a rest shorter than one. Default: [`Want::Try`].
    ///
    /// A launch takes longer for it: what lies in small pages is copied once. Every life maps its regions faster then.
    pub fn huge_pages(&mut self, want: Want) -> &mut Self {
        self.huge_pages = want;
        self
    }

    /// Keeps what a step that crashed had in work as a [`Capsule`](crate::Capsule) in `directory`, to be looked at and
    /// [replayed](crate::replay()): at most `max_files` files of `max_bytes` together of this bus, the oldest removed. Default:
    /// nothing is kept.
    ///
    /// A crash is a fault signal, an abort, a panic, an exit with a code other than zero, or a hang; nothing is kept of a
    /// partition that was killed from outside, nor of a hosted one or an inline bus. The directory is made if it isn't there, for
    /// this user alone: capsules hold messages and durable state. No restart waits for the file. A capsule that can't be written
    /// is a line on stderr, counted by [`Monitor::capsules`](crate::Monitor::capsules), and nothing else; one that is longer than
    /// `max_bytes` is kept without some of the messages that waited, or not at all.
    ///
    /// `build` refuses no files and less than 4096 bytes. Collections take two bytes of a capsule for each of theirs.
    pub fn capsules(
        &mut self,
        directory: impl Into<PathBuf>,
        max_files: usize,
        max_bytes: u64,
    ) -> &mut Self {
        self.capsules = Some(CapsulePlan {
            directory: directory.into(),
            max_files,
            max_bytes,
        });
        self
    }

    /// A link for `T`, with room for `capacity` messages (a power of two). Each end is wired to one actor.
    pub fn link<T: Message>(
        &mut self,
        name: impl Into<String>,
        capacity: u64,
    ) -> (LinkOut<T>, LinkIn<T>) {
        self.link_with(name, LinkOptions::new(capacity))
    }

    /// A link for `T` with options.
    pub fn link_with<T: Message>(
        &mut self,
        name: impl Into<String>,
        options: LinkOptions,
    ) -> (LinkOut<T>, LinkIn<T>) {
        let name = name.into();
        let ends = ends::pair(self.id, LinkId(self.links.len()), &name);
        self.links.push(LinkDraft {
            name,
            schema_text: T::SCHEMA.to_text(),
            payload_size: size_of::<T>(),
            payload_align: align_of::<T>(),
            options,
            from: None,
            to: None,
        });
        ends
    }

    /// A link that carries any `T: Send` between two threads of this process, with room for `capacity` values.
    ///
    /// It lies in the heap and is no part of a step: what an aborted step sent or received stays sent or received, and a
    /// crash of the process loses it. It works with [`Launch::Threads`] and [`Launch::Inline`].
    pub fn local_link<T: Send + 'static>(
        &mut self,
        name: impl Into<String>,
        capacity: usize,
    ) -> (LocalOut<T>, LocalIn<T>) {
        let name = name.into();
        let ends = local_ends::pair(self.id, self.locals.len(), &name);
        self.locals.push(LocalDraft {
            name,
            capacity,
            make: MakeLocal::of::<T>(capacity),
            from: None,
            to: None,
        });
        ends
    }

    /// The launching program's own ports: for any of its threads, in every launch mode.
    pub fn host(&mut self) -> HostBuilder<'_> {
        HostBuilder::new(self)
    }

    /// A new partition: what is pinned, killed and restarted as one. A second call with the same name is a second
    /// partition, which `build` refuses.
    pub fn partition(&mut self, name: impl Into<String>) -> PartitionBuilder<'_> {
        let place = self.partitions.len();
        self.partitions.push(PartitionPlan {
            name: name.into(),
            core: None,
            share_core: false,
            wait: Wait::default(),
            restart: Restart::default(),
            shutdown: SHUTDOWN,
            hang_after: HANG_AFTER,
            hosted: false,
            warm_up: 0,
            reset_state: None,
            actors: Vec::new(),
            factories: Factories::default(),
        });
        PartitionBuilder { plan: self, place }
    }

    /// Checks everything that is true on every machine and freezes the plan; `launch` checks this machine.
    ///
    /// # Errors
    ///
    /// The first mistake in the order of declaration: the topology's own settings, its partitions with their actors, its
    /// host ports, its links, its local links.
    pub fn build(self) -> Result<Topology, TopologyError> {
        let bus = self.bus.clone().unwrap_or_else(|| self.name.clone());
        validate::settings(&self, &bus)?;
        validate::partitions(&self)?;
        validate::host(&self)?;
        migration::check(&self)?;
        let host = self.partitions.len();
        let links = self.links.iter();
        let policies: Vec<_> = links.map(|link| link.options.letter_policy()).collect();
        let links = validate::links(self.links, &self.name, host)?;
        let locals = validate::locals(self.locals, &links, &self.name)?;
        let mut plan = Plan {
            name: self.name,
            bus,
            partitions: self.partitions,
            host: self.host,
            links,
            locals,
            intensity: self.intensity,
            period: self.period,
            backoff_first: self.backoff_first,
            backoff_max: self.backoff_max,
            leftover: self.leftover,
            drain_timeout: self.drain_timeout,
            disk_patience: self.disk_patience,
            lock_memory: self.lock_memory,
            huge_pages: self.huge_pages,
            migrations: self.migrations,
            resized: self.resized,
            capsules: self.capsules,
            digest: 0,
        };
        validate::warm_ups(&plan)?;
        letters::add(&mut plan, &policies)?;
        plan.digest = describe::digest(&plan);
        validate::regions(&plan)?;
        Ok(Topology::new(plan))
    }

    /// Like [`build`](Self::build), and checks that the topology can be launched that way at all.
    ///
    /// # Errors
    ///
    /// As `build`, and [`TopologyError::LocalLinkAcrossProcesses`].
    pub fn build_for(self, launch: Launch) -> Result<Topology, TopologyError> {
        let topology = self.build()?;
        validate::launch(topology.plan(), launch)?;
        Ok(topology)
    }
}

/// Settings and actors of one partition; made by [`TopologyBuilder::partition`].
pub struct PartitionBuilder<'a> {
    plan: &'a mut TopologyBuilder,
    place: usize,
}

impl fmt::Debug for PartitionBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PartitionBuilder")
            .field(&self.plan.partitions[self.place].name)
            .finish()
    }
}

impl PartitionBuilder<'_> {
    fn settings(&mut self) -> &mut PartitionPlan {
        &mut self.plan.partitions[self.place]
    }

    /// Pins the partition to this CPU, by the kernel's number. Launch refuses a CPU that can't be had.
    pub fn core(&mut self, cpu: usize) -> &mut Self {
        self.settings().core = Some(cpu);
        self
    }

    /// Allows other partitions that say the same on this partition's CPU.
    pub fn share_core(&mut self) -> &mut Self {
        self.settings().share_core = true;
        self
    }

    /// Leaves the partition to a thread of the launching program, which drives it by [`Hosted::turn`](crate::Hosted::turn):
    /// the same guarantees, but nobody watches or restarts it, and it isn't pinned.
    pub fn hosted(&mut self) -> &mut Self {
        self.settings().hosted = true;
        self
    }

    /// Runs this many steps of each actor at the beginning of each incarnation and rolls them back: code, caches, page tables
    /// and the processor's guesses are warm when the first step that counts runs. Default: 0.
    ///
    /// Such a step sees the inbox and the durable state as that first step will, so it takes the same way; what it sends,
    /// receives and changes is never seen by anybody. Plain fields, and whatever it does outside of ports and durable state, are
    /// not undone: it is for actors whose steps may run again in any case, as they may after a refused send. A panic in one is a
    /// death like any other. A local link takes no part in a step, so an actor that has one can't be warmed up.
    pub fn warm_up(&mut self, steps: u32) -> &mut Self {
        self.settings().warm_up = steps;
        self
    }

    /// What the partition does while idle. Default: [`Wait::auto`].
    pub fn wait(&mut self, wait: Wait) -> &mut Self {
        self.settings().wait = wait;
        self
    }

    /// When it is started again after its end. Default: [`Restart::permanent`].
    pub fn restart(&mut self, restart: Restart) -> &mut Self {
        self.settings().restart = restart;
        self
    }

    /// Time between the request to stop and the kill; zero kills at once. Default: 5 s.
    pub fn shutdown(&mut self, timeout: Duration) -> &mut Self {
        self.settings().shutdown = timeout;
        self
    }

    /// How long the partition may make no turn of its loop before it counts as hung and is killed: the longest step, and the
    /// longest start with its factories. Time on the supervisor's clock; asleep, stopped by a signal or under a debugger it
    /// never does. Default: 5 s.
    pub fn hang_after(&mut self, limit: Duration) -> &mut Self {
        self.settings().hang_after = limit;
        self
    }

    /// Sets an actor's durable cells back to their initial values, and empties its collections, when three different messages were set
    /// aside with no step between them that committed: its state is to blame then. The inbox stays as it is, and what the state
    /// was is kept as a text, `BUS-ACTOR-STEPS.state` in `keep`, a directory that is made if there is none. Without this the
    /// topology gives up instead, as it does where the file can't be written within 5 s.
    ///
    /// The partition's next life waits for the file; the rest of the topology doesn't. The reset is one step, with which that life
    /// begins, before it makes the actor and sets the third message aside: a kill leaves all of it to the life after, or finds
    /// all of it done. Emptying takes as long as writing the collections' memory once: [`hang_after`](Self::hang_after) has to
    /// leave the time. Directory and file are this user's alone; a file of the same name is replaced.
    pub fn reset_state(&mut self, keep: impl Into<PathBuf>) -> &mut Self {
        self.settings().reset_state = Some(keep.into());
        self
    }

    /// Adds an actor. `make` gets the opened ports in the shape of `ends`; it runs on the partition's own thread, again
    /// at each incarnation, so whatever it captures must still be right then.
    pub fn actor<E, A, F>(&mut self, name: impl Into<String>, mut ends: E, make: F) -> &mut Self
    where
        E: Ends,
        A: Actor,
        F: Fn(E::Ports) -> A + Send + Sync + 'static,
    {
        let mut declaration = Declaration::new(self.plan.id);
        ends.declare(&mut declaration);
        let factory: Factory =
            Arc::new(move |opener| Ok(Box::new(make(ends.open(opener)?)) as Box<dyn Actor>));
        self.add(name.into(), declaration, factory);
        self
    }

    fn add(&mut self, name: String, declaration: Declaration, factory: Factory) {
        let actor = ActorId {
            partition: self.place,
            actor: self.settings().actors.len(),
        };
        for &LinkId(link) in &declaration.outputs {
            self.plan.links[link].from = Some(actor);
        }
        for &LinkId(link) in &declaration.inputs {
            self.plan.links[link].to = Some(actor);
        }
        for &link in &declaration.local_outputs {
            self.plan.locals[link].from = Some(actor);
        }
        for &link in &declaration.local_inputs {
            self.plan.locals[link].to = Some(actor);
        }
        if let [_, _, ..] = declaration.changes[..] {
            self.plan.bounded_twice.push(name.clone());
        }
        let foreign = declaration.foreign.into_iter();
        self.plan
            .foreign
            .extend(foreign.map(|link| ForeignEnd { actor, link }));
        self.settings().actors.push(ActorPlan {
            name,
            inputs: declaration.inputs,
            outputs: declaration.outputs,
            cells: declaration.cells,
            declared: Declared::default(),
            changes: declaration.changes.first().copied().unwrap_or(CHANGES),
            collections: declaration.collections,
            clock: declaration.clock,
        });
        self.settings().factories.0.push(factory);
    }
}
