//! A capsule as a text for people: values by their schemas, bytes where the schema doesn't say.

use std::fmt::{self, Write as _};

use airssys_ringbuf::schema::quote;

use super::{Capsule, CapsuleInput};

/// Longest value that is printed, in characters.
const VALUE_LEN_MAX: usize = 4096;
/// Arrays of arrays and of messages, one inside of the other.
const DEPTH_MAX: u32 = 16;

impl fmt::Display for Capsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}/{} #{}, actor `{}`, step {}: {}",
            quote(&self.bus),
            quote(&self.partition),
            self.incarnation,
            quote(&self.actor),
            self.steps.saturating_add(1),
            Escaped(&self.crash.to_string()),
        )?;
        writeln!(
            f,
            "topology `{}`, bus instance {}, died at {} ns since 1970",
            quote(&self.topology),
            quote(&self.instance),
            self.died_at_ns
        )?;
        match (self.clock.monotonic_ns, self.clock.realtime_ns) {
            (None, None) => {}
            (monotonic, realtime) => writeln!(
                f,
                "clock: monotonic {}, realtime {}",
                Reading(monotonic),
                Reading(realtime)
            )?,
        }
        for input in &self.inputs {
            show_input(f, input)?;
        }
        for output in &self.outputs {
            let waiting = output.sent - output.given_back.min(output.sent);
            writeln!(
                f,
                "sends on `{}`: {} sent, {waiting} of {} slots taken{}",
                quote(&output.link),
                output.sent,
                output.capacity,
                if output.receiver_ended {
                    ", its receiver has ended"
                } else {
                    ""
                }
            )?;
        }
        for cell in &self.cells {
            write!(f, "cell `{}`: ", quote(&cell.cell))?;
            match &cell.bytes {
                Some(bytes) => writeln!(f, "{}", value(&cell.schema, bytes))?,
                None => f.write_str("never set\n")?,
            }
        }
        for section in &self.sections {
            writeln!(
                f,
                "{} `{}`: {} bytes",
                quote(&section.kind),
                quote(&section.name),
                section.bytes.len()
            )?;
        }
        Ok(())
    }
}

fn show_input(f: &mut fmt::Formatter<'_>, input: &CapsuleInput) -> fmt::Result {
    let ended = input
        .sender_ended
        .map_or_else(String::new, |at| format!(", its sender has ended at {at}"));
    writeln!(
        f,
        "receives from `{}`: {} received, {} in work{ended}",
        quote(&input.link),
        input.received,
        input.in_work
    )?;
    for (place, message) in (0..).zip(&input.messages) {
        let what = if place < input.in_work {
            "in work"
        } else {
            "next"
        };
        writeln!(
            f,
            "  {what} {}: {}",
            message.sequence,
            value(&input.schema, &message.bytes)
        )?;
    }
    Ok(())
}

struct Reading(Option<u64>);

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ns) => write!(f, "{ns} ns"),
            None => f.write_str("not read"),
        }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\n' => f.write_str("\n  ")?,
                letter if letter.is_control() => write!(f, "{}", letter.escape_debug())?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// A message by its schema's text: `seq=1 price=99.5`.
