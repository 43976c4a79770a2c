//! Files that nobody created this way: each is an error, none a panic, a wait or a large allocation.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use airssys_ringbuf::region::{Access, Inspection, OpenReason, Region, inspect};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{EXPECTED, Scratch, bytes, plan, preamble_len, seal};

fn open(path: &Path) -> Result<Region, OpenReason> {
    Region::open(path, Access::ReadWrite, &EXPECTED).map_err(|error| error.reason)
}

fn writable(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

fn assert_sound(found: &Inspection) {
    let mut ends: Vec<_> = found
        .sections
        .iter()
        .map(|s| (s.offset, s.offset.checked_add(s.len).unwrap()))
        .collect();
    ends.sort_unstable();
    assert!(ends.iter().all(|(_, end)| *end <= found.len), "{found:?}");
    assert!(
        ends.windows(2).all(|pair| pair[0].1 <= pair[1].0),
        "{found:?}"
    );
    for section in &found.sections {
        assert!(
            section.offset >= 128 && section.offset % section.align.max(128) == 0,
            "{found:?}"
        );
        assert!(
            section.len > 0 && section.count * section.stride <= section.len as u64,
            "{found:?}"
        );
    }
}

#[test]
fn every_changed_byte_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let file = writable(&path);
    let sound = bytes();
    let covered = &sound[..preamble_len(&sound)];
    for (at, &byte) in covered.iter().enumerate() {
        for changed in [
            byte ^ 1,
            byte ^ 0x80,
            !byte,
            byte.wrapping_add(1),
            if byte == 0 { 0x41 } else { 0 },
        ] {
            file.write_all_at(&[changed], at as u64).unwrap();
            assert!(
                open(&path).is_err(),
                "byte {at} changed from {byte} to {changed}"
            );
            assert!(
                inspect(&path).is_err(),
                "byte {at} changed from {byte} to {changed}"
            );
        }
        file.write_all_at(&[byte], at as u64).unwrap();
    }
    open(&path).unwrap();
}

#[test]
fn every_changed_byte_under_a_right_checksum_is_an_error_or_harmless() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let file = writable(&path);
    let sound = bytes();
    let preamble_len = preamble_len(&sound);
    let mut harmless = 0;
    for at in 0..preamble_len {
        for changed in [
            sound[at] ^ 1,
            sound[at] ^ 0x80,
            !sound[at],
            sound[at].wrapping_add(1),
        ] {
            let mut bytes = sound[..preamble_len].to_vec();
            bytes[at] = changed;
            seal(&mut bytes, preamble_len);
            file.write_all_at(&bytes, 0).unwrap();
            if let Ok(found) = inspect(&path) {
                assert_sound(&found);
                harmless += 1;
            }
        }
    }
    // Names, schemas, boot id, digest and lengths have other sound values: validation alone cannot refuse these.
    assert!(harmless > 100, "the checksums were right: {harmless}");
}

#[test]
fn every_other_length_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let file = writable(&path);
    let sound = bytes();
    for len in (0..sound.len() as u64).rev() {
        file.set_len(len).unwrap();
        let reason = open(&path).unwrap_err();
        let told = if len < 128 {
            matches!(reason, OpenReason::Short { found, expected: 128 } if found == len)
        } else {
            let sound_len = sound.len() as u64;
            matches!(reason, OpenReason::Length { found, expected } if (found, expected) == (len, sound_len))
        };
        assert!(told, "{len}: {reason}");
    }
    fs::write(&path, &sound).unwrap();
    open(&path).unwrap();
    for more in [1, 4095, 4096, 1 << 40] {
        file.set_len(sound.len() as u64 + more).unwrap();
        assert!(
            matches!(open(&path).unwrap_err(), OpenReason::Length { .. }),
            "{more}"
        );
    }
}

/// The generator and its seed, from `REGION_TEST_SEED` or the clock.
struct Random(u64);

