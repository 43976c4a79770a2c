//! Taking a bus, and leaving nothing of it.
//!
//! ```text
//! /dev/shm/airssys-<uid>/      the root, 0700
//!     <bus>/                   0700
//!         lock                 held (flock) by the supervisor for life; says who that is
//!         topology             what was launched, as text
//!         <partition>.region   one for each partition, held by its owner
//!         supervisor.region
//!         <link>.bell          a FIFO, once the link's host port has slept in an event loop
//!         .supervisor.removed  supervisor.region, while the bus is being removed
//!         *.migrated           what takes the place of a file, while the bus is being migrated
//!         migration            says that it does
//! ```
//!
//! Whoever holds `lock` may create and remove everything else in the directory. The last thing that goes is the lock
//! file, while it is still held; a newcomer that opened it before must therefore look, once it has the lock, whether the
//! path still leads to what it locked, and start over if it doesn't. An owner that removes directories removes empty ones
//! only, by name: if that hits a newcomer's directory, the newcomer finds no place for its lock file and starts over too.
//!
//! A crash leaves the directory as it is, with a free lock: the next start does what the topology says ([`Leftover`]).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, flock, renameat, unlinkat};
use rustix::io::Errno;

use super::error::{BusError, io_error};
use super::leftover::Fate;
use super::lock::{self, LOCK_FILE};
use super::resume::REMOVED;
use super::{described, leftover, migrate, owned};
use crate::topology::describe::describe;
use crate::topology::model::{Plan, SUPERVISOR};

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
    resumed: bool,
}

impl BusDirectory {
    /// Takes the bus: makes its directory if need be, locks it, and settles what an earlier run left there.
    ///
    /// `root` is where the buses of this user lie; `None` for the usual place. `look` is told what is about to become of the
    /// files of an earlier run, if there are any, while all of them are still there. May wait, for up to about 2 s, for
    /// partitions of an earlier run that are about to die.
    ///
    /// # Errors
    ///
    /// If the bus is taken, held by living partitions, left over and to be refused or impossible to resume, or not this
    /// user's alone. Nothing of an earlier run is removed then.
    pub(crate) fn acquire(
        root: Option<&Path>,
        plan: &Plan,
        look: impl FnOnce(Fate, &Path, &[OsString]),
    ) -> Result<Self, BusError> {
        let root = root.map_or_else(owned::default_root, Path::to_owned);
        let mut taken = Self::lock(root, &plan.bus)?;
        migrate::finish(&taken.path, &plan.bus)?;
        let entries = taken.entries().inspect_err(|_| {
            // The error is on its way already. What somebody else left keeps its directory.
            let _ = taken.retire();
        })?;
        taken.refuse_foreign(&entries)?;
        let files = entries.files;
        let Some(fate) = leftover::settle(plan, &taken.path, &files)? else {
            return Ok(taken);
        };
        look(fate, &taken.path, &files);
        taken.resumed = fate == Fate::Resumed;
        let stays = |name: &OsStr| taken.resumed && !leftover::is_of_the_past(name);
        taken.unlink(
            files
                .iter()
                .map(OsString::as_os_str)
                .filter(|name| !stays(name)),
        )?;
        Ok(taken)
    }

