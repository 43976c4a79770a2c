//! The first messages after a start and after a restart, against those of a life that has long run.
//!
//! ```text
//! sender --messages--> receiver        one message at a time, one every 20 us, paced by spinning on the clock
//!        <--acks------
//! ```
//!
//! Each life sends its next message when the one before was acknowledged, so that nothing queues behind a death: what is timed
//! is the way of one message, from a clock reading before the send to one after the receipt. The message that was under way
//! when the receiver was killed waits for its next life; it is told apart, as what a death costs.
//!
//! A life here is a pair: a new sender or a new receiver begins one. Plain fields hold the times of the present life. A step
//! that is rolled back doesn't undo them, so each time is written where its message's number puts it, again if need be.

use std::time::{Duration, Instant};

use airssys_rt::prelude::*;
use airssys_rt::{Monitor, Want, enter, monotonic_ns};

use crate::part::Result;

pub(crate) const NAME: &str = "first";

/// The first messages of a life that are looked at, and as many much later ones.
pub(crate) const COUNT: usize = 1_000;
/// Where those later ones begin.
const STEADY_FROM: u64 = 4_000;
const INTERVAL_NS: u64 = 20_000;
/// Bytes of a message's slot and of an acknowledgement's: with the sequence word, a power of two.
const SLOT: u64 = 32;
const ACK_SLOT: u64 = 16;
/// A life's messages take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nanoseconds of consecutive messages.
pub(crate) type Times = [u32; COUNT];

#[message]
struct Message {
    /// When its sender's life began: no two have the same.
    born_ns: u64,
    sent_ns: u64,
}

struct Pacer {
    acks: Receiver<u64>,
    out: Sender<Message>,
    born_ns: u64,
    /// Of the latest message that was sent, if it was: how many came before it, and when.
    sent: (u64, u64),
    began_ns: Durable<u64>,
}

impl Actor for Pacer {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let _ = self.acks.try_recv();
        let before = self.out.sent();
        if before == 0 {
            self.began_ns.set(monotonic_ns());
        }
        if self.acks.received() < before {
            return Ok(Step::Busy);
        }
        let (last, at_ns) = self.sent;
        let sent_ns = monotonic_ns();
        if last.wrapping_add(1) == before && sent_ns < at_ns + INTERVAL_NS {
            return Ok(Step::Busy);
        }
        let born_ns = self.born_ns;
        self.out.send(Message { born_ns, sent_ns })?;
        self.sent = (before, sent_ns);
        Ok(Step::Busy)
    }
}

struct Timer {
    input: Receiver<Message>,
    acks: Sender<u64>,
    ready_ns: u64,
    /// The sender's life, and the number of its first message here.
    life: (u64, u64),
    first: Times,
    steady: Times,
    first_cell: Durable<Times>,
    steady_cell: Durable<Times>,
    /// What the message waited that was under way when the receiver died.
    waited_ns: Durable<u64>,
    lives: Durable<u64>,
    began_ns: Durable<u64>,
}

impl Actor for Timer {
    fn step(&mut self) -> std::result::Result<Step, Refused> {
        let number = self.input.received();
        if number == 0 && self.began_ns.get() == 0 {
            self.began_ns.set(monotonic_ns());
            return Ok(Step::Busy);
        }
        let Some(message) = self.input.try_recv() else {
            return Ok(Step::Idle);
        };
        let took_ns = monotonic_ns() - message.sent_ns;
        self.acks.send(number)?;
        if message.sent_ns < self.ready_ns {
            self.waited_ns.set(took_ns);
            return Ok(Step::Busy);
        }
        if self.life.0 != message.born_ns {
            self.life = (message.born_ns, number);
        }
        let place = number - self.life.1;
        let took_ns = u32::try_from(took_ns).unwrap_or(u32::MAX);
        if let Some(time) = self.first.get_mut(place as usize) {
            *time = took_ns;
        } else if let Some(time) = place
            .checked_sub(STEADY_FROM)
            .and_then(|place| self.steady.get_mut(place as usize))
        {
            *time = took_ns;
        } else if place == STEADY_FROM + COUNT as u64 {
            self.first_cell.set(self.first);
            self.steady_cell.set(self.steady);
            *self.lives.borrow_mut() += 1;
        }
        Ok(Step::Busy)
    }
}

/// What a bus is launched with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    lock: Want,
    huge: Want,
    warm_up: u32,
}

impl Variant {
    pub(crate) const ALL: [Self; 5] = [
        Self::new("plain", Want::No, Want::No, 0),
        Self::new("locked", Want::Try, Want::No, 0),
        Self::new("huge", Want::No, Want::Try, 0),
        Self::new("warm-up-100", Want::No, Want::No, 100),
        Self::new("all", Want::Try, Want::Try, 100),
    ];

    const fn new(name: &'static str, lock: Want, huge: Want, warm_up: u32) -> Self {
        Self {
            name,
            lock,
            huge,
            warm_up,
        }
    }

