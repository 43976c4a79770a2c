//! Middleware around executors. What a middleware is, says [`core::middleware`](crate::core::middleware).

pub mod ext;

pub use ext::{ExecutorExt, MiddlewareExecutor};
