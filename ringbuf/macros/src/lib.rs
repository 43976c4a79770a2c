//! The `#[message]` attribute of airssys-ringbuf and airssys-rt.
//!
//! Nobody depends on this crate directly: `airssys_ringbuf` re-exports [`message`](macro@message), `airssys_rt`
//! re-exports [`message_rt`](macro@message_rt) as `message`. The two differ only in the crate through which the
//! generated code names bytemuck and the traits, so that a program needs one of them as its only dependency.

#![forbid(unsafe_code)]

mod expand;
mod field;

use proc_macro::TokenStream;
use quote::quote;

/// Makes a struct a message: `#[repr(C)]`, `Clone`, `Copy`, `Pod`, `Zeroable` and `Message` with its schema.
///
/// The struct has named fields, each of which is a message: `u8` to `u64`, `i8` to `i64`, `f32`, `f64`, an array of
/// messages, or another `#[message]` struct. Its schema, what two programs compare before they share memory, holds
/// field names, types and offsets, and the struct's name: its identifier, or the one in `#[message(name = "...")]`,
/// which lets the Rust type be renamed or moved.
///
/// The generated code holds no `unsafe` of the caller's crate: it compiles under `#![forbid(unsafe_code)]`. Derives
/// of your own, `Debug` or `PartialEq` say, go below the attribute; `Clone` and `Copy` may be among them.
///
/// ```
/// #![forbid(unsafe_code)]
/// use airssys_ringbuf::{Message, message};
///
/// #[message]
/// #[derive(Debug, PartialEq)]
/// struct Level {
///     price: f64,
///     quantity: f64,
/// }
///
/// #[message(name = "Quote")]
/// struct QuoteV1 {
///     bid: Level,
///     ask: Level,
///     venue: [u8; 8],
/// }
///
/// assert_eq!(
///     QuoteV1::SCHEMA.to_text(),
///     "Quote 40 8\n\
///      bid.price f64 0\n\
///      bid.quantity f64 8\n\
///      ask.price f64 16\n\
///      ask.quantity f64 24\n\
///      venue [u8; 8] 32\n"
/// );
/// ```
///
/// # What does not compile
///
/// Padding is memory that nobody wrote, so a message has none. The error names the two fields that it lies between;
/// order the fields from the most to the least aligned, or fill the gap with a `[u8; N]` field. (bytemuck adds an error
/// of its own, that there is padding.)
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Padded {
///     flags: u32,
///     price: f64, // four bytes of padding before it
/// }
/// ```
///
/// An enum or a union has bit patterns that are not a value; keep the choice in a `u32` field.
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// enum Side {
///     Buy,
///     Sell,
/// }
/// ```
///
/// A `bool`, a `char`, a `usize` or a reference has invalid bit patterns, or another meaning in another process.
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Order {
///     id: u64,
///     count: usize,
/// }
/// ```
///
/// Type parameters and lifetimes: a schema is one layout under one name.
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Pair<T> {
///     first: T,
///     second: T,
/// }
/// ```
///
/// A `repr` of your own, since the attribute sets `#[repr(C)]`; and a struct without fields.
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// #[repr(C)]
/// struct Tick {
///     price: f64,
/// }
/// ```
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Nothing;
/// ```
///
/// A field whose type is not a message, and fields that a reader of the schema could not find by name.
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Note {
///     text: String,
/// }
/// ```
///
/// ```compile_fail
/// # use airssys_ringbuf::message;
/// #[message]
/// struct Point(f64, f64);
/// ```
#[proc_macro_attribute]
pub fn message(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(&quote!(::airssys_ringbuf), arguments.into(), item.into()).into()
}

/// `airssys_rt::message`: the same as [`message`](macro@message), naming everything through `::airssys_rt`.
#[proc_macro_attribute]
pub fn message_rt(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(&quote!(::airssys_rt), arguments.into(), item.into()).into()
}
