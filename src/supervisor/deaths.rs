//! What a death leads to: a restart, a backoff, last rites, or the end of everything.
//!
//! A partition that will not live again gets one more life that only recovers: a kill between a commit and what follows it
//! would leave messages unshown.

use std::time::Duration;

use airssys_ringbuf::clock::{monotonic_ns, nanos};

use crate::partition::left_panic;
use crate::report::{Level, say};
use crate::supervisor::blame::Judgement;
use crate::supervisor::cause::Cause;
use crate::supervisor::decide::{Consequence, consequence};
use crate::supervisor::lives::End;
use crate::supervisor::supervise::{Outcome, Stage, StartFailure, Supervisor};
use crate::supervisor::watch::Watch;

/// Times that last rites are tried when they are killed too.
const RITES_MAX: u32 = 5;

impl Supervisor {
    pub(super) async fn on_end(&mut self, partition: usize, incarnation: u64, end: &End) {
        let slot = &self.slots[partition];
        if slot.incarnation != incarnation {
            return;
        }
        let cause = match end {
            _ if slot.killed_as_hung => Cause::Hung,
            End::Thread(cause) => cause.clone(),
            End::Process(status) => {
                let stopping = slot.watch.as_ref().is_some_and(Watch::is_stopping);
                let cause = Cause::of_process(*status, stopping, self.is_done(partition));
                if cause == Cause::Panic(None) {
                    Cause::Panic(left_panic(self.view.partition(partition), incarnation))
                } else {
                    cause
                }
            }
        };
        self.keep_capsule(partition, &cause);
        // A short life may have ended between two looks: its pulse still tells how far it came.
        let watch = self.slots[partition].watch.as_ref();
        if let Some(at_ns) = watch.and_then(Watch::unseen_first_step) {
            self.recovered(partition, at_ns);
        }
        self.on_death(partition, cause).await;
    }

    /// A life is over and reaped, or could not begin.
    pub(super) async fn on_death(&mut self, partition: usize, cause: Cause) {
        let now_ns = monotonic_ns();
        let slot = &mut self.slots[partition];
        let had_run = slot.watch.as_ref().is_some_and(Watch::has_run);
        slot.alive = None;
        slot.watch = None;
        slot.kill_at_ns = None;
        let killed_at_ns = slot.killed_at_ns.take();
        if cause.is_abnormal() {
            slot.died_at_ns
                .get_or_insert(killed_at_ns.unwrap_or(now_ns));
        }
        self.status.update(partition, |status| {
            status.pid = None;
            status.last_cause = Some(cause.clone());
        });
        if self.slots[partition].last_rites {
            // It only does again what is safe to do again: a kill of it changes nothing.
            if cause.is_signal() && self.slots[partition].rites < RITES_MAX {
                self.begin(partition, true).await;
            } else {
                self.end_of(partition, &cause).await;
            }
            return;
        }
        match self.stage {
            Stage::Stopping(_) if cause.is_abnormal() => {
                self.say_death(partition, &cause, "the topology stops");
                self.begin(partition, true).await;
            }
            Stage::Stopping(_) => self.end_of(partition, &cause).await,
            Stage::Starting(index)
                if index == partition && !had_run && !cause.is_signal() && cause.is_abnormal() =>
            {
                self.fail_start(partition, &cause).await;
            }
            Stage::Starting(_) | Stage::Running | Stage::Draining { .. } => {
                self.decide(partition, &cause, had_run, now_ns).await;
                if had_run {
                    // It started, though no look came in time to see it: the next one's start doesn't wait for its backoff.
                    self.started(partition).await;
                }
            }
        }
    }

    async fn decide(&mut self, partition: usize, cause: &Cause, had_run: bool, now_ns: u64) {
        let restart = self.plan.partitions[partition].restart;
        let life = (partition, self.slots[partition].incarnation);
        let judgement = self.blame.judge(&self.plan, &self.view, life, cause);
        match consequence(restart.kind(), cause) {
            Consequence::Ended => self.end_of(partition, cause).await,
            Consequence::LastRites => {
                self.say_death(partition, cause, &format!("{restart}: not restarted"));
                self.begin(partition, true).await;
            }
            Consequence::Escalate => {
                self.say_death(partition, cause, "a restart would meet the same");
                self.escalate(partition, &format!("{cause}")).await;
            }
            Consequence::Restart => match judgement {
                Judgement {
                    gives_up: Some(why),
                    ..
                } => {
                    self.say_death(partition, cause, "a restart would meet the same");
                    self.escalate(partition, &why).await;
                }
                Judgement {
                    resets: Some(reset),
                    ..
                } => self.restart_anew(partition, cause, reset).await,
                Judgement { excuses: true, .. } => {
                    self.restart_excused(partition, cause, now_ns).await;
                }
                Judgement { .. } => self.restart(partition, cause, had_run, now_ns).await,
            },
        }
    }

