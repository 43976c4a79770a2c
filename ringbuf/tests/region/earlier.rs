//! A region of the layout version before: who only looks reads it, who takes part in its bus doesn't.

use std::fs;
use std::path::PathBuf;

use airssys_ringbuf::layout::{
    actor_section, cell_section, credit_section, latency_section, pulse_section,
};
use airssys_ringbuf::pulse::PulseView;
use airssys_ringbuf::region::{
    Access, LAYOUT_VERSION, LAYOUT_VERSION_READABLE, OpenReason, Region, RegionPlan, Section,
    SectionKind, inspect,
};
use airssys_ringbuf::step::{AttachError, Observer, latencies, link_fault, progress, read_cell};
use airssys_ringbuf::{Message, message};

use super::{BOOT, DIGEST, EXPECTED, Scratch, preamble_len, seal, section};

#[message]
struct Tick {
    seq: u64,
    price: i64,
}

/// What a region of version 1 had: the ring's slots began after one line pair, everything else lies where it did.
fn plan() -> RegionPlan {
    let schema = Tick::SCHEMA.to_text();
    let mut plan = RegionPlan::new("quotes", "feed", DIGEST);
    plan.add(pulse_section())
        .add(actor_section("quoter", 1, 1))
        .add(cell_section("quoter/last", &schema, 16))
        .add(Section {
            align: 128,
            count: 8,
            stride: 64,
            schema,
            ..section(SectionKind::Ring, "ticks", 128 + 8 * 64)
        })
        .add(credit_section("ticks"))
        .add(latency_section("ticks"));
    plan
}

/// The file of a region that somebody of `version` wrote.
fn region_of(version: u32, scratch: &Scratch) -> PathBuf {
    plan().create(&scratch.0, "feed", BOOT).unwrap();
    let path = scratch.file("feed");
    let found = inspect(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let mut put = |kind, name: &str, words: &[(usize, u64)]| {
        let start = found.section(kind, name).unwrap().offset;
        for (word, value) in words {
            bytes[start + 8 * word..][..8].copy_from_slice(&value.to_ne_bytes());
        }
    };
    put(SectionKind::Pulse, "pulse", &[(0, 77), (16, 4242), (18, 3)]);
    // Three steps, the second record: no cell's bit set, not done; received 5, sent from 6 to 9.
    let record = [(0, 3 << 1 | 1), (32, 1), (34, 5), (35, 6), (36, 9)];
    put(SectionKind::Actor, "quoter", &record);
    put(SectionKind::Cell, "quoter/last", &[(16, 8), (17, 1 << 40)]);
    put(SectionKind::Latency, "ticks", &[(7, 2)]);
    bytes[12..16].copy_from_slice(&version.to_ne_bytes());
    let len = preamble_len(&bytes);
    seal(&mut bytes, len);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn who_looks_reads_what_the_version_before_wrote() {
    let scratch = Scratch::new();
    let path = region_of(LAYOUT_VERSION_READABLE, &scratch);
    assert_eq!(inspect(&path).unwrap().layout_version, 1);
    let region = Region::observe(&path).unwrap();
    assert_eq!(region.layout_version(), 1);

    let pulse = region.section(SectionKind::Pulse, "pulse").unwrap();
    let vitals = PulseView::new(&region, pulse).unwrap().vitals();
    assert_eq!((vitals.beats, vitals.identity.pid), (77, 4242));
    let found = progress(&region, "quoter", 1, 1).unwrap();
    assert_eq!((found.steps, found.done), (3, false));
    assert_eq!((found.received, found.sent), (vec![5], vec![9]));
    let last = read_cell::<Tick>(&region, "quoter", (1, 1), ("last", 0)).unwrap();
    assert_eq!(
        last.map(|tick| (tick.seq, tick.price)),
        Some((8, 1 << 40)),
        "the second buffer"
    );
    let counted = latencies(&region, "ticks").unwrap();
    assert_eq!((counted[0].upper_ns, counted[0].count), (7, 2));
    assert_eq!(link_fault(&region, &region, "ticks").unwrap(), None);
    let ring = region.section(SectionKind::Ring, "ticks").unwrap();
    assert_eq!(ring.len as u64 - ring.count * ring.stride, 128, "its slots");
}

#[test]
fn its_messages_cannot_be_looked_at() {
    let scratch = Scratch::new();
    let region = Region::observe(&region_of(1, &scratch)).unwrap();
    let error = Observer::<Tick>::attach(&region, &region, "ticks").unwrap_err();
    let told = matches!(
        &error,
        AttachError::LayoutVersion { region, found: 1, expected: LAYOUT_VERSION } if region == "feed"
    );
    assert!(told, "{error}");
}

#[test]
fn who_takes_part_in_the_bus_reads_its_own_version_alone() {
    let scratch = Scratch::new();
    let path = region_of(1, &scratch);
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = Region::open(&path, access, &EXPECTED).unwrap_err();
        assert!(
            matches!(
                error.reason,
                OpenReason::Version {
                    found: 1,
                    oldest: 2,
                    newest: 2
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn nobody_reads_other_versions() {
    for version in [0, LAYOUT_VERSION + 1, u32::MAX] {
        let scratch = Scratch::new();
        let error = Region::observe(&region_of(version, &scratch)).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&format!("layout version {version}, expected 1 or 2")),
            "{text}"
        );
    }
}
