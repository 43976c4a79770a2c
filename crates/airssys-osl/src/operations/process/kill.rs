//! The operation that kills a process.

use std::fmt;

use chrono::{DateTime, Utc};

use super::id_or_new;
use crate::core::operation::{Operation, OperationType, Permission};

/// Sends SIGKILL to a process. The pids 0 and 1 and those above `i32::MAX` are refused.
#[derive(Debug, Clone)]
pub struct ProcessKillOperation {
    /// Which process.
    pub pid: u32,
    /// When the operation was made.
    pub created_at: DateTime<Utc>,
    /// Its id; `None` means that each call of `operation_id` makes one up.
    pub operation_id: Option<String>,
}

impl ProcessKillOperation {
    /// Kills the process `pid`.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self::with_timestamp(pid, Utc::now())
    }

    /// Kills the process `pid`; made at this time.
    #[must_use]
    pub fn with_timestamp(pid: u32, created_at: DateTime<Utc>) -> Self {
        Self {
            pid,
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

impl Operation for ProcessKillOperation {
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

impl fmt::Display for ProcessKillOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessKill(pid={})", self.pid)
    }
}
