//! Taking a bus, and leaving nothing of it.
//!
//! ```text
//! /dev/shm/airssys-<uid>/      the root, 0700
//!     <bus>/                   0700
//!         lock                 held (flock) by the supervisor for life; says "pid start_time"
//!         <partition>.region   one for each partition, held by its owner
//!         supervisor.region
//! ```
//!
//! Whoever holds `lock` may create and remove everything else in the directory. The last thing that goes is the lock
//! file, while it is still held; a newcomer that opened it before must therefore look, once it has the lock, whether the
//! path still leads to what it locked, and start over if it doesn't. An owner that removes directories removes empty ones
//! only, by name: if that hits a newcomer's directory, the newcomer finds no place for its lock file and starts over too.
//!
//! A crash leaves the directory as it is, with a free lock: the next start does what the topology says ([`Leftover`]).

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::error::{BusError, Holder};
use super::{leftover, owned};
use crate::topology::Leftover;

/// The file in the bus's directory whose lock is the bus's.
pub(super) const LOCK_FILE: &str = "lock";

/// What the name of a region's file ends in.
pub(super) const REGION_SUFFIX: &str = ".region";

/// Each further attempt needs another start or end of the same bus within microseconds.
const ATTEMPTS_MAX: u32 = 100;

/// A bus that this process holds.
///
/// Dropping it frees the lock and leaves the files: that is what an escalation does. [`remove`](Self::remove) leaves
/// nothing.
#[derive(Debug)]
pub(crate) struct BusDirectory {
    bus: String,
    root: PathBuf,
    path: PathBuf,
    root_dir: OwnedFd,
    dir: OwnedFd,
    lock: File,
}

impl BusDirectory {
    /// Takes the bus: makes its directory if need be, locks it, and settles what an earlier run left there.
    ///
    /// `root` is where the buses of this user lie; `None` for the usual place. `look` is shown the directory and the files
    /// that are about to be discarded, if there are any, while they are still there. May wait, for up to about 2 s, for
    /// partitions of an earlier run that are about to die.
    ///
    /// # Errors
    ///
    /// If the bus is taken, held by living partitions, left over and to be refused, or not this user's alone. Nothing of
    /// an earlier run is removed then.
    pub(crate) fn acquire(
        root: Option<&Path>,
        bus: &str,
        leftover: Leftover,
        look: impl FnOnce(&Path, &[String]),
    ) -> Result<Self, BusError> {
        let root = root.map_or_else(owned::default_root, Path::to_owned);
        let taken = Self::lock(root, bus)?;
        let files = taken.files()?;
        leftover::settle(bus, &taken.path, &files, leftover)?;
        if !files.is_empty() {
            look(&taken.path, &files);
            taken.unlink(&files)?;
        }
        Ok(taken)
    }

    /// Where the bus of this name lies, or would.
    pub(crate) fn usual_path(bus: &str) -> PathBuf {
        owned::default_root().join(bus)
    }

    /// The bus's directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file name of a region, by its owner's name.
    pub(crate) fn region_file_name(owner: &str) -> String {
        format!("{owner}{REGION_SUFFIX}")
    }

