//! An actor's turn in the partitions' own loop: two hosted partitions, driven on one thread.

use std::time::{SystemTime, UNIX_EPOCH};

use airssys_rt::prelude::*;
use airssys_rt::{Hosted, LinkIn, LinkOut, Running, TopologyBuilder};

use crate::operation::{BATCH, Operation, Result, nothing, rounds};

/// What turns and host ports send.
pub(crate) type Message = [u64; 7];

/// Messages of a full step.
const FULL: u64 = 64;
/// A batch of full steps fits.
pub(crate) const CAPACITY: u64 = (FULL * BATCH).next_power_of_two();

/// Sends so many messages at each step.
pub(crate) struct Source {
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
pub(crate) struct Sink {
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
pub(crate) fn plan() -> TopologyBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let unique = now.map_or(0, |since| since.as_nanos());
    Topology::builder(format!("instructions-{}-{unique}", std::process::id()))
}

pub(crate) fn source(plan: &mut TopologyBuilder, out: LinkOut<Message>, count: u64) {
    let mut partition = plan.partition("source");
    partition.hosted().wait(Wait::spin());
    partition.actor("source", out, move |out| Source { out, count });
}

pub(crate) fn sink(plan: &mut TopologyBuilder, input: LinkIn<Message>, count: u64) {
    let mut partition = plan.partition("sink");
    partition.hosted().wait(Wait::spin());
    partition.actor("sink", input, move |input| Sink {
        input,
        count: count as usize,
        sum: 0,
    });
}

fn keeper(plan: &mut TopologyBuilder, input: LinkIn<Message>, count: u64) {
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
pub(crate) fn busy(hosted: &mut Hosted) -> bool {
    matches!(hosted.turn(), Ok(Turned::Busy))
}

/// Stops the bus: each of its partitions has its last turns.
pub(crate) fn end(running: Running, mut hosted: Vec<Hosted>) -> Result<()> {
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

#[derive(Clone, Copy)]
enum Way {
    Idle,
    Send,
    Receive,
}

pub(crate) fn operations() -> Vec<Operation> {
    let one = |name: &str, way, kept, count| {
        Operation::new(name, count, move |calls| run(way, kept, count, calls))
    };
    vec![
        one("turn, idle", Way::Idle, false, 1),
        one("turn, sends 1", Way::Send, false, 1),
        one("turn, receives 1", Way::Receive, false, 1),
        one(
            "turn, receives 1, changes a cell of 64 B",
            Way::Receive,
            true,
            1,
        ),
        one("turn, sends 64: a message", Way::Send, false, FULL),
        one("turn, receives 64: a message", Way::Receive, false, FULL),
        one(
            "turn, receives 64, changes a cell of 64 B each: a message",
            Way::Receive,
            true,
            FULL,
        ),
    ]
}

/// `count` messages a turn; the receiver keeps a durable cell or none.
fn run(way: Way, kept: bool, count: u64, calls: u64) -> Result<bool> {
    let mut plan = plan();
    let (out, input) = plan.link::<Message>("messages", CAPACITY);
    source(&mut plan, out, count);
    if kept {
        keeper(&mut plan, input, count);
    } else {
        sink(&mut plan, input, count);
    }
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut source = running.hosted("source")?;
    let mut sink = running.hosted("sink")?;
    let all = match way {
        Way::Idle => {
            let idle = || matches!(sink.turn(), Ok(Turned::Idle));
            rounds(calls, nothing, idle, nothing)
        }
        Way::Send => rounds(calls, nothing, || busy(&mut source), || busy(&mut sink)),
        Way::Receive => rounds(calls, || busy(&mut source), || busy(&mut sink), nothing),
    };
    end(running, vec![source, sink])?;
    Ok(all)
}
