//! Async ports on buses that run: traffic, sleeps that nothing disturbs, and ends.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

mod bus;
mod ending;
mod runtime;
mod sleeping;
mod traffic;
