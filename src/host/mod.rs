//! What this machine really offers: cores, memory, and the limits that a container puts on both.
//!
//! Read before anything is created. A file that is absent is no limit: not every kernel and container shows all of them.

pub(crate) mod cgroup;
pub(crate) mod cores;
pub(crate) mod pages;
pub(crate) mod process;
pub(crate) mod shm;

pub use cores::{CoreError, PinError};
pub use shm::MemoryError;
