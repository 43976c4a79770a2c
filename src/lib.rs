//! Thread-per-core actors over crash-safe shared-memory rings.
//!
//! Actors are pinned to cores and talk over preallocated rings that carry plain data in shared memory. A supervisor watches
//! heartbeats and restarts crashed partitions, threads or processes. A partition can be killed at any instruction, and no
//! message is lost, repeated or torn.
//!
//! ```no_run
//! use airssys_rt::prelude::*;
//!
//! #[message]
//! struct Tick { seq: u64, price: f64 }
//!
//! struct Feed { ticks: Sender<Tick> }
//! impl Actor for Feed {
//!     fn step(&mut self) -> Result<Step, Refused> {
//!         let seq = self.ticks.sent();
//!         let mut slot = self.ticks.claim()?; // no room: the step is run again when there is
//!         *slot = Tick { seq, price: 1.0 };
//!         slot.publish(); // seen by the receiver when this step commits
//!         Ok(if seq == 999_999 { Step::Done } else { Step::Busy })
//!     }
//! }
//!
//! struct Book { ticks: Receiver<Tick>, last: Durable<Tick> } // `last` survives a restart; a plain field would not
//! impl Actor for Book {
//!     fn step(&mut self) -> Result<Step, Refused> {
//!         let seen = self.ticks.drain(64, |tick| self.last.set(*tick));
//!         Ok(if seen == 0 && self.ticks.is_closed() { Step::Done } else { seen.into() })
//!     }
//! }
//!
//! fn quotes() -> Result<Topology, TopologyError> {
//!     let mut plan = Topology::builder("quotes");
//!     let (tick_out, tick_in) = plan.link::<Tick>("ticks", 1024);
//!     plan.partition("feed").actor("feed", tick_out, |ticks| Feed { ticks });
//!     plan.partition("book")
//!         .actor("book", (tick_in, durable::<Tick>("last")), |(ticks, last)| Book { ticks, last });
//!     plan.build()
//! }
//!
//! fn main() -> Result<(), airssys_rt::Error> {
//!     airssys_rt::enter(quotes)?; // in a partition's process: runs it and never returns
//!     let report = quotes()?.run(Launch::Processes, |_| ())?;
//!     println!("{:?}", report.links);
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

mod actor;
mod bus;
mod capsule;
mod dead_letters;
mod earlier;
mod embed;
mod enter;
pub mod exit;
mod files;
mod host;
mod launch;
mod local;
mod machine;
mod mode;
mod monitor;
mod partition;
mod replay;
mod report;
mod running;
mod signals;
mod supervisor;
mod topology;
mod unwinding;

pub use actor::{Actor, Refused, Step, TrySendError};
pub use airssys_ringbuf::__private::message_rt as message;
pub use airssys_ringbuf::clock::monotonic_ns;
pub use airssys_ringbuf::step::{
    Clock, CollectionError, CollectionView, Durable, DurableMap, DurableRing, DurableTable,
    DurableVec, Key, LinkFault, ManualClock, ObserveError, Observer, Receiver, Receivers, Seen,
    SendError, Sender, Slot, StepError,
};
pub use airssys_ringbuf::{Instance, Layout, Message, Schema};
pub use bus::{BusError, Holder};
pub use capsule::{
    Capsule, CapsuleCell, CapsuleClock, CapsuleError, CapsuleInput, CapsuleMessage, CapsuleOutput,
    CapsuleSection, Crash,
};
pub use dead_letters::{DeadLetter, DeadLetters, LetterCounts};
pub use embed::{HostError, HostReceiver, HostSender, Hosted, Inline, TurnError, Turned};
pub use enter::enter;
pub use host::{CoreError, MemoryError, PinError};
pub use launch::LaunchError;
pub use local::{LocalReceiver, LocalSender};
pub use machine::{Had, MachinePlan, MemoryReport, RegionMemory};
pub use mode::Launch;
pub use monitor::{LinkStatus, Monitor, ReadError};
pub use partition::ports::{PortError, PortOpener};
pub use replay::{ReplayError, Replayed, replay};
pub use running::{Report, RunError, Running};
pub use supervisor::cause::Cause;
pub use supervisor::status::{CapsuleCounts, PartitionStatus, Recovery};
pub use topology::{
    CellSpec, ClockSpec, Declaration, Ends, FanIn, HostBuilder, Leftover, LinkId, LinkIn,
    LinkOptions, LinkOut, LocalIn, LocalOut, PartitionBuilder, Restart, Topology, TopologyBuilder,
    TopologyError, Wait, Want, clock, durable, durable_with, fan_in,
};

/// The ring alone, for those who want no actors.
pub use airssys_ringbuf as ringbuf;

/// Everything that an actor's author and a topology's author need.
pub mod prelude {
    pub use crate::{
        Actor, Clock, CollectionError, Durable, DurableMap, DurableRing, DurableTable, DurableVec,
        HostReceiver, HostSender, Launch, Layout, Leftover, LinkOptions, LocalReceiver,
        LocalSender, Receiver, Receivers, Refused, Restart, Sender, Step, Topology, TopologyError,
        Turned, Wait, clock, durable, durable_with, fan_in, message,
    };
}

/// Anything that can go wrong between a plan and its end, for a `main` that only hands it on: its `Debug` is its message,
/// since that is what such a `main` prints.
#[derive(thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum Error {
    /// The plan is not valid.
    Topology(#[from] TopologyError),
    /// It could not be launched.
    Launch(#[from] LaunchError),
    /// It did not end well.
    Run(#[from] RunError),
    /// Something of it could not be read.
    Read(#[from] ReadError),
    /// One of the launching program's own ports or partitions could not be opened.
    Host(#[from] HostError),
    /// A partition that the launching program drives could not go on.
    Turn(#[from] TurnError),
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What the expansion of `#[message]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use airssys_ringbuf::__private::*;
}
