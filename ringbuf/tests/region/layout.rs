//! The bytes of a region file, pinned: another version of this crate must find them where the table says.

use airssys_ringbuf::fnv1a64;
use airssys_ringbuf::region::{Region, RegionPlan, Section, SectionKind};

use super::{BOOT, DIGEST, Scratch, bytes, plan, section};

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn the_header_is_where_the_table_says() {
    let bytes = bytes();
    let directory_len = 48 * plan().sections().len();
    let strings = "quotesfeedfeed/quoterticksTick 16 8\nseq u64 0\nprice f64 8\nticksgröße";
    assert_eq!(&bytes[..8], b"AirsRegn");
    assert_eq!(u32_at(&bytes, 8), 0x0102_0304);
    assert_eq!(u32_at(&bytes, 12), 2, "layout version");
    assert_eq!(u32_at(&bytes, 16), 128, "header length");
    assert_eq!(u32_at(&bytes, 20), 48, "entry length");
    assert_eq!(u64_at(&bytes, 24), bytes.len() as u64);
    assert_eq!(&bytes[32..48], &BOOT);
    assert_eq!(u64_at(&bytes, 48), DIGEST);
    assert_eq!(u64_at(&bytes, 56), 128, "directory offset");
    assert_eq!(u64_at(&bytes, 64), plan().sections().len() as u64);
    assert_eq!(u64_at(&bytes, 72), directory_len as u64);
    assert_eq!(u64_at(&bytes, 80), 128 + directory_len as u64);
    assert_eq!(u64_at(&bytes, 88), strings.len() as u64);
    assert_eq!(u32_at(&bytes, 96), 6, "`quotes`");
    assert_eq!(u32_at(&bytes, 100), 4, "`feed`");
    assert_eq!(&bytes[104..120], &[0; 16]);

    let preamble_len = 128 + directory_len + strings.len();
    assert_eq!(
        &bytes[128 + directory_len..preamble_len],
        strings.as_bytes()
    );
    let mut unsealed = bytes[..preamble_len].to_vec();
    unsealed[120..128].fill(0);
    assert_eq!(u64_at(&bytes, 120), fnv1a64(&unsealed), "checksum");
    assert!(bytes[preamble_len..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_directory_entry_is_where_the_table_says() {
    let bytes = bytes();
    let ring = &bytes[128 + 2 * 48..128 + 3 * 48];
    assert_eq!(u32_at(ring, 0), SectionKind::Ring as u32);
    assert_eq!(u32_at(ring, 4), 64, "alignment");
    assert_eq!(
        u64_at(ring, 8),
        4096 + 256 + 1024,
        "offset, after 200 and 1000 bytes"
    );
    assert_eq!(u64_at(ring, 16), 64 * 64, "length");
    assert_eq!(u64_at(ring, 24), 64, "count");
    assert_eq!(u64_at(ring, 32), 64, "stride");
    assert_eq!(u32_at(ring, 40), 5, "`ticks`");
    assert_eq!(u32_at(ring, 44), 32, "its schema");
}

#[test]
fn the_numbers_of_the_kinds_are_pinned() {
    let names = [
        "pulse",
        "doorbells",
        "actor",
        "cell",
        "ring",
        "credit",
        "command",
        "latency",
        "hints",
        "undo",
        "vector",
        "last",
        "map",
        "table",
        "blame",
        "clock",
        "instance",
        "panic",
    ];
    for (number, name) in (1..).zip(names) {
        let kind = SectionKind::from_u32(number).unwrap();
        assert_eq!((kind as u32, kind.to_string().as_str()), (number, name));
    }
    assert_eq!(SectionKind::from_u32(0), None);
    assert_eq!(SectionKind::from_u32(19), None);
}

#[test]
fn large_rings_start_at_different_places_of_their_pages() {
    let mut plan = RegionPlan::new("quotes", "feed", DIGEST);
    for index in 0..16 {
        plan.add(section(
            SectionKind::Ring,
            &format!("large{index}"),
            16 << 10,
        ));
        plan.add(section(
            SectionKind::Ring,
            &format!("small{index}"),
            (16 << 10) - 128,
        ));
        plan.add(section(
            SectionKind::Cell,
            &format!("cell{index}"),
            16 << 10,
        ));
    }
    plan.add(Section {
        align: 1024,
        ..section(SectionKind::Ring, "aligned", 16 << 10)
    });
    let scratch = Scratch::new();
    plan.create(&scratch.0, "feed", BOOT).unwrap();
    let region = Region::observe(&scratch.file("feed")).unwrap();

    let large = region
        .sections()
        .iter()
        .filter(|section| section.name.starts_with("large"));
    let places: Vec<_> = large.map(|section| section.offset % 4096 / 128).collect();
    assert_eq!(
        places,
        [1, 4, 7, 10, 13, 0, 3, 6, 9, 12, 15, 2, 5, 8, 11, 14]
    );
    let aligned = region.section(SectionKind::Ring, "aligned").unwrap();
    assert_eq!(aligned.offset % 1024, 0);
    for pair in region.sections().windows(2) {
        assert!(pair[0].offset + pair[0].len <= pair[1].offset);
        assert!(
            pair[1].name.starts_with("large")
                || pair[1].offset - pair[0].offset < (16 << 10) + 1024
        );
    }
}
