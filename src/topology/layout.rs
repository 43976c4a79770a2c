//! Which sections lie in which region: each word in the region of the one that writes it.
//!
//! A partition's region holds what its actors write: their records and cells, the slots of the links they send on, the
//! credit of the links they receive from. The order is that of the declaration, so the same topology always gives the
//! same region.

use airssys_ringbuf::layout::{
    RingShape, SCANNED_LINKS_MAX, actor_section, cell_section, command_section, credit_section,
    doorbells_section, hints_section, latency_section, port_pulse_section, pulse_section,
    ring_section, undo_section,
};
use airssys_ringbuf::region::{RegionPlan, Section};

use super::durable;
use super::model::{ActorPlan, LinkPlan, Plan, SUPERVISOR};

/// Every region of a bus with its owner's name, in the order of their creation.
///
/// The supervisor's comes last: that it is there says that all of them were.
pub(crate) fn regions(plan: &Plan) -> Vec<(&str, RegionPlan)> {
    (0..plan.parties())
        .map(|party| (plan.party_name(party), region_plan(plan, party)))
        .chain([(SUPERVISOR, supervisor_plan(plan))])
        .collect()
}

/// The region of one partition, or of the host, by its index.
pub(crate) fn region_plan(plan: &Plan, party: usize) -> RegionPlan {
    let mut region = common(plan, plan.party_name(party));
    if party == plan.host_index() {
        for port in &plan.host {
            region.add(port_pulse_section(&port.name));
        }
    }
    add_actors(&mut region, plan.actors(party));
    for link in plan
        .links
        .iter()
        .filter(|link| link.from.partition == party)
    {
        region.add(ring(link));
    }
    if party != plan.host_index() {
        for (receiver, links) in hinted(plan, party) {
            region.add(hints_section(plan.party_name(receiver), links));
        }
    }
    for link in plan.links.iter().filter(|link| link.to.partition == party) {
        for section in receiving(link) {
            region.add(section);
        }
    }
    region
}

/// The partitions that `sender` tells which of its links have something, since they receive from more than they can look at
/// one by one, and how many links it has to each. Links of host ports are not counted: nobody hints at those.
fn hinted(plan: &Plan, sender: usize) -> Vec<(usize, usize)> {
    let host = plan.host_index();
    let mut incoming = vec![0; host];
    let mut own = vec![0; host];
    for link in &plan.links {
        let (from, to) = (link.from.partition, link.to.partition);
        if from != host && to != host {
            incoming[to] += 1;
            own[to] += usize::from(from == sender);
        }
    }
    let links = own.into_iter().enumerate();
    links
        .filter(|&(to, links)| links > 0 && incoming[to] > SCANNED_LINKS_MAX)
        .collect()
}

/// The region of the supervisor: its orders to each partition, and to the host.
pub(crate) fn supervisor_plan(plan: &Plan) -> RegionPlan {
    let mut region = common(plan, SUPERVISOR);
    for party in 0..plan.parties() {
        region.add(command_section(plan.party_name(party)));
    }
    region
}

fn common(plan: &Plan, owner: &str) -> RegionPlan {
    let mut region = RegionPlan::new(&plan.bus, owner, plan.digest);
    region.add(pulse_section());
    region.add(doorbells_section(plan.bells()));
    region
}

fn add_actors(region: &mut RegionPlan, actors: &[ActorPlan]) {
    for actor in actors {
        let (inputs, outputs) = (actor.inputs.len(), actor.outputs.len());
        region.add(actor_section(&actor.name, inputs, outputs));
        for cell in &actor.cells {
            let name = cell_section_name(&actor.name, &cell.name);
            region.add(cell_section(&name, &cell.schema_text, cell.size));
        }
        if !actor.collections.is_empty() {
            region.add(undo_section(&actor.name, actor.changes));
        }
        for collection in &actor.collections {
            region.add(durable::section(&actor.name, collection));
        }
    }
}

/// The name of a cell's section.
pub(crate) fn cell_section_name(actor: &str, cell: &str) -> String {
    format!("{actor}/{cell}")
}

/// The sender's half of a link.
pub(super) fn ring(link: &LinkPlan) -> Section {
    ring_section(&link.name, &link.schema_text, &ring_shape(link))
}

