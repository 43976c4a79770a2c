//! docs/mutants.md has every planted mistake, and nothing else, and each was caught.

#![forbid(unsafe_code)]

use std::path::Path;

use airssys_ringbuf::step::mistake;

const DOCUMENT: &str = "../../docs/mutants.md";

#[test]
fn the_table_has_every_mistake_and_where_it_was_caught() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(path).expect("the document");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let found: Vec<_> = rows.iter().map(|row| (row[0], row[1])).collect();
    let expected: Vec<_> = mistake::ALL
        .iter()
        .chain(&mistake::UNDO)
        .map(|mistake| (mistake.name, mistake.breaks))
        .collect();
    assert_eq!(
        found, expected,
        "write it anew: cargo run --release -p airssys-campaign -- mutants --write docs/mutants.md"
    );
    for row in rows {
        let caught = row[2..].iter().any(|cell| cell.parse::<u64>().is_ok());
        assert!(caught, "`{}` is caught by no scenario", row[0]);
    }
}
