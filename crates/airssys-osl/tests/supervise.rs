//! What a supervisor relies on, with real children.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use airssys_osl::prelude::*;
use airssys_osl::supervise::{Child, ExitStatus, SpawnOptions, StdioOption, signal_name};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, getpgid, getpgrp, waitpid};
use tokio::runtime::{Builder, Runtime};

const KILLED: ExitStatus = ExitStatus::Signaled {
    signal: 9,
    core_dumped: false,
};

fn context() -> ExecutionContext {
    ExecutionContext::new(SecurityContext::new("alice".to_string()))
}

/// What the supervisor has: one thread, no timer.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_io().build().unwrap()
}

/// Spawning completes at once and needs no runtime.
fn spawn_with(operation: ProcessSpawnOperation, options: &SpawnOptions) -> OSResult<Child> {
    let executor = ProcessExecutor::new("supervise");
    let context = context();
    let mut spawning = Box::pin(executor.spawn(operation, options, &context));
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    match spawning.as_mut().poll(&mut task) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => panic!("a spawn does not wait"),
    }
}

fn spawn(command: &str, args: &[&str]) -> Child {
    let args = args.iter().copied().map(String::from).collect();
    let operation = ProcessSpawnOperation::new(command).with_args(args);
    spawn_with(operation, &SpawnOptions::new()).unwrap()
}

fn sleeper() -> Child {
    spawn("sleep", &["1000"])
}

fn await_death(pidfd: BorrowedFd<'_>) {
    poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], None).unwrap();
}

fn readable(pidfd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() > 0
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn execute<O: Operation>(operation: O) -> OSResult<ExecutionResult>
where
    ProcessExecutor: OSExecutor<O>,
{
    runtime().block_on(ProcessExecutor::new("another").execute(operation, &context()))
}

#[test]
fn wait_tells_the_exit_code_and_remembers_it() {
    runtime().block_on(async {
        let mut child = spawn("sh", &["-c", "exit 3"]);
        assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(3));
        assert!(!exists(child.pid()));
        assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(3));
        assert_eq!(child.try_wait().unwrap(), Some(ExitStatus::Exited(3)));
        assert_eq!(
            child.wait_blocking(None).unwrap(),
            Some(ExitStatus::Exited(3))
        );
        assert!(readable(child.pidfd()), "the pidfd stays readable");
    });
}

#[test]
fn wait_tells_the_signal_and_whether_a_core_was_written() {
    // Whether there is a core depends on the machine: the standard library's wait tells it for the same program.
    let script = "ulimit -c $(ulimit -H -c); kill -SEGV $$";
    let place = env!("CARGO_TARGET_TMPDIR");
    let mut command = std::process::Command::new("sh");
    let other = command
        .args(["-c", script])
        .current_dir(place)
        .status()
        .unwrap();
    let operation = ProcessSpawnOperation::new("sh")
        .arg("-c")
        .arg(script)
        .working_dir(place);
    let mut child = spawn_with(operation, &SpawnOptions::new()).unwrap();
    let status = child.wait_blocking(None).unwrap().unwrap();
    let expected = ExitStatus::Signaled {
        signal: 11,
        core_dumped: other.core_dumped(),
    };
    assert_eq!(status, expected);
    assert!(!status.success());
}

#[test]
fn wait_wakes_when_the_child_dies_later() {
    runtime().block_on(async {
        // It lives until its input ends, so the wait below has begun by then.
        let piped = SpawnOptions::new()
            .stdin(StdioOption::Piped)
            .stdout(StdioOption::Null);
        let mut child = spawn_with(ProcessSpawnOperation::new("cat"), &piped).unwrap();
        let stdin = child.take_stdin().unwrap();
        assert!(child.take_stdin().is_none());
        let end_of_input = async move { drop(stdin) };
        let (status, ()) = tokio::join!(biased; child.wait(), end_of_input);
        assert_eq!(status.unwrap(), ExitStatus::Exited(0));
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    runtime().block_on(async {
        let mut child = sleeper();
        for _ in 0..3 {
            tokio::select! {
                biased;
                status = child.wait() => panic!("it lives: {status:?}"),
                () = std::future::ready(()) => {}
            }
        }
        child.kill().unwrap();
        assert_eq!(child.wait().await.unwrap(), KILLED);
    });
}

#[test]
fn a_live_child_is_not_waited_for_longer_than_asked() {
    let mut child = sleeper();
    assert_eq!(child.try_wait().unwrap(), None);
    assert_eq!(child.wait_blocking(Some(Duration::ZERO)).unwrap(), None);
    assert_eq!(
        child.wait_blocking(Some(Duration::from_millis(1))).unwrap(),
        None
    );
    assert!(!readable(child.pidfd()));
    child.kill().unwrap();
    assert_eq!(
        child.wait_blocking(Some(Duration::MAX)).unwrap(),
        Some(KILLED)
    );
}

#[test]
fn without_a_runtime_wait_says_so() {
    let mut child = sleeper();
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = Box::pin(child.wait()).as_mut().poll(&mut task);
    let std::task::Poll::Ready(Err(error)) = polled else {
        panic!("{polled:?}")
    };
    assert!(error.to_string().contains("wait_blocking"), "{error}");
    child.kill().unwrap();
    child.wait_blocking(None).unwrap();
}

#[test]
fn a_stop_is_not_taken_for_a_death() {
    let mut child = sleeper();
    child.signal(19).unwrap();
    assert_eq!(
        child.wait_blocking(Some(Duration::from_millis(1))).unwrap(),
        None
    );
    child.signal(18).unwrap();
    child.signal(15).unwrap();
    let status = child.wait_blocking(None).unwrap().unwrap();
    assert_eq!(
        status,
        ExitStatus::Signaled {
            signal: 15,
            core_dumped: false
        }
    );
}

#[test]
fn after_the_reap_no_signal_is_sent() {
    let mut child = sleeper();
    child.kill().unwrap();
    await_death(child.pidfd());
    child.signal(15).unwrap();
    child.wait_blocking(None).unwrap();
    let pid = child.pid();
    let late = [
        child.signal(15).unwrap_err(),
        child.kill().unwrap_err(),
        execute(ProcessSignalOperation::terminate(pid)).unwrap_err(),
        execute(ProcessKillOperation::new(pid)).unwrap_err(),
    ];
    for error in late {
        assert!(
            error.is_process_error() && !error.is_retryable(),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&pid.to_string()) && text.contains("has ended"),
            "{text}"
        );
        assert!(text.contains("killed by SIGKILL"), "{text}");
    }
}

#[test]
fn what_somebody_else_reaped_is_unknown_but_over() {
    let mut child = sleeper();
    child.kill().unwrap();
    let pid = Pid::from_raw(child.pid().cast_signed());
    assert!(waitpid(pid, WaitOptions::empty()).unwrap().is_some());
    let error = child.signal(15).unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
    assert_eq!(
        runtime().block_on(child.wait()).unwrap(),
        ExitStatus::Unknown
    );
    assert_eq!(
        child.wait_blocking(None).unwrap(),
        Some(ExitStatus::Unknown)
    );
}

#[test]
fn any_executor_knows_the_children_of_all() {
    let mut child = sleeper();
    execute(ProcessKillOperation::new(child.pid())).unwrap();
    assert_eq!(child.wait_blocking(None).unwrap(), Some(KILLED));
}

#[test]
fn a_dropped_child_lives_on_and_is_reaped_when_dead() {
    let child = sleeper();
    let (pid, pidfd) = (child.pid(), child.pidfd().try_clone_to_owned().unwrap());
    drop(child);
    assert!(
        !readable(pidfd.as_fd()),
        "dropping the handle does not kill"
    );
    execute(ProcessKillOperation::new(pid)).unwrap();
    await_death(pidfd.as_fd());
    drop(ProcessExecutor::new("last"));
    assert!(!exists(pid), "no zombie is left");
    let error = execute(ProcessKillOperation::new(pid))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("killed by SIGKILL"),
        "its end is remembered: {error}"
    );
}

