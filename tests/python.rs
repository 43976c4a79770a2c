//! The reader in examples/python beside a live bus: every line that it prints is what was sent.
//!
//! It needs `python3` with `numpy`; `AIRSSYS_PYTHON` names another interpreter. Without, each test says so and passes.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]
#![allow(clippy::cast_precision_loss, reason = "small numbers")]

#[path = "common/mod.rs"]
mod common;

use std::process::{Child, Command, Stdio};

use airssys_rt::prelude::*;
use airssys_rt::{HostSender, Layout, LinkOptions, Running};

use common::{bus_name, bus_path, join, patiently};

/// A message with every shape of a schema, each field given away by its number.
#[message]
struct Level {
    px: f64,
    qty: [u16; 4],
}

#[message]
struct Book {
    seq: u64,
    best: Level,
    depth: [Level; 2],
    flags: u32,
    pair: [i16; 2],
}

impl Level {
    fn of(seq: u64) -> Self {
        let qty = seq as u16;
        Self {
            px: seq as f64 / 4.0,
            qty: [qty, qty.wrapping_add(1), 0, u16::MAX],
        }
    }

    fn json(seq: u64) -> String {
        let qty = seq as u16;
        let next = qty.wrapping_add(1);
        let px = seq as f64 / 4.0;
        format!(r#"{{"px": {px:?}, "qty": [{qty}, {next}, 0, 65535]}}"#)
    }
}

impl Book {
    fn of(seq: u64) -> Self {
        Self {
            seq,
            best: Level::of(seq + 1),
            depth: [Level::of(seq + 2), Level::of(seq + 3)],
            flags: seq as u32 ^ 0xffff_ffff,
            pair: [-1, (seq % 1000) as i16],
        }
    }

    fn json(seq: u64) -> String {
        format!(
            r#"{{"seq": {seq}, "best": {}, "depth": [{}, {}], "flags": {}, "pair": [-1, {}]}}"#,
            Level::json(seq + 1),
            Level::json(seq + 2),
            Level::json(seq + 3),
            seq as u32 ^ 0xffff_ffff,
            seq % 1000
        )
    }
}

/// Takes what comes, until nothing more does.
struct Sink(Receiver<Book>);

impl Actor for Sink {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = self.0.drain(64, |_| ());
        Ok(if seen == 0 && self.0.is_closed() {
            Step::Done
        } else {
            seen.into()
        })
    }
}

/// A bus with one link from this program to a thread.
fn launch(bus: &str, options: LinkOptions) -> (Running, HostSender<Book>) {
    let mut plan = Topology::builder(bus);
    let (out, into) = plan.link_with::<Book>("books", options);
    plan.host().sends(out);
    plan.partition("sink").actor("sink", into, Sink);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let books = running.sender("books").unwrap();
    (running, books)
}

