//! A library in somebody's `main`: whatever the process was like before a launch, it is afterwards.

use std::fs;
use std::net::TcpListener;
use std::panic::{catch_unwind, set_hook};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use airssys_rt::prelude::*;
use airssys_rt::{LaunchError, Running};
use rustix::process::{Pid, child_subreaper, getpid, set_child_subreaper};

use crate::common::{bus_path, patiently};
use crate::topologies::{finite, other, pinned, pinned_to, traffic, unentered};

/// How long a thread that was joined, or a process that was reaped, may show up in `/proc`: only a test that fails meets it.
const GRACE: Duration = Duration::from_secs(5);

/// What a library may change in the process that it is used in.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    /// Which signals have a handler, or are ignored.
    handlers: Vec<u64>,
    /// Each thread's number, name, CPUs and blocked signals.
    threads: Vec<Vec<String>>,
    children: String,
    /// Number and what it is.
    descriptors: Vec<(i32, PathBuf)>,
    /// Mapped files that live in shared memory.
    regions: usize,
    subreaper: Option<Pid>,
}

impl Snapshot {
    fn take() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            handlers: handlers(),
            threads: threads(),
            children: children(),
            descriptors: descriptors(getpid()),
            regions: maps
                .lines()
                .filter(|line| line.contains("/dev/shm/"))
                .count(),
            subreaper: child_subreaper().unwrap(),
        }
    }
}

/// The named lines of a file in `/proc`, in its own order.
fn fields(path: &str, names: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_named = |line: &&str| names.contains(&line.split(':').next().unwrap());
    text.lines().filter(is_named).map(str::to_owned).collect()
}

/// Signals 32 and 33, which the C library keeps for itself: it handles them from a process's first thread on.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

fn handlers() -> Vec<u64> {
    let masks = fields("/proc/self/status", &["SigCgt", "SigIgn"]);
    let mask = |line: String| u64::from_str_radix(line[7..].trim(), 16).unwrap();
    masks
        .into_iter()
        .map(|line| mask(line) & !OF_THE_C_LIBRARY)
        .collect()
}

fn task_numbers() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let number = |name: std::ffi::OsString| name.into_string().unwrap().parse().unwrap();
    let mut numbers: Vec<i32> = tasks
        .map(|task| number(task.unwrap().file_name()))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Without those that ended between the look for them and the look at them.
fn threads() -> Vec<Vec<String>> {
    let names = ["Name", "Pid", "SigBlk", "Cpus_allowed_list"];
    let status = |task: i32| fields(&format!("/proc/self/task/{task}/status"), &names);
    let threads = task_numbers().into_iter().map(status);
    threads.filter(|thread| number(thread).is_some()).collect()
}

/// The line of a thread that says which it is.
fn number(thread: &[String]) -> Option<&String> {
    thread.iter().find(|line| line.starts_with("Pid:"))
}

fn children() -> String {
    let of = |task| fs::read_to_string(format!("/proc/self/task/{task}/children"));
    let children = task_numbers()
        .into_iter()
        .map(|task| of(task).unwrap_or_default());
    children.collect()
}

fn descriptors(process: Pid) -> Vec<(i32, PathBuf)> {
    let folder = PathBuf::from(format!("/proc/{}/fd", process.as_raw_nonzero()));
    let entries = fs::read_dir(&folder).unwrap().map(Result::unwrap);
    // What reads the folder is a descriptor itself.
    let open = entries.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        let number = entry.file_name().into_string().unwrap().parse().unwrap();
        (target != folder).then_some((number, target))
    });
    let mut open: Vec<_> = open.collect();
    open.sort();
    open
}

/// The lines that only one of the two has.
fn difference(before: &Snapshot, after: &Snapshot) -> String {
    let [before, after] = [before, after].map(|snapshot| format!("{snapshot:#?}"));
    let only = |here: &str, there: &str| -> Vec<String> {
        let lines = here
            .lines()
            .filter(|line| !there.lines().any(|other| other == *line));
        lines.map(str::to_owned).collect()
    };
    let (gone, new) = (only(&before, &after), only(&after, &before));
    format!("gone:\n{}\nnew:\n{}", gone.join("\n"), new.join("\n"))
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Does `work` twice, and compares the process with what it was before.
fn leaves_no_trace(mut work: impl FnMut()) {
    set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        eprintln!("{panic}");
    }));
    // With its `signal` feature, which somebody in this build may have asked for, Tokio keeps a pair of sockets from a
    // process's first runtime on. Whoever has the feature has a runtime, too.
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        drop(builder.enable_io().build().unwrap());
    };
    // No runtime may be dropped inside of another.
    thread::spawn(runtime).join().unwrap();
    let before = Snapshot::take();
    for _ in 0..2 {
        work();
        let since = Instant::now();
        let mut after = Snapshot::take();
        while after != before && since.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(1));
            after = Snapshot::take();
        }
        assert!(after == before, "{}", difference(&before, &after));
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    catch_unwind(|| panic!("for the hook")).unwrap_err();
    assert_eq!(PANICS.load(Ordering::SeqCst), 1, "another panic hook");
}

