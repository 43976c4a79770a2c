//! On a root of each test's own below /dev/shm, where buses lie.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use super::*;
use crate::topology::layout::regions;
use crate::topology::{Leftover, Topology};

fn plan(name: &str, leftover: Leftover) -> Arc<Plan> {
    let mut draft = Topology::builder(name);
    draft.leftover(leftover);
    draft.partition("feed").actor("feed", (), |()| Nothing);
    Arc::clone(draft.build().unwrap().plan())
}

struct Nothing;

impl crate::Actor for Nothing {
    fn step(&mut self) -> Result<crate::Step, crate::Refused> {
        Ok(crate::Step::Done)
    }
}

struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(format!(
            "/dev/shm/airssys-test-{name}-{}",
            std::process::id()
        )))
    }

    /// Takes and frees the bus, and tells which files were shown before they were discarded.
    fn discard(&self) -> Vec<OsString> {
        let mut seen = Vec::new();
        let look = |fate: Fate, dir: &Path, files: &[OsString]| {
            assert_eq!(fate, Fate::Discarded);
            assert!(files.iter().all(|file| dir.join(file).exists()));
            seen = files.to_vec();
        };
        BusDirectory::acquire(Some(&self.0), &plan("quotes", Leftover::Discard), look).unwrap();
        seen
    }

    fn acquire(&self, leftover: Leftover) -> Result<BusDirectory, BusError> {
        BusDirectory::acquire(Some(&self.0), &plan("quotes", leftover), |_, _, _| ())
    }

    /// Leaves a bus with these files, as a crash would.
    fn leave(&self, files: &[&str]) {
        let bus = self.acquire(Leftover::Refuse).unwrap();
        for file in files {
            fs::write(bus.path().join(file), "x").unwrap();
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.join("quotes"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_bus_is_private_and_its_removal_leaves_nothing() {
    let root = Root::new("private");
    let bus = root.acquire(Leftover::Refuse).unwrap();
    assert_eq!(bus.path(), root.0.join("quotes"));
    assert_eq!(mode(&root.0), 0o700);
    assert_eq!(mode(bus.path()), 0o700);
    assert_eq!(mode(&bus.path().join(LOCK_FILE)), 0o600);
    assert_eq!(BusDirectory::region_file_name("feed"), "feed.region");

    fs::write(bus.path().join("feed.region"), "x").unwrap();
    fs::write(bus.path().join(".book.region.1.0"), "x").unwrap();
    bus.remove().unwrap();
    assert!(!root.0.exists());
}

#[test]
fn another_bus_keeps_the_root() {
    let root = Root::new("other");
    let bus = root.acquire(Leftover::Refuse).unwrap();
    let other = BusDirectory::acquire(
        Some(&root.0),
        &plan("trades", Leftover::Refuse),
        |_, _, _| (),
    )
    .unwrap();
    bus.remove().unwrap();
    assert!(other.path().is_dir());
    other.remove().unwrap();
    assert!(!root.0.exists());
}

#[test]
fn a_taken_bus_names_its_holder() {
    let root = Root::new("taken");
    let bus = root.acquire(Leftover::Refuse).unwrap();
    fs::write(bus.path().join("feed.region"), "x").unwrap();
    let pid = std::process::id();
    let error = root.acquire(Leftover::Discard).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "bus `quotes` is taken by this process (pid {pid}); stop it, or give this topology another bus name with \
             `.bus(name)`"
        )
    );
    let line = fs::read_to_string(bus.path().join(LOCK_FILE)).unwrap();
    assert_eq!(line, lock::own_line());
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words.len(), words[0]), (3, pid.to_string().as_str()));
    assert_eq!(root.names(), ["feed.region", "lock"]);
    drop(bus);
    root.acquire(Leftover::Discard).unwrap();
}

