//! Host ports, against an actor that is run by hand: each call is a step of its own, on the heap and in files.
//!
//! ```text
//! host --down--> echo (part) --up--> host
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod closing;
mod faults;
mod lives;
mod threads;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, latency_section, port_pulse_section,
    ring_section,
};
use airssys_ringbuf::memory::Words;
use airssys_ringbuf::region::{
    Access, Expected, Region, RegionPlan, Section, SectionKind, boot_id,
};
use airssys_ringbuf::step::{
    Attach, Durable, HostReceiver, HostSender, Outcome, Progress, Receiver, Sender, StepCore,
    Verdict, progress,
};

/// One party's region, as itself and as its peers have it.
struct Side {
    own: Region,
    seen: Region,
}

/// The host's region and that of partition "part". `up` is stamped.
struct Bus {
    host: Side,
    part: Side,
}

fn ring(link: &str, capacity: u64, stamped: bool) -> Section {
    let shape = RingShape::new(8, capacity, stamped).unwrap();
    ring_section(link, &u64::SCHEMA.to_text(), &shape)
}

fn plans(capacity: u64) -> [RegionPlan; 2] {
    let mut host = RegionPlan::new("bus", "host", 1);
    host.add(port_pulse_section("down"))
        .add(actor_section("down", 0, 1))
        .add(ring("down", capacity, false))
        .add(port_pulse_section("up"))
        .add(actor_section("up", 1, 0))
        .add(credit_section("up"))
        .add(latency_section("up"));
    let mut part = RegionPlan::new("bus", "part", 1);
    part.add(actor_section("echo", 1, 1))
        .add(cell_section("echo/sum", &u64::SCHEMA.to_text(), 8))
        .add(credit_section("down"))
        .add(ring("up", capacity, true));
    [host, part]
}

fn on_heap(plan: &RegionPlan) -> Side {
    let own = Region::heap(plan).unwrap();
    let seen = own.clone();
    Side { own, seen }
}

/// Its file is gone as soon as it is mapped.
fn in_file(plan: &RegionPlan, owner: &str) -> Side {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = format!("airssys-test-host-{}-{number}", std::process::id());
    let directory = Path::new("/dev/shm");
    let boot_id = boot_id().unwrap();
    plan.create(directory, &file, boot_id).unwrap();
    let path = directory.join(file);
    let expected = Expected {
        bus: "bus",
        owner,
        digest: 1,
        boot_id,
    };
    let open = |access| Region::open(&path, access, &expected).unwrap();
    let side = Side {
        own: open(Access::ReadWrite),
        seen: open(Access::ReadOnly),
    };
    std::fs::remove_file(&path).unwrap();
    side
}

/// Runs a test on a bus of each kind whose links hold `capacity` messages.
fn on_both(capacity: u64, test: impl Fn(&Bus)) {
    let [host, part] = plans(capacity);
    test(&Bus {
        host: on_heap(&host),
        part: on_heap(&part),
    });
    test(&Bus {
        host: in_file(&host, "host"),
        part: in_file(&part, "part"),
    });
}

impl Bus {
    fn sender(&self) -> HostSender<u64> {
        HostSender::attach(&self.host.own, "down", &self.part.seen).unwrap()
    }

    fn receiver(&self) -> HostReceiver<u64> {
        HostReceiver::attach(&self.host.own, "up", &self.part.seen).unwrap()
    }

    fn echo(&self) -> Echo {
        let mut attach = Attach::new(&self.part.own, "echo", 1, 1).unwrap();
        let input = attach.receiver("down", &self.host.seen).unwrap();
        let output = attach.sender("up", &self.host.seen).unwrap();
        let sum = attach.durable("sum", 0).unwrap();
        Echo {
            core: attach.finish(),
            input,
            output,
            sum,
        }
    }

    /// What the sending port has committed.
    fn sent(&self) -> Progress {
        progress(&self.host.seen, "down", 0, 1).unwrap()
    }

    /// What the receiving port has committed.
    fn received(&self) -> Progress {
        progress(&self.host.seen, "up", 1, 0).unwrap()
    }
}

/// One word of a section: what its owner wrote, for a test to take back or to spoil.
struct Spot(Words, usize);

impl Spot {
    fn of(owner: &Side, kind: SectionKind, name: &str, word: usize) -> Self {
        let offset = owner.own.section(kind, name).unwrap().offset;
        Self(
            Words::new(owner.own.memory(), offset, word + 1).unwrap(),
            word,
        )
    }

    /// The sequence word of the first slot of a sequenced ring: its last word.
    fn first_sequence(owner: &Side, link: &str) -> Self {
        let stride = owner.own.section(SectionKind::Ring, link).unwrap().stride as usize;
        Self::of(owner, SectionKind::Ring, link, (384 + stride) / 8 - 1)
    }

    fn get(&self) -> u64 {
        self.0.at(self.1).load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.at(self.1).store(value, Ordering::Relaxed);
    }
}

/// The partition's actor.
struct Echo {
    core: StepCore,
    input: Receiver<u64>,
    output: Sender<u64>,
    sum: Durable<u64>,
}

impl Echo {
    /// Receives up to `most` messages in one step and sends each back.
    fn turn(&mut self, most: usize) -> usize {
        self.core.begin(u64::MAX);
        let (output, sum) = (&mut self.output, &mut self.sum);
        let count = self
            .input
            .try_drain(most, |value| {
                output.send(*value)?;
                *sum.borrow_mut() += value;
                Ok::<(), airssys_ringbuf::step::Refused>(())
            })
            .unwrap();
        let _ = self.core.finish(Verdict::Keep).unwrap();
        count
    }

    fn send(&mut self, values: &[u64]) {
        self.core.begin(u64::MAX);
        self.output.send_slice(values).unwrap();
        assert!(self.core.finish(Verdict::Keep).unwrap().committed);
    }

    /// Receives everything, sends nothing.
    fn receive(&mut self) -> Vec<u64> {
        let mut values = Vec::new();
        self.core.begin(u64::MAX);
        self.input.drain(usize::MAX, |value| values.push(*value));
        let _ = self.core.finish(Verdict::Keep).unwrap();
        values
    }

    fn end(&mut self) -> Outcome {
        self.core.begin(u64::MAX);
        self.core.finish(Verdict::Done).unwrap()
    }

    fn sees_end(&mut self) -> bool {
        self.core.begin(u64::MAX);
        let closed = self.input.is_closed();
        let _ = self.core.finish(Verdict::Abort).unwrap();
        closed
    }

    fn room(&mut self) -> usize {
        self.core.begin(u64::MAX);
        let room = self.output.room();
        let _ = self.core.finish(Verdict::Abort).unwrap();
        room
    }
}
