//! A capsule of each crash: read off the regions after the reap and before the next life, which recovers from them.

use crate::capsule::capture::{CaptureError, capture};
use crate::report::{Level, say};
use crate::supervisor::cause::Cause;
use crate::supervisor::supervise::Supervisor;

impl Supervisor {
    /// Keeps what the partition's last life had in work, if the topology wants that and it crashed. What goes wrong is a line.
    pub(super) fn keep_capsule(&mut self, partition: usize, cause: &Cause) {
        let slot = &self.slots[partition];
        let (Some(store), Some(crash)) = (&mut self.capsules, cause.as_crash()) else {
            return;
        };
        // Nobody's code runs in last rites.
        if slot.last_rites {
            return;
        }
        let life = (partition, slot.incarnation);
        match capture(&self.plan, &self.view, life, crash) {
            Ok(capsule) => store.keep(capsule),
            Err(why) => {
                let level = match why {
                    CaptureError::NoStep => Level::Info,
                    CaptureError::TooLarge(_)
                    | CaptureError::Range(_)
                    | CaptureError::Observe(_)
                    | CaptureError::Attach(_) => Level::Warn,
                };
                let (bus, name) = (&self.plan.bus, &self.plan.partitions[partition].name);
                say(
                    level,
                    format_args!(
                        "{bus}/{name} #{}: no capsule of it: {why}",
                        slot.incarnation
                    ),
                );
            }
        }
    }
}
