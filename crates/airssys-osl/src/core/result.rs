//! The one error type of the crate. Its variants are an interface that callers match on: none is added or removed.

use thiserror::Error;

/// What every fallible call of this crate returns.
pub type OSResult<T> = Result<T, OSError>;

/// Why an operation was not done. Each reason names the object, what was found and, where there is one, the remedy.
#[derive(Debug, Clone, Error)]
pub enum OSError {
    /// A policy forbade it. Never worth a retry: the same request gets the same answer.
    #[error("denied by a security policy: {reason}")]
    SecurityViolation {
        /// What was denied, and by which rule.
        reason: String,
    },
    /// A middleware failed before the operation was tried.
    #[error("middleware `{middleware}` failed: {reason}")]
    MiddlewareFailed {
        /// The middleware's name.
        middleware: String,
        /// What went wrong in it.
        reason: String,
    },
    /// The operation was tried and failed, for a reason that may pass.
    #[error("execution failed: {reason}")]
    ExecutionFailed {
        /// What went wrong.
        reason: String,
    },
    /// The operation could not be executed.
    #[error("execution error: {reason}")]
    Execution {
        /// What went wrong.
        reason: String,
    },
    /// An executor or middleware is configured wrongly.
    #[error("invalid configuration: {reason}")]
    Configuration {
        /// Which setting, and what it should be.
        reason: String,
    },
    /// An operation on a file failed.
    #[error("filesystem operation failed: {operation} `{path}`: {reason}")]
    FilesystemError {
        /// What was tried.
        operation: String,
        /// On which file.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// An operation on a process failed or was refused.
    #[error("process operation failed: {operation}: {reason}")]
    ProcessError {
        /// What was tried, on which process.
        operation: String,
        /// What went wrong.
        reason: String,
    },
    /// An operation on the network failed.
    #[error("network operation failed: {operation}: {reason}")]
    NetworkError {
        /// What was tried.
        operation: String,
        /// What went wrong.
        reason: String,
    },
    /// A configuration could not be used.
    #[error("invalid configuration: {reason}")]
    ConfigurationError {
        /// Which setting, and what it should be.
        reason: String,
    },
}

impl OSError {
    /// A [`SecurityViolation`](Self::SecurityViolation).
    pub fn security_violation(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::SecurityViolation { reason }
    }

    /// A [`MiddlewareFailed`](Self::MiddlewareFailed).
    pub fn middleware_failed(middleware: impl Into<String>, reason: impl Into<String>) -> Self {
        let (middleware, reason) = (middleware.into(), reason.into());
        Self::MiddlewareFailed { middleware, reason }
    }

    /// An [`ExecutionFailed`](Self::ExecutionFailed).
    pub fn execution_failed(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::ExecutionFailed { reason }
    }

    /// A [`FilesystemError`](Self::FilesystemError).
    pub fn filesystem_error(
        operation: impl Into<String>,
        path: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        let (operation, path, reason) = (operation.into(), path.into(), reason.into());
        Self::FilesystemError {
            operation,
            path,
            reason,
        }
    }

    /// A [`ProcessError`](Self::ProcessError).
    pub fn process_error(operation: impl Into<String>, reason: impl Into<String>) -> Self {
        let (operation, reason) = (operation.into(), reason.into());
        Self::ProcessError { operation, reason }
    }

    /// A [`NetworkError`](Self::NetworkError).
    pub fn network_error(operation: impl Into<String>, reason: impl Into<String>) -> Self {
        let (operation, reason) = (operation.into(), reason.into());
        Self::NetworkError { operation, reason }
    }

    /// A [`ConfigurationError`](Self::ConfigurationError).
    pub fn configuration_error(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::ConfigurationError { reason }
    }

    /// Whether a policy forbade the operation.
    #[must_use]
    pub fn is_security_violation(&self) -> bool {
        matches!(self, Self::SecurityViolation { .. })
    }

    /// Whether a middleware failed.
    #[must_use]
    pub fn is_middleware_failure(&self) -> bool {
        matches!(self, Self::MiddlewareFailed { .. })
    }

    /// Whether an operation on a process failed.
    #[must_use]
    pub fn is_process_error(&self) -> bool {
        matches!(self, Self::ProcessError { .. })
    }

    /// Whether an operation on the network failed.
    #[must_use]
    pub fn is_network_error(&self) -> bool {
        matches!(self, Self::NetworkError { .. })
    }

    /// Whether an operation on a file failed.
    #[must_use]
    pub fn is_filesystem_error(&self) -> bool {
        matches!(self, Self::FilesystemError { .. })
    }

    /// Whether a configuration could not be used; [`Configuration`](Self::Configuration) counts as such too.
    #[must_use]
    pub fn is_configuration_error(&self) -> bool {
        matches!(
            self,
            Self::ConfigurationError { .. } | Self::Configuration { .. }
        )
    }

    /// Whether the same operation may succeed when tried again. A denial, a refusal and a wrong configuration stay
    /// what they are.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NetworkError { .. } | Self::ExecutionFailed { .. }
        )
    }

    /// One word for logs and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::SecurityViolation { .. } => "security",
            Self::MiddlewareFailed { .. } => "middleware",
            Self::ExecutionFailed { .. } | Self::Execution { .. } => "execution",
            Self::Configuration { .. } | Self::ConfigurationError { .. } => "configuration",
            Self::FilesystemError { .. } => "filesystem",
            Self::ProcessError { .. } => "process",
            Self::NetworkError { .. } => "network",
        }
    }
}
