//! The operation that signals a process.

use std::fmt;

use chrono::{DateTime, Utc};

use super::id_or_new;
use crate::core::operation::{Operation, OperationType, Permission};

/// Sends a signal to a process. The pids 0 and 1 and those above `i32::MAX` are refused, and so is any signal but 1 to
/// 31: 0 is none, and the real-time ones above belong to the C library in part.
#[derive(Debug, Clone)]
pub struct ProcessSignalOperation {
    /// Which process.
    pub pid: u32,
    /// Which signal, by its number on Linux.
    pub signal: i32,
    /// When the operation was made.
    pub created_at: DateTime<Utc>,
    /// Its id; `None` means that each call of `operation_id` makes one up.
    pub operation_id: Option<String>,
}

impl ProcessSignalOperation {
    /// Sends `signal` to the process `pid`.
    #[must_use]
    pub fn new(pid: u32, signal: i32) -> Self {
        Self::with_timestamp(pid, signal, Utc::now())
    }

    /// Sends SIGTERM.
    #[must_use]
    pub fn terminate(pid: u32) -> Self {
        Self::new(pid, 15)
    }

    /// Sends SIGKILL.
    #[must_use]
    pub fn kill(pid: u32) -> Self {
        Self::new(pid, 9)
    }

    /// Sends SIGHUP.
    #[must_use]
    pub fn hangup(pid: u32) -> Self {
        Self::new(pid, 1)
    }

    /// Sends `signal` to the process `pid`; made at this time.
    #[must_use]
    pub fn with_timestamp(pid: u32, signal: i32, created_at: DateTime<Utc>) -> Self {
        Self {
            pid,
            signal,
            created_at,
            operation_id: None,
        }
    }

    /// Sets the id; by convention it begins with `process:`.
    #[must_use]
    pub fn with_operation_id(mut self, id: impl Into<String>) -> Self {
        self.operation_id = Some(id.into());
        self
    }
}

impl Operation for ProcessSignalOperation {
    fn operation_type(&self) -> OperationType {
        OperationType::Process
    }

    fn required_permissions(&self) -> Vec<Permission> {
        vec![Permission::ProcessManage]
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    fn operation_id(&self) -> String {
        id_or_new(self.operation_id.as_ref())
    }

    fn requires_elevated_privileges(&self) -> bool {
        true
    }
}

impl fmt::Display for ProcessSignalOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessSignal(pid={}, signal={})", self.pid, self.signal)
    }
}