    /// Removes the regions, the lock and the directory, and the root if this was its last bus.
    ///
    /// # Errors
    ///
    /// What the kernel says to one of the removals, or a directory that no bus has. The lock is free in any case.
    pub(crate) fn remove(self) -> Result<(), BusError> {
        self.unlink(&self.files()?)?;
        self.unlink(&[LOCK_FILE.to_owned()])?;
        let gone = |removed: rustix::io::Result<()>, path: &Path| match removed {
            // Somebody else's bus, or a newcomer on this one, is what keeps a directory filled or has removed it.
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("removing the directory", path, errno.into())),
        };
        let own = unlinkat(&self.root_dir, self.bus.as_str(), AtFlags::REMOVEDIR);
        gone(own, &self.path)?;
        gone(rustix::fs::rmdir(&self.root), &self.root)
    }

    fn lock(root: PathBuf, bus: &str) -> Result<Self, BusError> {
        let path = root.join(bus);
        for _ in 0..ATTEMPTS_MAX {
            let Some(root_dir) = owned::make_and_open(None, &root, bus, &root)? else {
                continue;
            };
            let own = Path::new(bus);
            let Some(dir) = owned::make_and_open(Some(&root_dir), own, bus, &path)? else {
                continue;
            };
            let Some(lock) = open_lock(&dir, bus, &path)? else {
                continue;
            };
            let locked = take(&lock).map_err(|source| io_error(bus, "locking", &path, source))?;
            if !leads_to(&path.join(LOCK_FILE), &lock) {
                continue;
            }
            if !locked {
                let holder = read_holder(&lock);
                return Err(BusError::Taken {
                    bus: bus.to_owned(),
                    holder,
                });
            }
            write_holder(&lock)
                .map_err(|source| io_error(bus, "writing the lock file of", &path, source))?;
            return Ok(Self {
                bus: bus.to_owned(),
                root,
                path,
                root_dir,
                dir,
                lock,
            });
        }
        Err(BusError::Restless {
            bus: bus.to_owned(),
            path,
            attempts: ATTEMPTS_MAX,
        })
    }

    /// Everything in the directory but the lock file, sorted by name.
    fn files(&self) -> Result<Vec<String>, BusError> {
        let failed = |errno: Errno| self.failed("reading the directory", &self.path, errno.into());
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." || name == LOCK_FILE {
                continue;
            }
            if entry.file_type().is_dir() {
                return Err(BusError::Foreign {
                    bus: self.bus.clone(),
                    path: self.path.join(name),
                });
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    fn unlink(&self, names: &[String]) -> Result<(), BusError> {
        for name in names {
            match unlinkat(&self.dir, name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => {
                    return Err(self.failed("removing", &self.path.join(name), errno.into()));
                }
            }
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, path: &Path, source: io::Error) -> BusError {
        io_error(&self.bus, doing, path, source)
    }
}

impl Drop for BusDirectory {
    fn drop(&mut self) {
        // Unlocked by name: a child between its fork and its exec shares our opening, which would keep the lock for it.
        // Unlocking what we hold does not fail; if it did, closing the file frees it.
        let _ = flock(&self.lock, FlockOperation::Unlock);
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

/// Opens the lock file, made if need be; `None` if the directory was removed meanwhile.
fn open_lock(dir: &OwnedFd, bus: &str, path: &Path) -> Result<Option<File>, BusError> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(dir, LOCK_FILE, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(io_error(
            bus,
            "opening the lock file of",
            path,
            errno.into(),
        )),
    }
}

/// Tries the lock once.
fn take(lock: &File) -> io::Result<bool> {
    match rustix::io::retry_on_intr(|| flock(lock, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether `path` names the opened file.
fn leads_to(path: &Path, file: &File) -> bool {
    match (rustix::fs::lstat(path), fstat(file)) {
        (Ok(named), Ok(opened)) => (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino),
        _ => false,
    }
}

fn write_holder(lock: &File) -> io::Result<()> {
    let line = format!("{} {}\n", std::process::id(), own_start_time()?);
    lock.set_len(0)?;
    lock.write_all_at(line.as_bytes(), 0)
}

fn read_holder(mut lock: &File) -> Holder {
    let mut text = String::new();
    // An owner that has just locked has not written yet: then nobody can be named.
    let _ = lock.read_to_string(&mut text);
    let pid = text.split(' ').next().and_then(|pid| pid.parse().ok());
    Holder { pid }
}

/// When this process started, in the kernel's ticks since boot: with the pid, what tells it from a later one.
fn own_start_time() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The command's name, in parentheses, may contain anything; after it the start time is the 20th word.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().nth(19);
    ticks.and_then(|ticks| ticks.parse().ok()).ok_or_else(|| {
        let why = format!("/proc/self/stat has no start time: {stat:?}");
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
