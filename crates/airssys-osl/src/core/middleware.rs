//! Hooks around an execution. [`ExecutorExt::with_middleware`](crate::middleware::ExecutorExt::with_middleware) puts
//! them around an executor, and says there in which order they run.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::core::context::ExecutionContext;
use crate::core::executor::ExecutionResult;
use crate::core::operation::{Operation, OperationType};
use crate::core::result::{OSError, OSResult};

/// What a hook returns.
pub type MiddlewareResult<T> = Result<T, MiddlewareError>;

/// Why a hook failed.
#[derive(Debug, Clone, Error)]
pub enum MiddlewareError {
    /// The operation must not go on.
    #[error("{0}")]
    Fatal(String),
    /// The operation may go on as if the middleware were not there.
    #[error("{0}")]
    NonFatal(String),
    /// A policy forbids the operation.
    #[error("{0}")]
    SecurityViolation(String),
    /// The middleware is configured wrongly.
    #[error("wrong configuration: {0}")]
    Configuration(String),
    /// Something the middleware needs is missing.
    #[error("missing dependency: {0}")]
    Dependency(String),
    /// The middleware was not done within this time.
    #[error("not done after {0:?}")]
    Timeout(Duration),
}

impl MiddlewareError {
    /// Whether the operation must not go on.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::NonFatal(_))
    }

    /// Whether a policy forbids the operation.
    #[must_use]
    pub fn is_security_violation(&self) -> bool {
        matches!(self, Self::SecurityViolation(_))
    }

    /// Whether the same hook may succeed when tried again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NonFatal(_) | Self::Timeout(_))
    }

    /// One word for logs and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Fatal(_) => "fatal",
            Self::NonFatal(_) => "non_fatal",
            Self::SecurityViolation(_) => "security",
            Self::Configuration(_) => "configuration",
            Self::Dependency(_) => "dependency",
            Self::Timeout(_) => "timeout",
        }
    }

    /// The error that the caller of the executor gets. A denial stays a denial.
    #[must_use]
    pub fn to_os_error(self, middleware_name: &str) -> OSError {
        if self.is_security_violation() {
            return OSError::security_violation(format!("middleware `{middleware_name}`: {self}"));
        }
        OSError::middleware_failed(middleware_name, self.to_string())
    }
}

/// What is to be made of an execution that failed.
#[derive(Debug, Clone)]
pub enum ErrorAction {
    /// The caller gets the error.
    Continue,
    /// The caller gets this error instead.
    ReplaceError(OSError),
    /// The caller gets an empty success, which says in its metadata what was suppressed (`suppressed_error`).
    Suppress,
    /// The operation is tried again after `delay`, at most `max_attempts` times in all. A denial is never tried again.
    Retry {
        /// How many more tries there may be, counted from the first failure.
        max_attempts: u32,
        /// How long to wait before each.
        delay: Duration,
    },
    /// The caller gets the error at once: this middleware's `after_execution` is left out.
    Stop,
    /// The caller gets the error, and it is logged as a warning.
    LogAndContinue,
}

/// Hooks around the execution of operations of one type.
#[async_trait]
pub trait Middleware<O>: Debug + Send + Sync + 'static
where
    O: Operation,
{
    /// Its name in errors and records.
    fn name(&self) -> &str;

    /// For those who order several: lower runs first. Wrapping one executor in another is an order by itself, so the
    /// wrapper does not look at it.
    fn priority(&self) -> u32 {
        100
    }

    /// Whether it takes part at all; asked before each operation.
    fn is_enabled(&self) -> bool {
        true
    }

    /// Runs once, before the first operation, and again for the first operation after a `shutdown`.
    ///
    /// # Errors
    /// The operation that was about to begin fails with it; the next one tries again.
    async fn initialize(&mut self) -> MiddlewareResult<()> {
        Ok(())
    }

    /// Whether this operation concerns it; if not, the operation goes on as if the middleware were not there. By
    /// default it does when the middleware is enabled and for operations of this kind.
    async fn can_process(&self, operation: &O, _context: &ExecutionContext) -> bool {
        let supported = self.supported_operation_types();
        self.is_enabled()
            && (supported.is_empty() || supported.contains(&operation.operation_type()))
    }

    /// Runs before the operation and may change it. `None` means that nothing is left to do: the caller gets an empty
    /// success.
    ///
    /// # Errors
    /// Keeps the operation from being executed, unless it is [`NonFatal`](MiddlewareError::NonFatal): then the
    /// operation goes on as it came.
    async fn before_execution(
        &self,
        operation: O,
        _context: &ExecutionContext,
    ) -> MiddlewareResult<Option<O>> {
        Ok(Some(operation))
    }

    /// Runs after each try that failed, and decides what is made of it.
    async fn handle_error(&self, _error: OSError, _context: &ExecutionContext) -> ErrorAction {
        ErrorAction::Continue
    }

    /// Runs once, with what the caller will get.
    ///
    /// # Errors
    /// Are logged, and change nothing: what was done can't be undone, and its result must not be lost.
    async fn after_execution(
        &self,
        _context: &ExecutionContext,
        _result: &OSResult<ExecutionResult>,
    ) -> MiddlewareResult<()> {
        Ok(())
    }

    /// Gives back what it holds; runs in the executor's `cleanup`.
    ///
    /// # Errors
    /// When something could not be given back.
    async fn shutdown(&mut self) -> MiddlewareResult<()> {
        Ok(())
    }

    /// The kinds of operation it is for; none named means all. Operations of other kinds go on as if it were not there.
    fn supported_operation_types(&self) -> Vec<OperationType> {
        Vec::new()
    }

    /// Kept so that middleware which has it compiles; nothing of this crate calls it, as an operation on a process is
    /// one system call with no middle.
    ///
    /// # Errors
    /// As its author likes.
    async fn during_execution(&self, _context: &ExecutionContext) -> MiddlewareResult<()> {
        Ok(())
    }
}
