//! How a process ended, and the names of signals.

use std::borrow::Cow;
use std::fmt;

use rustix::process::{Signal, WaitIdStatus};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitStatus {
    /// By itself, with this code, 0 to 255.
    Exited(i32),
    /// By a signal.
    Signaled {
        /// Its number on Linux.
        signal: i32,
        /// Whether the kernel wrote a core.
        core_dumped: bool,
    },
    /// It is dead, but somebody else asked the kernel first, so nobody can say how.
    Unknown,
}

impl ExitStatus {
    /// Whether it ended by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }

    /// What a wait for a process that has ended tells.
    pub(super) fn from_wait(status: &WaitIdStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signaled {
                signal,
                core_dumped: status.dumped(),
            },
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signaled {
                signal,
                core_dumped,
            } => {
                write!(f, "killed by {}", signal_name(signal))?;
                f.write_str(if core_dumped { " (core dumped)" } else { "" })
            }
            Self::Unknown => {
                f.write_str("exit status unknown: reaped by another part of this program")
            }
        }
    }
}

/// A signal's name, such as `SIGTERM`; `SIGNAL_99` for a number that has none.
///
/// ```
/// use airssys_osl::supervise::signal_name;
/// assert_eq!(signal_name(15), "SIGTERM");
/// assert_eq!(signal_name(99), "SIGNAL_99");
/// ```
#[must_use]
pub fn signal_name(signal: i32) -> Cow<'static, str> {
    let known = Signal::from_named_raw(signal).and_then(|found| {
        let name = |&(one, name): &(Signal, &'static str)| (one == found).then_some(name);
        NAMES.iter().find_map(name)
    });
    known.map_or_else(|| format!("SIGNAL_{signal}").into(), Cow::Borrowed)
}

// By name and not by position: the numbers differ between architectures.
const NAMES: [(Signal, &str); 31] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::STKFLT, "SIGSTKFLT"),
    (Signal::CHILD, "SIGCHLD"),
    (Signal::CONT, "SIGCONT"),
    (Signal::STOP, "SIGSTOP"),
    (Signal::TSTP, "SIGTSTP"),
    (Signal::TTIN, "SIGTTIN"),
    (Signal::TTOU, "SIGTTOU"),
    (Signal::URG, "SIGURG"),
    (Signal::XCPU, "SIGXCPU"),
    (Signal::XFSZ, "SIGXFSZ"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::PROF, "SIGPROF"),
    (Signal::WINCH, "SIGWINCH"),
    (Signal::IO, "SIGIO"),
    (Signal::POWER, "SIGPWR"),
    (Signal::SYS, "SIGSYS"),
];
