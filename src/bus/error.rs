//! Why a bus can't be had.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the directory of a bus could not be taken, or not be left clean.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's fields are the words of its message"
)]
pub enum BusError {
    /// The bus's directory, or the root above it, is not this user's alone.
    #[error("bus `{bus}`: {} {found}, expected {expected}; remove it if it is not yours to keep", path.display())]
    Unsafe {
        bus: String,
        path: PathBuf,
        found: String,
        expected: String,
    },

    /// Another supervisor runs on this bus.
    #[error(
        "bus `{bus}` is taken by {holder}; stop it, or give this topology another bus name with `.bus(name)`"
    )]
    Taken { bus: String, holder: Holder },

    /// The bus's directory came and went too often while it was being taken.
    #[error("bus `{bus}`: {} was removed and made again {attempts} times while it was being taken; something starts and stops this bus in a loop", path.display())]
    Restless {
        bus: String,
        path: PathBuf,
        attempts: u32,
    },

    /// Partitions of an earlier run still live.
    #[error("bus `{bus}`: {} is held by {holder}, of an earlier run whose supervisor is gone; stop that process, then start again", path.display())]
    Alive {
        bus: String,
        path: PathBuf,
        holder: Holder,
    },

    /// An earlier run left the bus, and the topology says to refuse that.
    #[error("bus `{bus}`: an earlier run left {} in {} and may have left messages undelivered; look at them and remove that directory, or start with `.leftover(Leftover::Discard)`", files.join(", "), dir.display())]
    Leftover {
        bus: String,
        dir: PathBuf,
        /// File names.
        files: Vec<String>,
    },

    /// Something in the bus's directory that no bus has.
    #[error("bus `{bus}`: {} is not a file of a bus; remove it by hand", path.display())]
    Foreign { bus: String, path: PathBuf },

    /// The kernel said no.
    #[error("bus `{bus}`: {doing} {} failed: {source}", path.display())]
    Io {
        bus: String,
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Who holds a file's lock, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id; `None` if it can't be seen from here, such as from another container.
    pub pid: Option<u32>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) if pid == std::process::id() => write!(f, "this process (pid {pid})"),
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("a process that can't be seen from here"),
        }
    }
}
