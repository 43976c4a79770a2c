//! What is kept in files: a capsule of each crash, and state before it starts anew. Both are read off the regions after the
//! reap and before the next life, which recovers from them, and written by the [`Writer`](super::writer::Writer).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use airssys_ringbuf::clock::{monotonic_ns, nanos};

use crate::capsule::capture::{CaptureError, capture};
use crate::report::{Level, say};
use crate::supervisor::blame::Reset;
use crate::supervisor::cause::Cause;
use crate::supervisor::supervise::Supervisor;
use crate::supervisor::writer::{Kept, lost};

/// A restart that waits until the state before it is kept.
#[derive(Debug)]
pub(super) struct PendingReset {
    reset: Reset,
    cause: Cause,
    /// When its patience ends.
    until_ns: u64,
}

impl Supervisor {
    /// Keeps what the partition's last life had in work, if the topology wants that and it crashed. What goes wrong is a line.
    pub(super) fn keep_capsule(&mut self, partition: usize, cause: &Cause) {
        let slot = &self.slots[partition];
        let (Some(_), Some(crash)) = (&self.plan.capsules, cause.as_crash()) else {
            return;
        };
        // Nobody's code runs in last rites.
        if slot.last_rites {
            return;
        }
        let incarnation = slot.incarnation;
        let name = &self.plan.partitions[partition].name;
        match capture(&self.plan, &self.view, (partition, incarnation), crash) {
            Ok(capsule) => self.writer.capsule(capsule),
            Err(why @ CaptureError::NoStep) => say(
                Level::Info,
                format_args!(
                    "{}/{name} #{incarnation}: no capsule of it: {why}",
                    self.plan.bus
                ),
            ),
            Err(
                why @ (CaptureError::TooLarge(_)
                | CaptureError::Range(_)
                | CaptureError::Observe(_)
                | CaptureError::Attach(_)),
            ) => lost(
                &self.plan,
                &self.status,
                (name, incarnation),
                &why.to_string(),
            ),
        }
    }

    /// Restarts the partition once the state that is to start anew is kept: it alone waits for the disk.
    pub(super) async fn restart_anew(&mut self, partition: usize, cause: &Cause, reset: Reset) {
        let life = (partition, self.slots[partition].incarnation);
        let asked = self.writer.state(life, Arc::clone(&reset.state));
        self.slots[partition].reset = Some(PendingReset {
            reset,
            cause: cause.clone(),
            until_ns: monotonic_ns().saturating_add(nanos(self.plan.disk_patience)),
        });
        if let Err(why) = asked {
            self.on_kept((life, Err(io::Error::other(why)))).await;
        }
    }

    /// What a partition's restart waited for has come, or can't.
    pub(super) async fn on_kept(&mut self, ((partition, incarnation), kept): Kept) {
        let slot = &mut self.slots[partition];
        // Stopped meanwhile: its state is as it was, whatever a file says.
        if slot.incarnation != incarnation {
            return;
        }
        let Some(PendingReset { reset, cause, .. }) = slot.reset.take() else {
            return;
        };
        match self.blame.reset(&self.plan, &reset, kept) {
            Ok(()) => {
                self.restart_excused(partition, &cause, monotonic_ns())
                    .await;
            }
            Err(why) => {
                self.say_death(partition, &cause, "a restart would meet the same");
                self.escalate(partition, &why).await;
            }
        }
    }

    /// Gives up a wait for a disk that takes nothing.
    pub(super) async fn look_at_reset(&mut self, partition: usize, now_ns: u64) {
        let slot = &self.slots[partition];
        let is_over = |pending: &PendingReset| pending.until_ns <= now_ns;
        if slot.reset.as_ref().is_some_and(is_over) {
            let patience = self.plan.disk_patience;
            let why = format!("the disk has not taken it within {patience:?}");
            let kept: io::Result<PathBuf> = Err(io::Error::new(io::ErrorKind::TimedOut, why));
            let life = (partition, slot.incarnation);
            Box::pin(self.on_kept((life, kept))).await;
        }
    }
}
