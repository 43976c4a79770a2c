//! The file whose lock is the bus's, and what it says about its holder.
//!
//! One line, written by the holder right after it has locked: pid, start time, pid namespace. It only names somebody; who
//! holds the bus is the kernel's to tell, by the lock.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, fchmod, flock, fstat, openat};
use rustix::io::Errno;

use super::error::{BusError, Holder, io_error};
use crate::host::process::{pid_namespace, process_start_time};

/// The file's name in the bus's directory.
pub(super) const LOCK_FILE: &str = "lock";

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Opens the lock file, made if need be; `None` if the directory was removed meanwhile.
pub(super) fn open(dir: &OwnedFd, bus: &str, path: &Path) -> Result<Option<File>, BusError> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(dir, LOCK_FILE, flags, MODE) {
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
pub(super) fn take(lock: &File) -> io::Result<bool> {
    match rustix::io::retry_on_intr(|| flock(lock, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether `path` names the opened file.
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    match (rustix::fs::lstat(path), fstat(file)) {
        (Ok(named), Ok(opened)) => (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino),
        _ => false,
    }
}

/// Says that this process holds the lock.
pub(super) fn write_holder(lock: &File) -> io::Result<()> {
    // A umask may have taken the bits by which the next one is to open it.
    fchmod(lock, MODE)?;
    lock.set_len(0)?;
    lock.write_all_at(own_line().as_bytes(), 0)
}

/// What this process writes.
pub(super) fn own_line() -> String {
    let namespace = pid_namespace().unwrap_or(0);
    format!(
        "{} {} {namespace}\n",
        std::process::id(),
        process_start_time()
    )
}

/// Who holds the lock, by the file's line. An owner that has just locked has not written yet: then nobody can be named.
pub(super) fn read_holder(mut lock: &File) -> Holder {
    let mut text = String::new();
    let _ = lock.read_to_string(&mut text);
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|pid| pid.parse().ok());
    let namespace = words.nth(1).and_then(|inode| inode.parse().ok());
    Holder {
        pid,
        pid_namespace: namespace.filter(|&inode| inode != 0),
    }
}
