//! Heartbeat, phase and identity of a region's owner.
//!
//! ```text
//! Starting -> Recovering -> Running <-> Parked
//!                              |
//!                          Stopping (about to end: done, or asked to)
//! ```
//!
//! The owner alone writes; all stores are relaxed and none is a decision: the supervisor judges by the beat and by the
//! kernel. A crash leaves the last values.

use crate::layout::{command_word, pulse_word};
use crate::memory::{PeerWords, RangeError, WordArray, Words};
use crate::region::{Region, SectionEntry};
use crate::word::Ordering;

/// Where a partition is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// Nothing has been written by this incarnation.
    Unborn = 0,
    /// It maps regions and makes its actors.
    Starting = 1,
    /// It does again what followed the last commit.
    Recovering = 2,
    /// Its loop runs.
    Running = 3,
    /// It sleeps until a doorbell rings.
    Parked = 4,
    /// It ends by its own word: every actor is done, or it was asked to stop.
    Stopping = 5,
}

impl Phase {
    fn from_word(word: u64) -> Self {
        match word {
            1 => Self::Starting,
            2 => Self::Recovering,
            3 => Self::Running,
            4 => Self::Parked,
            5 => Self::Stopping,
            _ => Self::Unborn,
        }
    }
}

/// Who runs a partition at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its process.
    pub pid: u64,
    /// When the process started, in clock ticks since boot: with the pid, its namespace and the boot id it names
    /// one process for ever.
    pub start_time: u64,
    /// The inode of the pid namespace in which `pid` is its number; 0 where `/proc` doesn't say.
    pub pid_namespace: u64,
    /// The n-th life of the partition, from 1.
    pub incarnation: u64,
}

/// What came of locking a region's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locked {
    /// Nobody has tried.
    #[default]
    Untried,
    /// They stay in memory as long as this incarnation lives.
    Yes,
    /// The kernel refused, for the reason with this number.
    Refused(i32),
}

impl Locked {
    fn to_word(self) -> u64 {
        match self {
            Self::Untried => 0,
            Self::Yes => 1,
            Self::Refused(errno) => 2 | u64::from(errno.cast_unsigned()) << 32,
        }
    }

    fn from_word(word: u64) -> Self {
        match word & 0xffff_ffff {
            0 => Self::Untried,
            1 => Self::Yes,
            _ => Self::Refused(((word >> 32) as u32).cast_signed()),
        }
    }
}

/// What an incarnation has of its own region's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    /// Whether they can be swapped out.
    pub locked: Locked,
    /// How many of the bytes are mapped as huge pages.
    pub huge_bytes: u64,
}

/// The owner's hold on its pulse.
#[derive(Clone, Debug)]
pub struct Pulse(WordArray<{ pulse_word::COUNT }>);

impl Pulse {
    /// The pulse section of `own`.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it is too small.
    pub fn new(own: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        WordArray::new(own.memory(), section.offset).map(Self)
    }

    #[inline]
    fn set(&self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }

    /// Begins an incarnation. The incarnation's number comes last: with it the rest counts.
    pub fn begin(&self, identity: Identity) {
        self.phase(Phase::Starting);
        self.set(pulse_word::PID, identity.pid);
        self.set(pulse_word::START_TIME, identity.start_time);
        self.set(pulse_word::PID_NAMESPACE, identity.pid_namespace);
        self.set(pulse_word::FIRST_STEP_AT, 0);
        self.pages(Pages::default());
        self.set(pulse_word::STARTED_AT, crate::clock::monotonic_ns());
        self.0[pulse_word::INCARNATION].store(identity.incarnation, Ordering::Release);
    }

    /// Says where the incarnation is.
    #[inline]
    pub fn phase(&self, phase: Phase) {
        self.set(pulse_word::PHASE, phase as u64);
    }

    /// Says that the incarnation's first step has ended, now.
    pub fn first_step(&self) {
        self.set(pulse_word::FIRST_STEP_AT, crate::clock::monotonic_ns());
    }

