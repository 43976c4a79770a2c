//! The way into a partition's process: the same binary, re-executed with a marker in its environment.

use std::fmt;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::time::Duration;

use airssys_osl::supervise::ChildSetup;
use airssys_ringbuf::park::Barrier;
use airssys_ringbuf::region::boot_id;

use crate::bus::described;
use crate::bus::directory::BusDirectory;
use crate::exit;
use crate::host::process::{ProcessStat, process_start_time};
use crate::local::LocalRings;
use crate::partition::bells::Waiting;
use crate::partition::{Life, Place, live};
use crate::report::{Level, say};
use crate::topology::Topology;
use crate::topology::describe::{self, Side};
use crate::topology::model::{Plan, WaitKind};

/// What a supervisor tells the process that it spawns: which life of which partition it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    bus: String,
    partition: String,
    incarnation: u64,
    supervisor: u32,
    /// With the pid it names the supervisor's process and no later one.
    supervisor_start: u64,
    digest: u64,
    recovery_only: bool,
    waiting: Waiting,
}

impl Marker {
    pub(crate) const VARIABLE: &str = "AIRSSYS_PARTITION";

    pub(crate) fn of(plan: &Plan, life: &Life) -> Self {
        Self {
            bus: plan.bus.clone(),
            partition: plan.partitions[life.partition].name.clone(),
            incarnation: life.incarnation,
            supervisor: std::process::id(),
            supervisor_start: process_start_time(),
            digest: plan.digest,
            recovery_only: life.recovery_only,
            waiting: life.waiting,
        }
    }

    /// This process's marker, if it is a partition's. One that was inherited by a partition's own child is none.
    fn of_this_process() -> Option<Self> {
        let marker: Self = std::env::var(Self::VARIABLE).ok()?.parse().ok()?;
        let parent = std::os::unix::process::parent_id();
        if parent == marker.supervisor {
            return Some(marker);
        }
        if marker.supervisor_lives() {
            return None;
        }
        // Spawned by a supervisor that has died since: there is nothing to take part in.
        say(
            Level::Error,
            format_args!(
                "{}/{}: the supervisor, pid {}, died before this partition began",
                marker.bus, marker.partition, marker.supervisor
            ),
        );
        std::process::exit(exit::ORPHAN)
    }
}

/// How often, and how long apart, an orphan looks again whether its supervisor is still dying.
const LOOKS: u32 = 100;
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

impl Marker {
    /// Whether the supervisor lives, though it isn't this process's parent: then the marker was inherited from a partition.
    ///
    /// A partition leads a process group of its own, and its own child does as a rule not. So a leader looks for a while:
    /// its supervisor may have lost its children before it shows as dead.
    fn supervisor_lives(&self) -> bool {
        let looks = if rustix::process::getpgrp() == rustix::process::getpid() {
            LOOKS
        } else {
            1
        };
        (0..looks).all(|look| {
            if look > 0 {
                std::thread::sleep(LOOK_INTERVAL);
            }
            is_alive(self.supervisor, self.supervisor_start)
        })
    }
}

/// Whether the process that began at `start` still has a thread that could be anybody's supervisor: a zombie has none.
fn is_alive(pid: u32, start: u64) -> bool {
    ProcessStat::of(pid).is_some_and(|stat| stat.start_time == start && !stat.is_dead)
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let auto = match self.waiting.auto {
            WaitKind::SpinThenPark => "park",
            WaitKind::Auto | WaitKind::Spin | WaitKind::SpinThenYield => "yield",
        };
        let barrier = match self.waiting.barrier {
            Barrier::Membarrier => "membarrier",
            Barrier::Fences => "fences",
        };
        let purpose = if self.recovery_only {
            "recover"
        } else {
            "live"
        };
        write!(
            f,
            "{}/{}/{}/{}/{}/{:016x}/{purpose}/{auto}/{barrier}",
            self.bus,
            self.partition,
            self.incarnation,
            self.supervisor,
            self.supervisor_start,
            self.digest
        )
    }
}

/// Not a marker that a supervisor of this version writes.
#[derive(Debug)]
pub(crate) struct NotAMarker;

impl FromStr for Marker {
    type Err = NotAMarker;

    fn from_str(text: &str) -> Result<Self, NotAMarker> {
        let parts: Vec<&str> = text.split('/').collect();
        let [
            bus,
            partition,
            incarnation,
            supervisor,
            start,
            digest,
            purpose,
            auto,
            barrier,
        ] = parts[..]
        else {
            return Err(NotAMarker);
        };
        Ok(Self {
            bus: bus.to_owned(),
            partition: partition.to_owned(),
            incarnation: incarnation.parse().map_err(|_| NotAMarker)?,
            supervisor: supervisor.parse().map_err(|_| NotAMarker)?,
            supervisor_start: start.parse().map_err(|_| NotAMarker)?,
            digest: u64::from_str_radix(digest, 16).map_err(|_| NotAMarker)?,
            recovery_only: purpose == "recover",
            waiting: Waiting {
                auto: if auto == "park" {
                    WaitKind::SpinThenPark
                } else {
                    WaitKind::SpinThenYield
                },
                barrier: if barrier == "membarrier" {
                    Barrier::Membarrier
                } else {
                    Barrier::Fences
                },
            },
        })
    }
}

