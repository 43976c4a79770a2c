//! How a life ended.

use std::fmt;

use airssys_osl::supervise::ExitStatus;

use crate::capsule::Crash;
use crate::exit;

/// Why a partition's life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Every actor is done.
    Done,
    /// It was asked to stop.
    Stopped,
    /// An actor panicked: the panic's message, where it is known.
    Panic(Option<String>),
    /// The process was killed by a signal.
    Signal(ExitStatus),
    /// The process exited by itself, with this code.
    Exit(i32),
    /// The kernel gave no process or thread for it; later it may.
    NotSpawned(String),
    /// It could not begin, or not go on; a restart would meet the same.
    Hopeless(String),
    /// Its heart stood still and the supervisor killed it.
    Hung,
    /// It is dead, and somebody else has taken its exit status.
    Unknown,
}

impl Cause {
    /// The cause that a process's exit status and its last words tell. `stopping` if its phase was that; `all_done` if its
    /// actors have committed their end.
    pub(crate) fn of_process(status: ExitStatus, stopping: bool, all_done: bool) -> Self {
        match status {
            ExitStatus::Exited(exit::OK) if all_done => Self::Done,
            ExitStatus::Exited(exit::OK) if stopping => Self::Stopped,
            ExitStatus::Exited(exit::PANIC) => Self::Panic(None),
            ExitStatus::Exited(code) if exit::is_hopeless(code) => {
                Self::Hopeless(format!("exit code {code}, see its own line above"))
            }
            ExitStatus::Exited(code) => Self::Exit(code),
            ExitStatus::Signaled { .. } => Self::Signal(status),
            ExitStatus::Unknown | _ => Self::Unknown,
        }
    }

    /// An end that OTP calls abnormal.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Done | Self::Stopped)
    }

    /// A restart would meet the same.
    pub(crate) fn is_hopeless(&self) -> bool {
        matches!(self, Self::Hopeless(_))
    }

    /// What it is as a crash, of which a capsule is kept: a fault of its own, not an end that somebody else brought about.
    pub(crate) fn as_crash(&self) -> Option<Crash> {
        match self {
            Self::Panic(message) => Some(Crash::Panic {
                message: message.clone(),
            }),
            Self::Signal(ExitStatus::Signaled { signal, .. }) if is_fault(*signal) => {
                Some(Crash::Signal { number: *signal })
            }
            Self::Exit(code) if *code != 0 => Some(Crash::Exit { code: *code }),
            Self::Hung => Some(Crash::Hang),
            Self::Done
            | Self::Stopped
            | Self::Signal(_)
            | Self::Exit(_)
            | Self::NotSpawned(_)
            | Self::Hopeless(_)
            | Self::Unknown => None,
        }
    }

    /// Killed from outside, as far as anybody can tell: no reason to think that its start is at fault.
    pub(crate) fn is_signal(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::Unknown)
    }
}

/// Whether a signal is one that a process brings upon itself. Anybody may send it these, too; the kernel doesn't tell.
fn is_fault(signal: i32) -> bool {
    use rustix::process::Signal;
    let faults = [
        Signal::ILL,
        Signal::TRAP,
        Signal::ABORT,
        Signal::BUS,
        Signal::FPE,
        Signal::SEGV,
        Signal::SYS,
    ];
    faults.iter().any(|fault| fault.as_raw() == signal)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("all of its actors are done"),
            Self::Stopped => f.write_str("it was asked to stop"),
            Self::Panic(Some(message)) => write!(f, "an actor panicked: {message}"),
            Self::Panic(None) => f.write_str("an actor panicked"),
            Self::Signal(status) => write!(f, "{status}"),
            Self::Exit(code) => write!(f, "exited with code {code}"),
            Self::NotSpawned(why) => write!(f, "could not be spawned: {why}"),
            Self::Hopeless(why) => f.write_str(why),
            Self::Hung => f.write_str("hung, killed by the supervisor"),
            Self::Unknown => f.write_str("died, exit status unknown"),
        }
    }
}
