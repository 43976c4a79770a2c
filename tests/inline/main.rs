//! Topologies that run on the test's own thread, through the public API.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

#[path = "../common/mod.rs"]
mod common;

mod collections;
mod joined;
mod lives;
mod schedule;
