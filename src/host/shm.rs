//! Whether a bus will fit into memory, asked before anything is created.
//!
//! Its files lie in a tmpfs, whose size is one limit; their pages are charged to this process's control groups, whose
//! `memory.max` is another, and going over that one kills instead of failing.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::cgroup::{Cgroups, MemoryRoom};
use crate::topology::bill::Bytes;

/// Why a bus will not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's fields are the words of its message"
)]
pub enum MemoryError {
    /// The file system of the bus's root is too small.
    #[error("bus `{bus}` needs {} of {}, has {} free (in a container: --shm-size={})", Bytes(*needed), dir.display(), Bytes(*free), flag(*needed))]
    FileSystem {
        bus: String,
        dir: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },

    /// A control group leaves too little memory.
    #[error("bus `{bus}` needs {} of memory, has {} left below the {} of {} (going over it would kill this process; in a container: --memory, in systemd: MemoryMax=)", Bytes(*needed), Bytes(*free), Bytes(*limit), file.display())]
    Cgroup {
        bus: String,
        file: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
        /// Bytes.
        limit: u64,
    },

    /// Somebody would have to lock more of a region than this process may.
    #[error("bus `{bus}`, region `{region}`: its {} have to be locked into memory, {}: {source}; raise the limit (ulimit -l, in systemd: LimitMEMLOCK=, in a container: --ulimit memlock=) or ask for `Want::Try`", Bytes(*needed), limited(*limit))]
    NotLocked {
        bus: String,
        region: String,
        /// Bytes.
        needed: u64,
        /// Bytes that a process may lock; `None` for any number.
        limit: Option<u64>,
        #[source]
        source: io::Error,
    },

    /// A region doesn't lie in huge pages, and has to.
    #[error("bus `{bus}`, region `{region}`: {} of it have to lie in huge pages, {} do: {why}; free some memory (/proc/sys/vm/compact_memory), or ask for `Want::Try`", Bytes(*needed), Bytes(*found))]
    NotHuge {
        bus: String,
        region: String,
        /// Bytes.
        needed: u64,
        /// Bytes.
        found: u64,
        why: String,
    },

    /// The file system can't be asked.
    #[error("bus `{bus}`: the free space of {} can't be read: {source}; is it mounted?", dir.display())]
    Unreadable {
        bus: String,
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn limited(limit: Option<u64>) -> String {
    match limit {
        Some(limit) => format!("RLIMIT_MEMLOCK is {}", Bytes(limit)),
        None => "RLIMIT_MEMLOCK is no limit".to_owned(),
    }
}

/// The size to give a container: what is needed and half as much again for everyone else, in whole MiB.
fn flag(needed: u64) -> String {
    let mib = needed.saturating_add(needed / 2).div_ceil(1 << 20);
    format!("{mib}m")
}

/// Checks that `needed` bytes fit into the file system of `root` and below this process's memory limits. `root` itself need
/// not exist yet.
///
/// # Errors
///
/// The first limit that is too tight, or a file system that can't be asked.
pub(crate) fn check_memory(bus: &str, needed: u64, root: &Path) -> Result<(), MemoryError> {
    check_file_system(bus, needed, root)?;
    let tight = Cgroups::of_this_process()
        .memory_room()
        .filter(|room| room.free < needed);
    match tight {
        None => Ok(()),
        Some(MemoryRoom { file, limit, free }) => Err(MemoryError::Cgroup {
            bus: bus.to_owned(),
            file,
            needed,
            free,
            limit,
        }),
    }
}

/// The existing directory in which `root` would be made.
pub(crate) fn existing(root: &Path) -> &Path {
    root.ancestors()
        .find(|dir| dir.is_dir())
        .unwrap_or(Path::new("/"))
}

/// Free bytes of the file system of `dir`; `None` for one without a limit.
pub(crate) fn free_bytes(dir: &Path) -> io::Result<Option<u64>> {
    let stat = statvfs(dir)?;
    // A tmpfs without a size limit reports no blocks at all.
    let limited = stat.f_blocks > 0;
    Ok(limited.then(|| stat.f_bavail.saturating_mul(stat.f_frsize)))
}

fn check_file_system(bus: &str, needed: u64, root: &Path) -> Result<(), MemoryError> {
    let dir = existing(root);
    let free = free_bytes(dir).map_err(|source| MemoryError::Unreadable {
        bus: bus.to_owned(),
        dir: dir.to_owned(),
        source,
    })?;
    match free {
        Some(free) if free < needed => Err(MemoryError::FileSystem {
            bus: bus.to_owned(),
            dir: dir.to_owned(),
            needed,
            free,
        }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    #[test]
    fn little_fits_and_too_much_is_refused_with_the_remedy() {
        let root = Path::new("/dev/shm/airssys-no-such-root");
        check_memory("quotes", 1, root).unwrap();

        let needed = 1 << 60;
        let error = check_file_system("quotes", needed, root).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("bus `quotes` needs 1073741824 GiB of /dev/shm, has "),
            "{text}"
        );
        assert!(
            text.ends_with("free (in a container: --shm-size=1649267441664m)"),
            "{text}"
        );
    }

    #[test]
    fn a_memory_limit_is_named_with_its_file() {
        let error = MemoryError::Cgroup {
            bus: "quotes".to_owned(),
            file: "/sys/fs/cgroup/memory.max".into(),
            needed: 96 << 20,
            free: 64 << 20,
            limit: 512 << 20,
        };
        assert_eq!(
            error.to_string(),
            "bus `quotes` needs 96 MiB of memory, has 64 MiB left below the 512 MiB of \
             /sys/fs/cgroup/memory.max (going over it would kill this process; in a container: --memory, in systemd: \
             MemoryMax=)"
        );
    }
}
