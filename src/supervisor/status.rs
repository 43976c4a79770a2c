//! What the launching program may ask about its partitions, at any time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::supervisor::cause::Cause;

/// One partition's lives so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The partition.
    pub name: String,
    /// Lives begun.
    pub incarnations: u64,
    /// The pid of the present life; `None` while there is none.
    pub pid: Option<u32>,
    /// Lives begun after a death.
    pub restarts: u64,
    /// From each death, or from the kill that [`Monitor::kill`](crate::Monitor::kill) sent, to the end of the first step of
    /// the life after it. A life that was killed before its first step has none: the one after it is counted from the first
    /// of these deaths.
    pub recoveries: Vec<Duration>,
    /// How the last life ended.
    pub last_cause: Option<Cause>,
}

/// The status of all partitions, shared by the supervisor, which writes it, and the launching program's handles.
#[derive(Debug)]
pub(crate) struct StatusBoard(Mutex<Vec<PartitionStatus>>);

impl StatusBoard {
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        let fresh = |name| PartitionStatus {
            name,
            ..PartitionStatus::default()
        };
        Self(Mutex::new(names.map(fresh).collect()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PartitionStatus>> {
        // A panic elsewhere leaves plain values.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn update(&self, partition: usize, change: impl FnOnce(&mut PartitionStatus)) {
        change(&mut self.lock()[partition]);
    }

    pub(crate) fn all(&self) -> Vec<PartitionStatus> {
        self.lock().clone()
    }
}
