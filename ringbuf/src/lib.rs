//! Crash-safe SPSC rings, shared-memory regions and the atomic step: what airssys-rt is built on.
//!
//! A [`Ring`] is usable alone:
//!
//! ```
//! use airssys_ringbuf::{Ring, message};
//!
//! #[message]
//! struct Tick { seq: u64, price: f64 }
//!
//! let (mut tx, mut rx) = Ring::<Tick>::heap(1024).unwrap();
//! tx.try_send(Tick { seq: 1, price: 99.5 }).unwrap();
//! assert_eq!(rx.try_recv().unwrap().seq, 1);
//! ```
//!
//! The layers, each knowing only those above it in this list:
//!
//! | layer | modules |
//! |---|---|
//! | message | [`Message`], [`schema`], `digest` |
//! | memory | [`memory`], [`word`] |
//! | ring | `slots`, `ring` |
//! | region | [`region`], [`layout`], [`latency`], [`pulse`], [`park`], [`instance`], [`panic_text`] |
//! | step | [`step`] |
//!
//! Beside them stands [`signals`], which knows none of them.
//!
//! Unsafe code lives in `memory`, `memory/pages`, `slots`, `ring/slot`, `ring/bare`, `step/sender`, `step/receiver`, `step/restore`, `step/host/alone` and
//! `signals` and nowhere else.
//!
//! Out of scope: power loss, a kernel crash, and somebody of the same user truncating a mapped file (`SIGBUS`).

#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("airssys-ringbuf runs on 64-bit Linux: its layout and its futexes are made for it");

// `#[message]` names everything through the facade crate, also inside of it.
extern crate self as airssys_ringbuf;

pub mod blame;
pub mod clock;
mod digest;
pub mod instance;
pub mod latency;
pub mod layout;
pub mod memory;
mod message;
pub mod panic_text;
pub mod park;
pub mod pulse;
pub mod region;
mod ring;
pub mod schema;
pub mod signals;
mod slots;
pub mod step;
pub mod word;

pub use airssys_ringbuf_macros::message;
pub use digest::{Digest, fnv1a64};
pub use instance::Instance;
pub use layout::Layout;
pub use message::Message;
pub use ring::bare::{Consumer, Producer, Ring, ShapeError, TrySendError};
pub use ring::shared::SharedError;
pub use ring::slot::Slot;
pub use schema::{Field, Kind, Schema};

/// What the expansion of `#[message]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::message::Message;
    pub use crate::schema::{Field, Kind, Schema};
    /// `#[message]` for the crate that airssys-rt is to its users.
    pub use airssys_ringbuf_macros::message_rt;
    pub use bytemuck;
}
