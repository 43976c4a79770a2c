//! A partition `victim`, whose peer `feed` stores what can't be: somebody writes into that one's region by hand.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use airssys_ringbuf::region::{Region, SectionKind};
use airssys_rt::prelude::*;
use airssys_rt::{LinkStatus, Monitor, Report, Running, TopologyBuilder};

use super::{Item, assert_no_trace, await_that, bus_path, join};

/// Slots of `raid` and `bait`.
const CAPACITY: u64 = 16;
/// So many messages are sent on `raid`; `bait` is filled.
const SENT: u64 = 8;
/// What a word becomes: the highest byte alone is written, so that no reader sees half of it.
const HIGH: u8 = 0x40;

/// A word of `feed`'s region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What says that `raid` goes on: the sequence word of the next slot, or the tail.
    Raid(Layout),
    /// The credit of `bait`.
    Bait,
}

impl Place {
    fn link(self) -> &'static str {
        match self {
            Self::Raid(_) => "raid",
            Self::Bait => "bait",
        }
    }

    /// The word, once it is spoilt, and the position at which the victim meets it.
    pub(crate) fn spoilt(self) -> (u64, u64) {
        let high = u64::from(HIGH) << 56;
        match self {
            Self::Raid(Layout::Sequenced) => (high, SENT),
            Self::Raid(Layout::Contiguous) => (high | SENT, SENT),
            Self::Bait => (high, CAPACITY),
        }
    }

    pub(crate) fn spoil(self, bus: &str) {
        self.write(bus, HIGH);
    }

    fn mend(self, bus: &str) {
        self.write(bus, 0);
    }

    /// Writes its highest byte, by what docs/memory-layout.md says of where it lies.
    fn write(self, bus: &str, byte: u8) {
        let path = bus_path(bus).join("feed.region");
        let region = Region::observe(&path).unwrap();
        let (kind, link) = match self {
            Self::Raid(_) => (SectionKind::Ring, "raid"),
            Self::Bait => (SectionKind::Credit, "bait"),
        };
        let section = region.section(kind, link).unwrap();
        let inside = match self {
            Self::Raid(Layout::Sequenced) => {
                let slots = section.len as u64 - section.count * section.stride;
                slots + (SENT % CAPACITY + 1) * section.stride - 8
            }
            Self::Raid(Layout::Contiguous) => 256,
            Self::Bait => 0,
        };
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let at = section.offset as u64 + inside + 7;
        file.write_all_at(&[byte], at).unwrap();
    }

    /// What the victim says of it.
    pub(crate) fn complaint(self) -> String {
        let (found, at) = self.spoilt();
        format!(
            "link `{}`: its peer `feed` wrote position {found}, impossible at {at} with capacity {CAPACITY}: the link has ended",
            self.link()
        )
    }
}

/// What the victim has committed.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Received on the link that is left alone.
    asked: u64,
    raided: u64,
    baited: u64,
    /// Links given up, a bit each: raid, bait. Both have to name the peer and count as closed.
    faults: u64,
    /// The same, as the life that runs found it before it did anything.
    at_birth: u64,
}

struct Victim {
    ask: Receiver<Item>,
    raid: Receiver<Item>,
    bait: Sender<Item>,
    told: Durable<Told>,
    born: bool,
    falls: Arc<AtomicBool>,
}

impl Victim {
    fn faults(&self) -> u64 {
        let of = |fault: Option<airssys_rt::LinkFault>, closed: bool| {
            u64::from(closed && fault.is_some_and(|fault| fault.peer == "feed"))
        };
        of(self.raid.fault(), self.raid.is_closed())
            | of(self.bait.fault(), self.bait.is_closed()) << 1
    }
}

impl Actor for Victim {
    fn step(&mut self) -> Result<Step, Refused> {
        let before = self.told.get();
        let mut told = before;
        if !std::mem::replace(&mut self.born, true) {
            told.at_birth = self.faults();
        }
        told.asked += self.ask.drain(64, |_| ()) as u64;
        told.raided += self.raid.drain(64, |_| ()) as u64;
        while self.bait.try_send(Item::new(told.baited)).is_ok() {
            told.baited += 1;
        }
        told.faults = self.faults();
        assert!(!self.falls.swap(false, Ordering::SeqCst), "a planned panic");
        let ends = self.ask.is_closed();
        if told != before {
            self.told.set(told);
        }
        Ok(match (ends, told != before) {
            (true, _) => Step::Done,
            (false, true) => Step::Busy,
            (false, false) => Step::Idle,
        })
    }
}

/// Sends a few and receives nothing until the victim has ended that link. Ends when it is told to.
struct Feed {
    end: Receiver<Item>,
    raid: Sender<Item>,
    bait: Receiver<Item>,
}

