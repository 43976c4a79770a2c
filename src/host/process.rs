//! What `/proc` says about a process.

use std::fs;

use airssys_ringbuf::pulse::Identity;

/// Fields of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// When it started, in clock ticks since boot.
    pub(crate) start_time: u64,
    /// It has ended, whether or not somebody has taken its exit status.
    pub(crate) is_dead: bool,
}

impl ProcessStat {
    /// Of the process `pid`; `None` if there is no such process, or no `/proc` that shows it.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The command's name, in parentheses, may hold anything; the fields after it count from the third.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
        Some(Self {
            start_time: fields.nth(18)?.parse().ok()?,
            is_dead,
        })
    }
}

/// When this process started, in clock ticks since boot; 0 where `/proc` doesn't say.
pub(crate) fn process_start_time() -> u64 {
    ProcessStat::of(std::process::id()).map_or(0, |stat| stat.start_time)
}

/// The inode of this process's pid namespace: pids are numbers of one. `None` where `/proc` doesn't say.
pub(crate) fn pid_namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let inode = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    inode.parse().ok()
}

/// This process, as the `incarnation`-th life of a region.
pub(crate) fn identity(incarnation: u64) -> Identity {
    Identity {
        pid: u64::from(std::process::id()),
        start_time: process_start_time(),
        pid_namespace: pid_namespace().unwrap_or(0),
        incarnation,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_is_no_field() {
        let line = "7 (a ) Z b) S 1 7 7 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let stat = ProcessStat::parse(line).unwrap();
        assert_eq!((stat.start_time, stat.is_dead), (4242, false));
        assert_eq!(ProcessStat::parse("7 (cut off"), None);
    }

    #[test]
    fn a_process_lives_in_one_pid_namespace() {
        use std::os::unix::fs::MetadataExt as _;
        let inode = fs::metadata("/proc/self/ns/pid").unwrap().ino();
        assert_eq!(pid_namespace(), Some(inode));
    }

    #[test]
    fn a_zombie_is_dead_though_it_is_still_there() {
        let mut child = Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let alive = ProcessStat::of(child.id()).unwrap();
        assert!(!alive.is_dead && alive.start_time >= process_start_time());
        drop(child.stdin.take());
        // Its end is the event; it is not reaped before the wait below.
        while !ProcessStat::of(child.id()).unwrap().is_dead {
            std::thread::yield_now();
        }
        assert_eq!(
            ProcessStat::of(child.id()).unwrap().start_time,
            alive.start_time
        );
        child.wait().unwrap();
    }
}
