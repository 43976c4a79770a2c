//! The canonical text of a topology: what its digest covers, and how two topologies differ.
//!
//! ```text
//! topology                   an item: its kind and name
//!   name quotes              its attributes, indented: a word and a value
//! link ticks
//!   capacity 1024
//!   schema Tick 16 8 | seq u64 0 | price f64 8
//! ```
//!
//! It holds names, schemas, capacities and policies: what two programs must agree about to work on one bus. It holds no
//! Rust path, and neither the bus's name nor cores, memory wishes and warm-ups, which are of one run and one machine, nor what
//! a start does with a leftover, which is a policy of that one start: who resumes may be told otherwise than who was killed. A
//! change of this text is a change of every digest.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use airssys_ringbuf::schema::{self, quote};
use airssys_ringbuf::{Layout, fnv1a64};

use super::model::{ActorId, ActorPlan, HOST, LettersPlan, LinkId, PartitionPlan, Plan};

/// Stands for the line breaks of a schema's text, in which it can't occur.
const SCHEMA_LINE: &str = " | ";

/// The digest of the plan: equal for equal descriptions, in every build.
pub(crate) fn digest(plan: &Plan) -> u64 {
    fnv1a64(describe(plan).as_bytes())
}

/// The canonical text.
pub(crate) fn describe(plan: &Plan) -> String {
    let mut text = Text(String::new());
    text.item("topology", "");
    text.attribute("name", &plan.name);
    let period = Exact(plan.period);
    text.attribute("intensity", format_args!("{} in {period}", plan.intensity));
    let (first, max) = (Exact(plan.backoff_first), Exact(plan.backoff_max));
    text.attribute("backoff", format_args!("{first} to {max}"));
    text.attribute("drain", Exact(plan.drain_timeout));
    for partition in &plan.partitions {
        describe_partition(&mut text, partition);
        for actor in &partition.actors {
            describe_actor(&mut text, plan, &partition.name, actor);
        }
    }
    for link in plan.declared_links() {
        text.item("link", &link.name);
        text.attribute("from", end_name(plan, link.from));
        text.attribute("to", end_name(plan, link.to));
        text.attribute("capacity", link.capacity);
        text.attribute("stamped", if link.stamped { "yes" } else { "no" });
        text.attribute(
            "layout",
            match link.layout {
                Layout::Sequenced => "sequenced",
                Layout::Contiguous => "contiguous",
            },
        );
        text.attribute("trusted", if link.trusted { "yes" } else { "no" });
        text.attribute("schema", one_line(&link.schema_text));
        if let Some(LettersPlan { policy, .. }) = &link.letters {
            text.attribute("dead-letters", policy);
        }
    }
    for local in &plan.locals {
        text.item("local-link", &local.name);
        text.attribute("from", end_name(plan, local.from));
        text.attribute("to", end_name(plan, local.to));
        text.attribute("capacity", local.capacity);
    }
    text.0
}

/// An actor's name, or the host's: no link has both ends there, and a host port has no other name than its link's.
fn end_name(plan: &Plan, end: ActorId) -> String {
    if end.partition == plan.host_index() {
        format!("({HOST})")
    } else {
        plan.actor(end).name.clone()
    }
}

fn describe_partition(text: &mut Text, partition: &PartitionPlan) {
    text.item("partition", &partition.name);
    text.attribute("wait", partition.wait);
    text.attribute("restart", partition.restart);
    text.attribute("shutdown", Exact(partition.shutdown));
    text.attribute("hang-after", Exact(partition.hang_after));
    if partition.hosted {
        text.attribute("hosted", "yes");
    }
    if partition.reset_state.is_some() {
        text.attribute("reset-state", "yes");
    }
}

