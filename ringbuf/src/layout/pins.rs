//! Every figure of the layout, written out. A test that fails here says: this is a new layout version.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use super::*;

/// Payload, and its stride without and with a stamp.
const STRIDES: [(usize, [usize; 2]); 19] = [
    (1, [16, 32]),
    (8, [16, 32]),
    (9, [32, 32]),
    (16, [32, 32]),
    (17, [32, 64]),
    (24, [32, 64]),
    (25, [64, 64]),
    (48, [64, 64]),
    (49, [64, 128]),
    (56, [64, 128]),
    (57, [128, 128]),
    (112, [128, 128]),
    (120, [128, 192]),
    (121, [192, 192]),
    (248, [256, 320]),
    (504, [512, 576]),
    (1016, [1024, 1088]),
    (4096, [4160, 4160]),
    (1 << 20, [(1 << 20) + 64, (1 << 20) + 64]),
];

#[test]
fn limits() {
    assert_eq!(MESSAGE_SIZE_MAX, 1 << 20);
    assert_eq!(CELL_SIZE_MAX, 4096);
    assert_eq!(CELLS_MAX, 64);
    assert_eq!(CAPACITY_MAX, 1 << 24);
    assert_eq!(MESSAGE_ALIGN_MAX, 64);
    assert_eq!(LINE_PAIR, 128);
}

#[test]
fn pulse() {
    use pulse_word::*;
    assert_eq!([BEAT, PHASE, ACTOR, STEP], [0, 1, 2, 3]);
    assert_eq!(
        [
            PID,
            START_TIME,
            INCARNATION,
            STARTED_AT,
            FIRST_STEP_AT,
            PID_NAMESPACE
        ],
        [16, 17, 18, 19, 20, 21]
    );
    assert_eq!([LOCKED, HUGE_BYTES], [22, 23]);
    assert_eq!(PARKED, 32);
    let section = pulse_section();
    assert_eq!((section.len, section.align), (384, 128));
    assert_eq!(section.len, COUNT * 8);
    let of_port = port_pulse_section("ticks");
    assert_eq!(
        (of_port.kind, of_port.name.as_str()),
        (SectionKind::Pulse, "port/ticks")
    );
    assert_eq!((of_port.len, of_port.align), (section.len, section.align));
}

#[test]
fn doorbells() {
    let figures = |count| {
        let section = doorbells_section(count);
        (section.len, section.count, section.stride, section.align)
    };
    assert_eq!(figures(1), (128, 1, 4, 128));
    assert_eq!(figures(32), (128, 32, 4, 128));
    assert_eq!(figures(33), (256, 33, 4, 128));
}

#[test]
fn strides() {
    for (payload, strides) in STRIDES {
        for (stamped, stride) in [false, true].into_iter().zip(strides) {
            let layout = Layout::Sequenced;
            let shape = RingShape::with_layout(payload, 8, stamped, layout).unwrap();
            let expected = RingShape {
                capacity: 8,
                stride,
                payload,
                stamped,
                layout,
            };
            assert_eq!(shape, expected);
            assert_eq!(shape.slots_len(), 8 * stride);
        }
    }
}

#[test]
fn contiguous_strides() {
    let contiguous = |payload| RingShape::with_layout(payload, 8, false, Layout::Contiguous);
    for (payload, stride) in [(1, 8), (8, 8), (9, 16), (56, 56), (64, 64), (4096, 4096)] {
        assert_eq!(contiguous(payload).unwrap().stride, stride);
    }
    let stamped = RingShape::with_layout(64, 8, true, Layout::Contiguous);
    assert_eq!(stamped, None, "stamps lie in sequenced slots alone");
}

#[test]
fn layouts_by_size() {
    for payload in [1, 8, 56, 65, 120, 248, 1016, 4088] {
        assert_eq!(Layout::of(payload), Layout::Sequenced, "{payload}");
    }
    for payload in [57, 63, 64, 127, 128, 256, 1024, 4096] {
        assert_eq!(Layout::of(payload), Layout::Contiguous, "{payload}");
        let stamped = RingShape::new(payload, 8, true).unwrap();
        assert_eq!(stamped.layout, Layout::Sequenced);
    }
}

