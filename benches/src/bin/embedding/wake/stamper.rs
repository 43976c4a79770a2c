//! A partition that sends the time, when it is told to and as often.

use std::hint::spin_loop;

use airssys_rt::monotonic_ns;
use airssys_rt::prelude::*;

/// From one stamp to the next.
pub(crate) const INTERVAL_NS: u64 = 200_000;

pub(crate) const GOES: &str = "goes";
pub(crate) const STAMPS: &str = "stamps";

/// Where the sender runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Wherever the scheduler puts it.
    Anywhere,
    /// On the last CPU that may be used. The task isn't pinned.
    LastCpu,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::Anywhere, Self::LastCpu];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::LastCpu => "pinned",
        }
    }

    pub(crate) fn cpu(self) -> Option<usize> {
        match self {
            Self::Anywhere => None,
            Self::LastCpu => Some(core_affinity::get_core_ids()?.last()?.id),
        }
    }
}

/// Calls `send` with the time, `count` times, one interval apart; in between it spins.
pub(crate) fn stamp(count: u64, mut send: impl FnMut(u64)) {
    let mut next_ns = monotonic_ns() + INTERVAL_NS;
    for _ in 0..count {
        next_ns = spin_until(next_ns) + INTERVAL_NS;
        send(monotonic_ns());
    }
}

/// Returns when it is that time; the time then.
fn spin_until(time_ns: u64) -> u64 {
    loop {
        let now_ns = monotonic_ns();
        if now_ns >= time_ns {
            return now_ns;
        }
        spin_loop();
    }
}

struct Stamper {
    goes: Receiver<u64>,
    stamps: Sender<u64>,
    /// Stamps still to send, and when the next one is due.
    left: u64,
    next_ns: u64,
}

impl Actor for Stamper {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.left == 0 {
            let Some(count) = self.goes.try_recv() else {
                let ended = self.goes.is_closed();
                return Ok(if ended { Step::Done } else { Step::Idle });
            };
            self.left = count;
            self.next_ns = monotonic_ns() + INTERVAL_NS;
            return Ok(Step::Busy);
        }
        self.next_ns = spin_until(self.next_ns) + INTERVAL_NS;
        self.left -= 1;
        self.stamps.send(monotonic_ns())?;
        Ok(Step::Busy)
    }
}

/// The stamper as a process that parks until it is told to go.
pub(crate) fn topology(place: Place) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder(format!("embedding-wake-{}", place.name()));
    plan.leftover(Leftover::Discard); // of a run that was killed
    let (go_out, go_in) = plan.link::<u64>(GOES, 16);
    let (stamp_out, stamp_in) = plan.link::<u64>(STAMPS, 1024);
    plan.host().sends(go_out).receives(stamp_in);
    let mut partition = plan.partition("stamper");
    partition.wait(Wait::spin_then_park());
    if let Some(cpu) = place.cpu() {
        partition.core(cpu);
    }
    partition.actor("stamper", (go_in, stamp_out), |(goes, stamps)| Stamper {
        goes,
        stamps,
        left: 0,
        next_ns: 0,
    });
    plan.build()
}