    pub(crate) fn topology(&self, bus_mib: u64) -> std::result::Result<Topology, TopologyError> {
        let link_bytes = (bus_mib << 20) / 2;
        let mut plan = Topology::builder(format!("embedding-{NAME}-{}", self.name));
        plan.leftover(Leftover::Discard) // of a run that was killed
            .lock_memory(self.lock)
            .huge_pages(self.huge)
            .intensity(1_000, Duration::from_secs(1)); // kills are the measurement
        let (out, input) = plan.link::<Message>("messages", link_bytes / SLOT);
        let (ack_out, acks) = plan.link::<u64>("acks", link_bytes / ACK_SLOT);
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let cells = (
            durable::<Times>("first"),
            durable::<Times>("steady"),
            durable::<u64>("waited-ns"),
            durable::<u64>("lives"),
            durable::<u64>("began-ns"),
        );
        // The receiver first: it waits when the sender begins.
        let mut receiver = plan.partition("receiver");
        receiver.wait(Wait::spin()).warm_up(self.warm_up);
        if let [_, core, ..] = cores[..] {
            receiver.core(core.id);
        }
        receiver.actor(
            "timer",
            (input, ack_out, cells),
            |(input, acks, (first_cell, steady_cell, waited_ns, lives, began_ns))| Timer {
                input,
                acks,
                ready_ns: monotonic_ns(),
                life: (0, 0),
                first: [0; COUNT],
                steady: [0; COUNT],
                first_cell,
                steady_cell,
                waited_ns,
                lives,
                began_ns,
            },
        );
        let mut sender = plan.partition("sender");
        sender.wait(Wait::spin()).warm_up(self.warm_up);
        if let [core, _, ..] = cores[..] {
            sender.core(core.id);
        }
        let ends = (acks, out, durable::<u64>("began-ns"));
        sender.actor("pacer", ends, |(acks, out, began_ns)| Pacer {
            acks,
            out,
            born_ns: monotonic_ns(),
            sent: (u64::MAX - 1, 0),
            began_ns,
        });
        plan.build()
    }

    /// In a process of this topology's: runs it and never returns.
    pub(crate) fn enter(&self, bus_mib: u64) -> Result<()> {
        Ok(enter(|| self.topology(bus_mib))?)
    }
}

/// What one life took.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) first: Box<Times>,
    pub(crate) steady: Box<Times>,
}

/// One bus: its start, the restart of its receiver and that of its sender.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) lives: [Life; 3],
    /// What a message waited for a receiver that had been killed.
    pub(crate) waited_ns: u64,
    /// How long the launch took.
    pub(crate) launch: Duration,
    /// From before the launch to the first step of the sender, and to that of the receiver.
    pub(crate) first_steps_ns: [u64; 2],
    /// What the bus had of the machine's memory.
    pub(crate) memory: String,
}

pub(crate) fn round(variant: &Variant, bus_mib: u64) -> Result<Round> {
    let topology = variant.topology(bus_mib)?;
    let (begun, begun_ns) = (Instant::now(), monotonic_ns());
    // By its message if there is no room for such a bus.
    let running = topology
        .launch(Launch::Processes)
        .map_err(airssys_rt::Error::from)?;
    let launch = begun.elapsed();
    let memory = running.memory().to_string();
    let start = life(&running, 1)?;
    let first_step = |actor| -> Result<u64> {
        let at_ns = running.read::<u64>(actor, "began-ns")?;
        Ok(at_ns.unwrap_or(0).saturating_sub(begun_ns))
    };
    let first_steps_ns = [first_step("pacer")?, first_step("timer")?];
    running.kill("receiver")?;
    let received = life(&running, 2)?;
    let waited_ns = running.read("timer", "waited-ns")?.unwrap_or(0);
    running.kill("sender")?;
    let sent = life(&running, 3)?;
    let restarts: Vec<u64> = running
        .partitions()
        .iter()
        .map(|one| one.restarts)
        .collect();
    if restarts != [1, 1] {
        return Err(format!("{restarts:?} restarts, not one each").into());
    }
    Ok(Round {
        lives: [start, received, sent],
        waited_ns,
        launch,
        first_steps_ns,
        memory,
    })
}

/// The times of the `nth` life, once it has told them.
fn life(monitor: &Monitor, nth: u64) -> Result<Life> {
    let since = Instant::now();
    while monitor.read::<u64>("timer", "lives")? != Some(nth) {
        if since.elapsed() > PATIENCE {
            return Err(format!("life {nth} has told nothing for {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let times = |cell| -> Result<Box<Times>> {
        let read = monitor.read::<Times>("timer", cell)?;
        Ok(Box::new(
            read.ok_or_else(|| format!("cell `{cell}` was never set"))?,
        ))
    };
    Ok(Life {
        first: times("first")?,
        steady: times("steady")?,
    })
}