    /// Says what the incarnation has of its region's pages.
    pub fn pages(&self, pages: Pages) {
        self.set(pulse_word::LOCKED, pages.locked.to_word());
        self.set(pulse_word::HUGE_BYTES, pages.huge_bytes);
    }

    /// One heartbeat, and which actor is about to run which step.
    #[inline]
    pub fn beat(&self, beats: u64, actor: u64, step: u64) {
        self.set(pulse_word::ACTOR, actor);
        self.set(pulse_word::STEP, step);
        self.set(pulse_word::BEAT, beats);
    }

    /// The last beat of the incarnation before: beats go on from there.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.0[pulse_word::BEAT].load(Ordering::Relaxed)
    }
}

/// Anybody's view of a pulse.
#[derive(Clone, Debug)]
pub struct PulseView(PeerWords);

/// What a pulse says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Turns of the loop, over all incarnations.
    pub beats: u64,
    /// Where the incarnation is.
    pub phase: Phase,
    /// The actor that ran last, by its place in the partition.
    pub actor: u64,
    /// The step that it was about to run.
    pub step: u64,
    /// Who it is.
    pub identity: Identity,
    /// When the incarnation began to write, monotonic nanoseconds.
    pub started_at_ns: u64,
    /// When its first step had ended, monotonic nanoseconds; 0 before.
    pub first_step_at_ns: u64,
}

impl PulseView {
    /// The pulse section of any region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it is too small.
    pub fn new(region: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        PeerWords::new(region.memory(), section.offset, pulse_word::COUNT).map(Self)
    }

    /// What it says now.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let incarnation = self.0.load(pulse_word::INCARNATION, Ordering::Acquire);
        let load = |word| self.0.load(word, Ordering::Relaxed);
        Vitals {
            beats: load(pulse_word::BEAT),
            phase: Phase::from_word(load(pulse_word::PHASE)),
            actor: load(pulse_word::ACTOR),
            step: load(pulse_word::STEP),
            identity: Identity {
                pid: load(pulse_word::PID),
                start_time: load(pulse_word::START_TIME),
                pid_namespace: load(pulse_word::PID_NAMESPACE),
                incarnation,
            },
            started_at_ns: load(pulse_word::STARTED_AT),
            first_step_at_ns: load(pulse_word::FIRST_STEP_AT),
        }
    }

    /// What the incarnation says that it has of its region's pages.
    #[must_use]
    pub fn pages(&self) -> Pages {
        Pages {
            locked: Locked::from_word(self.0.load(pulse_word::LOCKED, Ordering::Relaxed)),
            huge_bytes: self.0.load(pulse_word::HUGE_BYTES, Ordering::Relaxed),
        }
    }
}

/// What the supervisor asks of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Order {
    /// Go on.
    Run = 0,
    /// Actors without inputs take no more steps; the others go on.
    Drain = 1,
    /// End at the next step's boundary.
    Stop = 2,
}

/// The supervisor's hold on its order to one partition.
#[derive(Clone, Debug)]
pub struct Command(Words);

/// A partition's view of the supervisor's order to it.
#[derive(Clone, Debug)]
pub struct CommandView(WordArray<{ command_word::COUNT }>);

impl Command {
    /// A command section of the supervisor's own region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it is too small.
    pub fn new(own: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        Words::new(own.memory(), section.offset, command_word::COUNT).map(Self)
    }

    /// Gives an order. The partition's doorbell is due afterwards.
    pub fn give(&self, order: Order) {
        self.0
            .at(command_word::ORDER)
            .store(order as u64, Ordering::Release);
    }
}

impl CommandView {
    /// A command section of the supervisor's region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it is too small.
    pub fn new(supervisor: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        WordArray::any(supervisor.memory(), section.offset).map(Self)
    }

    /// The order in force.
    #[inline]
    #[must_use]
    pub fn order(&self) -> Order {
        match self.0[command_word::ORDER].load(Ordering::Acquire) {
            0 => Order::Run,
            1 => Order::Drain,
            _ => Order::Stop,
        }
    }
}
