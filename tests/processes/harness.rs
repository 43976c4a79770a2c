//! Runs each case in a process of its own and watches it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use crate::cases::Case;
use crate::child::await_end;
use crate::common::{PATIENCE, RUN, bus_path, remove_bus};
use crate::{CASE, child};

/// Flags of the usual harness that take a value.
const FLAGS_WITH_VALUE: [&str; 6] = [
    "--test-threads",
    "--skip",
    "--format",
    "--color",
    "--logfile",
    "-Z",
];

/// What dies takes a moment to be gone.
const GRACE: Duration = Duration::from_secs(20);

struct Wanted {
    filters: Vec<String>,
    lists: bool,
}

fn wanted() -> Wanted {
    let mut wanted = Wanted {
        filters: Vec::new(),
        lists: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if FLAGS_WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
        } else if argument == "--list" {
            wanted.lists = true;
        } else if !argument.starts_with('-') {
            wanted.filters.push(argument);
        }
    }
    wanted
}

pub(crate) fn run(cases: &[Case]) -> ExitCode {
    let wanted = wanted();
    let is_wanted = |case: &&Case| {
        let mut filters = wanted.filters.iter();
        wanted.filters.is_empty() || filters.any(|filter| case.name.contains(filter.as_str()))
    };
    let cases: Vec<&Case> = cases.iter().filter(is_wanted).collect();
    if wanted.lists {
        for case in cases {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    // Whatever a case leaves behind comes to this process, which sees it then.
    set_child_subreaper(Some(getpid())).unwrap();
    println!("\nrunning {} tests", cases.len());
    let mut failed = 0;
    for (index, case) in cases.iter().enumerate() {
        let run = format!("{}-{index}", std::process::id());
        match run_case(case, &run) {
            Ok(()) => println!("test {} ... ok", case.name),
            Err(why) => {
                println!("test {} ... FAILED\n{why}", case.name);
                failed += 1;
            }
        }
    }
    println!("\n{} passed, {failed} failed", cases.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

/// A directory that is removed with the value.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_case(case: &Case, run: &str) -> Result<(), String> {
    let scratch = Scratch(std::env::temp_dir().join(format!("airssys-test-{run}")));
    fs::create_dir_all(&scratch.0).unwrap();
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| scratch.0.join(name));
    let mut running = Command::new(std::env::current_exe().unwrap())
        .env(CASE, case.name)
        .env(RUN, run)
        .env("RUST_BACKTRACE", "0")
        .current_dir(&scratch.0)
        .stdin(Stdio::null())
        .stdout(File::create(&stdout).unwrap())
        .stderr(File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    let ended = await_end(child::pid_of(&running), PATIENCE);
    if !ended {
        running.kill().unwrap();
    }
    let status = running.wait().unwrap();
    let strays = clear_strays();
    let regions = clear_regions(run);
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (said, warned) = (text(&stdout), text(&stderr));
    let check_stderr = case.check_stderr;
    let checked = std::panic::catch_unwind(|| check_stderr(&warned));
    let problem = if !ended {
        format!("did not end within {PATIENCE:?}")
    } else if !status.success() {
        status.to_string()
    } else if let Err(panic) = checked {
        let text = panic.downcast_ref::<String>().cloned();
        text.unwrap_or_else(|| "its stderr is not as it should be".to_owned())
    } else if !strays.is_empty() {
        format!("left processes: {}", strays.join(", "))
    } else if !regions.is_empty() {
        format!("left regions: {}", regions.join(", "))
    } else {
        return Ok(());
    };
    Err(format!(
        "{problem}\n-- stdout:\n{said}\n-- stderr:\n{warned}\n"
    ))
}

/// Waits for the ends of what the case left, if those come by themselves; kills and names the rest.
fn clear_strays() -> Vec<String> {
    let since = Instant::now();
    let mut strays = Vec::new();
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Err(_) => return strays,
            Ok(None) if since.elapsed() < GRACE && strays.is_empty() => {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(None) => {
                for (pid, name) in children() {
                    strays.push(format!("{name} ({})", pid.as_raw_nonzero()));
                    let _ = kill_process(pid, Signal::KILL);
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// This process's children, with their names.
fn children() -> Vec<(Pid, String)> {
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            let (front, fields) = stat.rsplit_once(')')?;
            let (pid, name) = front.split_once(" (")?;
            let parent = fields.split_whitespace().nth(1)?;
            let is_ours = parent == std::process::id().to_string();
            is_ours.then(|| Some((Pid::from_raw(pid.parse().ok()?)?, name.to_owned())))?
        })
        .collect()
}

/// Removes and names the buses of this run that are left, and the directory above them if it was left empty.
fn clear_regions(run: &str) -> Vec<String> {
    let root = bus_path("any").parent().unwrap().to_owned();
    let Ok(buses) = fs::read_dir(&root) else {
        return Vec::new();
    };
    let left = buses.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.ends_with(&format!("-{run}")).then_some(name)
    });
    let mut left: Vec<String> = left.collect();
    for name in &left {
        remove_bus(bus_path(name));
    }
    if stays_empty(&root) {
        let _ = fs::remove_dir(&root);
        left.push(format!("{} without a bus", root.display()));
    }
    left
}

/// Whether nothing is in it and nobody is about to change that: whoever begins or ends a bus has it empty for a moment.
fn stays_empty(root: &Path) -> bool {
    let since = Instant::now();
    while fs::read_dir(root).is_ok_and(|mut buses| buses.next().is_none()) {
        if since.elapsed() > GRACE {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}
