//! `compare` is killed while something of a measurement has a name: nothing of it is left.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PLACE: &str = "/dev/shm";

/// Only a test that fails meets it.
const PATIENCE: Duration = Duration::from_secs(60);

fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn buses() -> PathBuf {
    Path::new(PLACE).join(format!("airssys-{}", nix::unistd::getuid()))
}

fn names_in(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

/// A run that is killed with the value, if it wasn't before.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    fn of(subject: &str) -> Self {
        let run = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["--quick", "--rounds=1", "--lasts-us=300000"])
            .arg(format!("--only={subject}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(run.unwrap())
    }

    fn prefix(&self) -> String {
        format!("compare-{}-", self.0.id())
    }

    fn names(&self) -> Vec<String> {
        let mut names = names_in(Path::new(PLACE));
        names.extend(names_in(&buses()));
        names.retain(|name| name.starts_with(&self.prefix()));
        names
    }

    /// Processes that take part, but for the first: they have its name among their arguments.
    fn has_processes(&self) -> bool {
        let mut processes = names_in(Path::new("/proc")).into_iter();
        processes.any(|process| {
            let arguments = fs::read(Path::new("/proc").join(process).join("cmdline"));
            let arguments = arguments.unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&self.prefix())
        })
    }
}

fn leaves_nothing(subject: &str) {
    let mut run = Run::of(subject);
    await_that("a name", || !run.names().is_empty());
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    // Who removes the names is the last of them.
    await_that("the end of its processes", || !run.has_processes());
    assert_eq!(run.names(), [""; 0]);
    await_no_empty_root();
}

/// Somebody else's bus may be there, begin or end.
fn await_no_empty_root() {
    await_that("the end of what buses are in", || {
        !buses().exists() || !names_in(&buses()).is_empty()
    });
}

#[test]
fn of_a_link() {
    leaves_nothing("link");
}

#[test]
fn of_iceoryx2() {
    leaves_nothing("iceoryx2");
}

/// One whose launcher was killed as well.
#[test]
fn of_a_bus_without_a_launcher() {
    let prefix = format!("compare-test-{}-", std::process::id());
    let bus = buses().join(format!("{prefix}0"));
    let mut made = DirBuilder::new();
    made.recursive(true).mode(0o700).create(&bus).unwrap();
    fs::write(bus.join("left.region"), "").unwrap();
    let sweeper = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["sweep", &prefix])
        .stdin(Stdio::null()) // nobody holds it
        .status();
    assert!(sweeper.unwrap().success());
    assert!(!bus.exists());
    await_no_empty_root();
}
