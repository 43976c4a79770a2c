//! The supervisor's looks: pulses, timers, and what a silence means.

use std::time::Duration;

use crate::report::{Level, Ms, say};
use crate::supervisor::cause::Cause;
use crate::supervisor::supervise::Supervisor;
use crate::supervisor::watch::{Finding, is_held};

impl Supervisor {
    /// One look at every pulse and every timer.
    pub(super) async fn look(&mut self, now_ns: u64, late_ns: u64) {
        for partition in 0..self.slots.len() {
            let slot = &mut self.slots[partition];
            if slot.due_ns.is_some_and(|due| due <= now_ns) {
                self.begin(partition, false).await;
                continue;
            }
            if slot.kill_at_ns.is_some_and(|at| at <= now_ns) {
                self.kill_stuck(partition).await;
            }
            self.look_at_reset(partition, now_ns).await;
            self.look_at_pulse(partition, now_ns, late_ns).await;
        }
        self.look_at_hosted(now_ns);
        self.faults.look(&self.plan, &self.view);
        self.look_at_drain(now_ns).await;
    }

    async fn look_at_pulse(&mut self, partition: usize, now_ns: u64, late_ns: u64) {
        let hang_after = self.plan.partitions[partition].hang_after;
        let Some(watch) = &mut self.slots[partition].watch else {
            return;
        };
        watch.forgive(late_ns);
        match watch.look(now_ns, hang_after) {
            Finding::Nothing => {}
            Finding::Running => self.started(partition).await,
            Finding::FirstStep(at_ns) => self.recovered(partition, at_ns),
            Finding::Silent(silence) => self.silent(partition, silence, now_ns).await,
        }
    }

    pub(super) fn recovered(&mut self, partition: usize, first_step_at_ns: u64) {
        let slot = &mut self.slots[partition];
        let Some(died_at_ns) = slot.died_at_ns.take() else {
            return;
        };
        let Some(watch) = &slot.watch else {
            return;
        };
        let recovery = watch.recovery(died_at_ns, first_step_at_ns);
        self.status
            .update(partition, |status| status.recovered(recovery));
        say(
            Level::Info,
            format_args!(
                "{}/{} #{}: its first step ended {} after the death",
                self.plan.bus,
                self.plan.partitions[partition].name,
                self.slots[partition].incarnation,
                Ms(recovery.total())
            ),
        );
    }

    async fn silent(&mut self, partition: usize, silence: Duration, now_ns: u64) {
        let slot = &mut self.slots[partition];
        let (Some(alive), Some(watch)) = (&slot.alive, &mut slot.watch) else {
            return;
        };
        if slot.killed_as_hung {
            return;
        }
        if is_held(alive.pid) {
            watch.excuse(now_ns);
            return;
        }
        slot.killed_as_hung = true;
        if !alive.signal(9) {
            let why = format!(
                "its thread has made no turn for {silence:?} and can't be killed alone; end the process, or run it with \
                 Launch::Processes"
            );
            self.keep_capsule(partition, &Cause::Hung);
            self.abandon(partition);
            self.escalate(partition, &why).await;
        }
    }

    /// A hung thread is left behind: nothing can end it but the end of the process.
    pub(super) fn abandon(&mut self, partition: usize) {
        let slot = &mut self.slots[partition];
        slot.alive = None;
        slot.watch = None;
        slot.kill_at_ns = None;
        slot.ended = true;
    }
}
