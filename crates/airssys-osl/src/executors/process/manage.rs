//! Signalling and killing, always through a pidfd.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rustix::process::Signal;

use super::{ProcessExecutor, validate};
use crate::audit::Author;
use crate::core::context::ExecutionContext;
use crate::core::executor::{ExecutionResult, OSExecutor};
use crate::core::operation::{Operation, OperationType};
use crate::core::result::OSResult;
use crate::operations::{ProcessKillOperation, ProcessSignalOperation};
use crate::supervise::registry::Owner;
use crate::supervise::signal_name;
use crate::supervise::state;

impl ProcessExecutor {
    fn send(&self, pid: u32, signal: Signal) -> OSResult<()> {
        match self.children.owner_of(pid) {
            Owner::Ours(child) => child.signal(signal),
            Owner::Ended(status) => Err(state::ended(pid, signal.as_raw(), status)),
            Owner::Stranger => state::signal_stranger(pid, signal),
        }
    }
}

/// The part of a result that kills and signals have in common.
fn sent(author: &Author, pid: u32, started_at: DateTime<Utc>) -> ExecutionResult {
    ExecutionResult::success_with_timing(Vec::new(), started_at, Utc::now())
        .with_metadata("pid".to_string(), pid.to_string())
        .with_metadata("executor".to_string(), author.executor().to_string())
        .with_metadata("user".to_string(), author.user().to_string())
}

#[async_trait]
impl OSExecutor<ProcessKillOperation> for ProcessExecutor {
    fn name(&self) -> &str {
        self.name()
    }

    fn supported_operation_types(&self) -> Vec<OperationType> {
        vec![OperationType::Process]
    }

    async fn execute(
        &self,
        operation: ProcessKillOperation,
        context: &ExecutionContext,
    ) -> OSResult<ExecutionResult> {
        let (pid, started_at) = (operation.pid, Utc::now());
        let author = Author::new(&self.name, context);
        let outcome = validate::kill(pid).and_then(|signal| self.send(pid, signal));
        author.record(&operation, &operation.operation_id(), pid, &outcome);
        outcome?;
        let result = sent(&author, pid, started_at);
        Ok(result.with_metadata("signal".to_string(), "SIGKILL".to_string()))
    }

    async fn validate_operation(
        &self,
        operation: &ProcessKillOperation,
        _context: &ExecutionContext,
    ) -> OSResult<()> {
        validate::kill(operation.pid).map(drop)
    }
}

#[async_trait]
impl OSExecutor<ProcessSignalOperation> for ProcessExecutor {
    fn name(&self) -> &str {
        self.name()
    }

    fn supported_operation_types(&self) -> Vec<OperationType> {
        vec![OperationType::Process]
    }

    async fn execute(
        &self,
        operation: ProcessSignalOperation,
        context: &ExecutionContext,
    ) -> OSResult<ExecutionResult> {
        let (pid, number, started_at) = (operation.pid, operation.signal, Utc::now());
        let author = Author::new(&self.name, context);
        let outcome = validate::signal(pid, number).and_then(|signal| self.send(pid, signal));
        author.record(&operation, &operation.operation_id(), pid, &outcome);
        outcome?;
        Ok(sent(&author, pid, started_at)
            .with_metadata("signal".to_string(), number.to_string())
            .with_metadata("signal_name".to_string(), signal_name(number).into_owned()))
    }

    async fn validate_operation(
        &self,
        operation: &ProcessSignalOperation,
        _context: &ExecutionContext,
    ) -> OSResult<()> {
        validate::signal(operation.pid, operation.signal).map(drop)
    }
}
