//! CPU time of processes and threads, to the nanosecond, by the kernel's own clocks of them.
//!
//! `/proc/<pid>/stat` counts in ticks of 10 ms, and a figure of a few hundredths of a core over some seconds drowns in its
//! rounding once a dozen processes are added up.

use std::fs;
use std::time::Duration;

use nix::time::ClockId;

/// What a process or a thread has used since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// User and system time together.
    pub cpu: Duration,
    /// Times that it went to sleep of its own accord, which is how often it was woken.
    pub sleeps: u64,
}

impl Spent {
    /// What was used from `before` until this.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            sleeps: self.sleeps.saturating_sub(before.sleeps),
        }
    }

    /// What two of them have used together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            sleeps: self.sleeps + other.sleeps,
        }
    }
}

/// The kernel's numbers for "the CPU clock of this process" and "of this thread" (`CPUCLOCK_SCHED`, `CPUCLOCK_PERTHREAD`);
/// glibc's `clock_getcpuclockid` makes the same.
const PROCESS_CLOCK: i32 = 2;
const THREAD_CLOCK: i32 = 6;

fn read_clock(id: u32, kind: i32) -> Option<Duration> {
    let clock = (!id.cast_signed() << 3) | kind;
    ClockId::from_raw(clock).now().ok().map(Duration::from)
}

/// Of a `status` file in `/proc`.
fn sleeps(path: &str) -> Option<u64> {
    let status = fs::read_to_string(path).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

/// What the process `pid` has used, all of its threads together; the sleeps are those of its first thread. `None` if there
/// is no such process, or no longer.
#[must_use]
pub fn process(pid: u32) -> Option<Spent> {
    Some(Spent {
        cpu: read_clock(pid, PROCESS_CLOCK)?,
        sleeps: sleeps(&format!("/proc/{pid}/status"))?,
    })
}

/// What the thread of this process with the kernel's name `name` has used: the latest one, if several are called so.
#[must_use]
pub fn own_thread(name: &str) -> Option<Spent> {
    let tasks = fs::read_dir("/proc/self/task").ok()?.flatten();
    let tid = tasks
        .filter_map(|task| task.file_name().to_str()?.parse::<u32>().ok())
        .filter(|tid| {
            let comm = fs::read_to_string(format!("/proc/self/task/{tid}/comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        })
        .max()?;
    Some(Spent {
        cpu: read_clock(tid, THREAD_CLOCK)?,
        sleeps: sleeps(&format!("/proc/self/task/{tid}/status"))?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn both_clocks_run_while_work_is_done() {
        let worker = std::thread::Builder::new().name("cpu-worker".to_owned());
        let work = || {
            let process_before = process(std::process::id()).unwrap();
            let thread_before = own_thread("cpu-worker").unwrap();
            let mut value = 1_u64;
            while own_thread("cpu-worker")
                .unwrap()
                .since(thread_before)
                .cpu
                .is_zero()
            {
                value = std::hint::black_box(value.wrapping_mul(3));
            }
            let thread = own_thread("cpu-worker").unwrap().since(thread_before);
            let process = process(std::process::id()).unwrap().since(process_before);
            assert!(process.cpu >= thread.cpu, "{process:?} {thread:?}");
        };
        worker.spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn nobody_has_used_nothing() {
        assert_eq!(process(u32::MAX >> 4), None);
        assert_eq!(own_thread("no such thread"), None);
    }
}
