//! What may travel through a ring or lie in a durable cell.
//!
//! A message is plain bytes with a name for each of them: `Pod` makes any bytes a value, so that reading a peer's memory
//! can surprise but not break, and the schema lets two programs compare what they mean by those bytes.

use bytemuck::Pod;

use crate::schema::{Kind, Schema};

/// A value that can lie in shared memory, with its schema. Written by `#[message]`, seldom by hand.
///
/// Implemented for `u8` to `u64`, `i8` to `i64`, `f32`, `f64` and arrays of messages.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, an array of messages or a `#[message]` struct",
    note = "put `#[message]` on the struct; keep text in `[u8; N]`, a flag in `u8`, a choice in `u32`"
)]
pub trait Message: Pod + Send + Sync {
    /// The layout, with the names that programs compare.
    const SCHEMA: Schema;
}

macro_rules! primitive {
    ($($name:ident)*) => {$(
        impl Message for $name {
            const SCHEMA: Schema = Schema {
                name: stringify!($name),
                size: size_of::<$name>(),
                align: align_of::<$name>(),
                kind: Kind::Primitive,
            };
        }
    )*};
}

primitive!(u8 u16 u32 u64 i8 i16 i32 i64 f32 f64);

impl<T: Message, const N: usize> Message for [T; N] {
    const SCHEMA: Schema = {
        assert!(
            N > 0,
            "a message has at least one byte: give the array a length of one or more"
        );
        Schema {
            name: "array",
            size: size_of::<[T; N]>(),
            align: align_of::<[T; N]>(),
            kind: Kind::Array {
                element: &T::SCHEMA,
                len: N,
            },
        }
    };
}
