//! Fault campaigns: kill a real step anywhere, and check what is left.
//!
//! Three partitions stand in a row, source, middle and sink, over real regions and on the ports that every actor has. The
//! middle draws how much it takes, of which links, and where its answers go. Who is killed leaves its region; the next
//! incarnation recovers from it, and all three go on. Then every message must have arrived once, whole and in order, each must
//! have been answered once, and the state must agree with it. `scenarios` are the lives of which every instruction is judged.
//!
//! [`ALL`] is the register of campaigns, [`run`] runs one of them; the command `airssys-campaign` does nothing else.
//!
//! A campaign forks: its process has one thread. It leaves nothing in `/dev/shm` and no process, also when it is killed.

#![deny(unsafe_code)]

mod actors;
mod bus;
mod campaigns;
mod collections;
mod court;
mod failure;
mod hostile;
mod instructions;
mod judge;
mod maps;
mod open;
mod place;
mod points;
mod process;
mod quiet;
mod random;
mod run;
mod scenarios;
mod seed;
mod snapshot;
mod traffic;
mod watch;
mod witness;

pub use campaigns::{ALL, Campaign, find};
#[doc(hidden)]
pub use open::{corpus, open_any};
pub use quiet::{Planted, quiet_steps};
pub use run::{Options, round, run, short};
