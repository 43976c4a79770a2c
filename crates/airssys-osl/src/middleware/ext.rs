//! An executor with middleware around it is an executor again, so that several are put around each other.
//!
//! ```text
//! execute ─ initialize (first time) ─ can_process ─ before_execution ─┬─ executor ─ Ok ──────────────┬─ after_execution
//!              │ error: return              │ no: executor only   ▲   │             └ Err ─ handle_error ┤ Continue, …
//!              ▼                            ▼                     │   └──────── Retry after its delay ───┤ Retry
//!                                                      error, None: return                              └ Stop: return
//! ```
//!
//! Of `executor.with_middleware(a).with_middleware(b)` the last is the outermost: `b` before `a` before the executor,
//! and `a` after it before `b`. Operations may run at once: no lock is held while one does.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::core::context::ExecutionContext;
use crate::core::executor::{ExecutionResult, OSExecutor};
use crate::core::middleware::{ErrorAction, Middleware, MiddlewareError};
use crate::core::operation::{Operation, OperationType};
use crate::core::result::{OSError, OSResult};

/// Puts middleware around an executor.
pub trait ExecutorExt: Sized {
    /// This executor with `middleware` around it.
    fn with_middleware<M, O>(self, middleware: M) -> MiddlewareExecutor<Self, M, O>
    where
        Self: OSExecutor<O>,
        M: Middleware<O>,
        O: Operation,
    {
        MiddlewareExecutor::new(self, middleware)
    }
}

impl<E> ExecutorExt for E {}

/// An executor with middleware around it; it bears the executor's name. Made by [`ExecutorExt::with_middleware`].
pub struct MiddlewareExecutor<E, M, O> {
    executor: E,
    slot: Mutex<Slot<M>>,
    operations: PhantomData<fn(O)>,
}

/// The middleware and whether it is initialized. A running operation owns a share of it, so that whoever holds the
/// lock can tell by the count whether one is running, and has it alone if none is.
struct Slot<M> {
    middleware: Arc<M>,
    ready: bool,
}

impl<E, M, O> MiddlewareExecutor<E, M, O>
where
    E: OSExecutor<O>,
    M: Middleware<O>,
    O: Operation,
{
    /// `executor` with `middleware` around it.
    pub fn new(executor: E, middleware: M) -> Self {
        let slot = Mutex::new(Slot {
            middleware: Arc::new(middleware),
            ready: false,
        });
        Self {
            executor,
            slot,
            operations: PhantomData,
        }
    }

    /// The initialized middleware; `None` if it is disabled.
    async fn middleware(&self) -> OSResult<Option<Arc<M>>> {
        let mut slot = self.slot.lock().await;
        if !slot.middleware.is_enabled() {
            return Ok(None);
        }
        if !slot.ready {
            let middleware = alone(&mut slot.middleware)?;
            if let Err(error) = middleware.initialize().await {
                return Err(error.to_os_error(middleware.name()));
            }
            slot.ready = true;
        }
        Ok(Some(Arc::clone(&slot.middleware)))
    }

    /// The operation until it succeeds or the middleware has had enough.
    async fn attempt(&self, middleware: &M, operation: O, context: &ExecutionContext) -> Attempted {
        let mut retries = 0;
        loop {
            let result = self.executor.execute(operation.clone(), context).await;
            let Err(error) = result else {
                return Attempted::Passed(result);
            };
            match middleware.handle_error(error.clone(), context).await {
                ErrorAction::Retry {
                    max_attempts,
                    delay,
                } if retries < max_attempts && !error.is_security_violation() => {
                    retries += 1;
                    tracing::debug!(middleware = middleware.name(), %error, retries, "trying again");
                    // Not even a yield where no delay is asked for: that would need a timer in the runtime.
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                }
                ErrorAction::Continue | ErrorAction::Retry { .. } => {
                    return Attempted::Passed(Err(error));
                }
                ErrorAction::ReplaceError(other) => return Attempted::Passed(Err(other)),
                ErrorAction::Suppress => return Attempted::Passed(Ok(suppressed(&error))),
                ErrorAction::LogAndContinue => {
                    tracing::warn!(middleware = middleware.name(), %error, "operation failed");
                    return Attempted::Passed(Err(error));
                }
                ErrorAction::Stop => return Attempted::Stopped(error),
            }
        }
    }
}

/// What came of the attempts.
#[must_use]
enum Attempted {
    /// A result that `after_execution` is to see.
    Passed(OSResult<ExecutionResult>),
    /// An error that it is not.
    Stopped(OSError),
}

fn alone<M>(middleware: &mut Arc<M>) -> OSResult<&mut M> {
    Arc::get_mut(middleware)
        .ok_or_else(|| OSError::execution_failed("operations are still running; wait for them"))
}

fn suppressed(error: &OSError) -> ExecutionResult {
    ExecutionResult::success(Vec::new())
        .with_metadata("suppressed_error".to_string(), error.to_string())
}

#[async_trait]
impl<E, M, O> OSExecutor<O> for MiddlewareExecutor<E, M, O>
where
    E: OSExecutor<O>,
    M: Middleware<O>,
    O: Operation,
{
    fn name(&self) -> &str {
        self.executor.name()
    }

    fn supported_operation_types(&self) -> Vec<OperationType> {
        self.executor.supported_operation_types()
    }

    async fn can_execute(&self, operation: &O, context: &ExecutionContext) -> OSResult<bool> {
        self.executor.can_execute(operation, context).await
    }

    async fn execute(&self, operation: O, context: &ExecutionContext) -> OSResult<ExecutionResult> {
        let Some(middleware) = self.middleware().await? else {
            return self.executor.execute(operation, context).await;
        };
        if !middleware.can_process(&operation, context).await {
            return self.executor.execute(operation, context).await;
        }
        let operation = match middleware
            .before_execution(operation.clone(), context)
            .await
        {
            Ok(Some(changed)) => changed,
            Ok(None) => return Ok(ExecutionResult::success(Vec::new())),
            Err(MiddlewareError::NonFatal(reason)) => {
                tracing::warn!(middleware = middleware.name(), reason, "went on without it");
                operation
            }
            Err(error) => return Err(error.to_os_error(middleware.name())),
        };
        let result = match self.attempt(&middleware, operation, context).await {
            Attempted::Passed(result) => result,
            Attempted::Stopped(error) => return Err(error),
        };
        if let Err(error) = middleware.after_execution(context, &result).await {
            tracing::error!(middleware = middleware.name(), %error, "failed after the operation");
        }
        result
    }

    async fn validate_operation(&self, operation: &O, context: &ExecutionContext) -> OSResult<()> {
        self.executor.validate_operation(operation, context).await
    }

    /// Shuts the middleware down, then cleans the executor up. Refused while operations run.
    async fn cleanup(&self, context: &ExecutionContext) -> OSResult<()> {
        let mut slot = self.slot.lock().await;
        if slot.ready {
            let middleware = alone(&mut slot.middleware)?;
            if let Err(error) = middleware.shutdown().await {
                return Err(error.to_os_error(middleware.name()));
            }
            slot.ready = false;
        }
        drop(slot);
        self.executor.cleanup(context).await
    }
}

impl<E: fmt::Debug, M: fmt::Debug, O> fmt::Debug for MiddlewareExecutor<E, M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("MiddlewareExecutor");
        out.field("executor", &self.executor);
        if let Ok(slot) = self.slot.try_lock() {
            out.field("middleware", &slot.middleware);
        }
        out.finish_non_exhaustive()
    }
}
