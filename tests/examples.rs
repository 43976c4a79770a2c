//! Examples that check themselves, run as a user would.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::path::PathBuf;
use std::process::{Command, Output};

use airssys_rt::Capsule;

// Its unit test runs among these, too.
#[path = "../examples/crash_capsule/decoder.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod decoder;

/// Beside the tests lies what was built with them.
fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().unwrap().with_file_name("examples");
    Command::new(built.join(name))
}

fn own(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A file that is removed with this.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_segmentation_fault_becomes_a_capsule_and_a_test() {
    let bus = own("crash");
    let output = example("crash_capsule").arg(&bus).output().unwrap();
    let text = said(&output);
    let _ = std::fs::remove_dir_all(std::env::temp_dir().join(format!("airssys-{bus}")));
    assert!(output.status.success(), "{text}");
    for line in [
        "the decoder's process: killed by SIGSEGV",
        "  in work 6: id=6 len=4000 bytes=\"abcdefgh\"",
        "run again, the broken program dies by SIGSEGV as it did then",
        "run again, the mended program sends [804]",
    ] {
        assert!(
            text.lines().any(|found| found.starts_with(line)),
            "{line}: {text}"
        );
    }
}

/// The capsule that the example's unit test opens: with the broken program its process dies.
#[test]
fn the_examples_unit_test_fails_with_the_broken_program() {
    use std::os::unix::process::ExitStatusExt as _;
    let kept = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/crash_capsule/length.capsule.json"
    );
    Capsule::open(kept).unwrap();
    let output = example("crash_capsule")
        .args(["replay", kept])
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(11), "{}", said(&output));
}

#[test]
fn an_outbox_writes_each_entry_once_whatever_is_killed() {
    let file = Scratch(std::env::temp_dir().join(own("airssys-outbox")));
    // The second run finds the lines of the first, of another bus: its numbers begin at zero again.
    for seed in ["1", "2"] {
        let mut outbox = example("outbox");
        outbox.args(["--orders", "5000", "--kills", "25", "--seed", seed]);
        outbox
            .args(["--bus", &own("outbox")])
            .arg("--file")
            .arg(&file.0);
        let output = outbox.output().unwrap();
        let text = said(&output);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("5000 lines for 5000 orders"), "{text}");
        assert!(!text.contains("; 0 restarts"), "{text}");
        assert!(text.contains("each order was written once"), "{text}");
    }
}
