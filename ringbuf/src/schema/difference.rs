//! One sentence about how two schema texts differ.
//!
//! The other text comes out of a file, so it may be anything: what is quoted of it is escaped and cut, and the work
//! grows with its length only.

use std::collections::HashMap;

/// Longest quotation of a text that came out of a file, in characters.
const QUOTE_LEN_MAX: usize = 120;

struct Text<'a> {
    name: &'a str,
    size: &'a str,
    align: &'a str,
    fields: Vec<Leaf<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Leaf<'a> {
    name: &'a str,
    spelling: &'a str,
    offset: &'a str,
}

/// The most telling difference between the schema text of this program and the one in a region; `None` if they are equal.
///
/// ```
/// use airssys_ringbuf::schema::difference;
///
/// let ours = "Tick 16 8\nseq u64 0\nprice f64 8\n";
/// let theirs = "Tick 16 8\nseq u64 0\nprice i64 8\n";
/// assert_eq!(
///     difference(ours, theirs).as_deref(),
///     Some("field `price` is f64 at 8 in this program, i64 at 8 in the region")
/// );
/// assert_eq!(difference(ours, ours), None);
/// ```
#[must_use]
pub fn difference(ours: &str, theirs: &str) -> Option<String> {
    difference_to(ours, theirs, "the region")
}

/// As [`difference`], with other words for where the other text comes from than "the region".
#[must_use]
pub fn difference_to(ours: &str, theirs: &str, side: &str) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let sentence = match (parse(ours), parse(theirs)) {
        (_, Err("")) => format!("there is no schema in {side}"),
        (Err(""), _) => "there is no schema in this program".to_owned(),
        (_, Err(line)) => format!(
            "the schema in {side} has the unreadable line `{}`",
            quote(line)
        ),
        (Err(line), _) => format!(
            "this program's schema has the unreadable line `{}`",
            quote(line)
        ),
        (Ok(ours), Ok(theirs)) => name(&ours, &theirs, side)
            .or_else(|| types(&ours, &theirs, side))
            .or_else(|| presence(&ours, &theirs, side))
            .or_else(|| offsets(&ours, &theirs, side))
            .or_else(|| size(&ours, &theirs, side))
            .unwrap_or_else(|| "the same fields are listed in another order".to_owned()),
    };
    Some(sentence)
}

/// The text's parts, or the first line that is none; the empty string for an empty text.
fn parse(text: &str) -> Result<Text<'_>, &str> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or("");
    let mut words = header.rsplitn(3, ' ');
    let (Some(align), Some(size), Some(name)) = (words.next(), words.next(), words.next()) else {
        return Err(header);
    };
    let fields = lines
        .map(|line| leaf(line).ok_or(line))
        .collect::<Result<_, _>>()?;
    Ok(Text {
        name,
        size,
        align,
        fields,
    })
}

fn leaf(line: &str) -> Option<Leaf<'_>> {
    let (name, rest) = line.split_once(' ')?;
    let (spelling, offset) = rest.rsplit_once(' ')?;
    Some(Leaf {
        name,
        spelling,
        offset,
    })
}

fn name(ours: &Text<'_>, theirs: &Text<'_>, side: &str) -> Option<String> {
    let (our, their) = (quote(ours.name), quote(theirs.name));
    (ours.name != theirs.name)
        .then(|| format!("the message is `{our}` in this program, `{their}` in {side}"))
}

/// A field that both have, of another type.
fn types(ours: &Text<'_>, theirs: &Text<'_>, side: &str) -> Option<String> {
    common((ours, theirs), side, |our, their| {
        our.spelling != their.spelling
    })
}

/// A field that both have, elsewhere. Asked after [`presence`]: one new field moves all that follow it.
fn offsets(ours: &Text<'_>, theirs: &Text<'_>, side: &str) -> Option<String> {
    common((ours, theirs), side, |our, their| {
        our.offset != their.offset
    })
}

fn common(
    (ours, theirs): (&Text<'_>, &Text<'_>),
    side: &str,
    differ: impl Fn(&Leaf<'_>, &Leaf<'_>) -> bool,
) -> Option<String> {
    let by_name = by_name(theirs);
    let pairs = ours
        .fields
        .iter()
        .filter_map(|our| Some((our, *by_name.get(our.name)?)));
    let (our, their) = pairs.into_iter().find(|(our, their)| differ(our, their))?;
    let name = quote(our.name);
    Some(format!(
        "field `{name}` is {} in this program, {} in {side}",
        place(our),
        place(their)
    ))
}