#[test]
fn the_start_time_is_the_kernels() {
    let child = sleeper();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).unwrap();
    assert_eq!(
        stat.split(' ').nth(21).unwrap(),
        child.start_time().to_string()
    );
    child.kill().unwrap();
}

#[test]
fn options_arrive_in_the_child() {
    let options = SpawnOptions::new()
        .arg0("renamed")
        .process_group(true)
        .stdin(StdioOption::Piped)
        .stdout(StdioOption::Piped)
        .stderr(StdioOption::Piped);
    let script = "echo gone >&2; read line; echo \"$0 $line\"; exec sleep 1000";
    let operation = ProcessSpawnOperation::new("sh").arg("-c").arg(script);
    let mut child = spawn_with(operation, &options).unwrap();
    let pid = Pid::from_raw(child.pid().cast_signed());
    assert_eq!(getpgid(pid).unwrap(), pid.unwrap());
    assert_ne!(getpgid(pid).unwrap(), getpgrp());
    child.take_stdin().unwrap().write_all(b"hello\n").unwrap();
    let mut line = String::new();
    BufReader::new(child.take_stdout().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "renamed hello\n");
    child.kill().unwrap();
    child.wait_blocking(None).unwrap();
    let mut errors = String::new();
    child
        .take_stderr()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert_eq!(errors, "gone\n");
}

#[test]
fn a_refused_spawn_names_the_reason() {
    let missing = spawn_with(
        ProcessSpawnOperation::new("no-such-program"),
        &SpawnOptions::new(),
    );
    assert!(missing.unwrap_err().to_string().contains("No such file"));
    let empty = spawn_with(ProcessSpawnOperation::new(""), &SpawnOptions::new());
    assert!(
        empty
            .unwrap_err()
            .to_string()
            .contains("Command cannot be empty")
    );
}

#[test]
fn numbers_that_are_no_signal_are_refused() {
    let mut child = sleeper();
    for signal in [0, -1, 32, 64, 99] {
        let error = child.signal(signal).unwrap_err().to_string();
        assert!(error.contains("between 1 and 31"), "{error}");
    }
    child.kill().unwrap();
    child.wait_blocking(None).unwrap();
}

#[test]
fn statuses_and_signals_are_put_in_words() {
    let core = ExitStatus::Signaled {
        signal: 11,
        core_dumped: true,
    };
    assert_eq!(ExitStatus::Exited(3).to_string(), "exited with code 3");
    assert_eq!(KILLED.to_string(), "killed by SIGKILL");
    assert_eq!(core.to_string(), "killed by SIGSEGV (core dumped)");
    let unknown = ExitStatus::Unknown.to_string();
    assert!(
        unknown.contains("status unknown: reaped by another part of this program"),
        "{unknown}"
    );
    assert!(ExitStatus::Exited(0).success());
    let names = (1..=31)
        .map(signal_name)
        .collect::<std::collections::HashSet<_>>();
    assert_eq!(names.len(), 31);
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("SIG") && !name.starts_with("SIGNAL_"))
    );
    assert_eq!(signal_name(-1), "SIGNAL_-1");
}

#[test]
fn handles_cross_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let mut child = assert_send(sleeper());
    child.kill().unwrap();
    let waiting = std::thread::spawn(move || runtime().block_on(assert_send(child.wait())));
    assert_eq!(waiting.join().unwrap().unwrap(), KILLED);
}
