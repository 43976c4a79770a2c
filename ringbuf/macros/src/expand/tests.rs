//! What the attribute says about each input that it refuses; that they don't compile is shown by the crate's examples.

use super::*;

fn expansion(arguments: &str, item: &str) -> Result<String, Error> {
    let tokens = |text: &str| {
        text.parse::<TokenStream>()
            .expect("the test's input is Rust")
    };
    message(&quote!(::facade), tokens(arguments), tokens(item)).map(|tokens| tokens.to_string())
}

fn error(arguments: &str, item: &str) -> String {
    expansion(arguments, item)
        .expect_err("this input is refused")
        .to_string()
}

#[test]
fn each_refusal_names_the_message_and_the_reason() {
    let cases = [
        ("enum E { A }", "message `E`: an enum"),
        ("union U { a: u32 }", "message `U`: a union"),
        ("struct T(u32);", "message `T`: a schema needs field names"),
        ("struct N;", "message `N`: a message has at least one byte"),
        (
            "struct N {}",
            "message `N`: a message has at least one byte",
        ),
        (
            "struct G<T> { a: T }",
            "message `G`: a schema is one layout",
        ),
        (
            "struct L<'a> { a: &'a u8 }",
            "message `L`: a schema is one layout",
        ),
        (
            "struct W where u8: Copy { a: u8 }",
            "message `W`: a schema is one layout",
        ),
        (
            "#[repr(packed)] struct R { a: u8 }",
            "message `R`: `#[message]` sets `#[repr(C)]` itself",
        ),
        (
            "struct S { a: u8, b: usize }",
            "message `S`, field `b`: the size of `usize`",
        ),
        (
            "struct S { a: isize }",
            "message `S`, field `a`: the size of `isize`",
        ),
        (
            "struct S { a: bool }",
            "message `S`, field `a`: not every byte is a `bool`",
        ),
        (
            "struct S { a: [[bool; 2]; 3] }",
            "message `S`, field `a`: not every byte is a `bool`",
        ),
        (
            "struct S { a: core::primitive::char }",
            "message `S`, field `a`: not every word",
        ),
        (
            "struct S { a: u128 }",
            "message `S`, field `a`: the alignment of 128-bit",
        ),
        (
            "struct S { a: &'static u8 }",
            "message `S`, field `a`: an address",
        ),
        (
            "struct S { a: *const u8 }",
            "message `S`, field `a`: an address",
        ),
        (
            "struct S { a: (u8, u8) }",
            "message `S`, field `a`: a tuple",
        ),
        (
            "struct S { a: String }",
            "message `S`, field `a`: its text lies on the heap",
        ),
        (
            "struct S { a: Vec<u8> }",
            "message `S`, field `a`: it has no fixed bytes",
        ),
        (
            "struct S { #[cfg(test)] a: u8 }",
            "message `S`, field `a`: a `cfg`",
        ),
    ];
    for (item, start) in cases {
        let found = error("", item);
        assert!(found.starts_with(start), "{item}: {found}");
    }
}

#[test]
fn every_bad_field_is_reported() {
    let found = expansion("", "struct S { a: bool, b: u8, c: usize }");
    assert_eq!(found.expect_err("two bad fields").into_iter().count(), 2);
}

#[test]
fn arguments_other_than_a_sound_name_are_refused() {
    let item = "struct S { a: u8 }";
    assert!(error("nom = \"x\"", item).contains("takes one argument"));
    for bad in ["", "two words", "a\nb", "{", &"x".repeat(64)] {
        let found = error(&format!("name = {bad:?}"), item);
        assert!(found.contains("1 to 63 bytes"), "{bad:?}: {found}");
    }
    let text = expansion("name = \"a.b-c_9\"", item).expect("a sound name");
    assert!(text.contains("name : \"a.b-c_9\""), "{text}");
}

#[test]
fn what_the_caller_derives_is_not_derived_again() {
    let item = "#[derive(Debug, Clone, core::marker::Copy)] struct S { a: u8 }";
    let text = expansion("", item).expect("valid");
    assert!(!text.contains(":: core :: clone :: Clone"), "{text}");
    assert!(!text.contains(":: core :: marker :: Copy"), "{text}");
    assert!(
        text.contains(":: facade :: __private :: bytemuck :: Pod"),
        "{text}"
    );
    assert!(text.contains("\"::facade::__private::bytemuck\""), "{text}");
}

#[test]
fn raw_identifiers_lose_their_prefix() {
    let text = expansion("", "struct r#match { r#type: u8 }").expect("valid");
    assert!(
        text.contains("name : \"type\"") && text.contains("name : \"match\""),
        "{text}"
    );
}