fn python() -> String {
    std::env::var("AIRSSYS_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Whether there is a Python to test with.
fn has_python() -> bool {
    let tried = Command::new(python())
        .args(["-c", "import numpy"])
        .stderr(Stdio::null())
        .status();
    let has = cfg!(target_arch = "x86_64") && tried.is_ok_and(|status| status.success());
    if !has {
        eprintln!("skipped: no {} with NumPy on x86-64", python());
    }
    has
}

fn reader(bus: &str, arguments: &[&str]) -> Child {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/read_link.py");
    Command::new(python())
        // No compiled copy beside the source.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .arg(bus_path(bus))
        .arg("books")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it printed.
fn lines(reader: Child) -> Vec<String> {
    let output = patiently("the reader", || reader.wait_with_output().unwrap());
    assert!(output.status.success(), "{:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn message_line(seq: u64) -> String {
    format!(r#"{{"position": {seq}, "message": {}}}"#, Book::json(seq))
}

fn unstamped(line: &str) -> String {
    match line.split_once(r#", "sent_ns": "#) {
        Some((message, _)) => format!("{message}}}"),
        None => line.to_owned(),
    }
}

#[test]
fn every_message_of_a_live_link_is_printed_as_it_was_sent() {
    const TOTAL: u64 = 200;
    if !has_python() {
        return;
    }
    let all: Vec<String> = (0..TOTAL).map(message_line).collect();
    for (tag, options) in [
        ("sequenced", LinkOptions::new(256).layout(Layout::Sequenced)),
        (
            "contiguous",
            LinkOptions::new(256).layout(Layout::Contiguous),
        ),
        ("stamped", LinkOptions::new(256).stamped()),
    ] {
        let bus = bus_name(&format!("python-{tag}"));
        let (running, mut books) = launch(&bus, options);
        let following = reader(&bus, &["--follow"]);
        for seq in 0..TOTAL {
            books.send(Book::of(seq)).unwrap();
        }
        let some = lines(reader(&bus, &["--count", "7"]));
        let there: Vec<String> = lines(reader(&bus, &[]))
            .iter()
            .map(|line| unstamped(line))
            .collect();
        books.close().unwrap();
        let followed = lines(following);
        join(running).unwrap();

        assert_eq!(there, all, "{tag}");
        let stamps = followed.iter().filter(|line| line.contains("sent_ns"));
        assert_eq!(
            stamps.count() as u64,
            if tag == "stamped" { TOTAL } else { 0 }
        );
        let followed: Vec<String> = followed.iter().map(|line| unstamped(line)).collect();
        assert_eq!(followed, all, "{tag}, followed to its close");
        assert_eq!(some.len(), 7, "{tag}");
    }
}

/// What a line of a lapped reader says: the first position that it tells of, and the first that it doesn't.
fn told(line: &str) -> (u64, u64, bool) {
    let number = |key: &str| {
        let rest = line.split_once(key)?.1;
        let end = rest.find([',', '}']).unwrap();
        Some(rest[..end].parse::<u64>().unwrap())
    };
    let position = number(r#""position": "#).unwrap();
    if let Some(missed) = number(r#""missed": "#) {
        return (position, position + missed, true);
    }
    assert_eq!(line, message_line(position), "a torn message");
    (position, position + 1, false)
}

#[test]
fn a_lapped_reader_says_what_it_missed_and_never_prints_a_torn_message() {
    if !has_python() {
        return;
    }
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        let bus = bus_name("python-lapped");
        let (running, mut books) = launch(&bus, LinkOptions::new(1024).layout(layout));
        let mut reader = reader(&bus, &["--follow", "--count", "2000"]);
        // Its pipe is emptied by a thread: a reader that waits for us would be no reader that is lapped.
        let mut out = reader.stdout.take().unwrap();
        let printed = std::thread::spawn(move || std::io::read_to_string(&mut out).unwrap());
        let flood = patiently("the reader", move || {
            let mut seq = 0;
            while reader.try_wait().unwrap().is_none() {
                for _ in 0..4096 {
                    books.send(Book::of(seq)).unwrap();
                    seq += 1;
                }
            }
            assert!(reader.wait().unwrap().success());
            books.close().unwrap();
            seq
        });
        let printed = printed.join().unwrap();
        join(running).unwrap();

        let (mut next, mut messages, mut misses) = (None, 0, 0);
        for line in printed.lines() {
            let (first, end, is_miss) = told(line);
            assert_eq!(next.unwrap_or(first), first, "nothing between: {line}");
            next = Some(end);
            messages += u64::from(!is_miss);
            misses += u64::from(is_miss);
        }
        assert_eq!(messages, 2000);
        assert!(misses > 0, "it was never lapped, in {flood} messages");
    }
}

#[test]
fn what_there_is_not_is_told() {
    if !has_python() {
        return;
    }
    let bus = bus_name("python-none");
    let (running, mut books) = launch(&bus, LinkOptions::new(8));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/python/read_link.py");
    let output = Command::new(python())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([script, &bus, "trades"])
        .output()
        .unwrap();
    books.close().unwrap();
    join(running).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("there is no link `trades`; it has: books"),
        "{said}"
    );
}
