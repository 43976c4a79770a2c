//! The topology, the same in every process.

use std::time::Duration;

use airssys_rt::prelude::*;

use crate::actors::{Block, CountedBlock, Counter, Place, Reader, Tokenizer, Totals};
use crate::arguments::Arguments;

/// Slots of each link: of 64 KiB each, which makes 1 MiB, so that both ends of a link work in caches.
const CAPACITY: u64 = 16;

/// Far above what a killer can do: here the deaths are asked for.
const KILLS: (u32, Duration) = (100_000, Duration::from_secs(60));

/// A life that was killed before it had anything to do did not fail: the next one needn't wait.
const BACKOFF: Duration = Duration::from_millis(1);

pub(crate) fn topology(arguments: &Arguments) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("wordcount");
    plan.bus(&arguments.bus).leftover(Leftover::Discard);
    if arguments.kill_every.is_some() {
        plan.intensity(KILLS.0, KILLS.1).backoff(BACKOFF, BACKOFF);
    }
    let (blocks_out, blocks_in) = plan.link::<Block>("blocks", CAPACITY);
    let (counted_out, counted_in) = plan.link::<CountedBlock>("counted", CAPACITY);
    let job = arguments.clone();
    plan.partition("reader").actor(
        "reader",
        (blocks_out, durable::<Place>("place")),
        move |ports| Reader::new(&job.file(), |size| job.repeat_of(size), ports),
    );
    plan.partition("tokenizer").actor(
        "tokenizer",
        (blocks_in, counted_out, durable::<u8>("in_word")),
        |(blocks, counted, in_word)| Tokenizer {
            blocks,
            counted,
            in_word,
        },
    );
    plan.partition("counter").actor(
        "counter",
        (counted_in, durable::<Totals>("totals")),
        |(counted, totals)| Counter { counted, totals },
    );
    plan.build()
}
