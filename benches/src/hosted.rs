//! Two actors in hosted partitions, to be driven on one thread: a source of messages and a sink.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use airssys_rt::prelude::*;
use airssys_rt::{Hosted, LinkIn, LinkOut, Running, TopologyBuilder};

/// What turns and host ports send.
pub type Message = [u64; 7];

/// Messages of a full step.
pub const FULL: u64 = 64;
/// So many full steps fit into a link.
pub const STEPS: u64 = 64;
/// Messages that fit.
pub const CAPACITY: u64 = FULL * STEPS;

/// Sends so many messages at each step.
struct Source {
    out: Sender<Message>,
    count: u64,
}

impl Actor for Source {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        for at in 0..self.count {
            self.out.send([at; 7])?;
        }
        Ok(Step::Busy)
    }
}

/// Receives so many messages at each step.
struct Sink {
    input: Receiver<Message>,
    count: usize,
    sum: u64,
}

impl Actor for Sink {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let sum = &mut self.sum;
        let seen = self.input.drain(self.count, |message| *sum += message[0]);
        if seen == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}

/// The same, with a durable cell of 64 B that each message changes.
struct Keeper {
    input: Receiver<Message>,
    count: usize,
    sum: Durable<[u64; 8]>,
}

impl Actor for Keeper {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let sum = &mut self.sum;
        let seen = self.input.drain(self.count, |message| {
            sum.borrow_mut()[0] += message[0];
        });
        if seen == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}

/// A topology with a bus of its own.
#[must_use]
pub fn plan() -> TopologyBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let unique = now.map_or(0, |since| since.as_nanos());
    Topology::builder(format!("hosted-{}-{unique}", std::process::id()))
}

/// A source of `count` messages a step.
pub fn source(plan: &mut TopologyBuilder, out: LinkOut<Message>, count: u64) {
    let mut partition = plan.partition("source");
    partition.hosted().wait(Wait::spin());
    partition.actor("source", out, move |out| Source { out, count });
}

/// A sink of `count` messages a step.
pub fn sink(plan: &mut TopologyBuilder, input: LinkIn<Message>, count: u64) {
    let mut partition = plan.partition("sink");
    partition.hosted().wait(Wait::spin());
    partition.actor("sink", input, move |input| Sink {
        input,
        count: count as usize,
        sum: 0,
    });
}

/// A sink with a durable cell of 64 B that each message changes.
pub fn keeper(plan: &mut TopologyBuilder, input: LinkIn<Message>, count: u64) {
    let mut partition = plan.partition("sink");
    partition.hosted().wait(Wait::spin());
    let ends = (input, durable::<[u64; 8]>("sum"));
    partition.actor("keeper", ends, move |(input, sum)| Keeper {
        input,
        count: count as usize,
        sum,
    });
}

/// Whether the turn did something.
pub fn busy(hosted: &mut Hosted) -> bool {
    matches!(hosted.turn(), Ok(Turned::Busy))
}

/// Stops the bus: each of its partitions has its last turns.
///
/// # Errors
///
/// What the partitions or the supervisor say.
pub fn end(running: Running, mut hosted: Vec<Hosted>) -> Result<(), Box<dyn Error>> {
    running.monitor().stop();
    while !hosted.is_empty() {
        let mut going_on = Vec::new();
        for mut one in hosted {
            if one.turn()? != Turned::Ended {
                going_on.push(one);
            }
        }
        hosted = going_on;
        // Whoever ends the bus needs the core, too.
        std::thread::yield_now();
    }
    running.join()?;
    Ok(())
}
