//! The topologies of the cases, and their actors. All of them are entered by every partition's process.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airssys_rt::TopologyBuilder;
use airssys_rt::prelude::*;
use rustix::process::{Signal, getpid, kill_process};
use rustix::thread::CpuSet;

use crate::CASE;
use crate::common::fan_in::gathering;
use crate::common::host::{deaf_in, host_around};
use crate::common::{Item, Source, bus_name, relay, relay_in, sink, source, three_stages};

type Build = fn() -> Result<Topology, TopologyError>;

pub(crate) const ENTERED: &[Build] = &[
    two_stages,
    finite,
    traffic,
    faulty,
    hopeless,
    hanging,
    oversized,
    differing,
    parent,
    stubborn,
    pinned,
    other,
    relayed,
    hosted,
    between_hosts,
    gathered,
    crate::memory::large,
    crate::capsules::timed,
    crate::collections::kept,
    crate::poison::poisoned,
    crate::poison::poisoned_to_hang,
    crate::poison::killed_at_work,
    crate::poison::commanded,
    crate::poison::narrow,
    crate::poison::overflowing,
    crate::poison::resetting,
    crate::poison::unforgiving,
    crate::hoarder::hoarding,
    crate::poison::without_letters,
    crate::unjudged::panics,
    crate::unjudged::panics_and_starts_anew,
    crate::unjudged::orphaned,
    crate::untrusted::sequenced,
    crate::untrusted::contiguous,
    crate::untrusted::trusted,
];

pub(crate) const FINITE: u64 = 20_000;
/// More than what passes while its partitions are killed.
pub(crate) const GATHERED: u64 = 1_000_000;

/// A restart that follows at once however often.
pub(crate) fn builder(tag: &str) -> TopologyBuilder {
    let mut plan = Topology::builder(tag);
    plan.bus(bus_name(tag))
        .intensity(100_000, Duration::from_secs(3_600))
        .backoff(Duration::from_millis(1), Duration::from_millis(2));
    plan
}

pub(crate) fn two_stages() -> Result<Topology, TopologyError> {
    let mut plan = builder("two-stages");
    let (out, input) = plan.link::<Item>("items", 64);
    source(&mut plan, out, FINITE, 4);
    sink(&mut plan, input, 8);
    plan.build()
}

pub(crate) fn finite() -> Result<Topology, TopologyError> {
    finite_with(Leftover::Refuse)
}

pub(crate) fn finite_with(leftover: Leftover) -> Result<Topology, TopologyError> {
    let mut plan = builder("finite");
    plan.leftover(leftover);
    three_stages(&mut plan, 64, FINITE, 4);
    plan.build()
}

/// Three stages that never end by themselves.
pub(crate) fn traffic_with(leftover: Leftover) -> Result<Topology, TopologyError> {
    let mut plan = builder("traffic");
    plan.leftover(leftover);
    three_stages(&mut plan, 16, u64::MAX, 4);
    plan.build()
}

pub(crate) fn traffic() -> Result<Topology, TopologyError> {
    traffic_with(Leftover::Discard)
}

/// The same traffic on another bus.
pub(crate) fn other() -> Result<Topology, TopologyError> {
    let mut plan = builder("other");
    three_stages(&mut plan, 16, u64::MAX, 4);
    plan.build()
}

/// Traffic from a pinned source.
pub(crate) fn pinned_to(core: usize) -> Result<Topology, TopologyError> {
    let mut plan = builder("pinned");
    let (out, input) = plan.link::<Item>("items", 16);
    plan.partition("source")
        .core(core)
        .actor("source", out, |out| Source {
            out,
            total: u64::MAX,
            batch: 4,
        });
    sink(&mut plan, input, 64);
    plan.build()
}

/// On the first CPU that there is.
pub(crate) fn pinned() -> Result<Topology, TopologyError> {
    let mask = rustix::thread::sched_getaffinity(None).unwrap();
    pinned_to(
        (0..CpuSet::MAX_CPU)
            .find(|&core| mask.is_set(core))
            .unwrap(),
    )
}

