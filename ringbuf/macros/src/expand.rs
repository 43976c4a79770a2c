//! The expansion of `#[message]`.
//!
//! Everything is named through the facade crate's `__private` module: the caller may lack bytemuck, and may have
//! renamed or shadowed whatever it likes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, FieldsNamed, LitStr, Path, Token};

use crate::field;

/// Longest message name in bytes.
const NAME_LEN_MAX: usize = 63;

/// The struct with what it needs to be a message, or the errors, each at its place in the source.
pub(crate) fn expand(
    facade: &TokenStream,
    arguments: TokenStream,
    item: TokenStream,
) -> TokenStream {
    match message(facade, arguments, item) {
        Ok(expansion) => expansion,
        Err(error) => error.to_compile_error(),
    }
}

fn message(
    facade: &TokenStream,
    arguments: TokenStream,
    item: TokenStream,
) -> Result<TokenStream, Error> {
    let input: DeriveInput = syn::parse2(item)?;
    let explicit_name = explicit_name(arguments)?;
    let fields = named_fields(&input)?;
    refuse_generics(&input)?;
    refuse_repr(&input)?;
    refuse_fields(&input.ident, fields)?;

    let derives = missing_derives(facade, &input.attrs)?;
    let bytemuck = LitStr::new(
        &format!("{facade}::__private::bytemuck").replace(' ', ""),
        Span::call_site(),
    );
    let name = explicit_name.unwrap_or_else(|| input.ident.unraw().to_string());
    let implementation = implementation(facade, &input.ident, &name, fields);
    let padding = padding_assertions(&input.ident, fields);
    Ok(quote! {
        #[derive(#(#derives),*)]
        #[bytemuck(crate = #bytemuck)]
        #[repr(C)]
        #input
        #implementation
        #padding
    })
}

fn explicit_name(arguments: TokenStream) -> Result<Option<String>, Error> {
    let mut name = None;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("`#[message]` takes one argument, `name = \"...\"`"));
        }
        let text: LitStr = meta.value()?.parse()?;
        let value = text.value();
        let valid = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if value.is_empty() || value.len() > NAME_LEN_MAX || !value.chars().all(valid) {
            let why = format!(
                "a message's name has 1 to {NAME_LEN_MAX} bytes, each a letter, a digit, `_`, `-` or `.`; found {value:?}"
            );
            return Err(Error::new_spanned(&text, why));
        }
        name = Some(value);
        Ok(())
    });
    parser.parse2(arguments)?;
    Ok(name)
}

fn named_fields(input: &DeriveInput) -> Result<&FieldsNamed, Error> {
    let name = &input.ident;
    let refuse = |why: &str| Err(Error::new_spanned(name, format!("message `{name}`: {why}")));
    match &input.data {
        Data::Enum(_) => refuse(
            "an enum has bit patterns that are no value; use a struct and keep the choice in a `u32` field",
        ),
        Data::Union(_) => refuse("a union has no schema; use a struct"),
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => Ok(fields),
            Fields::Unnamed(_) => {
                refuse("a schema needs field names; use `struct Name { field: type }`")
            }
            Fields::Named(_) | Fields::Unit => {
                refuse("a message has at least one byte; add a field")
            }
        },
    }
}

fn refuse_generics(input: &DeriveInput) -> Result<(), Error> {
    if input.generics.params.is_empty() && input.generics.where_clause.is_none() {
        return Ok(());
    }
    let why = "a schema is one layout under one name, so a message takes no type parameters, lifetimes or constants; \
               write a struct for each";
    Err(Error::new_spanned(
        &input.generics,
        format!("message `{}`: {why}", input.ident),
    ))
}

fn refuse_repr(input: &DeriveInput) -> Result<(), Error> {
    match input
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("repr"))
    {
        None => Ok(()),
        Some(repr) => {
            let why = format!(
                "message `{}`: `#[message]` sets `#[repr(C)]` itself; remove this `repr`",
                input.ident
            );
            Err(Error::new_spanned(repr, why))
        }
    }
}

