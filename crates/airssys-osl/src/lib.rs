#![forbid(unsafe_code)]
//! The process slice of the airssys OS layer: operations that say what is to be done, executors that do it, and
//! middleware around them.
//!
//! * [`core`]: the traits and types that every part shares.
//! * [`operations`]: spawn, kill and signal, as plain values.
//! * [`executors`]: [`ProcessExecutor`](executors::process::ProcessExecutor) performs them.
//! * [`middleware`]: wraps an executor in hooks that run before and after each operation.
//! * [`helpers`]: one call per operation.
//! * [`supervise`]: what a supervisor needs on top: spawn options, a handle with the exit status and a pidfd.
//!
//! Linux only, from kernel 5.4 on: every child is held by its pidfd from the moment it was spawned, so that no signal
//! can reach a stranger which was given the same pid. Every operation is recorded through [`tracing`], target
//! `airssys_osl::audit`.
//!
//! ```
//! use airssys_osl::core::executor::OSExecutor;
//! use airssys_osl::executors::process::ProcessExecutor;
//! use airssys_osl::prelude::*;
//! use airssys_osl::supervise::{ExitStatus, SpawnOptions, StdioOption};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! runtime.block_on(async {
//!     let executor = ProcessExecutor::new("example");
//!     let context = ExecutionContext::new(SecurityContext::new("admin".to_string()));
//!
//!     // The plain interface: the output is the pid.
//!     let result = executor.execute(ProcessSpawnOperation::new("true"), &context).await?;
//!     assert_eq!(result.output_as_string()?, result.get_metadata("pid").unwrap_or_default());
//!
//!     // The supervisor's: a handle that can be waited for.
//!     let quiet = SpawnOptions::new().stdin(StdioOption::Null).process_group(true);
//!     let sleeper = ProcessSpawnOperation::new("sleep").arg("1000");
//!     let mut child = executor.spawn(sleeper, &quiet, &context).await?;
//!     child.kill()?;
//!     let status = child.wait().await?;
//!     assert_eq!(status, ExitStatus::Signaled { signal: 9, core_dumped: false });
//!     assert_eq!(status.to_string(), "killed by SIGKILL");
//!     Ok(())
//! })
//! # }
//! ```

mod audit;
pub mod core;
pub mod executors;
pub mod helpers;
pub mod middleware;
pub mod operations;
pub mod prelude;
pub mod supervise;