/// The receiver's half of a link.
pub(super) fn receiving(link: &LinkPlan) -> impl Iterator<Item = Section> {
    let latency = link.stamped.then(|| latency_section(&link.name));
    [credit_section(&link.name)].into_iter().chain(latency)
}

/// The shape of a link's ring.
///
/// # Panics
///
/// Never: `build` has checked size and capacity against the limits that the shape has.
pub(crate) fn ring_shape(link: &LinkPlan) -> RingShape {
    RingShape::with_layout(link.payload_size, link.capacity, link.stamped, link.layout)
        .expect("`build` has checked size and capacity")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use airssys_ringbuf::region::SectionKind;

    use super::*;
    use crate::actor::{Actor, Refused, Step};
    use crate::topology::{LinkOptions, Topology, durable};

    struct Nothing;

    impl Actor for Nothing {
        fn step(&mut self) -> Result<Step, Refused> {
            Ok(Step::Done)
        }
    }

    fn quotes() -> Topology {
        let mut draft = Topology::builder("quotes");
        draft.bus("eu");
        let (out, into) = draft.link::<u64>("ticks", 1024);
        let (back_out, back_in) =
            draft.link_with::<[u8; 60]>("acks", LinkOptions::new(8).stamped());
        draft
            .partition("feed")
            .actor("feed", (out, back_in), |_| Nothing);
        draft
            .partition("book")
            .actor("book", (into, durable::<u32>("last"), back_out), |_| {
                Nothing
            });
        draft.build().unwrap()
    }

    fn sections(region: &RegionPlan) -> Vec<(SectionKind, &str)> {
        let sections = region.sections().iter();
        sections
            .map(|section| (section.kind, section.name.as_str()))
            .collect()
    }

    #[test]
    fn each_word_lies_with_its_writer() {
        let topology = quotes();
        let feed = region_plan(topology.plan(), 0);
        assert_eq!(
            sections(&feed),
            [
                (SectionKind::Pulse, "pulse"),
                (SectionKind::Doorbells, "doorbells"),
                (SectionKind::Actor, "feed"),
                (SectionKind::Ring, "ticks"),
                (SectionKind::Credit, "acks"),
                (SectionKind::Latency, "acks"),
            ]
        );
        let book = region_plan(topology.plan(), 1);
        assert_eq!(
            sections(&book),
            [
                (SectionKind::Pulse, "pulse"),
                (SectionKind::Doorbells, "doorbells"),
                (SectionKind::Actor, "book"),
                (SectionKind::Cell, "book/last"),
                (SectionKind::Ring, "acks"),
                (SectionKind::Credit, "ticks"),
            ]
        );
        let supervisor = supervisor_plan(topology.plan());
        assert_eq!(
            sections(&supervisor),
            [
                (SectionKind::Pulse, "pulse"),
                (SectionKind::Doorbells, "doorbells"),
                (SectionKind::Command, "feed"),
                (SectionKind::Command, "book"),
            ]
        );
        for region in [&feed, &book, &supervisor] {
            assert_eq!(region.sections()[1].count, 3, "a bell for each region");
            assert_eq!(region.size() % 4096, 0);
        }
    }

    #[test]
    fn the_longest_names_fit_a_region() {
        let long = "x".repeat(63);
        let mut draft = Topology::builder(&long);
        let (out, into) = draft.link::<u64>(&long, 1);
        let ends = (out, into, durable::<u64>(&long));
        draft.partition(&long).actor(&long, ends, |_| Nothing);
        let topology = draft.build().unwrap();
        assert!(region_plan(topology.plan(), 0).size() < 1 << 20);
        assert!(supervisor_plan(topology.plan()).size() < 1 << 20);
    }

    #[test]
    fn the_plan_prints_itself() {
        let text = quotes().plan_text();
        let expected = "\
topology `quotes`, bus `eu`

partition  CPU  wait  actors
feed       any  auto  feed
book       any  auto  book

region      memory
";
        assert!(text.starts_with(expected), "{text}");
        // 1024 slots of 16 bytes, three line pairs of words, and the credit's two.
        assert!(text.contains("ticks  1024      16.7 KiB\n"), "{text}");
    }
}
