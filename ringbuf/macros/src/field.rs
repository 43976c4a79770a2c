//! What a field of a message may be, as far as tokens can tell.
//!
//! Only what deserves a better error than the compiler's is refused here; that a field's type is a message at all is
//! checked by the bound on `Message`.

use quote::ToTokens;
use syn::{Field, Type};

/// Why this field cannot be part of a message, if tokens show it.
pub(crate) fn refusal(message: &str, field: &Field) -> Option<syn::Error> {
    let name = field
        .ident
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    let because = |spanned: &dyn ToTokens, why: &str| {
        let text = format!("message `{message}`, field `{name}`: {why}");
        Some(syn::Error::new_spanned(spanned.to_token_stream(), text))
    };
    if let Some(cfg) = field
        .attrs
        .iter()
        .find(|a| a.path().is_ident("cfg") || a.path().is_ident("cfg_attr"))
    {
        return because(
            cfg,
            "a `cfg` would make the layout depend on the build; declare two messages",
        );
    }
    let mut element = &field.ty;
    while let Type::Array(array) = element {
        element = &array.elem;
    }
    type_refusal(element).and_then(|why| because(element, why))
}

fn type_refusal(element: &Type) -> Option<&'static str> {
    if matches!(
        element,
        Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) | Type::Slice(_)
    ) {
        return Some(
            "an address means nothing in another process; use a value, an index or an array `[T; N]`",
        );
    }
    if matches!(element, Type::Tuple(_)) {
        return Some("a tuple has no fixed layout; use a `#[message]` struct");
    }
    let Type::Path(path) = element else {
        return None;
    };
    let last = path.path.segments.last()?;
    if !last.arguments.is_none()
        && ["Box", "Option", "Vec"]
            .iter()
            .any(|name| last.ident == name)
    {
        return Some(
            "it has no fixed bytes; use an array `[T; N]` and a count, or a value and a flag",
        );
    }
    match last.ident.to_string().as_str() {
        "bool" => Some("not every byte is a `bool`; use `u8` (0 or 1)"),
        "String" => Some("its text lies on the heap; use `[u8; N]` and a length"),
        "char" => Some("not every word is a `char`; use `u32`"),
        "usize" => Some("the size of `usize` depends on the machine; use `u64`"),
        "isize" => Some("the size of `isize` depends on the machine; use `i64`"),
        "u128" | "i128" => {
            Some("the alignment of 128-bit integers depends on the compiler; use `[u64; 2]`")
        }
        _ => None,
    }
}
