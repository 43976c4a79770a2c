//! Durable collections against those of std, and against everything that ends a step early.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

mod common;
mod endings;
mod models;
mod refusals;
