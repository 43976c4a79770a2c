//! The README's first program: what a newcomer copies. `.ci/fresh-crate` builds and runs it in a crate of its own.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

fn first_program() -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    readme
        .lines()
        .skip_while(|line| !line.starts_with("```rust"))
        .skip(1)
        .take_while(|line| *line != "```")
        .map(str::to_owned)
        .collect()
}

#[test]
fn it_is_whole_and_needs_one_import() {
    let program = first_program();
    let imports: Vec<&String> = program
        .iter()
        .filter(|line| line.starts_with("use "))
        .collect();
    assert_eq!(imports, ["use airssys_rt::prelude::*;"]);
    assert!(program.iter().any(|line| line.starts_with("fn main()")));
    // Nothing is hidden from the reader that a copy would lack.
    assert!(program.iter().all(|line| !line.starts_with("# ")));
}

#[test]
fn it_runs_on_any_machine() {
    let program = first_program();
    let code = |line: &String| line.split("//").next().unwrap().to_owned();
    let program = program.iter().map(code).collect::<String>();
    assert!(
        !program
            .lines()
            .any(|line| line.trim_start().starts_with(".core(")),
        "a core's number is of one machine"
    );
    assert!(program.contains("airssys_rt::enter("));
}
