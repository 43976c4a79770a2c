//! What was planned is what is found, and what is expected is compared.

use airssys_ringbuf::region::{
    Access, Expected, OpenReason, Region, RegionPlan, SectionKind, boot_id, inspect,
};
use airssys_ringbuf::{Message, message};

use super::{DIGEST, EXPECTED, Scratch, plan, section};

#[test]
fn every_section_is_found_as_it_was_planned() {
    let scratch = Scratch::new();
    let path = scratch.region();
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let region = Region::open(&path, access, &EXPECTED).unwrap();
        assert_eq!(
            (region.bus(), region.owner(), region.path()),
            ("quotes", "feed", path.as_path())
        );
        assert_eq!(region.memory().len(), plan().size());
        assert_eq!(region.memory().access(), access);
        assert_eq!(region.sections().len(), plan().sections().len());
        for (entry, planned) in region.sections().iter().zip(plan().sections()) {
            assert_eq!((entry.kind, &entry.name), (planned.kind, &planned.name));
            assert_eq!((entry.len, entry.align), (planned.len, planned.align));
            assert_eq!((entry.count, entry.stride), (planned.count, planned.stride));
            assert_eq!(entry.schema, planned.schema);
            assert_eq!(region.section(planned.kind, &planned.name).unwrap(), entry);
        }
    }
    assert_eq!(
        Region::observe(&path).unwrap().inspection(),
        &inspect(&path).unwrap()
    );
}

#[test]
fn a_region_without_sections_is_a_region() {
    let scratch = Scratch::new();
    let boot_id = boot_id().unwrap();
    RegionPlan::new("b", "o", 0)
        .create(&scratch.0, "o", boot_id)
        .unwrap();
    let expected = Expected {
        bus: "b",
        owner: "o",
        digest: 0,
        boot_id,
    };
    let region = Region::open(&scratch.file("o"), Access::ReadWrite, &expected).unwrap();
    assert_eq!(region.sections(), []);
    assert_eq!(region.memory().len(), 4096);
}

#[test]
fn a_missing_section_is_named() {
    let scratch = Scratch::new();
    let region = Region::open(&scratch.region(), Access::ReadOnly, &EXPECTED).unwrap();
    let error = region
        .section(SectionKind::Ring, "trades\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("/feed: there is no ring section `trades\\n`"),
        "{error}"
    );
}

#[test]
fn each_expectation_shows_both_sides() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let cases = [
        (
            Expected {
                bus: "trades",
                ..EXPECTED
            },
            "belongs to bus `quotes`, expected `trades`".to_owned(),
        ),
        (
            Expected {
                owner: "book",
                ..EXPECTED
            },
            "belongs to `feed`, expected `book`".to_owned(),
        ),
        (
            Expected {
                digest: 1,
                ..EXPECTED
            },
            format!(
                "the topology differs: digest {DIGEST:#018x} in the region, {:#018x} in this program",
                1
            ),
        ),
        (
            Expected {
                boot_id: [8; 16],
                ..EXPECTED
            },
            "created during boot 07070707-0707-0707-0707-070707070707, \
             this is boot 08080808-0808-0808-0808-080808080808"
                .to_owned(),
        ),
    ];
    for (expected, text) in cases {
        let error = Region::open(&path, Access::ReadOnly, &expected)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&text), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

#[message]
struct Tick {
    seq: u64,
    price: i64,
}

#[message(name = "Tick")]
struct SameTick {
    seq: u64,
    price: f64,
}

#[test]
fn a_section_of_another_schema_is_refused_with_the_field() {
    let scratch = Scratch::new();
    let region = Region::open(&scratch.region(), Access::ReadOnly, &EXPECTED).unwrap();
    region
        .section_of(SectionKind::Ring, "ticks", &SameTick::SCHEMA)
        .unwrap();
    let error = region
        .section_of(SectionKind::Ring, "ticks", &Tick::SCHEMA)
        .unwrap_err();
    assert!(matches!(error.reason, OpenReason::Schema { .. }));
    let text = error.to_string();
    assert!(
        text.ends_with(
            "ring `ticks`: field `price` is i64 at 8 in this program, f64 at 8 in the region"
        ),
        "{text}"
    );
}

#[test]
fn a_plan_says_what_a_region_has_otherwise() {
    let scratch = Scratch::new();
    let theirs = inspect(&scratch.region()).unwrap();
    assert_eq!(plan().difference(&theirs), None);

    let mut more = plan();
    more.add(section(SectionKind::Credit, "trades", 128));
    assert_eq!(
        more.difference(&theirs).unwrap(),
        "credit `trades` is in this program only"
    );

    let rebuilt = |change: fn(&mut airssys_ringbuf::region::Section)| {
        let mut changed = RegionPlan::new("quotes", "feed", DIGEST);
        for planned in plan().sections() {
            let mut copy = planned.clone();
            change(&mut copy);
            changed.add(copy);
        }
        changed.difference(&theirs).unwrap()
    };
    assert_eq!(
        rebuilt(|s| s.count = 1.max(s.count / 2)),
        "ring `ticks`: its count is 32 in this program, 64 in the region"
    );
    assert_eq!(
        rebuilt(|s| s.schema = s.schema.replace("f64", "i64")),
        "ring `ticks`: field `price` is i64 at 8 in this program, f64 at 8 in the region"
    );
    assert_eq!(
        RegionPlan::new("quotes", "feed", DIGEST)
            .difference(&theirs)
            .unwrap(),
        "pulse `` is in the region only"
    );
}
