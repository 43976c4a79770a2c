//! The atomic step: receive, change state and send all together, or not at all.
//!
//! [`StepCore`] holds an actor's commit records and knows its ports; [`Sender`], [`Receiver`] and [`Durable`] are what the
//! actor's author holds. The words lie in the actor's own partition's region:
//!
//! ```text
//! control: u64 = (steps << 1) | active
//! record[2]: { cell bits, done, in_position[], (out_from, out_to)[] }
//! in flight: { incarnation, to[] }, raised by each receive
//! cell[]: buffer[2], selected by its bit in the active record
//! undo: { step, count, undone, reset, (place, old)[] }, of the collections' words
//! ```
//!
//! Who touches what, and when:
//!
//! | | while the step runs | at commit, before control | control | after it |
//! |---|---|---|---|---|
//! | payloads of claimed slots | written | | | |
//! | a changed cell's other buffer | | written | | |
//! | the undo log, then a collection's changed words | written | | | |
//! | the inactive record | | written | | |
//! | control | | | one store | |
//! | sequence words, close, credit | | | | written |
//!
//! [`HostSender`] and [`HostReceiver`] are an actor with one end each whose every call is a step, for the program that
//! launched the bus.
//!
//! A crash leaves the last commit: what lies before the control store is unseen and written anew by the next try, or undone by
//! the next incarnation where it was a collection's; what lies
//! after it is done again by the next incarnation ([`StepCore`]'s recovery), which is idempotent.

mod attach;
mod cell;
mod claims;
mod clock;
mod collections;
mod commit;
mod core;
mod delta;
mod fan_in;
mod gate;
mod hints;
mod host;
mod in_flight;
mod key;
mod letters;
#[doc(hidden)]
pub mod mistake;
#[cfg(test)]
mod model;
mod observe;
mod outcome;
mod ports;
mod raw;
mod receiver;
mod record;
mod recovery;
mod restore;
mod sections;
mod sender;
mod takeover;
mod watch;

pub use self::attach::Attach;
pub use self::cell::Durable;
pub use self::clock::{Clock, ClockReading, ClockSource, ManualClock, read_clock};
pub use self::collections::{
    CollectionError, CollectionView, DurableMap, DurableRing, DurableTable, DurableVec, MapEntry,
};
pub use self::core::StepCore;
pub use self::fan_in::Receivers;
pub use self::host::{HostReceiver, HostSender, SendError};
pub use self::in_flight::{InWork, in_work};
pub use self::key::Key;
pub use self::letters::{LetterNames, Letters, Note, SetAside, Tally};
pub use self::observe::{ObserveError, Progress, latencies, link_fault, progress, read_cell};
pub use self::outcome::{Outcome, StepError, Verdict};
pub use self::ports::{LinkFault, Refused};
pub use self::raw::{RawLink, RawMessage, raw_cell, raw_link, raw_messages, raw_section};
pub use self::receiver::Receiver;
pub use self::recovery::{End, recover, reset};
pub use self::restore::{ActorState, InputState, OutputState, restore};
pub use self::sections::AttachError;
pub use self::sender::Sender;
pub use self::takeover::{
    Conversion, TakeoverError, convert_cell, convert_collection, copy_section,
};
pub use self::watch::{Observer, Seen};
pub use crate::ring::bare::TrySendError;
pub use crate::ring::slot::Slot;
