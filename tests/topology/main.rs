//! What `build` accepts and refuses, through the public API.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use airssys_rt::Refused;
use airssys_rt::prelude::*;

mod collections;
mod embedding;
mod refused;
mod value;

#[message]
struct Tick {
    seq: u64,
    price: f64,
}

struct Nothing;

impl Actor for Nothing {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Done)
    }
}
