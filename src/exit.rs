//! Exit codes of a partition's process: a table that scripts may rely on.
//!
//! | code | meaning | restarted |
//! |---|---|---|
//! | 0 | every actor is done, or the supervisor asked it to stop | no |
//! | 70 | a step can't be ended: a corrupt peer, a step larger than its link, a leaked borrow | no: escalates |
//! | 71 | its regions can't be opened or locked into memory, or its ends don't fit them | no: escalates |
//! | 72 | the topology that this process built isn't the one that was launched | no: escalates |
//! | 73 | its core can't be had | no: escalates |
//! | 75 | its supervisor died before it began | (nobody is left to) |
//! | 101 | an actor panicked | by its restart type |
//! | other | the actor's own `exit` | by its restart type |

/// Every actor is done, or a stop was asked for.
pub const OK: i32 = 0;
/// A step can't be ended.
pub const STEP: i32 = 70;
/// Regions can't be opened, or not be locked into memory where that is required.
pub const REGION: i32 = 71;
/// Another topology.
pub const TOPOLOGY: i32 = 72;
/// The core can't be had.
pub const CORE: i32 = 73;
/// The supervisor is gone.
pub const ORPHAN: i32 = 75;
/// A panic: Rust's own code.
pub const PANIC: i32 = 101;

/// Whether a restart would meet the same again.
pub(crate) fn is_hopeless(code: i32) -> bool {
    matches!(code, STEP | REGION | TOPOLOGY | CORE)
}
