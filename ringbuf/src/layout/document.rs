//! docs/memory-layout.md says what the code does: each of its tables is made anew from the code's own constants, and compared.
//!
//! A table stands between `<!-- table NAME -->` and `<!-- end -->`. With `AIRSSYS_BLESS=1` in the environment a table that
//! differs is rewritten instead; what stands around the tables is written by hand.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod tables;
mod words;

use std::fmt::Write as _;
use std::fs;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/memory-layout.md");

/// A named block of the document.
struct Block {
    name: &'static str,
    text: String,
}

/// A table in Markdown.
fn table(name: &'static str, heads: &[&str], rows: &[Vec<String>]) -> Block {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(heads);
    text += &line(&vec!["---"; heads.len()]).replace(' ', "");
    for row in rows {
        assert_eq!(row.len(), heads.len(), "{name}: {row:?}");
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        text += &line(&cells);
    }
    Block { name, text }
}

/// Where a block's text lies in the document.
fn place(document: &str, name: &str) -> std::ops::Range<usize> {
    let mark = format!("<!-- table {name} -->\n");
    let start = document.find(&mark);
    let start = start.unwrap_or_else(|| panic!("docs/memory-layout.md has no table `{name}`"));
    let start = start + mark.len();
    let len = document[start..].find("<!-- end -->");
    start
        ..start
            + len.unwrap_or_else(|| panic!("table `{name}` of docs/memory-layout.md has no end"))
}

#[test]
fn the_document_says_what_the_code_does() {
    let blessing = std::env::var_os("AIRSSYS_BLESS").is_some();
    let mut document = fs::read_to_string(DOCUMENT).unwrap();
    let mut wrong = String::new();
    let blocks = tables::all();
    for Block { name, text } in &blocks {
        let place = place(&document, name);
        if document[place.clone()] != **text {
            writeln!(
                wrong,
                "{name}: found\n{}\nexpected\n{text}",
                &document[place.clone()]
            )
            .unwrap();
            document.replace_range(place, text);
        }
    }
    for name in document
        .split("<!-- table ")
        .skip(1)
        .filter_map(|rest| rest.split(" -->").next())
    {
        assert!(
            blocks.iter().any(|block| block.name == name),
            "table `{name}` is nobody's"
        );
    }
    if blessing {
        fs::write(DOCUMENT, document).unwrap();
    } else {
        assert!(
            wrong.is_empty(),
            "docs/memory-layout.md differs from the code; AIRSSYS_BLESS=1 rewrites its tables\n{wrong}"
        );
    }
}

/// The constants of the modules that place words and fields, as `module::NAME`, read off the source.
fn constants(source: &str) -> Vec<String> {
    let mut module = None;
    let mut found = Vec::new();
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("pub(crate) mod ") {
            module = rest.strip_suffix(" {");
        } else if line == "}" {
            module = None;
        }
        let constant = line.strip_prefix("    pub(crate) const ");
        if let (Some(module), Some(constant)) = (module, constant) {
            let name = constant.split(':').next().unwrap();
            found.push(format!("{module}::{name}"));
        }
    }
    found
}

#[test]
fn no_word_is_left_out() {
    let sources = [
        include_str!("../layout.rs"),
        include_str!("collections.rs"),
        include_str!("../region/header.rs"),
        include_str!("../region/directory.rs"),
    ];
    let described = words::described();
    let mut constants: Vec<String> = sources.into_iter().flat_map(constants).collect();
    assert!(
        constants.len() > 50,
        "the constants were not found: {constants:?}"
    );
    // Lengths, not places.
    constants.retain(|name| {
        let is_len = name.ends_with("_word::COUNT")
            && !["hint_word::COUNT", "undo_word::COUNT"].contains(&name.as_str());
        !is_len && name != "ring_word::SLOTS"
    });
    for name in &constants {
        assert!(
            described.contains(name),
            "{name} is in no table of docs/memory-layout.md"
        );
    }
    assert_eq!(described.len(), constants.len(), "each is there once");
}

/// Words lie side by side on their own bytes, whole and aligned to their size.
#[test]
fn no_two_words_share_a_byte() {
    for (section, words) in words::words() {
        let mut places: Vec<_> = words.iter().map(|word| (word.at, word.bytes)).collect();
        places.sort_unstable();
        for (at, bytes) in &places {
            assert!(
                *bytes > 8 || at.is_multiple_of(*bytes),
                "{section}: {bytes} bytes at {at}"
            );
        }
        for pair in places.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{section}: {pair:?}");
        }
    }
}
