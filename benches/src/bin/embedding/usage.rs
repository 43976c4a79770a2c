//! The CPU that a bus of processes uses over a while, by who uses it.

use std::thread;
use std::time::{Duration, Instant};

use airssys_benches::cpu::{self, Spent};
use airssys_rt::Monitor;
use serde_json::{Value, json};

use crate::part::Result;

/// The kernel's name of the supervisor's thread.
const SUPERVISOR: &str = "airssys-super";

struct Look {
    at: Instant,
    partitions: Spent,
    supervisor: Spent,
    /// The launching process, its supervisor included.
    launcher: Spent,
}

fn look(monitor: &Monitor) -> Result<Look> {
    let mut partitions = Spent::default();
    for partition in monitor.partitions() {
        let spent = partition.pid.and_then(cpu::process);
        let spent = spent.ok_or_else(|| format!("partition `{}` is gone", partition.name))?;
        partitions = partitions.and(spent);
    }
    Ok(Look {
        at: Instant::now(),
        partitions,
        supervisor: cpu::own_thread(SUPERVISOR)
            .ok_or_else(|| format!("this process has no thread called `{SUPERVISOR}`"))?,
        launcher: cpu::process(std::process::id()).ok_or("no clock of this process")?,
    })
}

/// Shares of one core: 1 is all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) partitions: f64,
    pub(crate) supervisor: f64,
    /// The launching process but for the supervisor.
    pub(crate) launcher: f64,
    /// Sleeps a second, all partitions together.
    pub(crate) partition_sleeps: f64,
    pub(crate) supervisor_sleeps: f64,
}

impl Usage {
    /// Everybody's.
    pub(crate) fn total(&self) -> f64 {
        self.partitions + self.supervisor + self.launcher
    }

    pub(crate) fn figures(&self) -> Value {
        json!({
            "unit": "share of one core",
            "total": self.total(),
            "partitions": self.partitions,
            "supervisor": self.supervisor,
            "rest_of_launching_process": self.launcher,
            "sleeps_per_s": { "partitions": self.partition_sleeps, "supervisor": self.supervisor_sleeps },
        })
    }
}

/// What the partitions of a running bus, and this process, use while this thread sleeps for `time`.
pub(crate) fn over(monitor: &Monitor, time: Duration) -> Result<Usage> {
    let before = look(monitor)?;
    thread::sleep(time);
    let after = look(monitor)?;
    let elapsed = after.at.duration_since(before.at).as_secs_f64();
    let share = |spent: Spent| spent.cpu.as_secs_f64() / elapsed;
    let partitions = after.partitions.since(before.partitions);
    let supervisor = after.supervisor.since(before.supervisor);
    let launcher = after.launcher.since(before.launcher);
    Ok(Usage {
        partitions: share(partitions),
        supervisor: share(supervisor),
        launcher: (share(launcher) - share(supervisor)).max(0.0),
        partition_sleeps: partitions.sleeps as f64 / elapsed,
        supervisor_sleeps: supervisor.sleeps as f64 / elapsed,
    })
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 10.0 {
        format!("{percent:.2}")
    } else {
        format!("{percent:.0}")
    }
}
