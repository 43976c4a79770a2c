//! What executors do, and what comes of it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::string::FromUtf8Error;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::core::context::ExecutionContext;
use crate::core::operation::{Operation, OperationType};
use crate::core::result::{OSError, OSResult};

/// What an operation that was executed gave.
#[derive(Debug, Clone)]
pub struct ExecutionResult {
    /// Its output; what that is depends on the operation.
    pub output: Vec<u8>,
    /// 0 for success.
    pub exit_code: i32,
    /// When the execution began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: DateTime<Utc>,
    /// The time between the two; zero if the clock was set back.
    pub duration: Duration,
    /// What else the executor tells.
    pub metadata: HashMap<String, String>,
}

impl ExecutionResult {
    /// A result that took no time, now.
    #[must_use]
    pub fn new(output: Vec<u8>, exit_code: i32) -> Self {
        let now = Utc::now();
        Self::with_timing(output, exit_code, now, now)
    }

    /// A result of an execution between these two times.
    #[must_use]
    pub fn with_timing(
        output: Vec<u8>,
        exit_code: i32,
        started_at: DateTime<Utc>,
        completed_at: DateTime<Utc>,
    ) -> Self {
        Self {
            output,
            exit_code,
            started_at,
            completed_at,
            duration: (completed_at - started_at).to_std().unwrap_or_default(),
            metadata: HashMap::new(),
        }
    }

    /// A success that took no time, now.
    #[must_use]
    pub fn success(output: Vec<u8>) -> Self {
        Self::new(output, 0)
    }

    /// A failure that took no time, now.
    #[must_use]
    pub fn failure(output: Vec<u8>, exit_code: i32) -> Self {
        Self::new(output, exit_code)
    }

    /// A success of an execution between these two times.
    #[must_use]
    pub fn success_with_timing(
        output: Vec<u8>,
        started_at: DateTime<Utc>,
        completed_at: DateTime<Utc>,
    ) -> Self {
        Self::with_timing(output, 0, started_at, completed_at)
    }

    /// A failure of an execution between these two times.
    #[must_use]
    pub fn failure_with_timing(
        output: Vec<u8>,
        exit_code: i32,
        started_at: DateTime<Utc>,
        completed_at: DateTime<Utc>,
    ) -> Self {
        Self::with_timing(output, exit_code, started_at, completed_at)
    }

    /// Adds one entry, or replaces it.
    #[must_use]
    pub fn with_metadata(mut self, key: String, value: String) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// Adds these entries to those it has.
    #[must_use]
    pub fn with_metadata_map(mut self, metadata: HashMap<String, String>) -> Self {
        self.metadata.extend(metadata);
        self
    }

    /// One entry.
    #[must_use]
    pub fn get_metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Whether the exit code is 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.exit_code == 0
    }

    /// Whether the exit code is another.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !self.is_success()
    }

    /// The output as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn output_as_string(&self) -> Result<String, FromUtf8Error> {
        String::from_utf8(self.output.clone())
    }

    /// Whether the execution took longer than this.
    #[must_use]
    pub fn exceeded_duration(&self, max_duration: Duration) -> bool {
        self.duration > max_duration
    }

    /// One line for a log.
    #[must_use]
    pub fn summary(&self) -> String {
        let (code, took, bytes) = (self.exit_code, self.duration, self.output.len());
        format!("exit code {code} after {took:?}, {bytes} bytes of output")
    }
}

/// Does operations of one kind.
#[async_trait]
pub trait OSExecutor<O>: Debug + Send + Sync + 'static
where
    O: Operation,
{
    /// Its name in the records.
    fn name(&self) -> &str;

    /// The kinds of operation it does; none named means all.
    fn supported_operation_types(&self) -> Vec<OperationType>;

    /// Does one operation. An executor validates here too, so that nobody can leave the check out.
    ///
    /// # Errors
    /// Why it was refused, or why it failed.
    async fn execute(&self, operation: O, context: &ExecutionContext) -> OSResult<ExecutionResult>;

    /// Whether operations of this kind can be done here.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn can_execute(&self, operation: &O, _context: &ExecutionContext) -> OSResult<bool> {
        let supported = self.supported_operation_types();
        Ok(supported.is_empty() || supported.contains(&operation.operation_type()))
    }

    /// [`execute`](Self::execute), given up after `timeout`. What the operation had already done stays done.
    ///
    /// # Errors
    /// Those of `execute`, and [`ExecutionFailed`](OSError::ExecutionFailed) when the time is over.
    ///
    /// # Panics
    /// Outside a Tokio runtime that has its timer enabled.
    async fn execute_with_timeout(
        &self,
        operation: O,
        context: &ExecutionContext,
        timeout: Duration,
    ) -> OSResult<ExecutionResult> {
        let execution = self.execute(operation, context);
        tokio::time::timeout(timeout, execution)
            .await
            .unwrap_or_else(|_| {
                let name = self.name();
                Err(OSError::execution_failed(format!(
                    "executor `{name}`: not done after {timeout:?}"
                )))
            })
    }

    /// Checks an operation without doing it.
    ///
    /// # Errors
    /// Why `execute` would refuse it.
    async fn validate_operation(&self, operation: &O, context: &ExecutionContext) -> OSResult<()> {
        if self.can_execute(operation, context).await? {
            return Ok(());
        }
        let (name, kind) = (self.name(), operation.operation_type().as_str());
        Err(OSError::execution_failed(format!(
            "executor `{name}` does no {kind} operations"
        )))
    }

    /// Gives back what the executor and its middleware hold. It may be used again afterwards.
    ///
    /// # Errors
    /// When something could not be given back.
    async fn cleanup(&self, _context: &ExecutionContext) -> OSResult<()> {
        Ok(())
    }
}
