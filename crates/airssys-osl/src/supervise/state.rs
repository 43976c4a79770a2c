//! One child of this process: its pidfd, its identity, and its exit status once it is known.
//!
//! The status is written once, under its lock, by whoever reaps. A signal is sent under the same lock, so that it is
//! either sent before the reap or refused.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

use super::exit::{ExitStatus, signal_name};
use crate::core::result::{OSError, OSResult};

/// A child that this process spawned.
#[derive(Debug)]
pub(crate) struct ChildState {
    pid: u32,
    start_time: u64,
    pidfd: OwnedFd,
    status: Mutex<Option<ExitStatus>>,
}

impl ChildState {
    /// Takes hold of a child that was spawned just now and has not been waited for.
    pub(crate) fn take_hold(pid: u32) -> io::Result<Self> {
        let pidfd = open_pidfd(pid)?;
        let (parent, start_time) = parent_and_start(pid)?;
        if parent != std::process::id() {
            let text = "it was reaped before its pidfd could be opened, and its pid given to another process: does \
                        this program ignore SIGCHLD, or wait for any child?";
            return Err(io::Error::other(text));
        }
        Ok(Self {
            pid,
            start_time,
            pidfd,
            status: Mutex::new(None),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn start_time(&self) -> u64 {
        self.start_time
    }

    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The status, if somebody has reaped it through here.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.lock()
    }

    /// Reaps the child if it is dead.
    pub(crate) fn try_reap(&self) -> OSResult<Option<ExitStatus>> {
        let mut status = self.lock();
        if status.is_some() {
            return Ok(*status);
        }
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        *status = match waitid(WaitId::PidFd(self.pidfd()), how) {
            Ok(found) => found.as_ref().map(ExitStatus::from_wait),
            Err(Errno::CHILD) => Some(ExitStatus::Unknown),
            Err(error) => {
                let operation = format!("wait for {}", self.pid);
                return Err(OSError::process_error(operation, error.to_string()));
            }
        };
        Ok(*status)
    }

    /// Sends a signal, unless the child has been reaped.
    pub(crate) fn signal(&self, signal: Signal) -> OSResult<()> {
        let status = self.lock();
        if let Some(status) = *status {
            return Err(ended(self.pid, signal.as_raw(), status));
        }
        pidfd_send_signal(&self.pidfd, signal).map_err(|error| match error {
            Errno::SRCH => ended(self.pid, signal.as_raw(), ExitStatus::Unknown),
            other => not_sent(self.pid, signal.as_raw(), &other.to_string()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        // The status is one word that is valid at any moment, so a panic elsewhere did it no harm.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signals a process that is not a child of ours. The pid is the caller's claim; the pidfd keeps it from changing its
/// meaning between the checks and the signal.
pub(crate) fn signal_stranger(pid: u32, signal: Signal) -> OSResult<()> {
    let sent = open_pidfd(pid).and_then(|pidfd| Ok(pidfd_send_signal(pidfd, signal)?));
    sent.map_err(|error| {
        let number = signal.as_raw();
        match Errno::from_io_error(&error) {
            Some(Errno::SRCH) => not_sent(pid, number, "there is no process with this pid"),
            Some(Errno::PERM) => not_sent(pid, number, &format!("{error}: it is another user's")),
            _ => not_sent(pid, number, &error.to_string()),
        }
    })
}

/// The refusal to signal a child of ours that has been reaped.
pub(crate) fn ended(pid: u32, signal: i32, status: ExitStatus) -> OSError {
    let why = format!(
        "that child of this program has ended ({status}); its pid may belong to another process by now"
    );
    not_sent(pid, signal, &why)
}

fn not_sent(pid: u32, signal: i32, why: &str) -> OSError {
    OSError::process_error(format!("{} to {pid}", signal_name(signal)), why)
}

fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let raw = i32::try_from(pid).map_err(io::Error::other)?;
    let pid = Pid::from_raw(raw).ok_or(Errno::SRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Fields 4 and 22 of `/proc/PID/stat`.
fn parent_and_start(pid: u32) -> io::Result<(u32, u64)> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
    parse_stat(&text)
        .ok_or_else(|| io::Error::other(format!("{path}: can't be understood: {text}")))
}

fn parse_stat(text: &str) -> Option<(u32, u64)> {
    // The name in field 2 may hold anything, brackets and blanks included: count from behind it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some((parent, start_time))
}

#[cfg(test)]
mod tests {
    use super::parse_stat;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let line = "77 (a) S 9 (b) R 42 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2\n";
        assert_eq!(parse_stat(line), Some((42, 98765)));
    }

    #[test]
    fn a_truncated_line_is_not_understood() {
        assert_eq!(parse_stat("77 (a) R 42 77"), None);
        assert_eq!(parse_stat(""), None);
    }
}
