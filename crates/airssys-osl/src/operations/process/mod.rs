//! Starting, signalling and killing processes. All three need elevated privileges.

pub mod kill;
pub mod signal;
pub mod spawn;

pub use kill::ProcessKillOperation;
pub use signal::ProcessSignalOperation;
pub use spawn::ProcessSpawnOperation;

use uuid::Uuid;

/// The id the author of an operation gave, or a new one.
fn id_or_new(given: Option<&String>) -> String {
    given
        .cloned()
        .unwrap_or_else(|| format!("process:{}", Uuid::new_v4()))
}