/// A field that only one of them has, or has under another name.
fn presence(ours: &Text<'_>, theirs: &Text<'_>, side: &str) -> Option<String> {
    let (our_names, their_names) = (by_name(ours), by_name(theirs));
    let missing = ours
        .fields
        .iter()
        .find(|our| !their_names.contains_key(our.name));
    let mut extras = theirs
        .fields
        .iter()
        .filter(|their| !our_names.contains_key(their.name));
    let Some(our) = missing else {
        let their = extras.next()?;
        return Some(format!(
            "field `{}` ({}) is in {side} only",
            quote(their.name),
            place(their)
        ));
    };
    let renamed = extras.find(|their| (their.spelling, their.offset) == (our.spelling, our.offset));
    let name = quote(our.name);
    Some(match renamed {
        Some(their) => {
            let their_name = quote(their.name);
            format!(
                "the field {} is `{name}` in this program, `{their_name}` in {side}",
                place(our)
            )
        }
        None => format!("field `{name}` ({}) is in this program only", place(our)),
    })
}

fn size(ours: &Text<'_>, theirs: &Text<'_>, side: &str) -> Option<String> {
    let words = |text: &Text<'_>| {
        format!(
            "{} bytes aligned to {}",
            quote(text.size),
            quote(text.align)
        )
    };
    let (our, their) = (words(ours), words(theirs));
    (our != their).then(|| format!("the message has {our} in this program, {their} in {side}"))
}

fn by_name<'a, 'text>(text: &'a Text<'text>) -> HashMap<&'text str, &'a Leaf<'text>> {
    text.fields.iter().map(|leaf| (leaf.name, leaf)).collect()
}

fn place(leaf: &Leaf<'_>) -> String {
    format!("{} at {}", quote(leaf.spelling), quote(leaf.offset))
}

/// A text that came out of a file, as it may be shown: escaped, and cut where it is long.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .take(QUOTE_LEN_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(QUOTE_LEN_MAX).is_some() {
        quoted.push_str("...");
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "Tick 16 8\nseq u64 0\nprice f64 8\n";

    fn sentence(theirs: &str) -> String {
        difference(OURS, theirs).expect("the texts differ")
    }

    #[test]
    fn each_kind_of_difference_has_its_sentence() {
        let cases = [
            ("", "there is no schema in the region"),
            (
                "Tick 16\n",
                "the schema in the region has the unreadable line `Tick 16`",
            ),
            (
                "Tick 16 8\nseq u64\n",
                "the schema in the region has the unreadable line `seq u64`",
            ),
            (
                "Tock 16 8\nseq u64 0\nprice f64 8\n",
                "the message is `Tick` in this program, `Tock` in the region",
            ),
            (
                "Tick 12 4\nseq u32 0\nprice f64 4\n",
                "field `seq` is u64 at 0 in this program, u32 at 0 in the region",
            ),
            (
                "Tick 24 8\nid [u8; 8] 0\nseq u64 8\nprice f64 16\n",
                "field `id` ([u8; 8] at 0) is in the region only",
            ),
            (
                "Tick 8 8\nprice f64 0\n",
                "field `seq` (u64 at 0) is in this program only",
            ),
            (
                "Tick 16 8\nseq u64 0\npx f64 8\n",
                "the field f64 at 8 is `price` in this program, `px` in the region",
            ),
            (
                "Tick 16 8\nprice f64 0\nseq u64 8\n",
                "field `seq` is u64 at 0 in this program, u64 at 8 in the region",
            ),
            (
                "Tick 32 16\nseq u64 0\nprice f64 8\n",
                "the message has 16 bytes aligned to 8 in this program, 32 bytes aligned to 16 in the region",
            ),
            (
                "Tick 16 8\nprice f64 8\nseq u64 0\n",
                "the same fields are listed in another order",
            ),
        ];
        for (theirs, expected) in cases {
            assert_eq!(sentence(theirs), expected);
        }
        assert_eq!(
            difference("", OURS).as_deref(),
            Some("there is no schema in this program")
        );
        assert_eq!(difference(OURS, OURS), None);
        assert_eq!(difference("", ""), None);
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let found = sentence(&format!("\u{1b}[2J{} 16 8\n", "x".repeat(10_000)));
        assert!(!found.contains('\u{1b}'), "{found:?}");
        assert!(found.len() < 300, "{found:?}");
    }
}
