//! One call per operation, for programs that need no executor of their own.
//!
//! Each asks in the name of `user`, through an executor called `helper`. A `*_with_middleware` form puts the given
//! middleware around it.

use crate::core::context::{ExecutionContext, SecurityContext};
use crate::core::executor::OSExecutor;
use crate::core::middleware::Middleware;
use crate::core::result::OSResult;
use crate::executors::process::ProcessExecutor;
use crate::middleware::ExecutorExt;
use crate::operations::{ProcessKillOperation, ProcessSignalOperation, ProcessSpawnOperation};

/// Starts a program and gives its pid in ASCII.
///
/// # Errors
/// Why it could not be started.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use airssys_osl::helpers::{kill_process, spawn_process};
///
/// let output = spawn_process("sleep", vec!["1000".to_string()], "admin").await?;
/// let pid: u32 = String::from_utf8(output)?.parse()?;
/// kill_process(pid, "admin").await?;
/// # Ok(())
/// # }
/// ```
pub async fn spawn_process(
    program: impl Into<String>,
    args: Vec<String>,
    user: impl Into<String>,
) -> OSResult<Vec<u8>> {
    let operation = ProcessSpawnOperation::new(program).with_args(args);
    Ok(executor().execute(operation, &context(user)).await?.output)
}

/// [`spawn_process`] with middleware around it.
///
/// # Errors
/// Why it could not be started, or why the middleware did not let it.
pub async fn spawn_process_with_middleware<M>(
    program: impl Into<String>,
    args: Vec<String>,
    user: impl Into<String>,
    middleware: M,
) -> OSResult<Vec<u8>>
where
    M: Middleware<ProcessSpawnOperation>,
{
    let operation = ProcessSpawnOperation::new(program).with_args(args);
    let executor = executor().with_middleware(middleware);
    Ok(executor.execute(operation, &context(user)).await?.output)
}

/// Sends SIGKILL to a process.
///
/// # Errors
/// Why it could not be sent.
pub async fn kill_process(pid: u32, user: impl Into<String>) -> OSResult<()> {
    executor()
        .execute(ProcessKillOperation::new(pid), &context(user))
        .await
        .map(drop)
}

/// [`kill_process`] with middleware around it.
///
/// # Errors
/// Why it could not be sent, or why the middleware did not let it.
pub async fn kill_process_with_middleware<M>(
    pid: u32,
    user: impl Into<String>,
    middleware: M,
) -> OSResult<()>
where
    M: Middleware<ProcessKillOperation>,
{
    let executor = executor().with_middleware(middleware);
    executor
        .execute(ProcessKillOperation::new(pid), &context(user))
        .await
        .map(drop)
}

/// Sends a signal to a process.
///
/// # Errors
/// Why it could not be sent.
pub async fn send_signal(pid: u32, signal: i32, user: impl Into<String>) -> OSResult<()> {
    executor()
        .execute(ProcessSignalOperation::new(pid, signal), &context(user))
        .await
        .map(drop)
}

/// [`send_signal`] with middleware around it.
///
/// # Errors
/// Why it could not be sent, or why the middleware did not let it.
pub async fn send_signal_with_middleware<M>(
    pid: u32,
    signal: i32,
    user: impl Into<String>,
    middleware: M,
) -> OSResult<()>
where
    M: Middleware<ProcessSignalOperation>,
{
    let executor = executor().with_middleware(middleware);
    executor
        .execute(ProcessSignalOperation::new(pid, signal), &context(user))
        .await
        .map(drop)
}

fn executor() -> ProcessExecutor {
    ProcessExecutor::new("helper")
}

fn context(user: impl Into<String>) -> ExecutionContext {
    ExecutionContext::new(SecurityContext::new(user.into()))
}
