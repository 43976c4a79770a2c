//! One partition's incarnation, on its own thread: regions, ports, actors, loop.
//!
//! | file | concern |
//! |---|---|
//! | `view` | the regions that this partition maps: its own to write, its peers' and the supervisor's to read |
//! | `ports` | opening an actor's ends for its factory |
//! | `bells`, `alarm` | whom to wake, and by whom to be woken |
//! | `idle` | spin, yield or park |
//! | `runner` | one actor: step, commit, retry |
//! | `letters` | what is held against its messages, carried out |
//! | `pages` | touching and locking the region's pages |
//! | `turns` | all actors of the partition, once each |
//! | `incarnation` | from the first mapped page to the last turn |
//! | `panic` | what a panic said, left in the region for the supervisor |
//! | `progress` | what actors have committed, for anybody |

pub(crate) mod alarm;
pub(crate) mod bells;
mod idle;
pub(crate) mod incarnation;
pub(crate) mod letters;
pub(crate) mod pages;
mod panic;
pub(crate) mod ports;
pub(crate) mod progress;
mod runner;
mod turns;
pub(crate) mod view;

pub(crate) use incarnation::{Begun, Ending, Life, PartitionError, Place, begin, live};
pub(crate) use letters::charges;
pub(crate) use panic::{leave_panic, left_panic, panic_message};
pub(crate) use turns::{Pass, Turns};
