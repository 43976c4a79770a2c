//! Spawning, for the plain interface and for supervisors.

use std::io;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;

use super::{ProcessExecutor, validate};
use crate::audit::Author;
use crate::core::context::ExecutionContext;
use crate::core::executor::{ExecutionResult, OSExecutor};
use crate::core::operation::{Operation, OperationType};
use crate::core::result::{OSError, OSResult};
use crate::operations::ProcessSpawnOperation;
use crate::supervise::state::ChildState;
use crate::supervise::{Child, SpawnOptions};

impl ProcessExecutor {
    /// Starts a child and gives a handle on it. It is checked, done and recorded as [`execute`](OSExecutor::execute)
    /// does it.
    ///
    /// The child is spawned on the calling thread, by the first poll: a parent-death signal that the child asks for is
    /// tied to that thread. No runtime is needed.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError): the command is empty or is not found, the working directory is none,
    /// or the kernel has no room for another process or descriptor. No child is left then.
    #[expect(
        clippy::unused_async,
        reason = "async as all operations are, so that it may come to wait"
    )]
    pub async fn spawn(
        &self,
        op: ProcessSpawnOperation,
        options: &SpawnOptions,
        ctx: &ExecutionContext,
    ) -> OSResult<Child> {
        self.spawn_now(&op, options, ctx)
    }

    fn spawn_now(
        &self,
        operation: &ProcessSpawnOperation,
        options: &SpawnOptions,
        context: &ExecutionContext,
    ) -> OSResult<Child> {
        self.children.reap_dropped();
        let author = Author::new(&self.name, context);
        let outcome =
            validate::spawn(operation).and_then(|()| self.start(operation, options, &author));
        let pid = outcome.as_ref().map_or(0, Child::pid);
        author.record(operation, &operation.operation_id(), pid, &outcome);
        outcome
    }

    fn start(
        &self,
        operation: &ProcessSpawnOperation,
        options: &SpawnOptions,
        author: &Author,
    ) -> OSResult<Child> {
        let failed = |error: io::Error| {
            OSError::process_error(format!("spawn `{}`", operation.command), error.to_string())
        };
        let mut spawned = command(operation, options).spawn().map_err(failed)?;
        let state = ChildState::take_hold(spawned.id()).map_err(|error| {
            // Nobody could watch over it. Asking first whether it is our child, alive, keeps the kill from a stranger.
            if matches!(spawned.try_wait(), Ok(None)) && spawned.kill().is_ok() {
                let _ = spawned.wait();
            }
            failed(error)
        })?;
        let state = Arc::new(state);
        self.children.keep(&state);
        Ok(Child::new(state, author.clone(), spawned))
    }
}

/// Only things that leave the standard library on `posix_spawn`.
fn command(operation: &ProcessSpawnOperation, options: &SpawnOptions) -> Command {
    let mut command = Command::new(&operation.command);
    command.args(&operation.args).envs(&operation.env);
    if let Some(dir) = &operation.working_dir {
        command.current_dir(dir);
    }
    options.apply(&mut command);
    command
}

#[async_trait]
impl OSExecutor<ProcessSpawnOperation> for ProcessExecutor {
    fn name(&self) -> &str {
        self.name()
    }

    fn supported_operation_types(&self) -> Vec<OperationType> {
        vec![OperationType::Process]
    }

    async fn execute(
        &self,
        operation: ProcessSpawnOperation,
        context: &ExecutionContext,
    ) -> OSResult<ExecutionResult> {
        let started_at = Utc::now();
        let child = self.spawn_now(&operation, &SpawnOptions::new(), context)?;
        let pid = child.pid().to_string();
        let output = pid.clone().into_bytes();
        Ok(
            ExecutionResult::success_with_timing(output, started_at, Utc::now())
                .with_metadata("command".to_string(), operation.command)
                .with_metadata("pid".to_string(), pid)
                .with_metadata("args".to_string(), operation.args.join(" "))
                .with_metadata("executor".to_string(), self.name().to_string())
                .with_metadata("user".to_string(), context.principal().to_string()),
        )
    }

    async fn validate_operation(
        &self,
        operation: &ProcessSpawnOperation,
        _context: &ExecutionContext,
    ) -> OSResult<()> {
        validate::spawn(operation)
    }
}
