//! Those who do operations.

pub mod process;

pub use process::ProcessExecutor;