#[test]
fn a_child_that_is_just_being_started_does_not_keep_the_lock() {
    let root = Root::new("child");
    let bus = root.acquire(Leftover::Refuse).unwrap();
    let as_a_fork_has_it = bus.lock.try_clone().unwrap();
    drop(bus);
    root.acquire(Leftover::Refuse).unwrap();
    drop(as_a_fork_has_it);
}

#[test]
fn a_leftover_is_refused_or_discarded_as_told() {
    let root = Root::new("leftover");
    root.leave(&["book.region", ".feed.region.7.0", "feed.region"]);

    let error = root.acquire(Leftover::Refuse).unwrap_err();
    let dir = root.0.join("quotes");
    assert_eq!(
        error.to_string(),
        format!(
            "bus `quotes`: an earlier run left .feed.region.7.0, book.region, feed.region in {} and may have left \
             messages undelivered; look at them and remove that directory, or start with \
             `.leftover(Leftover::Resume)` or `.leftover(Leftover::Discard)`",
            dir.display()
        )
    );
    assert_eq!(root.names().len(), 4);

    assert_eq!(
        root.discard(),
        [".feed.region.7.0", "book.region", "feed.region"]
    );
    assert_eq!(root.names(), ["lock"]);
}

#[test]
fn a_resumed_bus_keeps_all_but_what_is_of_the_past() {
    let root = Root::new("resumed");
    let plan = plan("quotes", Leftover::Resume);
    let bus = root.acquire(Leftover::Resume).unwrap();
    assert!(!bus.is_resumed());
    bus.write_topology(&plan).unwrap();
    let boot_id = airssys_ringbuf::region::boot_id().unwrap();
    for (owner, region) in regions(&plan) {
        let file = BusDirectory::region_file_name(owner);
        region.create(bus.path(), &file, boot_id).unwrap();
    }
    for name in [".feed.region.1.0", "host.bell", "notes.txt"] {
        fs::write(bus.path().join(name), "x").unwrap();
    }
    assert_eq!(mode(&bus.path().join("topology")), 0o600);
    drop(bus);

    let mut fate = None;
    let look = |found: Fate, _: &Path, files: &[OsString]| {
        assert_eq!(files.len(), 6);
        fate = Some(found);
    };
    let bus = BusDirectory::acquire(Some(&root.0), &plan, look).unwrap();
    assert_eq!(fate, Some(Fate::Resumed));
    assert!(bus.is_resumed());
    let kept = [
        "feed.region",
        "lock",
        "notes.txt",
        "supervisor.region",
        "topology",
    ];
    assert_eq!(root.names(), kept);
    fs::remove_file(bus.path().join("topology")).unwrap();
    bus.write_topology(&plan).unwrap();
    assert_eq!(root.names(), kept, "put back where it was lost");
    bus.remove().unwrap();
    assert!(!root.0.exists());
}

