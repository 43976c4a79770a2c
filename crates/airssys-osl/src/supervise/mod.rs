//! What a supervisor needs beyond the plain interface: how to spawn, a handle on the child, its exit status.
//!
//! [`ProcessExecutor::spawn`](crate::executors::process::ProcessExecutor::spawn) starts a child by `posix_spawn` on the
//! calling thread, never by a fork of this process, which would stall one that has much memory mapped. What
//! `posix_spawn` can't set up, [`ChildSetup`] does, called by the child itself when it begins.
//!
//! Invariants:
//!
//! * A child's pidfd is opened right after the spawn, before anyone but the kernel could give its pid to another
//!   process, and it alone is used to signal it and to wait for it.
//! * A child is reaped through its pidfd, and once: whoever reaps remembers the status for all others.
//! * The children of all executors of this process are kept in one table. A dropped [`Child`] goes on running; the
//!   table reaps it when it has died and any executor next does something.

mod child;
mod exit;
mod options;
pub(crate) mod registry;
pub(crate) mod setup;
pub(crate) mod state;

pub use child::Child;
pub use exit::{ExitStatus, signal_name};
pub use options::{SpawnOptions, StdioOption};
pub use setup::ChildSetup;
