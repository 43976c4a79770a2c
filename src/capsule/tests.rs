//! The file: back and forth, checked, bounded; any bytes at all.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::fs;
use std::path::PathBuf;

use super::*;

fn sample() -> Capsule {
    let message = |sequence| CapsuleMessage {
        sequence,
        stamp_ns: None,
        bytes: [7_u64.to_ne_bytes(), 99.5_f64.to_ne_bytes()].concat(),
    };
    Capsule {
        format: FORMAT.to_owned(),
        version: VERSION,
        topology: "quotes".to_owned(),
        bus: "eu".to_owned(),
        instance: format!("{:032x}", 0xabc),
        partition: "book".to_owned(),
        actor: "book".to_owned(),
        incarnation: 3,
        crash: Crash::Signal { number: 11 },
        died_at_ns: 1_700_000_000_000_000_000,
        steps: 41,
        clock: CapsuleClock {
            monotonic_ns: Some(5),
            realtime_ns: None,
        },
        inputs: vec![CapsuleInput {
            link: "ticks".to_owned(),
            schema: "Tick 16 8\nseq u64 0\nprice f64 8\n".to_owned(),
            received: 100,
            in_work: 1,
            sender_ended: None,
            messages: (100..110).map(message).collect(),
        }],
        outputs: vec![CapsuleOutput {
            link: "orders".to_owned(),
            schema: "u64 8 8\n".to_owned(),
            capacity: 8,
            sent: 20,
            given_back: 18,
            receiver_ended: false,
        }],
        cells: vec![CapsuleCell {
            cell: "best".to_owned(),
            schema: "Best 24 8\ndepth [Level{px:f64@0,qty:[u16; 4]@8}; 1] 0\nname [u8; 8] 16\n"
                .to_owned(),
            bytes: Some(
                [
                    &1.25_f64.to_ne_bytes()[..],
                    bytemuck_u16(&[1, 2, 3, 4]).as_slice(),
                    b"EURUSD\0\0",
                ]
                .concat(),
            ),
        }],
        sections: Vec::new(),
    }
}

fn bytemuck_u16(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|one| one.to_ne_bytes()).collect()
}

