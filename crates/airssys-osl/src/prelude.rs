//! Everything that a program which spawns, signals and kills processes imports.

pub use std::time::Duration;

pub use chrono::{DateTime, Utc};

pub use crate::core::context::{ExecutionContext, SecurityContext};
pub use crate::core::executor::{ExecutionResult, OSExecutor};
pub use crate::core::operation::{Operation, OperationType};
pub use crate::core::result::{OSError, OSResult};
pub use crate::executors::process::ProcessExecutor;
pub use crate::middleware::ExecutorExt;
pub use crate::operations::{ProcessKillOperation, ProcessSignalOperation, ProcessSpawnOperation};
