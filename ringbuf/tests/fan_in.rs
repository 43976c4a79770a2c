//! Many links as one port: two sending partitions, driven by hand, into one receiving actor.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::Ordering;

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    RingShape, actor_section, credit_section, hints_section, ring_section,
};
use airssys_ringbuf::memory::Words;
use airssys_ringbuf::region::{Region, RegionPlan, SectionKind};
use airssys_ringbuf::step::{Attach, Receivers, Sender, StepCore, Verdict};

/// Links from each of the two.
const LINKS: usize = 20;
const CAPACITY: u64 = 8;
/// Numbers that a partition's hints hold.
const HINTS: u64 = 64;

struct Bus {
    senders: [Region; 2],
    receiver: Region,
}

fn name(sender: usize, link: usize) -> String {
    format!("{}-{link}", ["left", "right"][sender])
}

impl Bus {
    fn new() -> Self {
        let shape = RingShape::new(8, CAPACITY, false).unwrap();
        let mut receiver = RegionPlan::new("bus", "sink", 1);
        receiver.add(actor_section("sink", 2 * LINKS, 0));
        let senders = [0, 1].map(|sender| {
            let mut plan = RegionPlan::new("bus", ["left", "right"][sender], 1);
            plan.add(actor_section("source", 0, LINKS));
            for link in 0..LINKS {
                let schema = u64::SCHEMA.to_text();
                plan.add(ring_section(&name(sender, link), &schema, &shape));
                receiver.add(credit_section(&name(sender, link)));
            }
            plan.add(hints_section("sink", LINKS));
            Region::heap(&plan).unwrap()
        });
        Self {
            senders,
            receiver: Region::heap(&receiver).unwrap(),
        }
    }

    fn source(&self, sender: usize) -> Source {
        let mut attach: Attach<'_> =
            Attach::new(&self.senders[sender], "source", 0, LINKS).unwrap();
        let links = (0..LINKS).map(|link| attach.sender(&name(sender, link), &self.receiver));
        let links = links.collect::<Result<_, _>>().unwrap();
        Source {
            links,
            core: attach.finish(),
        }
    }

    /// The receiving end: the links of both, one of each in turn.
    fn sink(&self) -> Sink {
        let mut attach: Attach<'_> = Attach::new(&self.receiver, "sink", 2 * LINKS, 0).unwrap();
        let names: Vec<_> = (0..2 * LINKS)
            .map(|place| name(place % 2, place / 2))
            .collect();
        let links: Vec<_> = (0..2 * LINKS)
            .map(|place| (names[place].as_str(), &self.senders[place % 2]))
            .collect();
        Sink {
            links: attach.receivers(&links).unwrap(),
            core: attach.finish(),
        }
    }

    /// The words of a partition's hints: the count, and 16 words on the numbers.
    fn hints(&self, sender: usize) -> Words {
        let region = &self.senders[sender];
        let section = region.section(SectionKind::Hints, "sink").unwrap();
        Words::new(region.memory(), section.offset, section.len / 8).unwrap()
    }
}

struct Source {
    links: Vec<Sender<u64>>,
    core: StepCore,
}

impl Source {
    fn send(&mut self, link: usize, value: u64) {
        self.core.begin(0);
        self.links[link].send(value).unwrap();
        assert!(self.core.finish(Verdict::Keep).unwrap().committed);
    }

    fn end(&mut self) {
        self.core.begin(0);
        let _ = self.core.finish(Verdict::Done).unwrap();
    }
}

struct Sink {
    links: Receivers<u64>,
    core: StepCore,
}

impl Sink {
    /// One step: all that there is.
    fn step(&mut self, verdict: Verdict) -> Vec<(usize, u64)> {
        self.core.begin(u64::MAX);
        let seen = std::iter::from_fn(|| self.links.try_recv()).collect();
        let _ = self.core.finish(verdict).unwrap();
        seen
    }

    fn keep(&mut self) -> Vec<(usize, u64)> {
        self.step(Verdict::Keep)
    }
}

#[test]
fn a_message_is_found_on_whichever_link_it_comes() {
    let bus = Bus::new();
    let mut sources = [bus.source(0), bus.source(1)];
    let mut sink = bus.sink();
    assert_eq!(sink.links.len(), 2 * LINKS);
    assert_eq!(sink.keep(), []);
    for round in 0..5 {
        for place in 0..2 * LINKS {
            sources[place % 2].send(place / 2, round);
            assert_eq!(sink.keep(), [(place, round)]);
            assert_eq!(sink.links.received(place), round + 1);
            assert_eq!(sink.keep(), []);
        }
    }
}

#[test]
fn an_aborted_step_finds_the_same_messages_again() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    let mut sink = bus.sink();
    sink.keep();
    source.send(3, 30);
    source.send(7, 70);
    for _ in 0..3 {
        let mut seen = sink.step(Verdict::Abort);
        seen.sort_unstable();
        assert_eq!(seen, [(6, 30), (14, 70)]);
    }
    assert_eq!(sink.keep().len(), 2);
    assert_eq!(sink.keep(), []);
}

