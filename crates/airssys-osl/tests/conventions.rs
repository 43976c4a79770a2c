//! What callers of the plain interface rely on: outputs, metadata, texts of refusals.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use airssys_osl::core::operation::Permission;
use airssys_osl::helpers::{kill_process, send_signal, spawn_process};
use airssys_osl::prelude::*;
use airssys_osl::supervise::{ExitStatus, SpawnOptions};

fn context() -> ExecutionContext {
    ExecutionContext::new(SecurityContext::new("alice".to_string()))
}

fn executor() -> ProcessExecutor {
    ProcessExecutor::new("conventions")
}

/// Both ways to the same check: `validate_operation` and `execute`.
async fn refusals<O: Operation>(operation: O) -> [OSError; 2]
where
    ProcessExecutor: OSExecutor<O>,
{
    let (executor, context) = (executor(), context());
    let validated = executor.validate_operation(&operation, &context).await;
    [
        validated.unwrap_err(),
        executor.execute(operation, &context).await.unwrap_err(),
    ]
}

async fn assert_refused<O: Operation>(operation: O, text: &str)
where
    ProcessExecutor: OSExecutor<O>,
{
    for error in refusals(operation).await {
        assert!(
            error.is_process_error() && !error.is_retryable(),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(text),
            "`{error}` does not say `{text}`"
        );
    }
}

#[tokio::test]
async fn a_spawn_gives_the_pid_and_says_what_it_did() {
    let operation = ProcessSpawnOperation::new("sleep").arg("1000").arg("1000");
    let result = executor().execute(operation, &context()).await.unwrap();
    assert!(result.is_success());
    let pid: u32 = result.output_as_string().unwrap().parse().unwrap();
    assert_eq!(result.get_metadata("command"), Some("sleep"));
    assert_eq!(result.get_metadata("pid"), Some(pid.to_string().as_str()));
    assert_eq!(result.get_metadata("args"), Some("1000 1000"));
    assert_eq!(result.get_metadata("executor"), Some("conventions"));
    assert_eq!(result.get_metadata("user"), Some("alice"));

    let result = executor()
        .execute(ProcessSignalOperation::hangup(pid), &context())
        .await
        .unwrap();
    assert!(result.is_success());
    assert_eq!(result.get_metadata("pid"), Some(pid.to_string().as_str()));
    assert_eq!(result.get_metadata("signal"), Some("1"));
    assert_eq!(result.get_metadata("signal_name"), Some("SIGHUP"));
    assert_eq!(result.get_metadata("executor"), Some("conventions"));
    assert_eq!(result.get_metadata("user"), Some("alice"));
    // Under `nohup` it ignores that one. A refusal means that it has ended.
    drop(kill_process(pid, "alice").await);
}

#[tokio::test]
async fn a_kill_says_what_it_did() {
    let output = spawn_process("sleep", vec!["1000".to_string()], "alice")
        .await
        .unwrap();
    let pid: u32 = String::from_utf8(output).unwrap().parse().unwrap();
    let result = executor()
        .execute(ProcessKillOperation::new(pid), &context())
        .await
        .unwrap();
    assert!(result.is_success());
    assert_eq!(result.get_metadata("pid"), Some(pid.to_string().as_str()));
    assert_eq!(result.get_metadata("signal"), Some("SIGKILL"));
    assert_eq!(result.get_metadata("executor"), Some("conventions"));
    assert_eq!(result.get_metadata("user"), Some("alice"));
}

#[tokio::test]
async fn impossible_pids_are_refused() {
    assert_refused(
        ProcessKillOperation::new(0),
        "Cannot kill process with PID 0",
    )
    .await;
    assert_refused(ProcessKillOperation::new(1), "Cannot kill init process").await;
    assert_refused(
        ProcessSignalOperation::terminate(0),
        "Cannot send signal to process with PID 0",
    )
    .await;
    assert_refused(
        ProcessSignalOperation::terminate(1),
        "Cannot send signal to init process",
    )
    .await;
    // As a signed number each of these means "everything" or some process group.
    for pid in [1 << 31, u32::MAX, u32::MAX - 1] {
        assert_refused(ProcessKillOperation::new(pid), &pid.to_string()).await;
        assert_refused(
            ProcessSignalOperation::hangup(pid),
            "the largest PID is 2147483647",
        )
        .await;
    }
}

#[tokio::test]
async fn numbers_that_are_no_signal_are_refused() {
    for signal in [i32::MIN, -9, 0, 32, 64, 100] {
        let operation = ProcessSignalOperation::new(i32::MAX.cast_unsigned(), signal);
        assert_refused(operation, &format!("signal {signal}")).await;
    }
}

#[tokio::test]
async fn spawns_that_can_not_be_are_refused() {
    assert_refused(ProcessSpawnOperation::new(""), "Command cannot be empty").await;
    let nowhere = ProcessSpawnOperation::new("true").working_dir("/nonexistent/place");
    assert_refused(nowhere, "`/nonexistent/place` does not exist").await;
    let file = ProcessSpawnOperation::new("true").working_dir("/proc/self/stat");
    assert_refused(file, "`/proc/self/stat` is not a directory").await;
}

#[tokio::test]
async fn an_unknown_command_is_named() {
    let error = spawn_process("no-such-program", vec![], "alice")
        .await
        .unwrap_err();
    assert!(error.is_process_error());
    let text = error.to_string();
    assert!(
        text.contains("spawn `no-such-program`") && text.contains("No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_process_that_is_not_there_is_named() {
    // No kernel gives a pid as large as this: its limit is 2^22.
    let error = kill_process(1 << 30, "alice")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("SIGKILL to 1073741824: there is no process"),
        "{error}"
    );
    let error = send_signal(1 << 30, 15, "alice")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("SIGTERM to 1073741824: there is no process"),
        "{error}"
    );
}