    /// Whether it goes on where an earlier run was cut off: its regions are there, and hold what nobody may lose.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Writes down which topology this is the bus of, before its regions are made.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn write_topology(&self, plan: &Plan) -> Result<(), BusError> {
        if self.resumed && described::read(&self.path, plan.digest).is_some() {
            return Ok(());
        }
        described::write(&self.dir, &describe(plan))
            .map_err(|source| self.failed("writing the topology's text into", &self.path, source))
    }

    /// Bytes that the regions of a bus of this name take already: whoever starts it takes them over or frees them first.
    pub(crate) fn space_of(bus: &str) -> u64 {
        let Ok(entries) = std::fs::read_dir(Self::usual_path(bus)) else {
            return 0;
        };
        entries
            .filter_map(|entry| entry.ok()?.path().symlink_metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|file| file.blocks() * 512)
            .sum()
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
    /// What the kernel says to one of the removals; or a directory in there that no bus has, and then all that is the bus's
    /// is gone nevertheless. The lock is free in any case.
    pub(crate) fn remove(self) -> Result<(), BusError> {
        let entries = self.entries()?;
        self.unlink(entries.files.iter().map(OsString::as_os_str))?;
        self.retire()?;
        self.refuse_foreign(&entries)
    }

    /// Gives the place up: removes the lock file while it is held, then what is empty.
    fn retire(&self) -> Result<(), BusError> {
        self.unlink([OsStr::new(LOCK_FILE)].into_iter())?;
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
            let Some(lock) = lock::open(&dir, bus, &path)? else {
                continue;
            };
            let locked =
                lock::take(&lock).map_err(|source| io_error(bus, "locking", &path, source))?;
            if !lock::leads_to(&path.join(LOCK_FILE), &lock) {
                continue;
            }
            if !locked {
                let holder = lock::read_holder(&lock);
                return Err(BusError::Taken {
                    bus: bus.to_owned(),
                    holder,
                });
            }
            let taken = Self {
                bus: bus.to_owned(),
                root,
                path,
                root_dir,
                dir,
                lock,
                resumed: false,
            };
            return taken.sign();
        }
        Err(BusError::Restless {
            bus: bus.to_owned(),
            path,
            attempts: ATTEMPTS_MAX,
        })
    }

    /// Writes into the lock file who holds it, or leaves no trace of the attempt.
    fn sign(self) -> Result<Self, BusError> {
        match lock::write_holder(&self.lock) {
            Ok(()) => Ok(self),
            Err(source) => {
                // The first error is the one to tell.
                let _ = self.retire();
                Err(self.failed("writing the lock file of", &self.path, source))
            }
        }
    }

    /// Everything in the directory but the lock file.
    fn entries(&self) -> Result<Entries, BusError> {
        let failed = |errno: Errno| self.failed("reading the directory", &self.path, errno.into());
        let mut found = Entries::default();
        for entry in rustix::fs::Dir::read_from(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." || name == LOCK_FILE {
                continue;
            }
            if entry.file_type().is_dir() {
                found.directories.push(name.to_owned());
            } else {
                found.files.push(name.to_owned());
            }
        }
        found.files.sort();
        found.directories.sort();
        Ok(found)
    }

    fn refuse_foreign(&self, entries: &Entries) -> Result<(), BusError> {
        match entries.directories.first() {
            None => Ok(()),
            Some(name) => Err(BusError::Foreign {
                bus: self.bus.clone(),
                path: self.path.join(name),
            }),
        }
    }

    /// Removes files. If the supervisor's region is among them it gets another name first, and goes last: see
    /// [`resume`](super::resume).
    fn unlink<'a>(&self, names: impl Iterator<Item = &'a OsStr>) -> Result<(), BusError> {
        let supervisor = Self::region_file_name(SUPERVISOR);
        let (last, others): (Vec<_>, Vec<_>) =
            names.partition(|name| **name == *supervisor || **name == *REMOVED);
        if last.iter().any(|name| **name == *supervisor) {
            renameat(&self.dir, &supervisor, &self.dir, REMOVED).map_err(|errno| {
                self.failed("renaming", &self.path.join(&supervisor), errno.into())
            })?;
        }
        let last = (!last.is_empty()).then_some(OsStr::new(REMOVED));
        for name in others.into_iter().chain(last) {
            match unlinkat(&self.dir, name, AtFlags::empty()) {
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

/// What lies in a bus's directory, sorted by name.
#[derive(Debug, Default)]
struct Entries {
    files: Vec<OsString>,
    directories: Vec<OsString>,
}

impl Drop for BusDirectory {
    fn drop(&mut self) {
        // Unlocked by name: a child between its fork and its exec shares our opening, which would keep the lock for it.
        // Unlocking what we hold does not fail; if it did, closing the file frees it.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
