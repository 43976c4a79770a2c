//! Middleware around the real executor: the order of the hooks, and what becomes of errors.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use airssys_osl::core::middleware::{ErrorAction, Middleware, MiddlewareError, MiddlewareResult};
use airssys_osl::helpers::{
    kill_process_with_middleware, send_signal_with_middleware, spawn_process_with_middleware,
};
use airssys_osl::prelude::*;
use async_trait::async_trait;

type Log = Arc<Mutex<Vec<String>>>;
type Before = fn(ProcessSpawnOperation) -> MiddlewareResult<Option<ProcessSpawnOperation>>;

/// Notes each hook, and answers as it is told.
#[derive(Debug)]
struct Hooks {
    name: &'static str,
    log: Log,
    enabled: bool,
    refuse_to_start: bool,
    before: Before,
    on_error: ErrorAction,
    after: MiddlewareResult<()>,
}

impl Hooks {
    fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: Arc::clone(log),
            enabled: true,
            refuse_to_start: false,
            before: |operation| Ok(Some(operation)),
            on_error: ErrorAction::Continue,
            after: Ok(()),
        }
    }

    fn note(&self, what: &str) {
        self.log
            .lock()
            .unwrap()
            .push(format!("{}: {what}", self.name));
    }
}

#[async_trait]
impl Middleware<ProcessSpawnOperation> for Hooks {
    fn name(&self) -> &str {
        self.name
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    async fn initialize(&mut self) -> MiddlewareResult<()> {
        self.note("initialize");
        if std::mem::take(&mut self.refuse_to_start) {
            return Err(MiddlewareError::Dependency("a disk".to_string()));
        }
        Ok(())
    }

    async fn before_execution(
        &self,
        operation: ProcessSpawnOperation,
        _context: &ExecutionContext,
    ) -> MiddlewareResult<Option<ProcessSpawnOperation>> {
        self.note("before");
        (self.before)(operation)
    }

    async fn handle_error(&self, error: OSError, _context: &ExecutionContext) -> ErrorAction {
        self.note(&format!("error in {}", error.category()));
        self.on_error.clone()
    }

    async fn after_execution(
        &self,
        _context: &ExecutionContext,
        result: &OSResult<ExecutionResult>,
    ) -> MiddlewareResult<()> {
        self.note(if result.is_ok() {
            "after success"
        } else {
            "after failure"
        });
        self.after.clone()
    }

    async fn shutdown(&mut self) -> MiddlewareResult<()> {
        self.note("shutdown");
        Ok(())
    }
}

fn executor() -> ProcessExecutor {
    ProcessExecutor::new("middleware")
}

fn context() -> ExecutionContext {
    ExecutionContext::new(SecurityContext::new("alice".to_string()))
}

fn works() -> ProcessSpawnOperation {
    ProcessSpawnOperation::new("true")
}

fn fails() -> ProcessSpawnOperation {
    ProcessSpawnOperation::new("no-such-program")
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// What one failing spawn gives when errors are handled so.
async fn failing(on_error: ErrorAction) -> (OSResult<ExecutionResult>, Vec<String>) {
    let log = Log::default();
    let hooks = Hooks {
        on_error,
        ..Hooks::new("m", &log)
    };
    let result = executor()
        .with_middleware(hooks)
        .execute(fails(), &context())
        .await;
    (result, taken(&log))
}

const FAILURE: [&str; 4] = [
    "m: initialize",
    "m: before",
    "m: error in process",
    "m: after failure",
];

#[tokio::test]
async fn the_last_one_put_around_is_the_outermost() {
    let log = Log::default();
    let executor = executor()
        .with_middleware(Hooks::new("inner", &log))
        .with_middleware(Hooks::new("outer", &log));
    assert_eq!(executor.name(), "middleware");
    assert!(
        executor
            .execute(works(), &context())
            .await
            .unwrap()
            .is_success()
    );
    let hooks = [
        "outer: before",
        "inner: before",
        "inner: after success",
        "outer: after success",
    ];
    let mut expected = hooks.map(String::from).to_vec();
    expected.insert(0, "outer: initialize".to_string());
    expected.insert(2, "inner: initialize".to_string());
    assert_eq!(taken(&log), expected);
    executor.execute(works(), &context()).await.unwrap();
    assert_eq!(taken(&log), hooks, "initialized once");
}

#[tokio::test]
async fn an_operation_can_be_changed_or_dealt_with() {
    let log = Log::default();
    let before: Before = |operation| Ok(Some(operation.arg("changed")));
    let executor = executor().with_middleware(Hooks {
        before,
        ..Hooks::new("m", &log)
    });
    let result = executor.execute(works(), &context()).await.unwrap();
    assert_eq!(result.get_metadata("args"), Some("changed"));

    let before: Before = |_| Ok(None);
    let executor = self::executor().with_middleware(Hooks {
        before,
        ..Hooks::new("m", &log)
    });
    let result = executor.execute(fails(), &context()).await.unwrap();
    assert!(result.is_success() && result.output.is_empty());
}

#[tokio::test]
async fn a_disabled_one_is_as_if_it_were_not_there() {
    let log = Log::default();
    let executor = executor().with_middleware(Hooks {
        enabled: false,
        ..Hooks::new("m", &log)
    });
    executor.execute(works(), &context()).await.unwrap();
    assert!(taken(&log).is_empty());
}

#[tokio::test]
async fn only_a_harmless_failure_before_lets_the_operation_go_on() {
    let log = Log::default();
    let before: Before = |_| Err(MiddlewareError::NonFatal("mild".to_string()));
    let executor = executor().with_middleware(Hooks {
        before,
        ..Hooks::new("m", &log)
    });
    assert!(
        executor
            .execute(works(), &context())
            .await
            .unwrap()
            .is_success()
    );

    let before: Before = |_| Err(MiddlewareError::Fatal("bad".to_string()));
    let executor = self::executor().with_middleware(Hooks {
        before,
        ..Hooks::new("m", &log)
    });
    let error = executor.execute(works(), &context()).await.unwrap_err();
    assert!(error.is_middleware_failure());
    assert_eq!(error.to_string(), "middleware `m` failed: bad");
}

#[tokio::test]
async fn a_failure_after_does_not_lose_the_pid() {
    let after = Err(MiddlewareError::Fatal("bad".to_string()));
    let hooks = Hooks {
        after,
        ..Hooks::new("m", &Log::default())
    };
    let result = executor()
        .with_middleware(hooks)
        .execute(works(), &context())
        .await
        .unwrap();
    assert!(!result.output.is_empty());
}

#[tokio::test]
async fn errors_are_passed_on_replaced_or_suppressed() {
    for action in [ErrorAction::Continue, ErrorAction::LogAndContinue] {
        let (result, log) = failing(action).await;
        assert!(result.unwrap_err().to_string().contains("No such file"));
        assert_eq!(log, FAILURE);
    }
    let (result, log) = failing(ErrorAction::ReplaceError(OSError::network_error("a", "b"))).await;
    assert!(result.unwrap_err().is_network_error());
    assert_eq!(log, FAILURE);

    let (result, log) = failing(ErrorAction::Suppress).await;
    let result = result.unwrap();
    assert!(result.is_success() && result.output.is_empty());
    assert!(
        result
            .get_metadata("suppressed_error")
            .unwrap()
            .contains("No such file")
    );
    assert_eq!(log.last().unwrap(), "m: after success");

    let (result, log) = failing(ErrorAction::Stop).await;
    assert!(result.unwrap_err().is_process_error());
    assert_eq!(log, FAILURE[..3]);
}

#[tokio::test]
async fn a_retry_ends_after_as_many_attempts_as_it_may() {
    let delay = Duration::from_millis(1);
    for max_attempts in 0..4 {
        let (result, log) = failing(ErrorAction::Retry {
            max_attempts,
            delay,
        })
        .await;
        assert!(result.unwrap_err().is_process_error());
        let tries = log
            .iter()
            .filter(|line| line.ends_with("error in process"))
            .count();
        assert_eq!(tries, 1 + max_attempts as usize);
        assert_eq!(
            log.iter().filter(|line| line.ends_with("before")).count(),
            1
        );
        assert_eq!(log.iter().filter(|line| line.contains("after")).count(), 1);
    }
}

/// Puts the missing program in place when it has failed once.
#[derive(Debug)]
struct Repair(PathBuf);

#[async_trait]
impl Middleware<ProcessSpawnOperation> for Repair {
    fn name(&self) -> &'static str {
        "repair"
    }

    async fn handle_error(&self, _error: OSError, _context: &ExecutionContext) -> ErrorAction {
        symlink("/bin/true", &self.0).unwrap();
        ErrorAction::Retry {
            max_attempts: 1,
            delay: Duration::ZERO,
        }
    }
}

#[tokio::test]
async fn a_retry_that_succeeds_is_a_success() {
    let name = format!("repaired-{}", std::process::id());
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let executor = executor().with_middleware(Repair(program.clone()));
    let operation = ProcessSpawnOperation::new(program.to_str().unwrap());
    let result = executor.execute(operation, &context()).await;
    std::fs::remove_file(program).unwrap();
    assert!(!result.unwrap().output.is_empty());
}

#[tokio::test]
async fn a_denial_stays_one_and_is_not_tried_again() {
    let log = Log::default();
    let before: Before = |_| Err(MiddlewareError::SecurityViolation("not you".to_string()));
    let on_error = ErrorAction::Retry {
        max_attempts: 5,
        delay: Duration::ZERO,
    };
    let executor = executor()
        .with_middleware(Hooks {
            before,
            ..Hooks::new("deny", &log)
        })
        .with_middleware(Hooks {
            on_error,
            ..Hooks::new("stubborn", &log)
        });
    let error = executor.execute(works(), &context()).await.unwrap_err();
    assert!(
        error.is_security_violation() && !error.is_retryable(),
        "{error:?}"
    );
    assert!(error.to_string().contains("`deny`: not you"), "{error}");
    let denials = taken(&log)
        .iter()
        .filter(|line| *line == "deny: before")
        .count();
    assert_eq!(denials, 1);
}

#[tokio::test]
async fn a_start_that_failed_is_tried_again() {
    let log = Log::default();
    let hooks = Hooks {
        refuse_to_start: true,
        ..Hooks::new("m", &log)
    };
    let executor = executor().with_middleware(hooks);
    let error = executor.execute(works(), &context()).await.unwrap_err();
    assert!(
        error.is_middleware_failure() && error.to_string().contains("a disk"),
        "{error}"
    );
    executor.execute(works(), &context()).await.unwrap();
    assert_eq!(
        taken(&log),
        [
            "m: initialize",
            "m: initialize",
            "m: before",
            "m: after success"
        ]
    );
}

#[tokio::test]
async fn cleanup_shuts_down_and_the_next_operation_starts_anew() {
    let log = Log::default();
    let executor = executor().with_middleware(Hooks::new("m", &log));
    executor.cleanup(&context()).await.unwrap();
    assert!(taken(&log).is_empty(), "nothing was started yet");
    executor.execute(works(), &context()).await.unwrap();
    executor.cleanup(&context()).await.unwrap();
    assert_eq!(taken(&log).last().unwrap(), "m: shutdown");
    executor.execute(works(), &context()).await.unwrap();
    assert_eq!(taken(&log)[0], "m: initialize");
}

/// Never comes to an end.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl Middleware<ProcessSpawnOperation> for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    async fn before_execution(
        &self,
        _operation: ProcessSpawnOperation,
        _context: &ExecutionContext,
    ) -> MiddlewareResult<Option<ProcessSpawnOperation>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn cleanup_is_refused_while_an_operation_runs() {
    let (executor, context) = (executor().with_middleware(Stuck), context());
    let mut running = executor.execute(works(), &context);
    tokio::select! {
        biased;
        result = &mut running => panic!("{result:?}"),
        () = std::future::ready(()) => {}
    }
    let error = executor.cleanup(&context).await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("still running"),
        "{error}"
    );
    drop(running);
    executor.cleanup(&context).await.unwrap();
}

#[tokio::test]
async fn an_execution_is_given_up_when_its_time_is_over() {
    let (executor, context) = (executor().with_middleware(Stuck), context());
    let timeout = Duration::from_millis(1);
    let error = executor
        .execute_with_timeout(works(), &context, timeout)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not done after 1ms"), "{error}");
}

/// Lets everything pass, for every operation.
#[derive(Debug)]
struct Open;

impl<O: Operation> Middleware<O> for Open {
    fn name(&self) -> &'static str {
        "open"
    }
}

#[tokio::test]
async fn helpers_take_middleware() {
    let args = vec!["1000".to_string()];
    let output = spawn_process_with_middleware("sleep", args, "alice", Open)
        .await
        .unwrap();
    let pid = String::from_utf8(output).unwrap().parse().unwrap();
    send_signal_with_middleware(pid, 19, "alice", Open)
        .await
        .unwrap();
    kill_process_with_middleware(pid, "alice", Open)
        .await
        .unwrap();
    let error = kill_process_with_middleware(0, "alice", Open)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("Cannot kill process with PID 0"),
        "{error}"
    );
}
