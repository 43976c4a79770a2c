//! Why a bus can't be had.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use airssys_ringbuf::region::OpenError;

use crate::host::process::pid_namespace;

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
    #[error("bus `{bus}`: an earlier run left {} in {} and may have left messages undelivered; look at them and remove that directory, or start with `.leftover(Leftover::Resume)` or `.leftover(Leftover::Discard)`", files.join(", "), dir.display())]
    Leftover {
        bus: String,
        dir: PathBuf,
        /// File names.
        files: Vec<String>,
    },

    /// An earlier run left the bus, and it was of another topology.
    #[error("bus `{bus}`: what an earlier run left in {} is of another topology and can't be resumed: {difference}; start the program that left it, or give it up with `.leftover(Leftover::Discard)`", dir.display())]
    OtherTopology {
        bus: String,
        dir: PathBuf,
        /// The first difference, as one sentence.
        difference: String,
    },

    /// An earlier run left the bus with other types, and what was registered to take it over doesn't.
    #[error("bus `{bus}`: what an earlier run left in {} could not be migrated, and is as it was: {problem}; put that right, start the program that left it, or give it up with `.leftover(Leftover::Discard)`", dir.display())]
    Migration {
        bus: String,
        dir: PathBuf,
        problem: String,
    },

    /// An earlier run left the bus, and a region of it is damaged, or of another boot or bus.
    #[error("bus `{bus}`: what an earlier run left in {} can't be resumed: {source}; put that file right, or give the bus up with `.leftover(Leftover::Discard)`", dir.display())]
    Unsound {
        bus: String,
        dir: PathBuf,
        #[source]
        source: Box<OpenError>,
    },

    /// An earlier run left the bus, and somebody has removed regions of it.
    #[error("bus `{bus}`: what an earlier run left in {} can't be resumed: it lacks {}; put them back, or give the bus up with `.leftover(Leftover::Discard)`", dir.display(), missing.join(", "))]
    Incomplete {
        bus: String,
        dir: PathBuf,
        /// File names.
        missing: Vec<String>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its process id in its own pid namespace; `None` if it can't be seen from here.
    pub pid: Option<u32>,
    /// The inode of that pid namespace; `None` if nobody said.
    pub pid_namespace: Option<u64>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(pid) = self.pid else {
            return f.write_str("a process that can't be seen from here");
        };
        match (self.pid_namespace, pid_namespace()) {
            (Some(its), Some(own)) if its != own => {
                write!(f, "pid {pid} of another pid namespace (a container)")
            }
            (Some(_), Some(_)) if pid == std::process::id() => {
                write!(f, "this process (pid {pid})")
            }
            (Some(_), Some(_)) => write!(f, "pid {pid}"),
            _ => write!(f, "pid {pid} of an unknown pid namespace"),
        }
    }
}

pub(super) fn io_error(bus: &str, doing: &'static str, path: &Path, source: io::Error) -> BusError {
    BusError::Io {
        bus: bus.to_owned(),
        doing,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_one_only_in_its_namespace() {
        let (own, pid) = (pid_namespace(), std::process::id());
        assert!(own.is_some());
        let shown = |pid, pid_namespace| Holder { pid, pid_namespace }.to_string();
        assert_eq!(shown(Some(pid), own), format!("this process (pid {pid})"));
        assert_eq!(shown(Some(pid + 1), own), format!("pid {}", pid + 1));
        assert_eq!(
            shown(Some(pid), own.map(|inode| inode + 1)),
            format!("pid {pid} of another pid namespace (a container)")
        );
        assert_eq!(shown(Some(7), None), "pid 7 of an unknown pid namespace");
        assert_eq!(shown(None, None), "a process that can't be seen from here");
    }
}
