//! The executor that starts, signals and kills processes.

mod manage;
mod spawn;
mod validate;

use std::fmt;
use std::sync::Arc;

use crate::supervise::registry::Registry;

/// Starts, signals and kills processes.
///
/// Every child it started is kept by its pidfd until it is reaped: a kill or a signal for its pid goes through the
/// pidfd, and is refused once the child has been reaped, as the pid may be a stranger's by then. That holds between all
/// executors of this process. A child whose handle was dropped, or that never had one, is reaped by the next operation
/// of any executor, or when an executor is dropped, if it is dead by then.
///
/// Children begin with the signal mask of the thread that spawns them, and with the ignored signals of this process.
#[derive(Debug, Clone)]
pub struct ProcessExecutor {
    name: Arc<str>,
    children: Arc<Registry>,
}

impl ProcessExecutor {
    /// An executor with this name, which the records and the metadata of results show.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into().into(),
            children: Registry::of_this_process(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ProcessExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessExecutor({})", self.name)
    }
}

impl Drop for ProcessExecutor {
    fn drop(&mut self) {
        self.children.reap_dropped();
    }
}