#[test]
fn it_comes_back_as_it_was_and_prints_its_values() {
    let capsule = sample();
    assert_eq!(
        Capsule::from_bytes(&capsule.to_bytes()),
        Ok(capsule.clone())
    );
    let text = capsule.to_string();
    for line in [
        "eu/book #3, actor `book`, step 42: killed by SIGSEGV",
        "clock: monotonic 5 ns, realtime not read",
        "receives from `ticks`: 100 received, 1 in work",
        "  in work 100: seq=7 price=99.5",
        "  next 101: seq=7 price=99.5",
        "sends on `orders`: 20 sent, 2 of 8 slots taken",
        "cell `best`: depth=[{px=1.25 qty=[1, 2, 3, 4]}] name=\"EURUSD\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // What the schema doesn't describe is shown as it lies there.
    assert_eq!(show::value("Tick 2 1\na [u9; 2] 0\n", &[1, 0xfe]), "01fe");
    assert_eq!(show::value("[u8; 2] 2 1\n", &[1, 0xfe]), "[1, 254]");
}

/// What the file is changed to, and what the error says of it.
fn refused(from: &str, to: &str) -> String {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    Capsule::from_bytes(text.replacen(from, to, 1).as_bytes()).unwrap_err()
}

#[test]
fn what_can_not_be_is_named() {
    for (from, to, expected) in [
        (
            "airssys-capsule",
            "tar",
            "format is `tar`, expected `airssys-capsule`",
        ),
        (
            "\"version\": 1",
            "\"version\": 2",
            "version 2, this program reads version 1",
        ),
        ("\"actor\": \"book\",", "", "missing field `actor`"),
        ("\"steps\"", "\"stops\"", "unknown field `stops`"),
        ("\"signal\"", "\"fire\"", "unknown variant `fire`"),
        (
            "\"sequence\": 101",
            "\"sequence\": 7",
            "link `ticks`: message 7 where 101 was expected",
        ),
        (
            "\"received\": 100",
            "\"received\": 9223372036854775808",
            "impossible",
        ),
        (
            "\"given_back\": 18",
            "\"given_back\": 21",
            "link `orders`: 20 messages sent and 21 given back are impossible",
        ),
        (
            "\"sent\": 20",
            "\"sent\": 27",
            "27 messages sent and 18 given back are impossible with capacity 8",
        ),
        (
            "Tick 16 8",
            "Tick 24 8",
            "link `ticks`: message 100 has 16 bytes, 24 by its schema",
        ),
        ("Tick 16 8", "Tick", "link `ticks`: its schema `Tick\\nseq"),
        (
            "Best 24 8",
            "Best 8 8",
            "cell `best`: 24 bytes, which its schema",
        ),
        ("00000abc", "0000abc", "expected 32 hexadecimal digits"),
        ("00000abc", "0000+abc", "expected 32 hexadecimal digits"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
    let directory = Capsule::open("/proc").unwrap_err().to_string();
    assert!(directory.starts_with("capsule /proc: "), "{directory}");
    let endless = Capsule::open("/nowhere/at.all").unwrap_err().to_string();
    assert!(
        endless.starts_with("capsule /nowhere/at.all: "),
        "{endless}"
    );
}

/// George Marsaglia's shifts: any numbers will do.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Opened or refused, it never panics; what is opened can be printed.
#[test]
fn any_bytes_are_a_capsule_or_an_error() {
    let whole = sample().to_bytes();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut opened, mut refused) = (0, 0);
    for round in 0..20_000_u64 {
        let mut bytes = whole.clone();
        match round % 4 {
            0 => bytes.truncate(next(&mut state) as usize % bytes.len()),
            1 => {
                bytes = (0..next(&mut state) % 200)
                    .map(|_| next(&mut state) as u8)
                    .collect();
            }
            _ => {
                for _ in 0..=next(&mut state) % 3 {
                    let at = next(&mut state) as usize % bytes.len();
                    // Most of the time something that may stand in such a file.
                    let letters = b"0123456789abcdef{}[]\",:- u;@";
                    let letter = letters[next(&mut state) as usize % letters.len()];
                    bytes[at] = if round % 4 == 3 {
                        next(&mut state) as u8
                    } else {
                        letter
                    };
                }
            }
        }
        match Capsule::from_bytes(&bytes) {
            Ok(capsule) => {
                opened += 1;
                assert!(!capsule.to_string().is_empty());
            }
            Err(problem) => {
                refused += 1;
                assert!(!problem.is_empty());
            }
        }
    }
    assert!(
        opened > 100 && refused > 100,
        "{opened} opened, {refused} refused"
    );
}

/// As deep as anybody may nest it, and deeper.
#[test]
fn a_schema_may_say_anything() {
    let deep = format!(
        "Deep 8 8\na {}u8{} 0\n",
        "[".repeat(10_000),
        "; 1]".repeat(10_000)
    );
    assert_eq!(show::value(&deep, &[1; 8]), "01".repeat(8));
    for schema in [
        "A 8 8\na [u64; 99999999999999999999] 0\n",
        "A 8 8\na [u64; 18446744073709551615] 0\n",
        "A 8 8\na u64 18446744073709551615\n",
        "A 8 8\na [X{a:u64@18446744073709551615}; 1] 0\n",
        "A 8 8\na [X{a:u8@0,}; 1] 0\n",
        "A 8 8\na [; 1] 0\n",
        "A 8 8\n\n",
        "",
    ] {
        assert_eq!(show::value(schema, &[1; 8]), "01".repeat(8), "{schema}");
    }
}

/// A directory of this test's own.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_directory_keeps_its_bounds_and_the_newest() {
    let name = format!("airssys-store-{}", std::process::id());
    let scratch = Scratch(std::env::temp_dir().join(name));
    let len = sample().to_bytes().len() as u64;
    let plan = |max_files, max_bytes| crate::topology::model::CapsulePlan {
        directory: scratch.0.join("made"),
        max_files,
        max_bytes,
    };
    let write = |plan: &_, bus: &str, at: u64| {
        let capsule = Capsule {
            bus: bus.to_owned(),
            died_at_ns: at,
            ..sample()
        };
        store::write(plan, &capsule)
    };
    let kept = || -> Vec<u64> {
        let files = Capsule::list(scratch.0.join("made")).unwrap();
        let opened = files.iter().map(|file| Capsule::open(file).unwrap());
        opened.map(|capsule| capsule.died_at_ns).collect()
    };
    // Another bus's are none of ours.
    write(&plan(9, 1 << 20), "us", 1).unwrap();
    for at in 2..8 {
        write(&plan(3, 1 << 20), "eu", at).unwrap();
    }
    assert_eq!(kept(), [1, 5, 6, 7]);
    write(&plan(9, 2 * len), "eu", 8).unwrap();
    assert_eq!(kept(), [1, 7, 8], "by their bytes");
    // Too long with all that waited: the messages in work are kept.
    write(&plan(9, len - 200), "eu", 9).unwrap();
    assert_eq!(kept(), [1, 9]);
    let newest = Capsule::list(scratch.0.join("made"))
        .unwrap()
        .pop()
        .unwrap();
    let messages = &Capsule::open(newest).unwrap().inputs[0].messages;
    assert!((1..10).contains(&messages.len()), "{}", messages.len());
    let refused = write(&plan(9, 1_000), "eu", 10).unwrap_err().to_string();
    assert!(refused.contains("1000 allowed"), "{refused}");
    assert_eq!(kept(), [1, 9]);
    let drafts = fs::read_dir(scratch.0.join("made")).unwrap();
    assert_eq!(drafts.count(), 2, "nothing else is left there");
}
