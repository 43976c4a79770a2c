//! What the launching program may ask about its partitions, at any time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::supervisor::cause::Cause;

/// Recoveries that a status keeps: the latest.
const RECOVERIES_MAX: usize = 10_000;

/// How long a partition was away after a death, and where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// From the death, or from the kill that [`Monitor::kill`](crate::Monitor::kill) sent, until the supervisor began the
    /// next life: the kernel's work to end a process, the news of it, and the backoff if there was one.
    pub death: Duration,
    /// Until that life was spawned.
    pub spawn: Duration,
    /// Until it had mapped its regions: the program's own start.
    pub start: Duration,
    /// Until its first step had ended: recovery, and making the actors.
    pub first_step: Duration,
}

impl Recovery {
    /// All of it: from the death to the end of the first step.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.death + self.spawn + self.start + self.first_step
    }
}

/// One partition's lives so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The partition.
    pub name: String,
    /// Lives begun; on a resumed bus those before it was cut off count, too.
    pub incarnations: u64,
    /// The pid of the present life; `None` while there is none.
    pub pid: Option<u32>,
    /// Lives begun after a death.
    pub restarts: u64,
    /// Each return to work, the latest 10,000. A life that died before its first step has none: the one after it counts
    /// from the first of these deaths.
    pub recoveries: VecDeque<Recovery>,
    /// How the last life ended.
    pub last_cause: Option<Cause>,
}

impl PartitionStatus {
    /// A life begins that no supervisor begins: of a hosted partition, or on an inline bus.
    pub(crate) fn begun(&mut self) {
        self.restarts += u64::from(self.incarnations > 0);
        self.incarnations += 1;
    }

    pub(crate) fn recovered(&mut self, recovery: Recovery) {
        if self.recoveries.len() == RECOVERIES_MAX {
            self.recoveries.pop_front();
        }
        self.recoveries.push_back(recovery);
    }
}

/// What has become of a bus's capsules: of each crash that one was to be kept of, it is written, lost or waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapsuleCounts {
    /// Files written; the oldest of them may have been removed since.
    pub written: u64,
    /// Capsules that could not be taken, waited for or written, each of which was told by a line.
    pub lost: u64,
    /// Capsules that the disk has yet to take.
    pub waiting: u64,
    /// The file written last.
    pub newest: Option<PathBuf>,
}

/// The status of all partitions and of what is kept of them, shared by the supervisor, which writes it with its writer of
/// files, and the launching program's handles.
#[derive(Debug)]
pub(crate) struct StatusBoard {
    partitions: Mutex<Vec<PartitionStatus>>,
    capsules: Mutex<CapsuleCounts>,
}

impl StatusBoard {
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        let fresh = |name| PartitionStatus {
            name,
            ..PartitionStatus::default()
        };
        Self {
            partitions: Mutex::new(names.map(fresh).collect()),
            capsules: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PartitionStatus>> {
        locked(&self.partitions)
    }

    pub(crate) fn update(&self, partition: usize, change: impl FnOnce(&mut PartitionStatus)) {
        change(&mut self.lock()[partition]);
    }

    pub(crate) fn all(&self) -> Vec<PartitionStatus> {
        self.lock().clone()
    }

    /// Changes the counts of capsules, never over a disk: the supervisor and whoever looks would wait for that.
    pub(super) fn capsules_change<T>(&self, change: impl FnOnce(&mut CapsuleCounts) -> T) -> T {
        change(&mut locked(&self.capsules))
    }

    pub(crate) fn capsules(&self) -> CapsuleCounts {
        locked(&self.capsules).clone()
    }
}

/// A panic elsewhere leaves plain values.
fn locked<T>(values: &Mutex<T>) -> MutexGuard<'_, T> {
    values.lock().unwrap_or_else(PoisonError::into_inner)
}
