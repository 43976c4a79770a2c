//! The pipeline: feed, book, strategy, gateway, each a partition on a core; and a link by which the times come out at the end.
//!
//! ```text
//! feed --ticks--> book --tops--> strategy --orders--> gateway --times--> the launching program
//! ```

pub(crate) mod cores;
pub(crate) mod schedule;
pub(crate) mod times;

mod book;
mod feed;
mod gateway;
mod messages;
mod strategy;

use airssys_rt::TopologyBuilder;
use airssys_rt::prelude::*;

use self::book::{Book, Quote};
use self::cores::Placement;
use self::feed::Feed;
use self::gateway::Gateway;
use self::messages::{INSTRUMENTS, Order, Tick, TopOfBook};
use self::schedule::Schedule;
use self::strategy::Strategy;
use self::times::{Logbook, Times};

/// In the order of the pipeline.
pub(crate) const PARTITIONS: [&str; 4] = ["feed", "book", "strategy", "gateway"];

/// Some milliseconds of ticks at a million a second: what the later stages may be behind before the feed has to wait.
const CAPACITY: u64 = 4096;

pub(crate) fn topology(
    name: &str,
    schedule: Schedule,
    placement: &Placement,
) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder(name);
    plan.leftover(Leftover::Discard); // of a run that was killed
    let (tick_out, tick_in) = plan.link::<Tick>("ticks", CAPACITY);
    let (top_out, top_in) = plan.link::<TopOfBook>("tops", CAPACITY);
    let (order_out, order_in) = plan.link::<Order>("orders", CAPACITY);
    let (times_out, times_in) = plan.link::<Times>("times", CAPACITY);
    plan.host().receives(times_in);
    // Backwards, since they are started in this order: who receives is there before anything is sent.
    let ends = (order_in, times_out);
    partition(&mut plan, 3, placement).actor("gateway", ends, move |(orders, times)| Gateway {
        orders,
        log: Logbook::new(schedule.count(), times),
    });
    let ends = (top_in, order_out, durable::<i64>("position"));
    partition(&mut plan, 2, placement).actor("strategy", ends, |(tops, orders, position)| {
        Strategy {
            tops,
            orders,
            position,
        }
    });
    let ends = (tick_in, top_out, durable::<[Quote; INSTRUMENTS]>("quotes"));
    partition(&mut plan, 1, placement).actor("book", ends, |(ticks, tops, quotes)| Book {
        ticks,
        tops,
        quotes,
    });
    let ends = (tick_out, durable::<u64>("began_ns"));
    partition(&mut plan, 0, placement).actor("feed", ends, move |(ticks, began_ns)| Feed {
        ticks,
        began_ns,
        schedule,
    });
    plan.build()
}

fn partition<'a>(
    plan: &'a mut TopologyBuilder,
    place: usize,
    placement: &Placement,
) -> airssys_rt::PartitionBuilder<'a> {
    let mut partition = plan.partition(PARTITIONS[place]);
    partition
        .core(placement.cores[place])
        .wait(placement.wait());
    if placement.shared {
        partition.share_core();
    }
    partition
}