pub(super) fn value(schema: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    if leaves(schema, bytes, &mut text).is_none() {
        text.clear();
        for byte in bytes.iter().take(VALUE_LEN_MAX / 2) {
            // A String takes any text.
            let _ = write!(text, "{byte:02x}");
        }
    }
    if let Some((cut, _)) = text.char_indices().nth(VALUE_LEN_MAX) {
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

/// `None` where the text isn't a schema, or not of these bytes.
fn leaves(schema: &str, bytes: &[u8], text: &mut String) -> Option<()> {
    let mut lines = schema.lines();
    let head = lines.next()?;
    let mut is_first = true;
    for line in lines {
        let (name, rest) = line.split_once(' ')?;
        let (spelling, offset) = rest.rsplit_once(' ')?;
        if !is_first {
            text.push(' ');
        }
        is_first = false;
        write!(text, "{}=", quote(name)).ok()?;
        whole(spelling, bytes.get(offset.parse().ok()?..)?, text)?;
    }
    if is_first {
        // A message that is no struct: its type is its name.
        whole(head.rsplitn(3, ' ').nth(2)?, bytes, text)?;
    }
    Some(())
}

fn whole(spelling: &str, bytes: &[u8], text: &mut String) -> Option<()> {
    let mut at = Spelling {
        rest: spelling,
        depth: 0,
    };
    at.value(&mut Some((bytes, text)))?;
    at.rest.is_empty().then_some(())
}

/// Where a value's bytes begin, and the text that it is printed into; `None` to learn its length alone.
type Into<'a, 'b> = Option<(&'a [u8], &'b mut String)>;

/// A type by its structure, read from the front: `[Level{px:f64@0,qty:[u32; 2]@8}; 10]`.
#[derive(Clone, Copy)]
struct Spelling<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Spelling<'a> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn word(&mut self) -> &'a str {
        let is_end = |letter: char| !(letter.is_alphanumeric() || letter == '_');
        let (word, rest) = self
            .rest
            .split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// Prints the value and returns its length in bytes.
    fn value(&mut self, into: &mut Into<'_, '_>) -> Option<usize> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let len = if self.rest.starts_with('[') {
            self.array(into)
        } else {
            let name = self.word();
            if self.rest.starts_with('{') {
                self.message(into)
            } else {
                primitive(name, into)
            }
        };
        self.depth -= 1;
        len
    }

    fn array(&mut self, into: &mut Into<'_, '_>) -> Option<usize> {
        self.eat("[")?;
        let element = *self;
        let is_text = self.rest.starts_with("u8;");
        let len = self.value(&mut None)?;
        self.eat("; ")?;
        let count: usize = self.word().parse().ok()?;
        self.eat("]")?;
        let all = len.checked_mul(count)?;
        if let Some((bytes, text)) = into {
            let bytes = bytes.get(..all)?;
            if is_text && push_text(bytes, text) {
                return Some(all);
            }
            text.push('[');
            for (index, bytes) in bytes.chunks_exact(len.max(1)).enumerate() {
                if text.len() > VALUE_LEN_MAX {
                    break;
                }
                if index > 0 {
                    text.push_str(", ");
                }
                element.clone().value(&mut Some((bytes, text)))?;
            }
            text.push(']');
        }
        Some(all)
    }

    fn message(&mut self, into: &mut Into<'_, '_>) -> Option<usize> {
        self.eat("{")?;
        if let Some((_, text)) = into {
            text.push('{');
        }
        let mut end = 0_usize;
        loop {
            let name = self.word();
            self.eat(":")?;
            let mut field = *self;
            let len = self.value(&mut None)?;
            self.eat("@")?;
            let offset: usize = self.word().parse().ok()?;
            if let Some((bytes, text)) = into {
                write!(text, "{}{name}=", if end > 0 { " " } else { "" }).ok()?;
                field.value(&mut Some((bytes.get(offset..)?, text)))?;
            }
            end = end.max(offset.checked_add(len)?);
            if self.eat(",").is_none() {
                break;
            }
        }
        self.eat("}")?;
        if let Some((_, text)) = into {
            text.push('}');
        }
        Some(end)
    }
}

/// Bytes that are text, zeros at their end left away.
fn push_text(bytes: &[u8], text: &mut String) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    let shown = &bytes[..end.map_or(0, |last| last + 1)];
    let is_text = !shown.is_empty() && shown.iter().all(|byte| (b' '..=b'~').contains(byte));
    if is_text {
        // A String takes any text.
        let _ = write!(text, "{:?}", String::from_utf8_lossy(shown));
    }
    is_text
}

fn primitive(name: &str, into: &mut Into<'_, '_>) -> Option<usize> {
    macro_rules! numbers {
        ($($number:ident)*) => { match name {
            $(stringify!($number) => {
                const LEN: usize = size_of::<$number>();
                if let Some((bytes, text)) = into {
                    let bytes = bytes.first_chunk::<LEN>()?;
                    write!(text, "{:?}", $number::from_ne_bytes(*bytes)).ok()?;
                }
                Some(LEN)
            })*
            _ => None,
        } };
    }
    numbers!(u8 u16 u32 u64 i8 i16 i32 i64 f32 f64)
}