fn refuse_fields(message: &Ident, fields: &FieldsNamed) -> Result<(), Error> {
    let message = message.to_string();
    let refusals = fields
        .named
        .iter()
        .filter_map(|field| field::refusal(&message, field));
    let all = refusals.reduce(|mut all, next| {
        all.combine(next);
        all
    });
    all.map_or(Ok(()), Err)
}

/// What the caller has not already derived below the attribute.
fn missing_derives(
    facade: &TokenStream,
    attributes: &[Attribute],
) -> Result<Vec<TokenStream>, Error> {
    let mut own = Vec::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
    {
        let list = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
        own.extend(
            list.iter()
                .filter_map(|path| path.segments.last())
                .map(|last| last.ident.to_string()),
        );
    }
    let wanted = [
        ("Clone", quote!(::core::clone::Clone)),
        ("Copy", quote!(::core::marker::Copy)),
        ("Pod", quote!(#facade::__private::bytemuck::Pod)),
        ("Zeroable", quote!(#facade::__private::bytemuck::Zeroable)),
    ];
    Ok(wanted
        .into_iter()
        .filter(|(name, _)| !own.iter().any(|o| o == name))
        .map(|(_, path)| path)
        .collect())
}

fn implementation(
    facade: &TokenStream,
    message: &Ident,
    name: &str,
    fields: &FieldsNamed,
) -> TokenStream {
    let private = quote!(#facade::__private);
    let entries = fields.named.iter().map(|field| {
        let (ident, ty) = (&field.ident, &field.ty);
        let text = field_name(field);
        quote! {
            #private::Field {
                name: #text,
                offset: ::core::mem::offset_of!(#message, #ident),
                schema: &<#ty as #private::Message>::SCHEMA,
            }
        }
    });
    quote! {
        impl #private::Message for #message {
            const SCHEMA: #private::Schema = #private::Schema {
                name: #name,
                size: ::core::mem::size_of::<#message>(),
                align: ::core::mem::align_of::<#message>(),
                kind: #private::Kind::Struct { fields: &[#(#entries),*] },
            };
        }
    }
}

/// Constant assertions that name the place of a gap; bytemuck's own check only says that there is one.
fn padding_assertions(message: &Ident, fields: &FieldsNamed) -> TokenStream {
    let all: Vec<&Field> = fields.named.iter().collect();
    let followers = all.iter().copied().skip(1).map(Some).chain([None]);
    let checks = all.iter().copied().zip(followers).map(|(field, next)| {
        let (ident, ty) = (&field.ident, &field.ty);
        let (place, end) = match next {
            Some(next) => {
                let following = &next.ident;
                let place = format!("between `{}` and `{}`", field_name(field), field_name(next));
                (place, quote!(::core::mem::offset_of!(#message, #following)))
            }
            None => (format!("after `{}`", field_name(field)), quote!(::core::mem::size_of::<#message>())),
        };
        let text = format!(
            "message `{message}`: there is padding {place}; order the fields from the most to the least aligned, or \
             add a `[u8; N]` field there"
        );
        // The place is the caller's, for the error; names resolve, and lints look away, as in any expansion.
        let culprit = next.unwrap_or(field).ident.as_ref().map_or_else(Span::call_site, Ident::span);
        let span = Span::call_site().located_at(culprit);
        quote_spanned! { span =>
            ::core::assert!(::core::mem::offset_of!(#message, #ident) + ::core::mem::size_of::<#ty>() == #end, #text);
        }
    });
    quote! { const _: () = { #(#checks)* }; }
}

fn field_name(field: &Field) -> String {
    field
        .ident
        .as_ref()
        .map_or_else(String::new, |ident| ident.unraw().to_string())
}

#[cfg(test)]
mod tests;
