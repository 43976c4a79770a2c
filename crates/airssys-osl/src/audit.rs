//! The record of every operation: one `tracing` event each, target `airssys_osl::audit`. What was done is an `INFO`,
//! what was refused or failed a `WARN` with its `error`. Variables of the environment are left out: they hold secrets.

use std::fmt::Display;
use std::sync::Arc;

use uuid::Uuid;

use crate::core::context::ExecutionContext;
use crate::core::result::OSResult;

const TARGET: &str = "airssys_osl::audit";

/// On whose behalf, in which request and by which executor something is done.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    executor: Arc<str>,
    user: Arc<str>,
    execution_id: Uuid,
}

impl Author {
    pub(crate) fn new(executor: &Arc<str>, context: &ExecutionContext) -> Self {
        Self {
            executor: Arc::clone(executor),
            user: context.principal().into(),
            execution_id: context.execution_id,
        }
    }

    pub(crate) fn executor(&self) -> &str {
        &self.executor
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Records how the operation went. The pid is 0 where there is none: a spawn that failed.
    pub(crate) fn record<T>(
        &self,
        operation: &impl Display,
        operation_id: &str,
        pid: u32,
        outcome: &OSResult<T>,
    ) {
        let Self {
            executor,
            user,
            execution_id,
        } = self;
        match outcome {
            Ok(_) => tracing::info!(
                target: TARGET, %operation, operation_id, pid, %user, %executor, %execution_id, "done"
            ),
            Err(error) => tracing::warn!(
                target: TARGET, %operation, operation_id, pid, %user, %executor, %execution_id, %error,
                "not done"
            ),
        }
    }
}