fn describe_actor(text: &mut Text, plan: &Plan, partition: &str, actor: &ActorPlan) {
    let names = |links: &[LinkId]| {
        let names: Vec<&str> = links
            .iter()
            .map(|&id| plan.link(id))
            .filter(|link| !link.hidden)
            .map(|link| link.name.as_str())
            .collect();
        names.join(" ")
    };
    text.item("actor", &actor.name);
    text.attribute("partition", partition);
    text.attribute("inputs", names(&actor.inputs));
    text.attribute("outputs", names(&actor.outputs));
    if actor.clock {
        text.attribute("clock", "yes");
    }
    if !actor.collections.is_empty() {
        text.attribute("changes", actor.changes);
    }
    for cell in &actor.cells[..actor.declared.cells] {
        text.item("cell", &format!("{}/{}", actor.name, cell.name));
        text.attribute("schema", one_line(&cell.schema_text));
    }
    for collection in &actor.collections {
        let kind = collection.kind.to_string();
        text.item(&kind, &format!("{}/{}", actor.name, collection.name));
        text.attribute("capacity", collection.capacity);
        text.attribute("schema", one_line(&collection.schema_text));
    }
}

fn one_line(schema: &str) -> String {
    schema.lines().collect::<Vec<_>>().join(SCHEMA_LINE)
}

struct Text(String);

impl Text {
    fn item(&mut self, kind: &str, name: &str) {
        self.0.push_str(kind);
        if !name.is_empty() {
            self.0.push(' ');
            self.0.push_str(name);
        }
        self.0.push('\n');
    }

    fn attribute(&mut self, key: &str, value: impl fmt::Display) {
        writeln!(self.0, "  {key} {value}").expect("a String takes any text");
    }
}

/// A duration without rounding, in the largest unit that spells it as a whole number.
pub(super) struct Exact(pub(super) Duration);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        match units.iter().find(|(size, _)| nanos.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{} {unit}", nanos / size),
            None => write!(f, "{nanos} ns"),
        }
    }
}

struct Item<'a> {
    head: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
}

/// What the other description is called in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Of a region.
    Region,
    /// Of the program that launched the bus.
    Launched,
    /// Of what an earlier run left.
    Leftover,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Region => "the region",
            Self::Launched => "the launched one",
            Self::Leftover => "what was left",
        }
    }
}

/// The first difference between our description and another one; `None` if they are equal.
pub(crate) fn difference(ours: &str, theirs: &str, side: Side) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let (our_items, their_items) = (items(ours), items(theirs));
    let theirs_by_head: HashMap<&str, &Item<'_>> =
        their_items.iter().map(|item| (item.head, item)).collect();
    for our in &our_items {
        let Some(their) = theirs_by_head.get(our.head) else {
            return Some(format!("{} is in this program only", title(our.head)));
        };
        if let Some(sentence) = attribute_difference(our, their, side) {
            return Some(format!("{}: {sentence}", title(our.head)));
        }
    }
    let extra = their_items
        .iter()
        .find(|their| our_items.iter().all(|our| our.head != their.head));
    Some(match extra {
        Some(their) => format!("{} is in {} only", title(their.head), side.name()),
        None => "the same parts are declared in another order".to_owned(),
    })
}

fn items(text: &str) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), items.last_mut()) {
            (Some(attribute), Some(item)) => item
                .attributes
                .push(attribute.split_once(' ').unwrap_or((attribute, ""))),
            _ => items.push(Item {
                head: line,
                attributes: Vec::new(),
            }),
        }
    }
    items
}

/// What the text has as an attribute of the item with this head, such as "map book/orders".
pub(crate) fn attribute<'a>(text: &'a str, head: &str, key: &str) -> Option<&'a str> {
    let items = items(text);
    let item = items.iter().find(|item| item.head == head)?;
    let found = item.attributes.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| *value)
}

fn attribute_difference(ours: &Item<'_>, theirs: &Item<'_>, side: Side) -> Option<String> {
    for &(key, our) in &ours.attributes {
        let found = theirs.attributes.iter().find(|(their, _)| *their == key);
        let their = found.map_or("", |(_, value)| value);
        if our == their {
            continue;
        }
        if key == "schema" {
            return schema::difference_to(&many_lines(our), &many_lines(their), side.name());
        }
        let (our, their) = (or_none(our), or_none(their));
        let how = match side {
            Side::Leftover if is_migrated(ours.head, key) => {
                ", which `.migrate_capacity(..)` takes over"
            }
            Side::Leftover | Side::Region | Side::Launched => "",
        };
        let side = side.name();
        return Some(format!(
            "{key} is {our} in this program, {their} in {side}{how}"
        ));
    }
    None
}

