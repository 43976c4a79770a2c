//! The traits and types that operations, executors and middleware share.

pub mod context;
pub mod executor;
pub mod middleware;
pub mod operation;
pub mod result;
