//! Schemas: what the bytes of a message mean, in a form that two programs can compare.
//!
//! A schema holds names, types, offsets and sizes; no Rust path and nothing that another build of the same source
//! changes. Its text is canonical (equal schemas give equal texts) and lies in the region beside what it describes.
//!
//! ```text
//! Quote 40 8                 name, bytes, alignment
//! bid.price f64 0            one line per leaf: name, type, offset; fields of nested messages by their path
//! venue [u8; 8] 32           an array is a leaf; one of messages spells them: [Level{px:f64@0,qty:f64@8}; 10]
//! ```

mod difference;

use std::fmt::{self, Write as _};

pub use difference::{difference, difference_to, quote};

/// The layout of one message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The message's name; `array` for an array, the Rust name for a primitive.
    pub name: &'static str,
    /// Size in bytes, at least 1.
    pub size: usize,
    /// Alignment in bytes, a power of two.
    pub align: usize,
    /// What it consists of.
    pub kind: Kind,
}

/// What a message consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number in the machine's byte order.
    Primitive,
    /// `len` elements, one after the other.
    Array {
        /// What each of them is.
        element: &'static Schema,
        /// How many, at least 1.
        len: usize,
    },
    /// Named fields without padding.
    Struct {
        /// In the order of their offsets.
        fields: &'static [Field],
    },
}

/// A field of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, without `r#`.
    pub name: &'static str,
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// What lies there.
    pub schema: &'static Schema,
}

impl Schema {
    /// The canonical text; see the example at the top of this module's source and [`difference`].
    ///
    /// ```
    /// use airssys_ringbuf::{Message, message};
    ///
    /// #[message]
    /// struct Tick {
    ///     seq: u64,
    ///     price: f64,
    /// }
    ///
    /// assert_eq!(Tick::SCHEMA.to_text(), "Tick 16 8\nseq u64 0\nprice f64 8\n");
    /// assert_eq!(<[u16; 4]>::SCHEMA.to_text(), "[u16; 4] 8 2\n");
    /// ```
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = match self.kind {
            Kind::Struct { .. } => String::from(self.name),
            Kind::Primitive | Kind::Array { .. } => Spelling(self).to_string(),
        };
        line(&mut text, format_args!(" {} {}", self.size, self.align));
        if let Kind::Struct { fields } = self.kind {
            leaves(&mut text, "", 0, fields);
        }
        text
    }
}

fn leaves(text: &mut String, prefix: &str, base: usize, fields: &[Field]) {
    for field in fields {
        let offset = base + field.offset;
        let name = field.name;
        match field.schema.kind {
            Kind::Struct { fields } => leaves(text, &format!("{prefix}{name}."), offset, fields),
            Kind::Primitive | Kind::Array { .. } => {
                let spelling = Spelling(field.schema);
                line(text, format_args!("{prefix}{name} {spelling} {offset}"));
            }
        }
    }
}

fn line(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a String takes any text");
    text.push('\n');
}

/// A type by its structure.
struct Spelling<'a>(&'a Schema);

impl fmt::Display for Spelling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            Kind::Primitive => f.write_str(self.0.name),
            Kind::Array { element, len } => write!(f, "[{}; {len}]", Spelling(element)),
            Kind::Struct { fields } => {
                write!(f, "{}{{", self.0.name)?;
                for (index, field) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let spelling = Spelling(field.schema);
                    write!(f, "{comma}{}:{spelling}@{}", field.name, field.offset)?;
                }
                f.write_str("}")
            }
        }
    }
}
