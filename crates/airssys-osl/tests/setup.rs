//! What a child sets up for itself, in real children: this program again, told by a variable which part to play.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    reason = "a child talks to its parent through its output"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::ChildStdout;

use airssys_osl::prelude::*;
use airssys_osl::supervise::{Child, ChildSetup, ExitStatus, SpawnOptions, StdioOption};
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

const PART: &str = "AIRSSYS_OSL_TEST_PART";
const PARENT: &str = "AIRSSYS_OSL_TEST_PARENT";

/// How long one that is to be killed lives otherwise.
const LIFE: Duration = Duration::from_secs(30);

async fn start(part: &str) -> (Child, BufReader<ChildStdout>) {
    let executor = ProcessExecutor::new("setup");
    let context = ExecutionContext::new(SecurityContext::new("alice".to_string()));
    let operation = ProcessSpawnOperation::new(std::env::current_exe().unwrap().to_str().unwrap())
        .with_args(
            ["--exact", "a_child", "--ignored", "--nocapture"]
                .map(String::from)
                .to_vec(),
        )
        .env(PART, part)
        .env(PARENT, std::process::id().to_string());
    let piped = SpawnOptions::new()
        .stdin(StdioOption::Piped)
        .stdout(StdioOption::Piped);
    let mut child = executor.spawn(operation, &piped, &context).await.unwrap();
    let stdout = BufReader::new(child.take_stdout().unwrap());
    (child, stdout)
}

fn say(text: &str) {
    println!("\n> {text}");
    std::io::stdout().flush().unwrap();
}

/// The next line that a child said, skipping those of its test harness.
fn hear(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut lines = stdout.lines().map(Result::unwrap);
    lines
        .find_map(|line| line.strip_prefix("> ").map(String::from))
        .unwrap()
}

#[tokio::test(flavor = "current_thread")]
#[ignore = "not a test: the part of a child in the tests beside it"]
async fn a_child() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let parent: u32 = std::env::var(PARENT).unwrap().parse().unwrap();
    match part.as_str() {
        "limits" => {
            let limits = ChildSetup::new()
                .core_limit(false)
                .open_files_limit(77)
                .cpus([first_cpu()]);
            limits.expected_parent(parent).apply().unwrap();
            say(&limit("Max core file size"));
            say(&limit("Max open files"));
            say(&status("Cpus_allowed_list:"));
        }
        "orphan" => {
            let setup = ChildSetup::new()
                .parent_death_signal(9)
                .expected_parent(parent);
            setup.apply().unwrap();
            say("ready");
            std::thread::sleep(LIFE);
        }
        "parent" => {
            let (orphan, mut stdout) = start("orphan").await;
            assert_eq!(hear(&mut stdout), "ready");
            say(&orphan.pid().to_string());
            std::thread::sleep(LIFE);
        }
        other => panic!("there is no part `{other}`"),
    }
}

fn first_cpu() -> usize {
    let list = status("Cpus_allowed_list:");
    list.split([',', '-']).next().unwrap().parse().unwrap()
}

fn status(key: &str) -> String {
    let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim().to_string()
}

/// The soft limit with this name.
fn limit(name: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.split_ascii_whitespace().next().unwrap().to_string()
}

#[tokio::test]
async fn limits_and_cpus_are_set() {
    let (mut child, mut stdout) = start("limits").await;
    assert_eq!(hear(&mut stdout), "0");
    assert_eq!(hear(&mut stdout), "77");
    assert_eq!(hear(&mut stdout), first_cpu().to_string());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().await.unwrap(), ExitStatus::Exited(0));
}

#[tokio::test]
async fn the_death_of_the_parent_kills_the_child() {
    set_child_subreaper(Some(getpid())).unwrap();
    let (mut parent, mut stdout) = start("parent").await;
    let orphan = Pid::from_raw(hear(&mut stdout).parse().unwrap());
    parent.kill().unwrap();
    parent.wait().await.unwrap();
    // It has come to us, the subreaper.
    let (_, status) = waitpid(orphan, WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.terminating_signal(), Some(9));
}

fn refused(setup: &ChildSetup) -> String {
    let error = setup.apply().unwrap_err();
    assert!(
        error.is_process_error() && !error.is_retryable(),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn another_parent_is_named_beside_the_expected_one() {
    let text = refused(&ChildSetup::new().expected_parent(4_000_000_000));
    let found = rustix::process::getppid()
        .unwrap()
        .as_raw_nonzero()
        .to_string();
    assert!(
        text.contains("expected 4000000000") && text.contains(&found),
        "{text}"
    );
}

#[test]
fn what_can_not_be_set_is_named() {
    let text = refused(&ChildSetup::new().open_files_limit(u64::MAX - 1));
    assert!(
        text.contains("open files") && text.contains("hard limit"),
        "{text}"
    );
    let text = refused(&ChildSetup::new().cpus([1 << 20]));
    assert!(text.contains("CPU 1048576"), "{text}");
    let text = refused(&ChildSetup::new().cpus([]));
    assert!(text.contains("CPUs []"), "{text}");
    let text = refused(&ChildSetup::new().parent_death_signal(99));
    assert!(text.contains("SIGNAL_99"), "{text}");
}
