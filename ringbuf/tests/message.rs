//! `#[message]` as a crate of its own sees it: without unsafe code, without bytemuck among its dependencies.

#![forbid(unsafe_code)]

use airssys_ringbuf::{Kind, Message, message};

/// Nested once.
#[message]
#[derive(Debug, PartialEq)]
pub struct Level {
    px: f64,
    qty: f64,
}

/// Every way to combine messages.
#[message(name = "Depth")]
#[derive(Debug, Clone, PartialEq)]
pub struct DepthV2 {
    /// A nested message.
    pub best: Level,
    /// An array of messages.
    pub bids: [Level; 10],
    /// An array of arrays.
    pub flags: [[u8; 4]; 2],
    seq: u64,
    /// An identifier that is a keyword.
    pub r#type: u32,
    small: i16,
    _pad: [u8; 2],
}

mod inner {
    /// Shadows what the expansion must not refer to by its bare name.
    #[expect(dead_code, reason = "its name is all that matters")]
    struct Message;

    #[airssys_ringbuf::message]
    pub(crate) struct All {
        a: u64,
        b: i64,
        c: f64,
        d: u32,
        e: i32,
        f: f32,
        g: u16,
        h: i16,
        i: u8,
        j: i8,
        k: [u8; 6],
    }
}

#[test]
fn the_text_of_nested_messages_is_pinned() {
    assert_eq!(
        DepthV2::SCHEMA.to_text(),
        "Depth 200 8\n\
         best.px f64 0\n\
         best.qty f64 8\n\
         bids [Level{px:f64@0,qty:f64@8}; 10] 16\n\
         flags [[u8; 4]; 2] 176\n\
         seq u64 184\n\
         type u32 192\n\
         small i16 196\n\
         _pad [u8; 2] 198\n"
    );
    assert_eq!(DepthV2::SCHEMA.size, size_of::<DepthV2>());
}

#[test]
fn the_text_of_all_primitives_is_pinned() {
    assert_eq!(
        inner::All::SCHEMA.to_text(),
        "All 48 8\na u64 0\nb i64 8\nc f64 16\nd u32 24\ne i32 28\nf f32 32\ng u16 36\nh i16 38\ni u8 40\nj i8 41\n\
         k [u8; 6] 42\n"
    );
}

#[test]
fn arrays_and_primitives_are_messages_by_themselves() {
    assert_eq!(<u64 as Message>::SCHEMA.to_text(), "u64 8 8\n");
    assert_eq!(<[u8; 33] as Message>::SCHEMA.to_text(), "[u8; 33] 33 1\n");
    assert_eq!(
        <[Level; 2] as Message>::SCHEMA.to_text(),
        "[Level{px:f64@0,qty:f64@8}; 2] 32 8\n"
    );
    assert_eq!(<f32 as Message>::SCHEMA.kind, Kind::Primitive);
}

#[test]
fn the_derives_work() {
    let level = Level { px: 1.0, qty: 2.0 };
    let copy = level;
    assert_eq!(copy, level);
    let depth = DepthV2 {
        best: level,
        bids: [level; 10],
        flags: [[1; 4]; 2],
        seq: 7,
        r#type: 3,
        small: -1,
        _pad: [0; 2],
    };
    assert_eq!(depth.clone(), depth);
}