/// Whether this is the first time that anybody of this case asks for it. The case's own directory remembers: it is where
/// its processes run.
pub(crate) fn once(name: &str) -> bool {
    File::create_new(format!("once-{name}")).is_ok()
}

/// At which message a faulty relay fails, and how; each once.
pub(crate) const FAULTS: [(u64, &str); 6] = [
    (100, "panic"),
    (200, "exit-3"),
    (300, "exit-0"),
    (400, "abort"),
    (500, "fpe"),
    (600, "kill"),
];

fn commit_fault(name: &str) {
    match name {
        "panic" => panic!("a planned panic"),
        "exit-3" => std::process::exit(3),
        "exit-0" => std::process::exit(0),
        "abort" => std::process::abort(),
        "fpe" => kill_process(getpid(), Signal::FPE).unwrap(),
        "kill" => kill_process(getpid(), Signal::KILL).unwrap(),
        _ => panic!("no fault is called {name}"),
    }
}

/// Where the crashes of a case are kept.
pub(crate) const CAPSULES: &str = "capsules";

/// Hands items on one by one; has done everything of a step when it fails.
struct Faulty {
    input: Receiver<Item>,
    out: Sender<Item>,
}

impl Actor for Faulty {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        self.out.send(item)?;
        let fault = FAULTS.iter().find(|(at, _)| *at == item.seq);
        if let Some((_, name)) = fault.filter(|(_, name)| once(name)) {
            commit_fault(name);
        }
        Ok(Step::Busy)
    }
}

pub(crate) fn faulty() -> Result<Topology, TopologyError> {
    let mut plan = builder("faulty");
    // In the case's own directory.
    plan.capsules(CAPSULES, 16, 1 << 20);
    let (first_out, first_in) = plan.link::<Item>("first", 16);
    let (second_out, second_in) = plan.link::<Item>("second", 16);
    source(&mut plan, first_out, 1_000, 4);
    plan.partition("faulty")
        .restart(Restart::transient())
        .actor("faulty", (first_in, second_out), |(input, out)| Faulty {
            input,
            out,
        });
    sink(&mut plan, second_in, 8);
    plan.build()
}

/// Exits at every try of its first step.
struct Hopeless {
    out: Sender<Item>,
}

impl Actor for Hopeless {
    fn step(&mut self) -> Result<Step, Refused> {
        self.out.send(Item::new(0))?;
        std::process::exit(3)
    }
}

pub(crate) fn hopeless() -> Result<Topology, TopologyError> {
    let mut plan = builder("hopeless");
    plan.intensity(5, Duration::from_secs(3_600));
    let (out, input) = plan.link::<Item>("items", 16);
    sink(&mut plan, input, 8);
    plan.partition("hopeless")
        .actor("hopeless", out, |out| Hopeless { out });
    plan.build()
}

pub(crate) const HANG_AFTER: Duration = Duration::from_secs(1);

/// Hangs at its 500th item, once.
struct Hanging {
    input: Receiver<Item>,
    out: Sender<Item>,
}

impl Actor for Hanging {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(Step::Idle);
        };
        self.out.send(item)?;
        if item.seq == 500 && once("hang") {
            loop {
                std::hint::spin_loop();
            }
        }
        Ok(Step::Busy)
    }
}

pub(crate) fn hanging() -> Result<Topology, TopologyError> {
    let mut plan = builder("hanging");
    plan.capsules(CAPSULES, 16, 1 << 20);
    let (first_out, first_in) = plan.link::<Item>("first", 16);
    let (second_out, second_in) = plan.link::<Item>("second", 16);
    source(&mut plan, first_out, u64::MAX, 4);
    // Never parked: a sleeper owes no heartbeat.
    plan.partition("hanging")
        .wait(Wait::spin_then_yield())
        .hang_after(HANG_AFTER)
        .actor("hanging", (first_in, second_out), |(input, out)| Hanging {
            input,
            out,
        });
    sink(&mut plan, second_in, 8);
    plan.build()
}

