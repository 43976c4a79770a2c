//! Who may know whom, where unsafe code may be, and how long a file may get: read off the sources, as text.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A source file of the repository.
struct Source {
    /// From the repository's root.
    path: String,
    text: String,
}

impl Source {
    /// Its lines without comments, up to the tests inside of it, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        (1..).zip(lines.map(without_comment))
    }

    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, sources);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let path_from_root = path.strip_prefix(root()).unwrap();
            sources.push(Source {
                path: path_from_root.to_str().unwrap().to_owned(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(root(), &mut sources);
    assert!(sources.len() > 100, "the sources were not found");
    sources
}

/// The modules that a line of code names by `crate::`.
fn named_modules(code: &str) -> impl Iterator<Item = &str> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.split("crate::").skip(1).map(move |rest| {
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        &rest[..end]
    })
}

/// The top module of a file below `src` of its crate: `ring/bare.rs` is of `ring`.
fn module_of<'a>(source: &'a Source, src: &str) -> &'a str {
    let inside = source.path[src.len()..].split('/').next().unwrap();
    inside.trim_end_matches(".rs")
}

/// Loom models and layout pins: compiled for tests only, in files of their own.
fn is_for_tests(source: &Source) -> bool {
    let of_ringbuf = source.is_under("ringbuf/");
    let parts = || source.path.split(['/', '.']);
    parts().any(|part| part == "tests" || (of_ringbuf && (part == "model" || part == "pins")))
}

/// Code lines of a crate's shipped files in which `wrong(module, line)` finds something.
fn find(src: &str, wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_under(src)) {
        if is_for_tests(source) {
            continue;
        }
        let module = module_of(source, src);
        let lines = source.code().filter(|(_, line)| wrong(module, line));
        found.extend(
            lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim())),
        );
    }
    found
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

/// The layers of airssys-ringbuf, lowest first. `layout` is the map of all of them: any may read it.
const RINGBUF_LAYERS: [&[&str]; 5] = [
    &[
        "clock", "digest", "memory", "message", "schema", "signals", "word",
    ],
    &["slots"],
    &["ring"],
    &[
        "blame",
        "instance",
        "latency",
        "layout",
        "panic_text",
        "park",
        "pulse",
        "region",
    ],
    &["step"],
];

fn ringbuf_layer(module: &str) -> Option<usize> {
    RINGBUF_LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
}

#[test]
fn no_layer_of_the_ring_knows_a_higher_one() {
    let found = find("ringbuf/src/", |module, line| {
        if module == "lib" {
            return false;
        }
        let own = ringbuf_layer(module);
        assert!(
            own.is_some(),
            "module `{module}` has no place among the layers"
        );
        named_modules(line).any(|named| named != "layout" && ringbuf_layer(named) > own)
    });
    assert_none(&found, "a lower layer names a higher one");
}

/// What the modules of airssys-rt must not name.
const RT_FORBIDDEN: [(&[&str], &[&str]); 6] = [
    (
        &["actor", "exit", "host", "local", "mode", "topology", "bus"],
        &[
            "dead_letters",
            "embed",
            "enter",
            "launch",
            "machine",
            "monitor",
            "running",
            "supervisor",
        ],
    ),
    (
        &["capsule", "replay"],
        &[
            "embed",
            "enter",
            "launch",
            "machine",
            "monitor",
            "running",
            "supervisor",
        ],
    ),
    (
        &["partition", "enter"],
        &[
            "dead_letters",
            "embed",
            "launch",
            "machine",
            "monitor",
            "running",
            "supervisor",
        ],
    ),
    (
        &["supervisor"],
        &[
            "dead_letters",
            "embed",
            "launch",
            "machine",
            "monitor",
            "running",
        ],
    ),
    (
        &["monitor", "dead_letters"],
        &["embed", "launch", "running"],
    ),
    (&["embed"], &["launch", "running"]),
];

#[test]
fn no_layer_of_the_runtime_knows_a_higher_one() {
    let found = find("src/", |module, line| {
        let mut rules = RT_FORBIDDEN.iter();
        let rule = rules.find(|(modules, _)| modules.contains(&module));
        rule.is_some_and(|(_, forbidden)| {
            named_modules(line).any(|named| forbidden.contains(&named))
        })
    });
    assert_none(&found, "a lower layer names a higher one");
    // Ports are what a topology's ends become; of the partition's life it knows nothing.
    let found = find("src/", |module, line| {
        module == "topology"
            && line.contains("crate::partition")
            && !line.contains("crate::partition::ports")
    });
    assert_none(
        &found,
        "the topology names more of the partition than its ports",
    );
}

#[test]
fn no_package_knows_a_higher_one() {
    for (src, higher) in [
        (
            "ringbuf/src/",
            &[
                "airssys_rt",
                "airssys_osl",
                "airssys_campaign",
                "airssys_tokio",
            ][..],
        ),
        (
            "crates/airssys-osl/src/",
            &[
                "airssys_rt",
                "airssys_ringbuf",
                "airssys_campaign",
                "airssys_tokio",
            ][..],
        ),
        (
            "src/",
            &["airssys_campaign", "airssys_bench", "airssys_tokio"][..],
        ),
    ] {
        let names = |line: &str, package: &&str| {
            let mut places = line.match_indices(*package);
            places.any(|(place, _)| !line[place + package.len()..].starts_with('_'))
        };
        let found = find(src, |_, line| {
            higher.iter().any(|package| names(line, package))
        });
        assert_none(&found, "a lower package names a higher one");
    }
}