/// A reader tells the layouts apart by the stride.
#[test]
fn a_stride_names_its_layout() {
    for payload in 1..=4200 {
        for layout in [Layout::Sequenced, Layout::Contiguous] {
            let shape = RingShape::with_layout(payload, 2, false, layout).unwrap();
            let found = RingShape::with_stride(payload, 2, false, shape.stride as u64);
            assert_eq!(found, Some(shape));
        }
    }
    assert_eq!(RingShape::with_stride(8, 2, false, 24), None);
}

#[test]
fn shapes_out_of_range() {
    for (payload, capacity) in [
        (0, 8),
        (MESSAGE_SIZE_MAX + 1, 8),
        (8, 0),
        (8, 3),
        (8, CAPACITY_MAX * 2),
    ] {
        assert_eq!(RingShape::new(payload, capacity, false), None);
    }
    assert!(RingShape::new(8, CAPACITY_MAX, true).is_some());
    assert!(RingShape::new(8, 1, true).is_some());
}

#[test]
fn a_shape_holds_its_own_size_up_to_its_alignment() {
    #[repr(align(64))]
    struct Line(#[expect(dead_code, reason = "asked for its size and alignment alone")] u8);
    #[repr(align(128))]
    struct Pair(#[expect(dead_code, reason = "asked for its size and alignment alone")] u8);
    let shape = |payload| RingShape::new(payload, 1, false).unwrap();
    assert!(shape(8).holds::<u64>());
    assert!(!shape(8).holds::<u32>());
    assert!(shape(size_of::<Line>()).holds::<Line>());
    assert!(!shape(size_of::<Pair>()).holds::<Pair>());
}

#[test]
fn ring() {
    use ring_word::*;
    assert_eq!([CLOSE, FAULT, FOUND, RESERVED, TAIL], [0, 1, 2, 16, 32]);
    assert_eq!((COUNT, SLOTS), (48, 384));
    let shape = RingShape::new(120, 16, false).unwrap();
    let section = ring_section("ticks", "schema", &shape);
    assert_eq!(section.kind, SectionKind::Ring);
    assert_eq!(section.len, 384 + 16 * 128);
    assert_eq!((section.count, section.stride), (16, 128));
    assert_eq!(section.align, 128);
    assert_eq!((&*section.name, &*section.schema), ("ticks", "schema"));
}

#[test]
fn credit() {
    use credit_word::*;
    assert_eq!([CREDIT, CLOSE, FAULT, FOUND], [0, 16, 17, 18]);
    let section = credit_section("ticks");
    assert_eq!(section.kind, SectionKind::Credit);
    assert_eq!((section.len, section.align), (256, 128));
    assert_eq!(section.len, COUNT * 8);
}

#[test]
fn actor() {
    assert_eq!(
        [
            record_word::CELL_BITS,
            record_word::DONE,
            record_word::POSITIONS
        ],
        [0, 1, 2]
    );
    assert_eq!([in_flight_word::INCARNATION, in_flight_word::TO], [0, 1]);
    // (inputs, outputs): words of a record and in flight, bytes of the section with its control word's pair.
    for (ends, record, in_flight, len) in [
        ((0, 0), 16, 16, 512),
        ((1, 1), 16, 16, 512),
        ((14, 0), 16, 16, 512),
        ((0, 7), 16, 16, 512),
        ((15, 0), 32, 16, 768),
        ((16, 0), 32, 32, 896),
        ((1, 7), 32, 16, 768),
        ((30, 100), 240, 32, 4224),
    ] {
        assert_eq!(record_words(ends.0, ends.1), record);
        assert_eq!(in_flight_words(ends.0), in_flight);
        assert_eq!(in_flight_at(ends.0, ends.1), 16 + 2 * record);
        assert_eq!(actor_words(ends.0, ends.1), len / 8);
        let section = actor_section("book", ends.0, ends.1);
        assert_eq!((section.kind, section.len), (SectionKind::Actor, len));
        assert_eq!((section.count, section.stride), (2, record as u64 * 8));
        assert_eq!(section.align, 128);
    }
}

#[test]
fn cell() {
    for (size, words) in [(1, 16), (8, 16), (128, 16), (129, 32), (4096, 512)] {
        assert_eq!(cell_buffer_words(size), words);
        let section = cell_section("book/last", "schema", size);
        assert_eq!((section.kind, section.len), (SectionKind::Cell, words * 16));
        assert_eq!((section.count, section.stride), (2, words as u64 * 8));
        assert_eq!(section.align, 128);
    }
}

#[test]
fn command_and_latency() {
    let command = command_section("feed");
    assert_eq!((command.kind, command.len), (SectionKind::Command, 128));
    let latency = latency_section("ticks");
    assert_eq!(crate::latency::BUCKETS, 1184);
    assert_eq!((latency.kind, latency.len), (SectionKind::Latency, 9472));
    assert_eq!((latency.count, latency.stride), (1184, 8));
}

/// Each section has one writer and fills whole line pairs, so where sections meet writers don't share any.
#[test]
fn writers_never_share_a_line_pair() {
    let mut sections = vec![
        pulse_section(),
        credit_section("ticks"),
        command_section("feed"),
        latency_section("ticks"),
        clock_section("book"),
        instance_section(),
        panic_section(),
    ];
    sections.extend((1..40).map(doorbells_section));
    sections.extend((0..40).map(|ends| actor_section("book", ends, ends / 2)));
    sections.extend((1..400).map(|size| cell_section("book/last", "", size)));
    for section in sections {
        assert_eq!(section.align % LINE_PAIR, 0, "{section:?}");
        assert_eq!(section.len % LINE_PAIR, 0, "{section:?}");
    }
}

/// What two partitions wait on, or a record's reader copies, is apart also where one partition writes both.
#[test]
fn words_with_different_readers_lie_on_different_line_pairs() {
    let pair = |word: usize| word * 8 / LINE_PAIR;
    assert_ne!(pair(pulse_word::STEP), pair(pulse_word::PID));
    assert_ne!(pair(pulse_word::PID_NAMESPACE), pair(pulse_word::PARKED));
    assert_ne!(pair(credit_word::CREDIT), pair(credit_word::CLOSE));
    let slots = ring_word::SLOTS / LINE_PAIR;
    let words = [ring_word::CLOSE, ring_word::RESERVED, ring_word::TAIL].map(pair);
    assert_eq!(words, [0, 1, 2]);
    assert!(words.iter().all(|&pair| pair < slots));
}

#[test]
fn blame() {
    use blame_word::*;
    let words = [SUSPECT_TO, ASIDE, ATTEMPTS, CAUSE, REQUEUE_TO, DROP_TO];
    assert_eq!((words, COUNT), ([0, 1, 2, 3, 4, 5], 8));
    {
        use account_word::*;
        assert_eq!([WRITTEN, RESET, RECORDS], [0, 1, 16]);
    }
    {
        use tally_word::*;
        assert_eq!([JUDGED, ATTEMPTS, ROW, STEPS, STARTS], [0, 1, 2, 3, 4]);
    }
    assert_eq!([account_at(1), account_at(3), account_at(5)], [16, 32, 48]);
    assert_eq!(
        [tally_words(1), tally_words(12), tally_words(13)],
        [16, 16, 32]
    );
    for (inputs, len) in [
        (1, 512),
        (2, 512),
        (3, 640),
        (5, 768),
        (13, 128 * (7 + 1 + 4)),
    ] {
        let section = blame_section("book", inputs);
        assert_eq!((section.kind, section.len), (SectionKind::Blame, len));
        assert_eq!((section.count, section.stride), (inputs as u64, 64));
        assert_eq!(section.align, 128);
    }
}

#[test]
fn clock_instance_and_panic() {
    {
        use clock_word::*;
        assert_eq!(
            [MONOTONIC_STEP, MONOTONIC, REALTIME_STEP, REALTIME],
            [0, 1, 2, 3]
        );
    }
    assert_eq!([instance_word::HIGH, instance_word::LOW], [0, 1]);
    {
        use panic_word::*;
        assert_eq!([INCARNATION, LEN, TEXT], [0, 1, 16]);
    }
    assert_eq!(PANIC_TEXT_MAX, 2048);
    for (section, kind, name, len) in [
        (clock_section("book"), SectionKind::Clock, "book", 128),
        (instance_section(), SectionKind::Instance, "instance", 128),
        (panic_section(), SectionKind::Panic, "panic", 128 + 2048),
    ] {
        assert_eq!((section.kind, section.name.as_str()), (kind, name));
        assert_eq!((section.len, section.align), (len, 128));
    }
}

#[test]
fn hints() {
    assert_eq!([hint_word::COUNT, hint_word::NUMBERS], [0, 16]);
    assert_eq!(SCANNED_LINKS_MAX, 16);
    for (links, capacity) in [(1, 64), (32, 64), (33, 128), (4096, 8192)] {
        let section = hints_section("book", links);
        assert_eq!(
            (section.kind, section.name.as_str()),
            (SectionKind::Hints, "book")
        );
        assert_eq!((section.count, section.stride), (capacity, 8));
        assert_eq!(
            (section.len, section.align),
            (128 + 8 * capacity as usize, 128)
        );
    }
}

#[test]
fn undo() {
    use undo_entry_word::{COUNT, OLD, PLACE};
    assert_eq!(
        [undo_word::STEP, undo_word::COUNT, undo_word::ENTRIES],
        [0, 1, 16]
    );
    assert_eq!([undo_word::UNDONE, undo_word::RESET], [2, 3]);
    assert_eq!([PLACE, OLD, COUNT], [0, 1, 2]);
    assert_eq!([CHANGES, CHANGES_MAX], [4096, 1 << 28]);
    for (changes, len) in [(1, 256), (8, 256), (9, 384), (CHANGES, 65_664)] {
        let section = undo_section("book", changes);
        assert_eq!((section.kind, section.len), (SectionKind::Undo, len));
        assert_eq!((section.count, section.stride), (changes, 16));
    }
}

#[test]
fn collections() {
    assert_eq!([collection_word::LEN, collection_word::ENTRIES], [0, 16]);
    assert_eq!([slot_word::MARK, slot_word::KEY], [0, 1]);
    assert_eq!(ENTRIES_MAX, 1 << 32);
    let figures = |section: Section| {
        assert_eq!(section.align, 128);
        (section.kind, section.count, section.stride, section.len)
    };
    assert_eq!(
        figures(vector_section("book/trades", "", 20, 100)),
        (SectionKind::Vector, 100, 24, 128 + 2432)
    );
    assert_eq!(
        figures(last_section("book/last", "", 8, 16)),
        (SectionKind::Last, 16, 8, 256)
    );
    assert_eq!(
        figures(table_section("book/rows", "", 1, 17)),
        (SectionKind::Table, 17, 8, 128 + 256)
    );
    assert_eq!(
        figures(map_section("book/orders", "", (8, 12), 100)),
        (SectionKind::Map, 256, 32, 128 + 8192)
    );
    for (capacity, slots) in [
        (1, 2),
        (2, 4),
        (4, 8),
        (5, 8),
        (6, 16),
        (85, 128),
        (86, 256),
    ] {
        assert_eq!(map_slots(capacity), slots, "{capacity}");
    }
    let longest = vector_section("", "", CELL_SIZE_MAX, ENTRIES_MAX);
    assert_eq!(longest.len, (1 << 44) + 128);
}