#[test]
fn no_link_is_starved_and_a_share_limits_each() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    let mut sink = bus.sink();
    sink.keep();
    for value in 0..CAPACITY {
        source.send(0, value);
        source.send(1, value);
    }
    sink.core.begin(2);
    let mut seen = Vec::new();
    let count = sink
        .links
        .drain(100, |link, value| seen.push((link, *value)));
    assert!(sink.core.finish(Verdict::Keep).unwrap().limited);
    assert_eq!((count, seen), (4, vec![(0, 0), (0, 1), (2, 0), (2, 1)]));
    // The rest is there without another hint.
    assert_eq!(sink.keep().len(), 2 * (CAPACITY as usize - 2));
    source.send(5, 1);
    sink.core.begin(u64::MAX);
    let stopped = sink.links.try_drain(8, |link, _| Err::<(), usize>(link));
    assert_eq!(stopped, Err(10));
    let _ = sink.core.finish(Verdict::Keep).unwrap();
    assert_eq!(sink.keep(), [(10, 1)]);
}

#[test]
fn a_reader_that_is_a_ring_behind_looks_at_all() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    let mut sink = bus.sink();
    sink.keep();
    for link in 0..LINKS {
        for value in 0..CAPACITY {
            source.send(link, value);
        }
    }
    assert!(LINKS as u64 * CAPACITY > HINTS);
    assert_eq!(sink.keep().len(), LINKS * CAPACITY as usize);
    assert_eq!(sink.keep(), []);
}

#[test]
fn a_life_of_either_side_looks_at_all() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    let mut sink = bus.sink();
    sink.keep();
    source.send(4, 1);
    // As a kill between the publication and its hint leaves it.
    let count = bus.hints(0);
    let hinted = count.at(0).load(Ordering::Relaxed);
    count.at(0).store(hinted - 1, Ordering::Relaxed);
    assert_eq!(sink.keep(), [], "nobody has told");
    drop(source);
    let mut source = bus.source(0);
    assert_eq!(sink.keep(), [(8, 1)], "the next life tells to look");

    source.send(9, 2);
    sink.step(Verdict::Abort);
    drop(sink);
    let mut sink = bus.sink();
    assert_eq!(sink.keep(), [(18, 2)]);
}

#[test]
fn what_a_peer_writes_names_its_own_links_or_none() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    let mut sink = bus.sink();
    sink.keep();
    let hints = bus.hints(0);
    let count = hints.at(0).load(Ordering::Relaxed);
    for (offset, number) in [LINKS as u64, u64::MAX, 1 << 32].into_iter().enumerate() {
        let place = 16 + (count as usize + offset) % HINTS as usize;
        hints.at(place).store(number, Ordering::Relaxed);
    }
    hints.at(0).store(count + 3, Ordering::Relaxed);
    assert_eq!(sink.keep(), []);
    // A count that goes back is no reason to miss anything.
    source.send(2, 5);
    hints.at(0).store(1, Ordering::Relaxed);
    assert_eq!(sink.keep(), [(4, 5)]);
}

#[test]
fn a_partition_about_to_park_sees_hints_and_messages() {
    let bus = Bus::new();
    let mut source = bus.source(1);
    let mut sink = bus.sink();
    sink.keep();
    while sink.core.has_news(None) {}
    source.send(0, 1);
    assert!(sink.core.has_news(None));
    while sink.core.has_news(None) {}
    // A message whose hint comes after the look that found it.
    let hints = bus.hints(1);
    let count = hints.at(0).load(Ordering::Relaxed);
    hints.at(0).store(count + 1, Ordering::Relaxed);
    assert!(sink.core.has_news(None));
    assert!(!sink.core.has_news(None), "else it would never park");
    assert_eq!(sink.keep(), [(1, 1)]);
}

#[test]
fn closed_when_all_are_and_nothing_is_left() {
    let bus = Bus::new();
    let mut sources = [bus.source(0), bus.source(1)];
    let mut sink = bus.sink();
    sink.keep();
    sources[0].send(19, 1);
    sources[0].end();
    assert_eq!(sink.step(Verdict::Abort), [(38, 1)]);
    sources[1].end();
    assert!(!sink.links.is_closed());
    assert_eq!(sink.keep(), [(38, 1)]);
    assert!(!sink.links.is_closed(), "a step that finds nothing says so");
    assert_eq!(sink.keep(), []);
    assert!(sink.links.is_closed());
    drop(sink);
    let mut sink = bus.sink();
    sink.keep();
    assert!(sink.links.is_closed());
}

/// The ports of an actor with many open when a step first uses them, whatever the call.
#[test]
fn a_step_may_begin_with_a_slice() {
    let bus = Bus::new();
    let mut source = bus.source(0);
    source.core.begin(0);
    source.links[7].send_slice(&[1, 2, 3]).unwrap();
    assert!(source.core.finish(Verdict::Keep).unwrap().committed);
    let mut sink = bus.sink();
    sink.core.begin(u64::MAX);
    let mut seen = Vec::new();
    while let Some((link, value)) = sink.links.try_recv() {
        seen.push((link, value));
    }
    assert!(sink.core.finish(Verdict::Keep).unwrap().committed);
    assert_eq!(seen, [(14, 1), (14, 2), (14, 3)]);
}
