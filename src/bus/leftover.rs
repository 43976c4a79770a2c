//! What an earlier run left on a bus: who still holds it, and whether it may go.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use airssys_ringbuf::region::is_locked;
use rustix::fs::{lstat, major, minor};

use super::directory::{REGION_SUFFIX, io_error};
use super::error::{BusError, Holder};
use crate::topology::Leftover;

/// Partitions whose supervisor died are killed by the kernel at once, but the end of a process with much memory takes a
/// while. Together with the interval: 2 s.
const LOOKS_MAX: u32 = 400;
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until nobody holds any of the files, then decides whether they may be removed.
///
/// The caller holds the bus's lock, so nobody new can come.
pub(super) fn settle(
    bus: &str,
    dir: &Path,
    files: &[String],
    leftover: Leftover,
) -> Result<(), BusError> {
    if files.is_empty() {
        return Ok(());
    }
    for file in files.iter().filter(|name| is_region(name)) {
        await_death(bus, &dir.join(file))?;
    }
    match leftover {
        Leftover::Discard => Ok(()),
        Leftover::Refuse => Err(BusError::Leftover {
            bus: bus.to_owned(),
            dir: dir.to_owned(),
            files: files.to_vec(),
        }),
    }
}

/// Files whose names start with a dot are what a killed creator left: nobody ever opens those.
fn is_region(name: &str) -> bool {
    name.ends_with(REGION_SUFFIX) && !name.starts_with('.')
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
        holder: Holder {
            pid: lock_holder(path),
        },
    })
}

/// The process that holds the file's lock, by the kernel's table; `None` if the table is absent or the process is of
/// another pid namespace.
fn lock_holder(path: &Path) -> Option<u32> {
    let stat = lstat(path).ok()?;
    let (major, minor) = (major(stat.st_dev), minor(stat.st_dev));
    let file = format!("{major:02x}:{minor:02x}:{}", stat.st_ino);
    let table = fs::read_to_string("/proc/locks").ok()?;
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = words[..] else {
            return None;
        };
        if place != file {
            return None;
        }
        pid.parse().ok().filter(|pid| *pid != 0)
    })
}
