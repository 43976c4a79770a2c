//! Hosted partitions, which somebody else begins, drives and ends: the supervisor only waits for them.
//!
//! The bus doesn't end under one that still has something to do. That is one whose actors aren't all done, and that
//! somebody may still take, or that somebody holds (its region is locked) and drives (it beats, or sleeps in its own wait).
//! Once the launching program has joined, nobody can take one any more.

use airssys_ringbuf::clock::nanos;
use airssys_ringbuf::pulse::{Phase, PulseView};

use crate::partition::PartitionError;
use crate::partition::view::{BusView, pulse};
use crate::report::{Level, say};
use crate::supervisor::supervise::{Stage, Supervisor};

/// The supervisor's watch on a hosted partition, over all of its lives.
#[derive(Debug)]
pub(super) struct HostedWatch {
    pulse: PulseView,
    /// When the beats were first seen as they are, by the supervisor's clock.
    beats_since: Option<(u64, u64)>,
    /// Said already that nobody drives it.
    is_missed: bool,
}

impl HostedWatch {
    pub(super) fn new(view: &BusView, partition: usize) -> Result<Self, PartitionError> {
        let region = view.partition(partition);
        Ok(Self {
            pulse: PulseView::new(region, pulse(region)?)?,
            beats_since: None,
            is_missed: false,
        })
    }

    /// Whether whoever holds it has made a turn within the last `limit_ns`, or sleeps until there is one to make.
    fn is_driven(&mut self, now_ns: u64, limit_ns: u64) -> bool {
        let vitals = self.pulse.vitals();
        let (_, since_ns) = match self.beats_since {
            Some(known) if known.0 == vitals.beats && vitals.phase != Phase::Parked => known,
            _ => *self.beats_since.insert((vitals.beats, now_ns)),
        };
        now_ns.saturating_sub(since_ns) < limit_ns
    }
}

impl Supervisor {
    /// Whether somebody holds the hosted partition at present.
    pub(super) fn is_held(&self, partition: usize) -> bool {
        // What can't be asked for is held by nobody that the supervisor could wait for.
        self.view.partition(partition).is_locked().unwrap_or(false)
    }

    /// Whether the bus has to go on for the sake of a hosted partition.
    pub(super) fn awaits_hosted(&mut self, now_ns: u64) -> bool {
        let may_be_taken = match self.stage {
            Stage::Stopping(_) => return false,
            Stage::Draining { .. } => false,
            Stage::Starting(_) | Stage::Running => !self.is_joined,
        };
        (0..self.slots.len()).any(|partition| {
            self.slots[partition].hosted.is_some()
                && !self.is_done(partition)
                && (may_be_taken || self.is_held(partition) && self.is_driven(partition, now_ns))
        })
    }

    /// Tells, once, of a hosted partition that nobody drives any more after a join: others may wait for it for ever, and not
    /// in silence.
    pub(super) fn look_at_hosted(&mut self, now_ns: u64) {
        if !self.is_joined || !matches!(self.stage, Stage::Running) {
            return;
        }
        for partition in 0..self.slots.len() {
            if self.slots[partition].hosted.is_none()
                || self.is_done(partition)
                || self.is_driven(partition, now_ns)
            {
                continue;
            }
            let Some(watch) = &mut self.slots[partition].hosted else {
                continue;
            };
            if !std::mem::replace(&mut watch.is_missed, true) {
                say(
                    Level::Warn,
                    format_args!(
                        "{}/{}: is hosted, not done, and has made no turn for {:?}; what waits for it waits until the bus is \
                         stopped",
                        self.plan.bus,
                        self.plan.partitions[partition].name,
                        self.plan.drain_timeout
                    ),
                );
            }
        }
    }

    fn is_driven(&mut self, partition: usize, now_ns: u64) -> bool {
        let limit_ns = nanos(self.plan.drain_timeout);
        let watch = self.slots[partition].hosted.as_mut();
        watch.is_some_and(|watch| watch.is_driven(now_ns, limit_ns))
    }
}
