//! Two partitions and a link between them: one way, or there and back.

use airssys_rt::prelude::*;
use airssys_rt::{PartitionBuilder, TopologyBuilder, TrySendError, monotonic_ns};

use crate::pipeline::cores::Placement;
use crate::pipeline::schedule::{Due, Schedule};
use crate::pipeline::times::{Logbook, Times};

/// The actor that keeps the schedule.
pub(crate) const SENDER: &str = "sender";

/// Some milliseconds at a million a second: what the receiver may be behind before the sender has to wait.
const CAPACITY: u64 = 4096;

/// As large as one cache line allows.
#[message]
struct Message {
    due_ns: u64,
    sent_ns: u64,
    rest: [u64; 5],
}

/// Sends by the clock.
struct Pacer {
    out: Sender<Message>,
    began_ns: Durable<u64>,
    schedule: Schedule,
}

impl Pacer {
    /// Sends the next message if it is due; done after the last one.
    fn pace(&mut self) -> Result<Step, Refused> {
        let number = self.out.sent();
        let (due_ns, sent_ns) = match self.schedule.look(&mut self.began_ns, number) {
            Due::Now { due_ns, now_ns } => (due_ns, now_ns),
            Due::Later => return Ok(Step::Idle),
            Due::NoMore => return Ok(Step::Done),
        };
        let sent = self.out.try_send(Message {
            due_ns,
            sent_ns,
            rest: [number; 5],
        });
        match sent {
            Ok(()) => Ok(Step::Busy),
            // Not a refused step: what a pinger has taken in it would come again.
            Err(TrySendError::Full(_)) => Ok(Step::Idle),
            Err(TrySendError::Closed(_)) => Err(Refused::Closed),
        }
    }
}

impl Actor for Pacer {
    fn step(&mut self) -> Result<Step, Refused> {
        self.pace()
    }
}

/// Takes the times of what has come.
struct Taker {
    input: Receiver<Message>,
    log: Logbook,
}

impl Taker {
    fn take(&mut self) -> usize {
        self.input.drain(64, |message| {
            self.log.keep(Times {
                due_ns: message.due_ns,
                sent_ns: message.sent_ns,
                done_ns: monotonic_ns(),
            });
        })
    }
}

impl Actor for Taker {
    fn step(&mut self) -> Result<Step, Refused> {
        let taken = self.take();
        if taken == 0 && self.input.is_closed() {
            return self.log.hand_over();
        }
        Ok(taken.into())
    }
}

/// Sends by the clock, and takes the times of what has come back.
struct Pinger {
    pacer: Pacer,
    taker: Taker,
}

impl Actor for Pinger {
    fn step(&mut self) -> Result<Step, Refused> {
        let taken = self.taker.take();
        match self.pacer.pace()? {
            Step::Done if self.taker.input.received() == self.pacer.schedule.count() => {
                self.taker.log.hand_over()
            }
            Step::Busy => Ok(Step::Busy),
            Step::Idle | Step::Done | Step::Retry => Ok(taken.into()),
        }
    }
}

/// Sends everything back.
struct Echo {
    input: Receiver<Message>,
    out: Sender<Message>,
}

impl Actor for Echo {
    fn step(&mut self) -> Result<Step, Refused> {
        let most = self.out.room().clamp(1, 64);
        let seen = self
            .input
            .try_drain(most, |message| self.out.send(*message))?;
        let done = seen == 0 && self.input.is_closed();
        Ok(if done { Step::Done } else { seen.into() })
    }
}

pub(crate) fn one_way(
    name: &str,
    schedule: Schedule,
    placement: &Placement,
) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder(name);
    plan.leftover(Leftover::Discard); // of a run that was killed
    let (out, input) = plan.link::<Message>("messages", CAPACITY);
    let (times_out, times_in) = plan.link::<Times>("times", CAPACITY);
    plan.host().receives(times_in);
    // The receiver first: it is there before anything is sent.
    let ends = (input, times_out);
    partition(&mut plan, "receiver", placement, 1).actor(
        "receiver",
        ends,
        move |(input, times)| {
            let log = Logbook::new(schedule.count(), times);
            Taker { input, log }
        },
    );
    let ends = (out, durable::<u64>("began_ns"));
    partition(&mut plan, SENDER, placement, 0).actor(SENDER, ends, move |(out, began_ns)| Pacer {
        out,
        began_ns,
        schedule,
    });
    plan.build()
}

pub(crate) fn round_trip(
    name: &str,
    schedule: Schedule,
    placement: &Placement,
) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder(name);
    plan.leftover(Leftover::Discard);
    let (there_out, there_in) = plan.link::<Message>("there", CAPACITY);
    let (back_out, back_in) = plan.link::<Message>("back", CAPACITY);
    let (times_out, times_in) = plan.link::<Times>("times", CAPACITY);
    plan.host().receives(times_in);
    let ends = (there_in, back_out);
    partition(&mut plan, "echo", placement, 1)
        .actor("echo", ends, |(input, out)| Echo { input, out });
    let ends = (there_out, back_in, times_out, durable::<u64>("began_ns"));
    partition(&mut plan, SENDER, placement, 0).actor(
        SENDER,
        ends,
        move |(out, input, times, began_ns)| Pinger {
            pacer: Pacer {
                out,
                began_ns,
                schedule,
            },
            taker: Taker {
                input,
                log: Logbook::new(schedule.count(), times),
            },
        },
    );
    plan.build()
}

fn partition<'a>(
    plan: &'a mut TopologyBuilder,
    name: &str,
    placement: &Placement,
    place: usize,
) -> PartitionBuilder<'a> {
    let mut partition = plan.partition(name);
    partition
        .core(placement.cores[place])
        .wait(placement.wait());
    if placement.shared {
        partition.share_core();
    }
    partition
}