/// Whether a program that resumes a bus may have another value there.
fn is_migrated(head: &str, key: &str) -> bool {
    let kind = head.split(' ').next().unwrap_or_default();
    match key {
        "capacity" => ["vector", "last", "map", "table"].contains(&kind),
        "changes" => kind == "actor",
        _ => false,
    }
}

fn many_lines(schema: &str) -> String {
    let mut text = schema.replace(SCHEMA_LINE, "\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn or_none(value: &str) -> String {
    if value.is_empty() {
        "none".to_owned()
    } else {
        quote(value)
    }
}

fn title(head: &str) -> String {
    match head.split_once(' ') {
        Some((kind, name)) => format!("{} `{}`", quote(kind), quote(name)),
        None => quote(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "topology\n  name quotes\n  drain 5 s\nactor book\n  inputs ticks\n\
        link ticks\n  capacity 1024\n  schema Tick 8 8 | seq u64 0\n";

    fn changed(from: &str, to: &str) -> String {
        assert!(OURS.contains(from));
        difference(OURS, &OURS.replace(from, to), Side::Region).expect("the texts differ")
    }

    #[test]
    fn each_kind_of_difference_has_its_sentence() {
        assert_eq!(difference(OURS, OURS, Side::Region), None);
        assert_eq!(
            changed("name quotes", "name trades"),
            "topology: name is quotes in this program, trades in the region"
        );
        assert_eq!(
            changed("1024", "512"),
            "link `ticks`: capacity is 1024 in this program, 512 in the region"
        );
        assert_eq!(
            changed("  inputs ticks", "  inputs "),
            "actor `book`: inputs is ticks in this program, none in the region"
        );
        assert_eq!(
            changed("seq u64 0", "seq i64 0"),
            "link `ticks`: field `seq` is u64 at 0 in this program, i64 at 0 in the region"
        );
        assert_eq!(
            changed("actor book\n  inputs ticks\n", ""),
            "actor `book` is in this program only"
        );
        assert_eq!(
            changed("link ticks", "partition x\nlink ticks"),
            "partition `x` is in the region only"
        );
        assert_eq!(
            changed(
                "  name quotes\n  drain 5 s\n",
                "  drain 5 s\n  name quotes\n"
            ),
            "the same parts are declared in another order"
        );
        assert_eq!(
            difference(OURS, "", Side::Region).as_deref(),
            Some("topology is in this program only")
        );
    }

    #[test]
    fn the_other_side_is_called_what_it_is() {
        let theirs = OURS.replace("1024", "512");
        assert_eq!(
            difference(OURS, &theirs, Side::Launched).as_deref(),
            Some("link `ticks`: capacity is 1024 in this program, 512 in the launched one")
        );
        let theirs = OURS.replace("seq u64 0", "seq i64 0");
        assert_eq!(
            difference(OURS, &theirs, Side::Leftover).as_deref(),
            Some(
                "link `ticks`: field `seq` is u64 at 0 in this program, i64 at 0 in what was left"
            )
        );
        let theirs = format!("{OURS}partition x\n");
        assert_eq!(
            difference(OURS, &theirs, Side::Launched).as_deref(),
            Some("partition `x` is in the launched one only")
        );
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let theirs = format!("{OURS}\u{1b}[2J{}\n", "x".repeat(10_000));
        let sentence = difference(OURS, &theirs, Side::Region).expect("the texts differ");
        assert!(!sentence.contains('\u{1b}'), "{sentence:?}");
        assert!(sentence.len() < 300, "{sentence:?}");
    }

    #[test]
    fn durations_are_exact() {
        for (nanos, text) in [
            (0, "0 s"),
            (1, "1 ns"),
            (1_500, "1500 ns"),
            (2_000, "2 us"),
            (1_500_000_000, "1500 ms"),
            (60_000_000_000, "60 s"),
        ] {
            assert_eq!(Exact(Duration::from_nanos(nanos)).to_string(), text);
        }
    }
}
