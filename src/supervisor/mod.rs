//! The supervisor: one thread that starts, watches, restarts and stops the partitions of one bus.
//!
//! | file | concern |
//! |---|---|
//! | `blame` | which message a death was the fault of, and what follows from it |
//! | `cause` | how a life ended, in one word |
//! | `control` | what the launching program asks, from any thread |
//! | `deaths` | what a death leads to |
//! | `decide` | restart, wait, or give up: pure decisions over a clock that is handed in |
//! | `faults` | untrusted links that were given up, each told once |
//! | `hosted` | partitions that somebody else drives, and how long the bus waits for them |
//! | `kept` | the state of an actor that starts anew, as a file |
//! | `keep` | what is kept of a life: a capsule of each crash, state before it starts anew |
//! | `left` | the ends of an earlier run's lives that its supervisor didn't live to judge |
//! | `writer` | the thread that writes those files |
//! | `lives` | starting a life as a process or a thread, and waiting for its end |
//! | `tally` | the counting of deaths that `blame` judges by |
//! | `watch` | what the pulses say: running, recovered, hung |
//! | `supervise` | the loop and its stages |
//! | `look` | pulses and timers at each tick, and what a silence means |
//! | `stop` | draining, and stopping in reverse order of start |
//! | `status` | what the launching program may ask |
//!
//! Its own thread never blocks but in its loop's wait: a backoff is a timer, a death is a readable pidfd, a start is a state.
//!
//! ```text
//! Starting(i) -> Running -> Draining -> Stopping(i) -> ended
//!      |            |           |           ^
//!      +------------+-----------+-----------+   escalation, a failed start, a stop without drain
//! ```
//!
//! A crash of the supervisor takes the partitions with it (their parent-death signal) and leaves the bus.

pub(crate) mod blame;
pub(crate) mod cause;
pub(crate) mod control;
mod deaths;
mod decide;
pub(crate) mod faults;
mod hosted;
mod keep;
mod kept;
mod left;
mod lives;
mod look;
pub(crate) mod status;
mod stop;
mod supervise;
mod tally;
mod watch;
mod writer;

pub(crate) use lives::LaunchMode;
pub(crate) use supervise::{Charge, Command, Outcome, StartFailure, Supervisor};
