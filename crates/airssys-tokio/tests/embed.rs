//! The example `embed`, with less to do.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::process::Command;

#[test]
fn its_questions_are_answered_once_whatever_dies() {
    let bus = format!("embed-test-{}", std::process::id());
    // Beside the tests lies what was built with them. Cargo itself would build it anew, without the other packages' features.
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().unwrap().with_file_name("examples");
    let mut example = Command::new(built.join("embed"));
    example.args(["--clients", "4", "--questions", "300", "--kills", "2"]);
    let ran = example.args(["--bus", &bus]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{complained}");
    assert!(
        said.contains("1200 asked, 1200 answered, 0 answered twice"),
        "{said}"
    );
    assert!(!said.contains("; 0 restarts"), "{said}");
    assert!(said.ends_with("all answered, each once\n"), "{said}");
}
