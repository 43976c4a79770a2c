//! How a life ended.

use std::fmt;

use airssys_osl::supervise::ExitStatus;
use rustix::process::Signal;

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
    /// It was a thread of the launching process, and died with it: of what, nobody saw.
    Unseen,
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

    /// Whether the life itself brought its end about, by what it did with what it had in work: a panic, an abort or another
    /// fault signal, a nonzero exit, a hang. Nothing else can be laid to a message's charge: a kill from outside strikes anywhere.
    #[must_use]
    pub fn is_own_doing(&self) -> bool {
        self.as_crash().is_some()
    }

    /// Whether it is laid to the charge of what the life had in work: its own doing is, and so is an end that nobody saw of a
    /// process that may have died by it, since the next one would, too.
    pub(crate) fn blames(&self) -> bool {
        self.is_own_doing() || *self == Self::Unseen
    }

    /// The cause as a word.
    pub(crate) fn code(&self) -> u64 {
        let (kind, detail) = match self {
            Self::Panic(_) => (PANIC, 0),
            Self::Signal(ExitStatus::Signaled { signal, .. }) => (SIGNAL, *signal),
            Self::Exit(code) => (EXIT, *code),
            Self::Hung => (HANG, 0),
            Self::Unseen => (UNSEEN, 0),
            Self::Signal(_)
            | Self::Done
            | Self::Stopped
            | Self::NotSpawned(_)
            | Self::Hopeless(_)
            | Self::Unknown => (0, 0),
        };
        kind | u64::from(detail.cast_unsigned()) << 32
    }

    /// What it is as a crash, of which a capsule is kept: a fault of its own, not an end that somebody else brought about.
    pub(crate) fn as_crash(&self) -> Option<Crash> {
        match self {
            Self::Panic(message) => Some(Crash::Panic {
                message: message.clone(),
            }),
            Self::Signal(ExitStatus::Signaled { signal, .. }) if FAULTS.contains(signal) => {
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
            | Self::Unknown
            | Self::Unseen => None,
        }
    }

    /// Killed from outside, as far as anybody can tell: no reason to think that its start is at fault.
    pub(crate) fn is_signal(&self) -> bool {
        matches!(self, Self::Signal(_) | Self::Unknown)
    }
}

/// Signals that the kernel sends for what an instruction did, and the one of `abort`.
const FAULTS: [i32; 7] = [
    Signal::ILL.as_raw(),
    Signal::TRAP.as_raw(),
    Signal::ABORT.as_raw(),
    Signal::BUS.as_raw(),
    Signal::FPE.as_raw(),
    Signal::SEGV.as_raw(),
    Signal::SYS.as_raw(),
];

const PANIC: u64 = 1;
const SIGNAL: u64 = 2;
const EXIT: u64 = 3;
const HANG: u64 = 4;
const UNSEEN: u64 = 5;

/// What [`Cause::code`] was made of, in words.
pub(crate) fn of_code(code: u64) -> String {
    let detail = ((code >> 32) as u32).cast_signed();
    let cause = match code & 0xffff_ffff {
        PANIC => Cause::Panic(None),
        SIGNAL => Cause::Signal(ExitStatus::Signaled {
            signal: detail,
            core_dumped: false,
        }),
        EXIT => Cause::Exit(detail),
        HANG => Cause::Hung,
        UNSEEN => Cause::Unseen,
        _ => Cause::Unknown,
    };
    cause.to_string()
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
            Self::Unseen => f.write_str("died with the launching process"),
        }
    }
}
