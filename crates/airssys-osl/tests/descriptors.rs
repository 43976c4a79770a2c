//! A spawn for which the kernel has no descriptor left. Alone in its program, because it lowers the program's limit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::os::fd::AsRawFd;

use airssys_osl::prelude::*;
use airssys_osl::supervise::{ChildSetup, SpawnOptions};
use rustix::io::Errno;
use rustix::process::{Resource, WaitOptions, getrlimit, setrlimit, wait};

#[tokio::test(flavor = "current_thread")]
async fn a_child_that_can_not_be_watched_is_not_left_running() {
    let executor = ProcessExecutor::new("descriptors");
    let context = ExecutionContext::new(SecurityContext::new("alice".to_string()));
    let lowest_free = File::open("/").unwrap().as_raw_fd();
    let before = getrlimit(Resource::Nofile);

    ChildSetup::new()
        .open_files_limit(u64::try_from(lowest_free).unwrap())
        .apply()
        .unwrap();
    let sleeper = ProcessSpawnOperation::new("sleep").arg("1000");
    let outcome = executor
        .spawn(sleeper, &SpawnOptions::new(), &context)
        .await;
    let left = wait(WaitOptions::NOHANG);
    setrlimit(Resource::Nofile, before).unwrap();

    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("Too many open files"), "{error}");
    assert_eq!(
        left.unwrap_err(),
        Errno::CHILD,
        "there is no child, dead or alive"
    );
}
