//! One partition's incarnation, on its own thread: regions, ports, actors, loop.
//!
//! | file | concern |
//! |---|---|
//! | `view` | the regions that this partition maps: its own to write, its peers' and the supervisor's to read |
//! | `ports` | opening an actor's ends for its factory |
//! | `bells` | whom to wake, and by whom to be woken |
//! | `idle` | spin, yield or park |
//! | `runner` | one actor: step, commit, retry |
//! | `incarnation` | from the first mapped page to the last turn |

pub(crate) mod bells;
mod idle;
pub(crate) mod incarnation;
pub(crate) mod ports;
mod runner;
pub(crate) mod view;

pub(crate) use incarnation::{Ending, Life, PartitionError, live};