impl Random {
    fn new() -> (Self, u64) {
        let given = std::env::var("REGION_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .subsec_nanos()
        };
        let seed = given.unwrap_or_else(|| u64::from(clock()));
        (Self(seed.wrapping_mul(2) | 1), seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

#[test]
fn random_files_are_errors() {
    let (mut random, seed) = Random::new();
    let scratch = Scratch::new();
    let path = scratch.file("garbage");
    let sound = bytes();
    for round in 0..2_000 {
        let mut bytes: Vec<u8> = (0..random.below(3 * 4096))
            .map(|_| random.next().to_le_bytes()[7])
            .collect();
        // Half of them get past the first checks.
        let kept = random.below(104).min(bytes.len());
        if round % 2 == 0 {
            bytes[..kept].copy_from_slice(&sound[..kept]);
        }
        if bytes.len() >= 32 {
            let len = (bytes.len() as u64).to_ne_bytes();
            bytes[24..32].copy_from_slice(&len);
        }
        fs::write(&path, &bytes).unwrap();
        assert!(
            open(&path).is_err() && inspect(&path).is_err(),
            "REGION_TEST_SEED={seed}, round {round}"
        );
    }
}

#[test]
fn several_changes_under_a_right_checksum_are_errors_or_harmless() {
    let (mut random, seed) = Random::new();
    let scratch = Scratch::new();
    let path = scratch.region();
    let file = writable(&path);
    let sound = bytes();
    let preamble_len = preamble_len(&sound);
    let extremes = [
        0,
        1,
        127,
        128,
        4096,
        u64::MAX,
        u64::MAX / 2,
        1 << 46,
        sound.len() as u64,
    ];
    for round in 0..10_000 {
        let mut bytes = sound[..preamble_len].to_vec();
        for _ in 0..=random.below(3) {
            // Past the identity, where numbers are: on 4 bytes, sometimes 8 bytes long.
            let at = 24 + random.below((preamble_len - 32) / 4) * 4;
            let value = extremes[random.below(extremes.len())].to_ne_bytes();
            let len = if random.below(2) == 0 { 4 } else { 8 };
            bytes[at..at + len].copy_from_slice(&value[..len]);
        }
        seal(&mut bytes, preamble_len);
        file.write_all_at(&bytes, 0).unwrap();
        if let Ok(found) = inspect(&path) {
            assert!(
                std::panic::catch_unwind(|| assert_sound(&found)).is_ok(),
                "REGION_TEST_SEED={seed}, round {round}"
            );
        }
    }
}

/// A sound file with `change` made to it, and a checksum that is right or not.
fn reason_after(change: impl Fn(&mut [u8]), sealed: bool) -> OpenReason {
    let scratch = Scratch::new();
    let path = scratch.file("feed");
    let mut bytes = bytes();
    let preamble_len = preamble_len(&bytes);
    change(&mut bytes);
    if sealed {
        seal(&mut bytes, preamble_len);
    }
    fs::write(&path, &bytes).unwrap();
    open(&path).unwrap_err()
}

#[test]
fn specific_errors_come_before_the_checksum() {
    let put = |at: usize, value: &'static [u8]| {
        move |bytes: &mut [u8]| bytes[at..at + value.len()].copy_from_slice(value)
    };
    let ring = 128 + 2 * 48;
    let cases: [(usize, &'static [u8], &str); 13] = [
        (0, b"\x7fELF", "not a region file: it starts with `\\x7fELF"),
        (8, &[0xff], "byte order mark"),
        (12, &[9], "layout version 9, expected 2"),
        (16, &[127], "header, header length: found 127, expected 128"),
        (24, &[1], "its header says"),
        (
            64,
            &[255, 255, 255],
            "header, directory entries: 16777215 is above the limit of 65536",
        ),
        (
            88,
            &[255, 255, 255, 255],
            "header, bytes of strings: 4294967295 is above the limit",
        ),
        (
            104,
            &[1],
            "header, reserved bytes at 104: found 1, expected 0",
        ),
        (32, &[1], "created during boot 01070707"),
        (ring, &[77], "section 2 (`ticks`): its kind is 77"),
        (
            ring + 8,
            &[0, 0],
            "section 2 (`ticks`): it starts at 0, inside of the directory",
        ),
        (
            ring + 8,
            &[1],
            "section 2 (`ticks`): it starts at 5377, expected a multiple of 128",
        ),
        (
            ring + 16,
            &[0, 0, 1],
            "section 2 (`ticks`): 65536 bytes at 5376 do not fit the file of",
        ),
    ];
    for (at, value, text) in cases {
        for sealed in [false, true] {
            let reason = reason_after(put(at, value), sealed).to_string();
            assert!(reason.contains(text), "{reason}");
        }
    }
    let strings = 128 + plan().sections().len() * 48;
    let bus = reason_after(put(strings, b"Q\n"), false).to_string();
    assert_eq!(bus, "belongs to bus `Q\\notes`, expected `quotes`");
    let utf8 = reason_after(put(strings, &[0xff]), false).to_string();
    assert!(utf8.starts_with("string area: invalid utf-8"), "{utf8}");
    assert!(matches!(
        reason_after(put(48, &[1]), false),
        OpenReason::Digest { .. }
    ));
    assert!(matches!(
        reason_after(put(120, &[1, 2, 3]), false),
        OpenReason::Checksum { .. }
    ));
}

#[test]
fn overlapping_and_equal_sections_are_told() {
    let ring = 128 + 2 * 48;
    let overlapping = |bytes: &mut [u8]| {
        let actor_offset: [u8; 8] = bytes[ring - 48 + 8..ring - 48 + 16].try_into().unwrap();
        bytes[ring + 8..ring + 16]
            .copy_from_slice(&(u64::from_ne_bytes(actor_offset) + 128).to_ne_bytes());
    };
    let reason = reason_after(overlapping, true).to_string();
    let expected = "section 2 (`ticks`): it starts at 4480, inside of section 1 (`feed/quoter`), which ends at 5352";
    assert!(reason.starts_with(expected), "{reason}");

    let equal =
        |bytes: &mut [u8]| bytes[ring + 48..ring + 52].copy_from_slice(&5_u32.to_ne_bytes());
    let reason = reason_after(equal, true).to_string();
    assert!(
        reason.starts_with("section 3 (`ticks`): there is another ring section of that name"),
        "{reason}"
    );
}

#[test]
fn strings_that_belong_to_nothing_or_are_missing_are_told() {
    let name_len = 128 + 4 * 48 + 40;
    let shorter =
        |bytes: &mut [u8]| bytes[name_len..name_len + 4].copy_from_slice(&4_u32.to_ne_bytes());
    let reason = reason_after(shorter, true).to_string();
    assert!(
        reason.starts_with("string area: 3 bytes belong to no section"),
        "{reason}"
    );
    let longer =
        |bytes: &mut [u8]| bytes[name_len..name_len + 4].copy_from_slice(&8_u32.to_ne_bytes());
    let reason = reason_after(longer, true).to_string();
    assert!(
        reason.starts_with("section 4, name: 8 bytes do not fit the 7 that are left"),
        "{reason}"
    );
    let split =
        |bytes: &mut [u8]| bytes[name_len..name_len + 4].copy_from_slice(&3_u32.to_ne_bytes());
    let reason = reason_after(split, true).to_string();
    assert!(
        reason.starts_with("section 4, name: 3 bytes do not fit"),
        "{reason}"
    );
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting() {
    let scratch = Scratch::new();
    let target = scratch.region();
    symlink(&target, scratch.file("link")).unwrap();
    fs::create_dir(scratch.file("directory")).unwrap();
    mknodat(
        CWD,
        scratch.file("fifo"),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    let _listener = UnixListener::bind(scratch.file("socket")).unwrap();
    let cases = [
        ("link", "a symbolic link"),
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("socket", "a socket or a device"),
    ];
    for (name, kind) in cases {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let error = Region::open(&scratch.file(name), access, &EXPECTED).unwrap_err();
            let OpenReason::NotAFile { found } = error.reason else {
                panic!("{name}: {error}")
            };
            assert_eq!(found, kind);
        }
    }
    let reason = open(&scratch.file("none")).unwrap_err();
    assert!(
        matches!(
            reason,
            OpenReason::Io {
                doing: "opening it",
                ..
            }
        ),
        "{reason}"
    );
}
