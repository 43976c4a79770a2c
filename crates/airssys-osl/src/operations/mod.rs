//! What executors can be asked to do.

pub mod process;

pub use process::{ProcessKillOperation, ProcessSignalOperation, ProcessSpawnOperation};