pub(crate) fn oversized() -> Result<Topology, TopologyError> {
    let mut plan = builder("oversized");
    let (out, input) = plan.link::<Item>("items", 2);
    sink(&mut plan, input, 8);
    source(&mut plan, out, 100, 4);
    plan.build()
}

/// Set in the launching process alone.
pub(crate) static LAUNCHES: AtomicBool = AtomicBool::new(false);

/// Comes out otherwise in a partition's process than in the one that launches it.
pub(crate) fn differing() -> Result<Topology, TopologyError> {
    let mut plan = builder("differing");
    let capacity = if LAUNCHES.load(Ordering::SeqCst) {
        16
    } else {
        32
    };
    let (out, input) = plan.link::<Item>("items", capacity);
    source(&mut plan, out, 100, 4);
    sink(&mut plan, input, 8);
    plan.build()
}

/// Not entered by anybody.
pub(crate) fn unentered() -> Result<Topology, TopologyError> {
    let mut plan = builder("unentered");
    let (out, input) = plan.link::<Item>("items", 16);
    source(&mut plan, out, 100, 4);
    sink(&mut plan, input, 8);
    plan.build()
}

/// Starts a child of its own, the same program, and keeps its exit code.
struct Parent {
    exit_code: Durable<i64>,
}

impl Actor for Parent {
    fn step(&mut self) -> Result<Step, Refused> {
        let status = Command::new(std::env::current_exe().unwrap())
            .env(CASE, "grandchild")
            .status()
            .unwrap();
        self.exit_code.set(status.code().unwrap_or(-1).into());
        Ok(Step::Done)
    }
}

pub(crate) fn parent() -> Result<Topology, TopologyError> {
    let mut plan = builder("parent");
    plan.partition("parent")
        .actor("parent", durable("exit-code"), |exit_code| Parent {
            exit_code,
        });
    plan.build()
}

/// Receives nothing.
struct Stubborn {
    input: Receiver<Item>,
}

impl Actor for Stubborn {
    fn step(&mut self) -> Result<Step, Refused> {
        let _ = self.input.received();
        Ok(Step::Retry)
    }
}

/// Its drain would take for ever.
pub(crate) fn stubborn() -> Result<Topology, TopologyError> {
    let mut plan = builder("stubborn");
    plan.drain_timeout(Duration::from_secs(3_600));
    let (out, input) = plan.link::<Item>("items", 16);
    source(&mut plan, out, u64::MAX, 4);
    plan.partition("stubborn")
        .actor("stubborn", input, |input| Stubborn { input });
    plan.build()
}

/// Host, relay, host.
pub(crate) fn relayed() -> Result<Topology, TopologyError> {
    let mut plan = builder("relayed");
    let ends = host_around(&mut plan, 256);
    relay(&mut plan, ends, 32);
    plan.build()
}

/// Three stages, of which the launching process drives the second.
pub(crate) fn hosted() -> Result<Topology, TopologyError> {
    let mut plan = builder("hosted");
    let (first_out, first_in) = plan.link::<Item>("first", 16);
    let (second_out, second_in) = plan.link::<Item>("second", 16);
    source(&mut plan, first_out, FINITE, 4);
    relay_in(plan.partition("relay").hosted(), (first_in, second_out), 8);
    sink(&mut plan, second_in, 8);
    plan.build()
}

/// Two partitions with many links each into one.
pub(crate) fn gathered() -> Result<Topology, TopologyError> {
    let mut plan = builder("gathered");
    gathering(&mut plan, GATHERED, u64::MAX);
    plan.build()
}

/// Not one death is mended, and no drain waited for.
pub(crate) fn between_hosts() -> Result<Topology, TopologyError> {
    let mut plan = builder("between");
    plan.intensity(0, Duration::from_secs(1))
        .drain_timeout(Duration::from_millis(20))
        .leftover(Leftover::Discard);
    let ends = host_around(&mut plan, 4);
    deaf_in(&mut plan.partition("between"), ends);
    plan.build()
}
