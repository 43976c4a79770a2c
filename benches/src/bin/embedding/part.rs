//! What a part of the report is given, and what it gives.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How to measure.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// A look, not a record.
    pub(crate) short: bool,
    /// Heap of the launching process in the part that fills one; `None` for what suits the machine.
    pub(crate) gib: Option<u64>,
    /// Size of the bus in the part about first messages.
    pub(crate) bus_mib: u64,
}

impl Settings {
    /// The one or the other time.
    pub(crate) fn time(&self, full: Duration, short: Duration) -> Duration {
        if self.short { short } else { full }
    }
}

/// A part as measured.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// For the report's `.json`, under the part's name.
    pub(crate) figures: Value,
    /// For the report's `.md`: tables, and what they have to be read with.
    pub(crate) text: String,
}

/// A part as `main` knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Calls `airssys_rt::enter` for each topology that `measure` launches as processes.
    pub(crate) enter: fn(&Settings) -> Result<()>,
    pub(crate) measure: fn(&Settings) -> Result<Part>,
}