/// Where unsafe code may be. The models' storage stands in for a ring's memory under loom.
const UNSAFE_FILES: [&str; 17] = [
    "ringbuf/src/memory.rs",
    "ringbuf/src/memory/pages.rs",
    "ringbuf/src/signals.rs",
    "ringbuf/src/signals/tests.rs",
    "ringbuf/src/slots.rs",
    "ringbuf/src/slots/ahead.rs",
    "ringbuf/src/ring/bare.rs",
    "ringbuf/src/ring/slot.rs",
    "ringbuf/src/ring/model.rs",
    "ringbuf/src/ring/model/storage.rs",
    "ringbuf/src/step/sender.rs",
    "ringbuf/src/step/receiver.rs",
    "ringbuf/src/step/restore.rs",
    "ringbuf/src/step/host/alone.rs",
    "crates/airssys-campaign/src/process.rs",
    "crates/airssys-campaign/tests/quiet_step.rs",
    "benches/src/bin/compare/peers/shaq.rs",
];

/// Whether the line has the keyword, not the word in a text.
fn has_unsafe(line: &str) -> bool {
    let code = without_comment(line);
    let mut rests = code.match_indices("unsafe").map(|(place, found)| {
        let before = code[..place].chars().next_back();
        (before, code[place + found.len()..].trim_start())
    });
    rests.any(|(before, rest)| {
        let starts =
            before.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_' && letter != '"');
        let followed = ["{", "(", "fn ", "impl", "trait ", "extern "];
        starts && (rest.is_empty() || followed.iter().any(|next| rest.starts_with(next)))
    })
}

#[test]
fn unsafe_code_is_in_the_named_files_only() {
    assert!(has_unsafe("    let x = unsafe { y };") && has_unsafe("unsafe impl Send for A {}"));
    assert!(!has_unsafe("// SAFETY: unsafe {") && !has_unsafe(r#"reason = "unsafe code""#));
    let sources = sources();
    for source in &sources {
        let lines = (1..).zip(source.text.lines());
        let first = lines.into_iter().find(|(_, line)| has_unsafe(line));
        let allowed =
            UNSAFE_FILES.contains(&source.path.as_str()) || source.path == "tests/layers.rs";
        if let Some((number, line)) = first.filter(|_| !allowed) {
            panic!(
                "{}:{number} is not a file for unsafe code: {}",
                source.path,
                line.trim()
            );
        }
    }
    for file in UNSAFE_FILES {
        assert!(
            sources.iter().any(|source| source.path == file),
            "{file} is gone"
        );
    }
}

/// Crates that hold unsafe code, in files that allow it one by one.
const UNSAFE_CRATES: [&str; 2] = ["ringbuf/src/lib.rs", "crates/airssys-campaign/src/lib.rs"];

/// Whether a file is the root of a crate that ships, or of an example or a bench.
fn is_crate_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts[..],
        [.., "src", "lib.rs" | "main.rs"]
            | [.., "src", "bin", _]
            | ["examples", _]
            | ["examples", _, "main.rs"]
            | ["benches", "benches", _]
    )
}

#[test]
fn every_other_crate_forbids_unsafe_code() {
    let sources = sources();
    let roots: Vec<&Source> = sources
        .iter()
        .filter(|source| is_crate_root(&source.path))
        .collect();
    assert!(roots.len() >= 8, "the crates' roots were not found");
    for source in roots {
        let level = if UNSAFE_CRATES.contains(&source.path.as_str()) {
            "#![deny(unsafe_code)]"
        } else {
            "#![forbid(unsafe_code)]"
        };
        let has = source.text.lines().any(|line| line == level);
        assert!(has, "{} lacks {level}", source.path);
    }
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let long: Vec<String> = sources()
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > 500)
        .map(|(lines, path)| format!("{path}: {lines}"))
        .collect();
    assert_none(
        &long,
        "longer than 500 lines: give a concern a file of its own",
    );
}

/// Pages whose links, and names of tests, lead somewhere.
const PAGES: [&str; 9] = [
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "docs/capsules.md",
    "docs/guarantees.md",
    "docs/memory-layout.md",
    "docs/memory-safety.md",
    "docs/stability.md",
    "examples/python/README.md",
];

/// A test is named as `file.rs: its_name`; macros may make it.
#[test]
fn the_tests_that_pages_name_exist() {
    let mut named = 0;
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some((file, name)) = quoted.split_once(".rs:") else {
                continue;
            };
            let file = format!("{file}.rs");
            let source = fs::read_to_string(root().join(&file));
            let source =
                source.unwrap_or_else(|_| panic!("{page} names {file}, which is not there"));
            let name = name.trim();
            let is_there = source.contains(&format!("fn {name}("))
                || source.contains(&format!("    {name}: "));
            assert!(is_there, "{page} names `{name}`, which is not in {file}");
            named += 1;
        }
    }
    assert!(named > 20, "no tests were found in the pages: {named}");
}

#[test]
fn the_pages_paths_exist() {
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let folder = root().join(page).parent().unwrap().to_owned();
        let links = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file: PathBuf = folder.join(link.split('#').next().unwrap());
            assert!(file.exists(), "{page} links to {link}, which is not there");
        }
    }
}
