//! Topologies that run as threads of this process, through the public API.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

#[path = "../common/mod.rs"]
mod common;

mod capsule_state;
mod capsules;
mod ending;
mod fan_in;
mod host;
mod host_ends;
mod hosted;
mod local;
mod memory;
mod migrate;
mod monitor;
mod observe;
mod panics;
mod poison;
mod refusal;
mod refused;
mod resume;
mod traffic;
mod untrusted;
