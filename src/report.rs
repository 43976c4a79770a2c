//! One line for each death, restart, escalation and loss: to the tracing subscriber if there is one, else to stderr.

use std::fmt;
use std::io::Write;
use std::time::Duration;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Something was put right.
    Info,
    /// A death, or a loss.
    Warn,
    /// The topology gives up.
    Error,
}

/// Says `line` once.
pub(crate) fn say(level: Level, line: fmt::Arguments<'_>) {
    if tracing::dispatcher::has_been_set() {
        match level {
            Level::Info => tracing::info!("{line}"),
            Level::Warn => tracing::warn!("{line}"),
            Level::Error => tracing::error!("{line}"),
        }
    } else {
        // A line that nobody can read ends no bus.
        let _ = writeln!(std::io::stderr().lock(), "airssys: {line}");
    }
}

/// Milliseconds with one digit, as the lines give times.
pub(crate) struct Ms(pub(crate) Duration);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ms", self.0.as_secs_f64() * 1e3)
    }
}