/// The bus that this process is a partition of, by its marker.
pub(crate) fn marked_bus() -> Option<String> {
    Marker::of_this_process().map(|marker| marker.bus)
}

/// Runs this process's partition, if it was started as one, and never returns then; else does nothing.
///
/// `Launch::Processes` starts each partition as another process of the same program, with the same arguments and
/// environment. A `main` that launches so calls this first, with the function that builds its topology: everything before
/// the call runs in each partition's process again, and has to come to the same topology there. A program with several
/// topologies calls it once for each.
///
/// In a partition's process the standard input is `/dev/null`.
///
/// # Errors
///
/// What `build` returned, and only in a process that is no partition or whose partition is of this topology. Errors of a
/// partition's own process are printed and end it with an exit code of [`exit`](crate::exit).
pub fn enter<E: fmt::Display>(build: impl FnOnce() -> Result<Topology, E>) -> Result<(), E> {
    let Some(marker) = Marker::of_this_process() else {
        return Ok(());
    };
    let topology = build()?;
    if topology.bus() != marker.bus {
        return Ok(());
    }
    std::process::exit(run(&marker, &topology))
}

/// Says why on stderr and returns the exit code.
fn refuse(marker: &Marker, code: i32, why: impl fmt::Display) -> i32 {
    say(
        Level::Error,
        format_args!(
            "{}/{} #{}: {why}",
            marker.bus, marker.partition, marker.incarnation
        ),
    );
    code
}

fn run(marker: &Marker, topology: &Topology) -> i32 {
    let setup = ChildSetup::new()
        .parent_death_signal(rustix::process::Signal::KILL.as_raw())
        .expected_parent(marker.supervisor);
    if let Err(error) = setup.apply() {
        return refuse(marker, exit::ORPHAN, error);
    }
    if !pass_gate() {
        return refuse(
            marker,
            exit::ORPHAN,
            "the supervisor died before this partition began",
        );
    }
    name_process(&marker.partition);
    let plan = topology.plan();
    let index = plan
        .partitions
        .iter()
        .position(|partition| partition.name == marker.partition);
    let Some(partition) = index.filter(|_| plan.digest == marker.digest) else {
        return refuse(marker, exit::TOPOLOGY, difference(marker, topology));
    };
    let boot_id = match boot_id() {
        Ok(boot_id) => boot_id,
        Err(error) => return refuse(marker, exit::REGION, error),
    };
    let life = Life {
        partition,
        incarnation: marker.incarnation,
        waiting: marker.waiting,
        recovery_only: marker.recovery_only,
    };
    let place = Place {
        directory: BusDirectory::usual_path(&plan.bus),
        boot_id,
    };
    // `launch` has refused local links between processes.
    let none = LocalRings::default();
    // The panic's message was printed by the hook; what is left is the exit code.
    match catch_unwind(AssertUnwindSafe(|| live(plan, &place, &life, &none))) {
        Ok(Ok(_)) => exit::OK,
        Ok(Err(error)) => refuse(marker, error.exit_code(), &error),
        Err(panic) => {
            if let Some(text) = crate::partition::panic_message(&*panic) {
                crate::partition::leave_panic(plan, &place, &life, &text);
            }
            exit::PANIC
        }
    }
}

/// How the topology that was built here is not the launched one.
fn difference(marker: &Marker, topology: &Topology) -> String {
    let ours = topology.describe();
    let launched = described::read(&BusDirectory::usual_path(topology.bus()), marker.digest);
    let difference = launched
        .and_then(|launched| describe::difference(&ours, &launched, Side::Launched))
        .unwrap_or_else(|| format!("the launched one's text can't be read, this one is:\n{ours}"));
    format!(
        "the topology built in this process has digest {:016x}, the launched one {:016x}; what runs before `enter` must come \
         to the same topology in every process: {difference}",
        topology.digest(),
        marker.digest
    )
}

/// Waits for the supervisor's byte; false at the end of the file, which is its death.
fn pass_gate() -> bool {
    let mut byte = [0];
    let passed = std::io::stdin().read_exact(&mut byte).is_ok();
    // Whatever an actor reads from its standard input, it is not the supervisor's pipe.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    passed
}

/// Gives this process the partition's name, as `ps` and `top` show it; the kernel keeps 15 bytes of it.
fn name_process(partition: &str) {
    if let Ok(name) = std::ffi::CString::new(partition) {
        let _ = rustix::thread::set_name(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_survives_the_environment() {
        let marker = Marker {
            bus: "quotes".to_owned(),
            partition: "feed-1".to_owned(),
            incarnation: 7,
            supervisor: 4242,
            supervisor_start: 99,
            digest: 0xabc,
            recovery_only: true,
            waiting: Waiting {
                auto: WaitKind::SpinThenPark,
                barrier: Barrier::Membarrier,
            },
        };
        assert_eq!(marker.to_string().parse::<Marker>().ok(), Some(marker));
        for bad in [
            "",
            "a/b",
            "a/b/x/1/2/0/live/park/fences",
            "a/b/1/1/2/zz/live/park/fences",
            "a/b/1/1/2/0/live/park/fences/more",
        ] {
            assert!(bad.parse::<Marker>().is_err(), "{bad}");
        }
    }
}
