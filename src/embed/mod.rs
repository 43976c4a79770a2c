//! The launching program's own part in a bus: ports for any of its threads, partitions that it drives, all of it inline.
//!
//! | file | concern |
//! |---|---|
//! | `side` | opening ports and hosted partitions on a bus that runs |
//! | `sender`, `receiver` | host ports: each call commits by itself |
//! | `bell` | how a host port wakes its peer, and sleeps |
//! | `hosted` | a partition that a thread of the caller drives |
//! | `inline` | all partitions on the caller's thread |

mod bell;
mod hosted;
mod inline;
mod receiver;
mod sender;
mod side;

pub use hosted::{Hosted, TurnError, Turned};
pub use inline::Inline;
pub use receiver::HostReceiver;
pub use sender::HostSender;
pub use side::HostError;

pub(crate) use inline::{Seats, in_heap};
pub(crate) use side::HostSide;