#[test]
fn a_living_partition_is_named_and_nothing_is_removed() {
    let root = Root::new("alive");
    root.leave(&["feed.region"]);
    let path = root.0.join("quotes/feed.region");
    let mut child = Command::new("flock")
        .arg("--exclusive")
        .arg(&path)
        .args(["sh", "-c", "echo held; read -r _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 5];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"held\n");

    let error = root.acquire(Leftover::Discard).unwrap_err();
    assert!(
        matches!(&error, BusError::Alive { path: found, .. } if *found == path),
        "{error}"
    );
    let named = format!("is held by pid {},", child.id());
    assert!(error.to_string().contains(&named), "{error}");
    assert_eq!(root.names(), ["feed.region", "lock"]);

    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(root.discard(), ["feed.region"]);
}

#[test]
fn a_dying_partition_is_waited_for() {
    let root = Root::new("dying");
    root.leave(&["feed.region"]);
    let region = File::open(root.0.join("quotes/feed.region")).unwrap();
    flock(&region, FlockOperation::NonBlockingLockExclusive).unwrap();
    let lock = root.0.join("quotes").join(LOCK_FILE);
    fs::write(&lock, "").unwrap();
    thread::scope(|scope| {
        let start = scope.spawn(|| root.acquire(Leftover::Discard));
        // Once it has named itself there, it has the bus and is about to look at the region.
        while fs::read_to_string(&lock).unwrap().is_empty() {
            thread::yield_now();
        }
        thread::yield_now();
        drop(region);
        start.join().unwrap().unwrap();
    });
}

#[test]
fn what_is_not_ours_alone_is_refused() {
    let root = Root::new("unsafe");
    fs::create_dir(&root.0).unwrap();
    fs::set_permissions(&root.0, fs::Permissions::from_mode(0o755)).unwrap();
    let error = root.acquire(Leftover::Discard).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "bus `quotes`: {} has mode 0755, expected 0700; remove it if it is not yours to keep",
            root.0.display()
        )
    );

    fs::set_permissions(&root.0, fs::Permissions::from_mode(0o700)).unwrap();
    let elsewhere = Root::new("elsewhere");
    fs::create_dir(&elsewhere.0).unwrap();
    symlink(&elsewhere.0, root.0.join("quotes")).unwrap();
    let error = root.acquire(Leftover::Discard).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is a symlink or a file, expected a directory"),
        "{error}"
    );
    assert_eq!(fs::read_dir(&elsewhere.0).unwrap().count(), 0);
}

#[test]
fn a_directory_in_a_bus_is_left_to_its_owner() {
    let root = Root::new("foreign");
    root.leave(&["feed.region"]);
    fs::create_dir(root.0.join("quotes/notes")).unwrap();
    let error = root.acquire(Leftover::Discard).unwrap_err();
    assert!(matches!(error, BusError::Foreign { .. }), "{error}");
    assert_eq!(root.names(), ["feed.region", "lock", "notes"]);
}

#[test]
fn a_directory_in_a_bus_keeps_nothing_of_ours() {
    let root = Root::new("notes");
    let bus = root.acquire(Leftover::Refuse).unwrap();
    for file in ["feed.region", "supervisor.region"] {
        fs::write(bus.path().join(file), "x").unwrap();
    }
    fs::create_dir(bus.path().join("notes")).unwrap();
    let error = bus.remove().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "bus `quotes`: {} is not a file of a bus; remove it by hand",
            root.0.join("quotes/notes").display()
        )
    );
    assert_eq!(root.names(), ["notes"]);
}

#[test]
fn a_name_of_any_bytes_is_removed() {
    let root = Root::new("bytes");
    root.leave(&[]);
    let odd = OsStr::from_bytes(b"caf\xe9.region");
    fs::write(root.0.join("quotes").join(odd), "x").unwrap();
    let error = root.acquire(Leftover::Refuse).unwrap_err();
    assert!(
        error.to_string().contains("left caf\u{fffd}.region in"),
        "{error}"
    );
    assert_eq!(root.discard(), [odd]);
    assert_eq!(root.names(), ["lock"]);
}

/// Starts and ends of one bus from several threads: whoever holds it is alone, and its file is not removed by another's
/// end.
#[test]
fn ends_and_starts_may_race() {
    const ROUNDS: u32 = 300;
    let root = Root::new("race");
    let held = thread::scope(|scope| {
        let runners: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut held = 0;
                    for _ in 0..ROUNDS {
                        match root.acquire(Leftover::Refuse) {
                            Ok(bus) => {
                                let mark = bus.path().join("feed.region");
                                File::create_new(&mark).unwrap();
                                thread::yield_now();
                                assert!(mark.exists());
                                bus.remove().unwrap();
                                held += 1;
                            }
                            Err(BusError::Taken { .. } | BusError::Restless { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    held
                })
            })
            .collect();
        let held = runners.into_iter().map(|runner| runner.join().unwrap());
        held.sum::<u32>()
    });
    assert!(held >= ROUNDS / 10, "{held}");
    assert!(!root.0.exists());
}
