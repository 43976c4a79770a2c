//! One child, one instruction at a time.
//!
//! The child stops itself at markers; between two of them the parent lets it execute one instruction after the other and
//! may look at the shared memory, or kill it, after any of them.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};

use crate::failure::{Failure, ensure};
use crate::process::{Child, End, News};

/// Exit code of a child that the kernel doesn't let be traced.
const UNTRACEABLE: i32 = 103;

/// Stops the calling process until its tracer lets it go on; called by the traced child alone.
///
/// # Panics
///
/// If the kernel refuses to deliver the signal, which it has no reason to.
pub(crate) fn marker() {
    raise(Signal::SIGSTOP).expect("a process may signal itself");
}

/// Stops the calling process as [`marker`] does; its tracer lets it run to the next marker at full speed.
///
/// For tens of thousands of instructions that change no shared memory.
///
/// # Panics
///
/// As for [`marker`].
pub(crate) fn skip() {
    raise(SKIP).expect("a process may signal itself");
}

const SKIP: Signal = Signal::SIGUSR1;

/// Where a stepped child stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// After one more instruction.
    Instruction,
    /// At a marker.
    Marker,
    /// Nowhere: it has ended.
    Ended(End),
}

/// A child under control.
#[derive(Debug)]
pub(crate) struct Stepped(Child);

impl Stepped {
    /// Forks a child that runs `body` as far as its first [`marker`].
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if it can't be forked or traced, or ends before the marker.
    pub(crate) fn spawn(body: impl FnOnce() -> i32) -> Result<Self, Failure> {
        let child = Child::spawn(|| match ptrace::traceme() {
            Ok(()) => body(),
            Err(_) => UNTRACEABLE,
        })?;
        let mut stepped = Self(child);
        match stepped.look()? {
            Stop::Marker => Ok(stepped),
            stop @ (Stop::Instruction | Stop::Ended(_)) => Err(Failure::broken(
                "tracing a child",
                format!("before its first marker: {stop:?}"),
            )),
        }
    }

    /// Executes one instruction.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn step(&mut self) -> Result<Stop, Failure> {
        ptrace::step(self.0.pid(), None).map_err(refused)?;
        self.look()
    }

    /// Runs past `markers` more markers, at full speed.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if it ends on the way, [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn pass(&mut self, markers: usize) -> Result<(), Failure> {
        for _ in 0..markers {
            ptrace::cont(self.0.pid(), None).map_err(refused)?;
            let stop = self.look()?;
            ensure!(
                stop == Stop::Marker,
                "a life that nobody cut short ended early: {stop:?}"
            );
        }
        Ok(())
    }

    /// Runs on to the next marker or the end, and counts the system calls on the way: entries and exits of each.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn calls_to_marker(&mut self) -> Result<(u64, Option<End>), Failure> {
        let mut calls = 0;
        loop {
            ptrace::syscall(self.0.pid(), None).map_err(refused)?;
            match self.look()? {
                Stop::Instruction => calls += 1,
                Stop::Marker => return Ok((calls, None)),
                Stop::Ended(end) => return Ok((calls, Some(end))),
            }
        }
    }

    /// Kills the child where it stands.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the kernel refuses.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.0.kill().map(drop)
    }

    fn look(&mut self) -> Result<Stop, Failure> {
        let mut news = self.0.news()?;
        while news == News::Stopped(SKIP) {
            // The signal itself is not delivered.
            ptrace::cont(self.0.pid(), None).map_err(refused)?;
            news = self.0.news()?;
        }
        Ok(match news {
            News::Stopped(Signal::SIGTRAP) => Stop::Instruction,
            News::Stopped(Signal::SIGSTOP) => Stop::Marker,
            News::Stopped(signal) => {
                return Err(Failure::Violated(format!("the step met signal {signal}")));
            }
            News::Ended(end) => Stop::Ended(end),
        })
    }
}

fn refused(errno: Errno) -> Failure {
    Failure::broken("tracing a child", errno)
}