    async fn restart(&mut self, partition: usize, cause: &Cause, had_run: bool, now_ns: u64) {
        let failures = self.intensity.count(now_ns);
        let (most, period) = (self.plan.intensity, self.plan.period);
        if self.intensity.is_exceeded_by(failures) {
            self.say_death(partition, cause, "one failure too many");
            let why =
                format!("{failures} failures within {period:?}, {most} allowed; the last: {cause}");
            self.escalate(partition, &why).await;
            return;
        }
        // One that ran and was killed from outside has shown nothing against itself, even if it had nothing to do.
        let progressed = (cause.is_signal() && had_run)
            || self.steps_of(partition) > self.slots[partition].steps_at_birth;
        let delay = self.slots[partition].backoff.delay(progressed);
        let fruitless = self.slots[partition].backoff.fruitless();
        if fruitless > most.max(1) && !cause.is_signal() {
            // A hang takes so long that the period alone would never count enough of them.
            self.say_death(partition, cause, "one fruitless life too many");
            let why = format!(
                "{fruitless} lives in a row committed no step, {most} allowed; the last: {cause}"
            );
            self.escalate(partition, &why).await;
            return;
        }
        let counted = format!("restart {failures} of at most {most} in {period:?}");
        self.restart_after(partition, cause, (delay, now_ns), &counted)
            .await;
    }

    /// A death that a message is to blame for: such a message is set aside in time, so it counts neither as a failure nor for
    /// the backoff.
    pub(super) async fn restart_excused(&mut self, partition: usize, cause: &Cause, now_ns: u64) {
        let counted = "a message is to blame: restart";
        let at_once = (Duration::ZERO, now_ns);
        self.restart_after(partition, cause, at_once, counted).await;
    }

    async fn restart_after(
        &mut self,
        partition: usize,
        cause: &Cause,
        (delay, now_ns): (Duration, u64),
        counted: &str,
    ) {
        let when = if delay.is_zero() {
            "at once".to_owned()
        } else {
            format!("in {delay:?}: no step was committed since the start before")
        };
        self.say_death(partition, cause, &format!("{counted}, {when}"));
        self.status.update(partition, |status| status.restarts += 1);
        if delay.is_zero() {
            self.begin(partition, false).await;
        } else {
            self.slots[partition].due_ns = Some(now_ns.saturating_add(nanos(delay)));
        }
    }

    pub(super) fn say_death(&self, partition: usize, cause: &Cause, then: &str) {
        say(
            Level::Warn,
            format_args!(
                "{}/{} #{}: {cause}; {then}",
                self.plan.bus,
                self.plan.partitions[partition].name,
                self.slots[partition].incarnation
            ),
        );
    }

    pub(super) async fn escalate(&mut self, partition: usize, why: &str) {
        let name = &self.plan.partitions[partition].name;
        say(
            Level::Error,
            format_args!(
                "{}: gives up because of `{name}`: {why}; stops everything and leaves the bus in {} for a look",
                self.plan.bus,
                self.place.directory.display()
            ),
        );
        self.outcome = Outcome::Escalated(format!("partition `{name}`: {why}"));
        self.give_up(partition).await;
    }

    async fn fail_start(&mut self, partition: usize, cause: &Cause) {
        self.failed_start = Some(StartFailure {
            partition: self.plan.partitions[partition].name.clone(),
            cause: cause.to_string(),
        });
        self.give_up(partition).await;
    }

    /// Stops everything else in reverse order; `partition` is dead already and gets its last rites.
    async fn give_up(&mut self, partition: usize) {
        self.stop_in_reverse().await;
        // If a stop was under way, it may have waited for this one.
        self.go_on_stopping().await;
        if !self.slots[partition].ended {
            Box::pin(self.begin(partition, true)).await;
        }
    }

    /// The partition will not live again.
    pub(super) async fn end_of(&mut self, partition: usize, cause: &Cause) {
        self.slots[partition].ended = true;
        if self.slots[partition].last_rites && cause.is_abnormal() {
            self.say_death(
                partition,
                cause,
                "its recovery failed: what it had committed last may not have been shown",
            );
        }
        self.started(partition).await;
        self.go_on_stopping().await;
    }
}