/// A bus that runs, and has left what was there before as it was.
fn launch(topology: &Topology, launch: Launch) -> Running {
    let before = Snapshot::take();
    let running = topology.launch(launch).unwrap();
    let now = Snapshot::take();
    assert_eq!(now.handlers, before.handlers, "a launch without a join");
    assert_eq!(now.subreaper, before.subreaper);
    for thread in &before.threads {
        // What an earlier launch has joined may have been in `/proc` a moment longer.
        let is_there = |other: &&Vec<String>| number(other) == number(thread);
        if let Some(now) = now.threads.iter().find(is_there) {
            assert_eq!(now, thread);
        }
    }
    running
}

fn dropped(mode: Launch) {
    leaves_no_trace(|| drop(launch(&pinned().unwrap(), mode)));
}

pub(crate) fn dropped_threads() {
    dropped(Launch::Threads);
}

pub(crate) fn dropped_processes() {
    dropped(Launch::Processes);
}

fn joined(mode: Launch) {
    let _ = set_child_subreaper(Some(getpid()));
    leaves_no_trace(|| {
        let running = launch(&traffic().unwrap(), mode);
        running.stop();
        running.join().unwrap();
    });
}

pub(crate) fn joined_threads() {
    joined(Launch::Threads);
}

pub(crate) fn joined_processes() {
    joined(Launch::Processes);
}

pub(crate) fn run() {
    leaves_no_trace(|| {
        let report = finite().unwrap().run(Launch::Processes, |_| {}).unwrap();
        assert!(!report.stopped);
    });
}

pub(crate) fn refused() {
    leaves_no_trace(|| {
        let error = pinned_to(1023)
            .unwrap()
            .launch(Launch::Threads)
            .unwrap_err();
        assert!(matches!(error, LaunchError::Cores(_)), "{error}");
    });
}

/// In its partition's process this runs again, as nobody entered there.
pub(crate) fn failed() {
    leaves_no_trace(|| match unentered().unwrap().launch(Launch::Processes) {
        Err(LaunchError::NotEntered { .. }) => std::process::exit(9),
        Err(LaunchError::Start { .. }) => {}
        other => panic!("{other:?}"),
    });
}

pub(crate) fn two_buses() {
    leaves_no_trace(|| {
        let first = launch(&traffic().unwrap(), Launch::Processes);
        let second = launch(&other().unwrap(), Launch::Threads);
        drop((first, second));
    });
}

pub(crate) fn tokio_worker() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let worker = runtime.spawn(async {
        leaves_no_trace(|| drop(launch(&traffic().unwrap(), Launch::Processes)));
    });
    runtime.block_on(worker).unwrap();
}

pub(crate) fn tokio_current_thread() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        leaves_no_trace(|| {
            let running = launch(&traffic().unwrap(), Launch::Threads);
            running.stop();
            running.join().unwrap();
        });
    });
}

pub(crate) fn on_a_thread() {
    leaves_no_trace(|| {
        patiently("a launch", || {
            drop(pinned().unwrap().launch(Launch::Processes).unwrap());
        });
    });
}

/// What the host opened, as the standard library does, and what the supervisor opened for others, no partition has.
pub(crate) fn descriptors_of_partitions() {
    // Without close-on-exec, as this process shows by having them itself: they go to whatever it starts.
    let inherited = descriptors(getpid());
    let _hosts = TcpListener::bind("127.0.0.1:0").unwrap();
    let topology = traffic().unwrap();
    let running = topology.launch(Launch::Processes).unwrap();
    for partition in running.partitions() {
        let process = Pid::from_raw(partition.pid.unwrap().try_into().unwrap()).unwrap();
        for open in descriptors(process) {
            let is_right =
                inherited.contains(&open) || open.1.starts_with(bus_path(topology.bus()));
            assert!(is_right, "{}: {open:?}", partition.name);
        }
    }
}
