//! The lock says whether a region's owner is alive, to everybody and whatever it died of.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use airssys_ringbuf::region::{Access, LockError, Region, is_locked};

use super::{EXPECTED, Scratch};

const CHILD: &str = "REGION_TEST_LOCK";

fn open(path: &Path) -> Region {
    Region::open(path, Access::ReadWrite, &EXPECTED).unwrap()
}

#[test]
fn the_lock_is_held_until_the_last_clone_is_gone() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let (owner, observer) = (open(&path), Region::observe(&path).unwrap());
    assert!(!owner.is_locked().unwrap() && !observer.is_locked().unwrap());

    owner.lock_for_life().unwrap();
    owner.lock_for_life().unwrap();
    for _ in 0..2 {
        assert!(
            owner.is_locked().unwrap()
                && observer.is_locked().unwrap()
                && is_locked(&path).unwrap()
        );
    }
    assert!(matches!(
        open(&path).lock_for_life(),
        Err(LockError::Held { .. })
    ));
    assert!(matches!(
        observer.lock_for_life(),
        Err(LockError::Held { .. })
    ));

    let (clone, memory) = (owner.clone(), owner.memory().clone());
    drop(owner);
    assert!(is_locked(&path).unwrap());
    drop(clone);
    assert!(
        !is_locked(&path).unwrap(),
        "a mapping that is left does not keep it"
    );
    assert!(memory.len() > 0);
    observer.lock_for_life().unwrap();
}

#[test]
fn observers_are_never_taken_for_an_owner() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    is_locked(&path).unwrap();
                }
            });
        }
        let held = (0..300).find_map(|_| open(&path).lock_for_life().err());
        stop.store(true, Ordering::Relaxed);
        assert!(!matches!(held, Some(LockError::Held { .. })), "{held:?}");
    });
}

#[test]
fn the_lock_of_a_killed_process_is_free() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lock::child_that_holds_a_lock", "--nocapture"])
        .env(CHILD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("locked"))
    );
    let observer = Region::observe(&path).unwrap();
    assert!(observer.is_locked().unwrap() && is_locked(&path).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!observer.is_locked().unwrap() && !is_locked(&path).unwrap());
}

/// Does nothing unless the test above starts it.
#[test]
fn child_that_holds_a_lock() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let region = open(Path::new(&path));
    region.lock_for_life().unwrap();
    #[expect(clippy::print_stdout, reason = "the parent reads it")]
    {
        println!("locked");
    }
    // Ends with the parent, should that fail before it kills this process.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn what_is_no_region_file_has_no_lock() {
    let scratch = Scratch::new();
    assert_eq!(
        is_locked(&scratch.file("none")).unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
    assert_eq!(
        is_locked(&scratch.0).unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
}
