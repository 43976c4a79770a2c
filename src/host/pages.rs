//! What this machine gives a region's pages: room to lock them, huge ones, and a node to lie on.
//!
//! Limits are read; huge pages are tried, with a file that has no name and is gone with the trial: which of the kernel's
//! settings allow them differs from version to version, and whether one is free nobody tells.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use airssys_ringbuf::memory::{Access, HUGE_PAGE, Memory};
use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::cores::CoreSet;

/// The identity map of a process that is in no user namespace: only there a capability counts for locking.
const ALL_USERS: [&str; 3] = ["0", "0", "4294967295"];

/// How many bytes a process like this one may lock: `None` for any number.
pub(crate) fn lock_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Memlock).current?;
    let has = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    let counts = || {
        let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        users.split_whitespace().eq(ALL_USERS)
    };
    if has && counts() { None } else { Some(limit) }
}

/// How many bytes this process has locked already.
pub(crate) fn locked_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| {
        let size = line.strip_prefix("VmLck:")?.trim().strip_suffix(" kB")?;
        size.parse::<u64>().ok()
    });
    kib.unwrap_or(0) << 10
}

/// Tries whether a file in `directory` can lie in a huge page; the reason why not otherwise.
pub(crate) fn try_huge_page(directory: &Path) -> Result<(), String> {
    let failed = |doing, error: io::Error| format!("{doing}: {error}");
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = open(directory, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| failed("a file for a trial", errno.into()))?;
    let file = File::from(file);
    fallocate(&file, FallocateFlags::empty(), 0, HUGE_PAGE as u64)
        .map_err(|errno| failed("2 MiB for a trial", errno.into()))?;
    let memory = Memory::map(&file, HUGE_PAGE, Access::ReadWrite)
        .map_err(|error| failed("mapping a trial", error))?;
    memory.collapse().map_err(|error| {
        let shmem = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
        let shmem = shmem.unwrap_or_default();
        format!(
            "the kernel gives none: {error} (Linux 6.1 gives them unless shmem_enabled is `deny`; it is `{}`)",
            chosen(&shmem)
        )
    })?;
    match memory.huge_bytes() {
        Ok(HUGE_PAGE) => Ok(()),
        Ok(_) => Err("the kernel gives none, and no reason".to_owned()),
        Err(error) => Err(failed("whether one was had", error)),
    }
}

/// The word in brackets, as the kernel shows a setting among its choices.
fn chosen(choices: &str) -> &str {
    let inside = choices
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    inside.map_or("absent", |(chosen, _)| chosen)
}

/// NUMA nodes; 1 where the kernel doesn't say.
pub(crate) fn nodes() -> usize {
    let online = fs::read_to_string("/sys/devices/system/node/online").unwrap_or_default();
    CoreSet::parse(&online)
        .map_or(1, |nodes| nodes.len())
        .max(1)
}

/// The node of a CPU.
pub(crate) fn node_of(core: usize) -> Option<usize> {
    let entries = fs::read_dir(format!("/sys/devices/system/cpu/cpu{core}")).ok()?;
    entries.flatten().find_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("node")?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_word_is_the_one_in_brackets() {
        assert_eq!(chosen("always within_size [advise] never\n"), "advise");
        assert_eq!(chosen(""), "absent");
    }

    #[test]
    fn a_directory_that_takes_no_file_says_so() {
        let why = try_huge_page(Path::new("/proc")).expect_err("no file can be made there");
        assert!(why.starts_with("a file for a trial: "), "{why}");
    }

    #[test]
    fn this_machine_has_a_node_and_no_such_core() {
        assert!(nodes() >= 1);
        assert_eq!(node_of(1_000_000), None);
    }
}
