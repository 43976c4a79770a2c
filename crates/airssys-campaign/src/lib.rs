//! Fault campaigns: kill a real step anywhere, and check what is left.
//!
//! Three partitions stand in a row, source, middle and sink, over real regions and on the ports that every actor has. Who
//! is killed leaves its region; the next incarnation recovers from it, and all three go on. Then every message must have
//! arrived once, whole and in order, and the state must agree with it.
//!
//! | campaign | what is killed, and when |
//! |---|---|
//! | [`every_instruction`] | the middle, after every instruction of attach, recovery and steps, one step that ends it included |
//! | [`catch_mistake`] | the same, with a mistake planted in the step: the campaign must fail |
//! | [`random_kills`] | one of three running processes, at a random instant |
//!
//! A campaign forks: its process has one thread. It leaves nothing in `/dev/shm` and no process, also when it is killed.

#![deny(unsafe_code)]

mod actors;
mod bus;
mod campaign;
mod failure;
mod instructions;
mod judge;
mod lives;
mod process;
mod random;
mod seed;
mod snapshot;
mod traffic;
mod watch;

pub use campaign::{Budget, Caught, Tally, catch_mistake, every_instruction};
pub use failure::Failure;
pub use random::{Kills, Report, random_kills};
pub use seed::{Seed, fresh_seed};
