//! What an earlier run has left unjudged: lives that ended with their supervisor.
//!
//! Nobody saw what they died of. A process of its own that left no panic was killed with its supervisor, by the kernel: that blames
//! nobody. A thread was part of the supervisor's process, and what it had in work may be why that died: the next process would die
//! of it, too. So it counts, as an attempt like any other.

use airssys_ringbuf::pulse::{Identity, PulseView};

use crate::partition::left_panic;
use crate::partition::view::{BusView, pulse};
use crate::report::{Level, say};
use crate::supervisor::cause::Cause;
use crate::supervisor::supervise::Supervisor;

/// Whether both were one process.
fn is_of_one_process(one: &Identity, other: &Identity) -> bool {
    let process = |of: &Identity| (of.pid, of.start_time, of.pid_namespace);
    one.pid != 0 && process(one) == process(other)
}

impl Supervisor {
    /// Judges them, before any life of this run begins. `before` is who supervised the earlier run.
    pub(super) fn judge_left(&mut self, before: &Identity) {
        for partition in 0..self.slots.len() {
            let slot = &self.slots[partition];
            let life = (partition, slot.incarnation);
            if slot.hosted.is_some() || life.1 == 0 {
                continue;
            }
            let Some(cause) = self.cause_left(life, before) else {
                continue;
            };
            let judged = self.blame.judge(&self.plan, &self.view, life, &cause);
            // Nothing runs yet that could wait for the disk in vain.
            let reset = judged.resets.map_or(Ok(()), |reset| {
                let kept = reset.state.write(&self.plan);
                self.blame.reset(&self.plan, &reset, kept)
            });
            if let Some(why) = judged.gives_up.or(reset.err()) {
                let (bus, name) = (&self.plan.bus, &self.plan.partitions[partition].name);
                say(
                    Level::Error,
                    format_args!("{bus}/{name}: {why}; whoever resumes the bus has it try again"),
                );
            }
        }
    }

    /// What the life died of, as far as what it left tells and as far as it blames anybody.
    fn cause_left(
        &self,
        (partition, incarnation): (usize, u64),
        before: &Identity,
    ) -> Option<Cause> {
        let region = self.view.partition(partition);
        if let Some(text) = left_panic(region, incarnation) {
            return Some(Cause::Panic(Some(text)));
        }
        let owner = identity(&self.view, partition)?;
        is_of_one_process(&owner, before).then_some(Cause::Unseen)
    }
}

fn identity(view: &BusView, partition: usize) -> Option<Identity> {
    let region = view.partition(partition);
    let pulse = PulseView::new(region, pulse(region).ok()?).ok()?;
    Some(pulse.vitals().identity)
}
