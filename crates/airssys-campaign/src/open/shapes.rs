//! Regions of several shapes, as bytes: what mutations start from.

use std::path::Path;

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    RingShape, actor_section, blame_section, cell_section, command_section, credit_section,
    doorbells_section, latency_section, port_pulse_section, pulse_section, ring_section,
};
use airssys_ringbuf::region::{Access, Expected, Region, RegionPlan, Section};
use airssys_ringbuf::step::{Attach, Verdict, mistake};

use super::{letters, mutate};
use crate::failure::Failure;
use crate::seed::Seed;
use crate::traffic::{IN, Item};

const BUS: &str = "open";
const OWNER: &str = "own";
const DIGEST: u64 = 0x0123_4567_89ab_cdef;
const BOOT: [u8; 16] = [7; 16];

/// The actor that sends to itself, its link and its cell.
pub(crate) const ACTOR: &str = "actor";
pub(crate) const LINK: &str = "loop";
pub(crate) const CELL: &str = "cell";

/// What is done with a region before its bytes are taken.
type Fill = fn(&Region) -> Result<(), Failure>;

const UNUSED: Fill = |_| Ok(());

/// Mutated regions in the corpus, and what they are drawn by.
const MUTATED: u64 = 12;
const MUTATED_SEED: u64 = 1;

/// Sound regions, by name; `directory` is for their files.
pub(crate) fn sound(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let shapes = [
        ("empty", vec![], UNUSED),
        (
            "words",
            vec![
                pulse_section(),
                port_pulse_section("orders"),
                doorbells_section(3),
                command_section("feed"),
            ],
            UNUSED,
        ),
        ("loop", looped::<Item>(4, false)?, UNUSED),
        ("loop-used", looped::<Item>(4, false)?, step),
        ("stamped", looped::<Item>(4, true)?, step),
        ("small", looped::<u64>(16, false)?, UNUSED),
        ("line", looped::<[u64; 8]>(8, false)?, UNUSED),
        ("bytes", looped::<[u8; 3]>(1, false)?, UNUSED),
        ("many", many(), UNUSED),
        ("letters", letters::sections()?, letters::fill),
        ("blame", vec![blame_section(ACTOR, 3)], letters::accuse),
    ];
    shapes
        .into_iter()
        .map(|(name, sections, filled)| Ok((name.to_owned(), bytes(directory, sections, filled)?)))
        .collect()
}

/// Those, and some with changes.
pub(crate) fn corpus(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut corpus = sound(directory)?;
    let bases: Vec<Vec<u8>> = corpus.iter().map(|(_, bytes)| bytes.clone()).collect();
    let mut draws = Seed::new(MUTATED_SEED);
    for number in 0..MUTATED {
        let mutated = mutate::mutated(&bases, &mut draws);
        corpus.push((format!("mutated-{number:02}"), mutated));
    }
    Ok(corpus)
}

/// An actor that sends to itself.
fn looped<T: Message>(capacity: u64, stamped: bool) -> Result<Vec<Section>, Failure> {
    let shape = RingShape::new(size_of::<T>(), capacity, stamped)
        .ok_or_else(|| Failure::broken("a ring's shape", capacity))?;
    let mut sections = vec![
        pulse_section(),
        actor_section(ACTOR, 1, 1),
        cell_section(
            &format!("{ACTOR}/{CELL}"),
            &u64::SCHEMA.to_text(),
            size_of::<u64>(),
        ),
        ring_section(LINK, &T::SCHEMA.to_text(), &shape),
        credit_section(LINK),
    ];
    if stamped {
        sections.push(latency_section(LINK));
    }
    Ok(sections)
}

fn many() -> Vec<Section> {
    (0..12)
        .map(|number| command_section(&format!("partition-{number}")))
        .collect()
}

/// The region's file, after it was filled.
fn bytes(directory: &Path, sections: Vec<Section>, fill: Fill) -> Result<Vec<u8>, Failure> {
    let mut plan = RegionPlan::new(BUS, OWNER, DIGEST);
    for section in sections {
        plan.add(section);
    }
    plan.create(directory, OWNER, BOOT)?;
    let path = directory.join(OWNER);
    let expected = Expected {
        bus: BUS,
        owner: OWNER,
        digest: DIGEST,
        boot_id: BOOT,
    };
    fill(&Region::open(&path, Access::ReadWrite, &expected)?)?;
    let read = std::fs::read(&path);
    let removed = std::fs::remove_file(&path);
    let bytes = read.map_err(|error| Failure::broken("reading a region", error))?;
    removed.map_err(|error| Failure::broken("removing a region", error))?;
    Ok(bytes)
}

/// Sends more than the ring holds, and leaves some of it in there.
fn step(own: &Region) -> Result<(), Failure> {
    let mut attach = Attach::<{ mistake::NONE }>::new(own, ACTOR, 1, 1)?;
    let mut input = attach.receiver::<Item>(LINK, own)?;
    let mut output = attach.sender::<Item>(LINK, own)?;
    let mut cell = attach.durable(CELL, 0_u64)?;
    let mut core = attach.finish();
    for seq in 0..7 {
        core.begin(1);
        if seq > 2 {
            cell.set(input.try_recv().map_or(0, |item| item.seq));
        }
        // A refusal shows in the region that comes of it.
        let _ = output.send(Item::new(IN[0], seq, 0));
        let _ = core.finish(Verdict::Keep)?;
    }
    Ok(())
}