#[tokio::test]
async fn a_process_that_is_not_our_child_can_be_signalled() {
    let mut stranger = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    send_signal(stranger.id(), 15, "alice").await.unwrap();
    assert_eq!(stranger.wait().unwrap().to_string(), "signal: 15 (SIGTERM)");
}

#[tokio::test]
async fn environment_and_working_directory_arrive() {
    let test = r#"test "$GREETING" = hello && test "$PWD" = /proc && test -n "$PATH""#;
    let operation = ProcessSpawnOperation::new("sh")
        .with_args(vec!["-c".to_string(), test.to_string()])
        .env("GREETING", "hello")
        .working_dir("/proc");
    let options = SpawnOptions::new();
    let mut child = executor()
        .spawn(operation, &options, &context())
        .await
        .unwrap();
    assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(0));
}

#[test]
fn operations_describe_themselves() {
    let spawn = ProcessSpawnOperation::new("ls").arg("-l").arg("/");
    assert_eq!(spawn.to_string(), "ProcessSpawn(ls [-l /])");
    assert_eq!(
        ProcessSpawnOperation::new("ls").to_string(),
        "ProcessSpawn(ls)"
    );
    assert_eq!(
        ProcessKillOperation::new(7).to_string(),
        "ProcessKill(pid=7)"
    );
    assert_eq!(
        ProcessSignalOperation::kill(7).to_string(),
        "ProcessSignal(pid=7, signal=9)"
    );
    assert_eq!(executor().to_string(), "ProcessExecutor(conventions)");
    assert_eq!(executor().name(), "conventions");
}

fn assert_process_operation<O: Operation>(operation: &O, permission: Permission) {
    assert_eq!(operation.operation_type(), OperationType::Process);
    assert!(operation.requires_elevated_privileges());
    assert_eq!(operation.required_permissions(), [permission]);
    assert!(operation.operation_id().starts_with("process:"));
    assert_ne!(operation.operation_id(), operation.operation_id());
}

#[test]
fn all_three_operations_need_elevation() {
    assert_process_operation(&ProcessSpawnOperation::new("ls"), Permission::ProcessSpawn);
    assert_process_operation(&ProcessKillOperation::new(7), Permission::ProcessManage);
    assert_process_operation(
        &ProcessSignalOperation::new(7, 9),
        Permission::ProcessManage,
    );
    let named = ProcessKillOperation::new(7).with_operation_id("process:mine");
    assert_eq!(named.operation_id(), "process:mine");
}

#[test]
fn only_what_may_pass_is_retryable() {
    let errors = [
        (OSError::security_violation("x"), "security", false),
        (OSError::middleware_failed("m", "x"), "middleware", false),
        (OSError::execution_failed("x"), "execution", true),
        (
            OSError::Execution {
                reason: "x".to_string(),
            },
            "execution",
            false,
        ),
        (
            OSError::Configuration {
                reason: "x".to_string(),
            },
            "configuration",
            false,
        ),
        (OSError::configuration_error("x"), "configuration", false),
        (
            OSError::filesystem_error("read", "/x", "x"),
            "filesystem",
            false,
        ),
        (OSError::process_error("kill", "x"), "process", false),
        (OSError::network_error("connect", "x"), "network", true),
    ];
    for (error, category, retryable) in errors {
        assert_eq!(
            (error.category(), error.is_retryable()),
            (category, retryable),
            "{error:?}"
        );
    }
}

#[test]
fn a_permission_covers_what_lies_beneath_its_path_and_no_neighbour() {
    let read = |path: &str| Permission::FilesystemRead(path.to_string());
    assert!(read("/data").grants_access_to("/data"));
    assert!(read("/data").grants_access_to("/data/x"));
    assert!(read("/data/").grants_access_to("/data/x"));
    assert!(read("*").grants_access_to("/anything"));
    assert!(!read("/data").grants_access_to("/database"));
    assert!(!read("/data").grants_access_to("/data/../etc/shadow"));
    assert!(!Permission::NetworkConnect("a:1".to_string()).grants_access_to("a:11"));
    assert!(Permission::ProcessSpawn.grants_access_to("anything"));
}

#[test]
fn contexts_keep_what_they_are_given() {
    let security = SecurityContext::new("root".to_string())
        .with_attribute("role".to_string(), "admin".to_string());
    assert!(security.is_admin() && !security.is_service_account());
    let context =
        ExecutionContext::new(security).with_metadata("ticket".to_string(), "7".to_string());
    assert_eq!(context.principal(), "root");
    assert_eq!(context.get_metadata("ticket"), Some("7"));
    assert!(!context.is_expired(chrono::Duration::hours(1)));
}

#[test]
fn results_tell_their_duration() {
    let begin = Utc::now();
    let end = begin + chrono::Duration::milliseconds(250);
    let result = ExecutionResult::failure_with_timing(vec![1, 2], 3, begin, end);
    assert!(result.is_failure() && result.exceeded_duration(Duration::from_millis(249)));
    assert_eq!(
        result.summary(),
        "exit code 3 after 250ms, 2 bytes of output"
    );
    let backwards = ExecutionResult::success_with_timing(vec![], end, begin);
    assert_eq!(backwards.duration, Duration::ZERO);
}

#[tokio::test]
async fn an_executor_does_only_its_kind_of_operation() {
    let (executor, context) = (executor(), context());
    let operation = ProcessKillOperation::new(7);
    assert!(executor.can_execute(&operation, &context).await.unwrap());
}
