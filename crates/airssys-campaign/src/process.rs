//! Forked children: started, killed, waited for, never left behind.
//!
//! A child is a copy of this process without an exec, so that it starts with the regions mapped where they are. It dies
//! with its parent, and with the [`Child`] that stands for it.

#![allow(
    unsafe_code,
    reason = "fork, the only exit that suits a fork, and what a fork is to die of"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use crate::failure::Failure;

/// Exit code of a child that panicked.
pub(crate) const PANICKED: i32 = 101;
/// Exit code of a child whose parent died before it could tie itself to it.
const ORPHANED: i32 = 102;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(Signal),
}

impl End {
    /// The exit code, of one that ended by itself.
    pub(crate) fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            Self::Signaled(_) => None,
        }
    }
}

/// What waiting for a child told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Stopped(Signal),
    Ended(End),
}

/// A running child. Dropping it kills and reaps it.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    reaped: bool,
}

impl Child {
    /// Forks a child that runs `body` and exits with its result.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if this process has more than one thread, or may not fork.
    pub(crate) fn spawn(body: impl FnOnce() -> i32) -> Result<Self, Failure> {
        let threads = threads()?;
        if threads != 1 {
            return Err(Failure::broken(
                "forking",
                format!("this process has {threads} threads, expected 1"),
            ));
        }
        let parent = getpid();
        // SAFETY: this is the process's only thread, counted above: no lock is held by a thread that the child lacks.
        match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => Ok(Self {
                pid: child,
                reaped: false,
            }),
            Ok(ForkResult::Child) => {
                let code = live(parent, body);
                // SAFETY: ends this process at once; it has no preconditions. The parent's exit handlers and its values
                // further up this stack are the parent's business.
                unsafe { nix::libc::_exit(code) }
            }
            Err(errno) => Err(Failure::broken("forking", errno)),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends the child SIGKILL, and leaves it to be reaped.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn strike(&self) -> Result<(), Failure> {
        kill(self.pid, Signal::SIGKILL).map_err(|errno| Failure::broken("killing a child", errno))
    }

    /// Kills the child with SIGKILL and reaps it. A child that had ended before says how.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn kill(&mut self) -> Result<End, Failure> {
        self.strike()?;
        self.reap()
    }

    /// Waits for the child to end by itself.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn wait(mut self) -> Result<End, Failure> {
        self.reap()
    }

    fn reap(&mut self) -> Result<End, Failure> {
        loop {
            if let News::Ended(end) = self.news()? {
                return Ok(end);
            }
        }
    }

    /// Waits for the child's next stop or its end.
    pub(crate) fn news(&mut self) -> Result<News, Failure> {
        let status = waitpid(self.pid, None)
            .map_err(|errno| Failure::broken("waiting for a child", errno))?;
        let end = match status {
            WaitStatus::Stopped(_, signal) => return Ok(News::Stopped(signal)),
            WaitStatus::Exited(_, code) => End::Exited(code),
            WaitStatus::Signaled(_, signal, _) => End::Signaled(signal),
            other @ (WaitStatus::PtraceEvent(..)
            | WaitStatus::PtraceSyscall(_)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive) => {
                return Err(Failure::broken(
                    "waiting for a child",
                    format!("{other:?}, expected a stop or its end"),
                ));
            }
        };
        self.reaped = true;
        Ok(News::Ended(end))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped && kill(self.pid, Signal::SIGKILL).is_ok() {
            // An error means that there is nothing to reap.
            let _ = self.reap();
        }
    }
}

/// Keeps this thread and the children that it forks on one core, until dropped.
///
/// For parents and children that take turns: handing over on one core costs a tenth of waking another.
#[derive(Debug)]
pub(crate) struct OneCore(Option<CpuSet>);

impl OneCore {
    /// Pins to the core where this thread is. Where the kernel refuses, everything just takes longer.
    pub(crate) fn pin() -> Self {
        let before = sched_getaffinity(Pid::from_raw(0)).ok();
        let pinned = || {
            let mut here = CpuSet::new();
            here.set(sched_getcpu()?)?;
            sched_setaffinity(Pid::from_raw(0), &here)
        };
        Self(before.filter(|_| pinned().is_ok()))
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // It was allowed before; if it no longer is, the process stays on its core.
            let _ = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

/// How a byte is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
}

/// Forks a child that touches one byte, wherever it is, and tells how the child ended.
///
/// # Errors
///
/// [`Failure::Broken`] as for [`Child::spawn`].
pub(crate) fn touch(address: usize, how: Touch) -> Result<End, Failure> {
    let byte = std::ptr::with_exposed_provenance_mut::<u8>(address);
    Child::spawn(|| {
        match how {
            // SAFETY: an access that the kernel refuses is what this child is for; where it doesn't, the byte is one of a shared
            // mapping, which nobody holds a reference to.
            Touch::Read => drop(unsafe { byte.read_volatile() }),
            // SAFETY: as for the read.
            Touch::Write => unsafe { byte.write_volatile(0xa5) },
        }
        0
    })?
    .wait()
}

fn live(parent: Pid, body: impl FnOnce() -> i32) -> i32 {
    if set_pdeathsig(Signal::SIGKILL).is_err() || getppid() != parent {
        return ORPHANED;
    }
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED)
}

fn threads() -> Result<usize, Failure> {
    let tasks = std::fs::read_dir("/proc/self/task")
        .map_err(|error| Failure::broken("counting threads in /proc/self/task", error))?;
    Ok(tasks.count())
}
