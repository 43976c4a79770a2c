//! What an earlier run left on a bus: who still holds it, and what becomes of it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use airssys_ringbuf::region::{boot_id, is_locked};
use rustix::fs::{lstat, major, minor};

use super::directory::REGION_SUFFIX;
use super::error::{BusError, Holder, io_error};
use super::migrate;
use super::resume::{Found, examine, identity};
use crate::host::process::pid_namespace;
use crate::topology::Leftover;
use crate::topology::model::Plan;

/// What becomes of what an earlier run left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is removed as the topology says, with what was undelivered.
    Discarded,
    /// Nothing was pending on it: it is removed, and made anew.
    CutShort,
    /// It stays, and goes on.
    Resumed,
}

/// What the name of a FIFO ends in that somebody outside of the bus is woken by.
pub(crate) const BELL_SUFFIX: &str = ".bell";

/// Partitions whose supervisor died are killed by the kernel at once, but the end of a process with much memory takes a
/// while. Together with the interval: 2 s.
const LOOKS_MAX: u32 = 400;
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until nobody holds any of the files, then decides what becomes of them; `None` if there are none.
///
/// The caller holds the bus's lock, so nobody new can come.
pub(super) fn settle(
    plan: &Plan,
    dir: &Path,
    files: &[OsString],
) -> Result<Option<Fate>, BusError> {
    if files.is_empty() {
        return Ok(None);
    }
    for file in files.iter().filter(|name| is_region(name)) {
        await_death(&plan.bus, &dir.join(file))?;
    }
    match plan.leftover {
        Leftover::Discard => Ok(Some(Fate::Discarded)),
        Leftover::Refuse => Err(BusError::Leftover {
            bus: plan.bus.clone(),
            dir: dir.to_owned(),
            files: files.iter().map(|name| shown(name)).collect(),
        }),
        Leftover::Resume => {
            let boot_id = boot_id()
                .map_err(|source| io_error(&plan.bus, "reading the boot id for", dir, source))?;
            let old = migrate::old_plan(dir, plan);
            Ok(Some(
                match examine(dir, files, old.as_ref().unwrap_or(plan), boot_id)? {
                    Found::Whole => {
                        if let Some(old) = &old {
                            migrate::migrate(dir, old, plan, boot_id)?;
                        }
                        Fate::Resumed
                    }
                    Found::CutShort => Fate::CutShort,
                },
            ))
        }
    }
}

/// A file's name, fit for a line of text.
pub(crate) fn shown(name: &OsStr) -> String {
    name.to_string_lossy().escape_debug().to_string()
}

/// Files whose names start with a dot are what a killed creator left: nobody ever opens those.
fn is_unfinished(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

pub(super) fn is_region(name: &OsStr) -> bool {
    name.as_bytes().ends_with(REGION_SUFFIX.as_bytes()) && !is_unfinished(name)
}

/// Whether a resumed bus has no use for the file: it was never finished, is a bell of somebody who is gone, or
/// is of a migration that was cut short.
pub(super) fn is_of_the_past(name: &OsStr) -> bool {
    is_unfinished(name)
        || name.as_bytes().ends_with(BELL_SUFFIX.as_bytes())
        || name.as_bytes().ends_with(migrate::SUFFIX.as_bytes())
}

fn await_death(bus: &str, path: &Path) -> Result<(), BusError> {
    for _ in 0..LOOKS_MAX {
        match is_locked(path) {
            Ok(false) => return Ok(()),
            Ok(true) => thread::sleep(LOOK_INTERVAL),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error(bus, "asking for the holder of", path, error)),
        }
    }
    Err(BusError::Alive {
        bus: bus.to_owned(),
        path: path.to_owned(),
        holder: lock_holder(path)
            .or_else(|| owner_elsewhere(path))
            .unwrap_or_default(),
    })
}

/// The process that holds the file's lock, by the kernel's table; `None` if the table is absent or the process can't be
/// seen from this pid namespace.
fn lock_holder(path: &Path) -> Option<Holder> {
    let stat = lstat(path).ok()?;
    let (major, minor) = (major(stat.st_dev), minor(stat.st_dev));
    let file = format!("{major:02x}:{minor:02x}:{}", stat.st_ino);
    let table = fs::read_to_string("/proc/locks").ok()?;
    let pid = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = words[..] else {
            return None;
        };
        if place != file {
            return None;
        }
        pid.parse().ok().filter(|pid| *pid != 0)
    })?;
    Some(Holder {
        pid: Some(pid),
        pid_namespace: pid_namespace(),
    })
}

/// The region's owner by its own word, if that is somebody of another pid namespace: one of ours who held the lock would be
/// in the kernel's table.
fn owner_elsewhere(path: &Path) -> Option<Holder> {
    let owner = identity(path)?;
    let elsewhere = owner.pid_namespace != 0 && Some(owner.pid_namespace) != pid_namespace();
    elsewhere.then_some(Holder {
        pid: u32::try_from(owner.pid).ok(),
        pid_namespace: Some(owner.pid_namespace),
    })
}