impl Actor for Feed {
    fn step(&mut self) -> Result<Step, Refused> {
        let sent = self.raid.sent();
        if sent < SENT {
            self.raid.send(Item::new(sent))?;
            return Ok(Step::Busy);
        }
        if self.end.is_closed() {
            return Ok(Step::Done);
        }
        if !self.raid.is_closed() {
            return Ok(Step::Idle);
        }
        Ok(self.bait.drain(64, |_| ()).into())
    }
}

/// Victim and feed; the host sends on `ask`, and on `end` nothing. The victim falls when the flag is raised.
pub(crate) fn raided(plan: &mut TopologyBuilder, options: LinkOptions, falls: &Arc<AtomicBool>) {
    let (ask_out, ask) = plan.link::<Item>("ask", 64);
    let (raid_out, raid) = plan.link_with::<Item>("raid", options);
    let (bait, bait_in) = plan.link_with::<Item>("bait", options);
    let (end_out, end) = plan.link::<Item>("end", 1);
    plan.host().sends(ask_out).sends(end_out);
    let falls = Arc::clone(falls);
    plan.partition("victim").actor(
        "victim",
        (ask, raid, bait, durable("told")),
        move |(ask, raid, bait, told)| Victim {
            ask,
            raid,
            bait,
            told,
            born: false,
            falls: Arc::clone(&falls),
        },
    );
    plan.partition("feed")
        .actor("feed", (end, raid_out, bait_in), |(end, raid, bait)| Feed {
            end,
            raid,
            bait,
        });
}

/// Options of the links between the two.
pub(crate) fn between(layout: Layout) -> LinkOptions {
    LinkOptions::new(CAPACITY).layout(layout)
}

fn link(monitor: &Monitor, name: &str) -> LinkStatus {
    let mut links = monitor.links().into_iter();
    links.find(|link| link.name == name).unwrap()
}

fn told(monitor: &Monitor) -> Told {
    monitor.read("victim", "told").unwrap().unwrap()
}

/// Waits until neither link moves any more.
pub(crate) fn is_still(monitor: &Monitor) {
    await_that("both links as they stay", || {
        link(monitor, "raid").received == SENT && link(monitor, "bait").sent == CAPACITY
    });
}

/// Spoils both links, lets the victim fall, and sees that the third goes on to the end.
pub(crate) fn is_survived(
    running: Running,
    bus: &str,
    layout: Layout,
    fall: impl FnOnce(&Monitor),
) {
    const ASKED: u64 = 1_000;
    let monitor = running.monitor();
    let mut ask = running.sender::<Item>("ask").unwrap();
    is_still(&monitor);
    assert_eq!(told(&monitor).at_birth, 0);
    // The bait first: once `raid` has ended, the feed ends as well.
    let places = [Place::Bait, Place::Raid(layout)];
    for (nth, place) in (0..).zip(places) {
        assert_eq!(link(&monitor, place.link()).fault, None);
        place.spoil(bus);
        // Nobody rings for a word that was written by hand.
        ask.send(Item::new(nth)).unwrap();
        await_that("the link's end", || {
            link(&monitor, place.link()).fault.is_some()
        });
        let fault = link(&monitor, place.link()).fault.unwrap();
        assert_eq!((fault.found, fault.position), place.spoilt());
        assert_eq!((fault.peer.as_str(), fault.capacity), ("feed", CAPACITY));
        assert_eq!(fault.to_string(), place.complaint());
    }
    await_that("both faults in its state", || told(&monitor).faults == 0b11);
    // What its peer wrote is as it should be again, and no life goes by it.
    places[1].mend(bus);
    await_that("credit that can be", || {
        link(&monitor, "bait").received == CAPACITY
    });
    fall(&monitor);
    for seq in 2..ASKED {
        ask.send(Item::new(seq)).unwrap();
    }
    ask.close().unwrap();
    running.sender::<Item>("end").unwrap().close().unwrap();
    let report = join(running).unwrap();
    let expected = Told {
        asked: ASKED,
        raided: SENT,
        baited: CAPACITY,
        faults: 0b11,
        at_birth: 0b11,
    };
    assert_eq!(told(&monitor), expected);
    // A kill may meet the life after the one it was meant for, too.
    assert!(report.partitions[0].restarts >= 1);
    is_in(&report, &places);
    assert_no_trace(bus);
}

/// The faults are in the report, and no others.
fn is_in(report: &Report, places: &[Place]) {
    for link in &report.links {
        let place = places.iter().find(|place| place.link() == link.name);
        let complaint = link.fault.as_ref().map(ToString::to_string);
        assert_eq!(complaint, place.map(|place| place.complaint()));
    }
}
