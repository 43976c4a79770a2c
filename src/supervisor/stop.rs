//! Draining, and stopping in reverse order of start.
//!
//! A drain stops the actors that have no inputs and lets the others go on until every partition has heard of it and every link
//! is empty, twice in a row with no step in between; or until the topology's drain timeout. Then each partition is asked to stop at its next step's boundary,
//! the last started first, each awaited before the next, and killed when its shutdown time is over.

use airssys_ringbuf::clock::{monotonic_ns, nanos};
use airssys_ringbuf::pulse::Order;
use airssys_ringbuf::step::Progress;

use crate::partition::progress::{counts_of, progress_of};
use crate::report::{Level, say};
use crate::supervisor::supervise::{Outcome, Stage, Supervisor};
use crate::topology::model::ActorId;

impl Supervisor {
    fn actors_of(&self, partition: usize) -> impl Iterator<Item = Progress> {
        (0..self.plan.partitions[partition].actors.len())
            .map(move |actor| progress_of(&self.plan, &self.view, ActorId { partition, actor }))
    }

    /// What the partition's actors have done: steps that they have committed, and moves on local links, which are part of none.
    pub(super) fn steps_of(&self, partition: usize) -> u64 {
        let committed = self.actors_of(partition).map(|actor| actor.steps);
        let committed = committed.fold(0, u64::wrapping_add);
        committed.wrapping_add(self.locals.moves_of(&self.plan, partition))
    }

    /// Whether the partition's actors have all committed their end.
    pub(super) fn is_done(&self, partition: usize) -> bool {
        self.actors_of(partition).all(|actor| actor.done)
    }

    fn order(&self, partition: usize, order: Order) {
        self.slots[partition].order.give(order);
        self.waker.wake();
    }

    /// Begins to drain; asked again, it changes nothing.
    pub(super) async fn drain(&mut self, now_ns: u64) {
        match self.stage {
            Stage::Draining { .. } | Stage::Stopping(_) => return,
            // Those that haven't started yet have nothing to drain into.
            Stage::Starting(_) => {
                self.outcome = Outcome::Stopped;
                return self.stop_in_reverse().await;
            }
            Stage::Running => {}
        }
        self.outcome = Outcome::Stopped;
        self.stage = Stage::Draining {
            until_ns: now_ns.saturating_add(nanos(self.plan.drain_timeout)),
            quiet_at: None,
        };
        for partition in 0..self.slots.len() {
            self.order(partition, Order::Drain);
            self.slots[partition].beats_at_drain = self.beats_of(partition).unwrap_or(0);
        }
        self.order_host(Order::Drain);
    }

    /// Beats of a partition that lives.
    fn beats_of(&self, partition: usize) -> Option<u64> {
        let watch = self.slots[partition].watch.as_ref();
        watch.map(|watch| watch.vitals().beats)
    }

    /// Whether no turn that began before the drain was ordered is still under way. A turn reads its order before its beat: the
    /// first beat after the order may be of a turn that has read the old one, the second is not.
    fn has_heard(&self, partition: usize) -> bool {
        let beats = self.beats_of(partition);
        // Wrapping: a hostile partition's beats are any number.
        beats.is_none_or(|beats| beats.wrapping_sub(self.slots[partition].beats_at_drain) >= 2)
    }

    /// Goes on to stopping once the links are empty or the time is over.
    pub(super) async fn look_at_drain(&mut self, now_ns: u64) {
        let Stage::Draining { until_ns, quiet_at } = self.stage else {
            return;
        };
        let links = 0..self.plan.declared_links().len();
        let empty = links
            .map(|link| (link, counts_of(&self.plan, &self.view, link)))
            .all(|(link, (sent, received))| sent == received || self.has_no_receiver(link));
        let mut locals = self.plan.locals.iter().enumerate();
        let empty = empty
            && locals.all(|(link, plan)| self.locals.depth(link) == 0 || self.is_gone(plan.to));
        let heard = (0..self.slots.len()).all(|partition| self.has_heard(partition));
        let steps = (0..self.slots.len())
            .map(|partition| self.steps_of(partition))
            .fold(0, u64::wrapping_add);
        if now_ns >= until_ns || (empty && heard && quiet_at == Some(steps)) {
            self.stop_in_reverse().await;
        } else {
            self.stage = Stage::Draining {
                until_ns,
                quiet_at: (empty && heard).then_some(steps),
            };
        }
    }

    /// Whether nobody will ever receive from the link again.
    fn has_no_receiver(&self, link: usize) -> bool {
        self.is_gone(self.plan.links[link].to)
    }

    fn is_gone(&self, receiver: ActorId) -> bool {
        // The host receives after the end what is there by then: its ports outlive the bus.
        let Some(slot) = self.slots.get(receiver.partition) else {
            return true;
        };
        let lives = if slot.hosted.is_some() {
            self.is_held(receiver.partition)
        } else {
            !slot.ended
        };
        !lives || progress_of(&self.plan, &self.view, receiver).done
    }

    /// Stops whatever lives, the last started first. What waits for its restart lives once more, to recover only.
    pub(super) async fn stop_in_reverse(&mut self) {
        if matches!(self.stage, Stage::Stopping(_)) {
            return;
        }
        self.stage = Stage::Stopping(self.slots.len());
        for partition in 0..self.slots.len() {
            let slot = &mut self.slots[partition];
            slot.ended |= !slot.has_begun();
            if slot.due_ns.is_some() || slot.reset.is_some() {
                self.begin(partition, true).await;
            }
        }
        self.go_on_stopping().await;
    }

    /// Asks the next partition to stop, if the one asked before has ended.
    pub(super) async fn go_on_stopping(&mut self) {
        let Stage::Stopping(mut index) = self.stage else {
            return;
        };
        while index > 0 && self.slots[index - 1].alive.is_none() {
            index -= 1;
        }
        self.stage = Stage::Stopping(index);
        let Some(partition) = index.checked_sub(1) else {
            return;
        };
        if self.slots[partition].kill_at_ns.is_none() {
            let patience = self.plan.partitions[partition].shutdown;
            self.slots[partition].kill_at_ns = Some(monotonic_ns().saturating_add(nanos(patience)));
            self.order(partition, Order::Stop);
            if patience.is_zero() {
                self.kill_stuck(partition).await;
            }
        }
    }

    /// A partition that was asked to stop did not: it is killed. A thread can't be, and is left behind.
    pub(super) async fn kill_stuck(&mut self, partition: usize) {
        let slot = &mut self.slots[partition];
        slot.kill_at_ns = None;
        let Some(alive) = &slot.alive else { return };
        if alive.signal(9) {
            return;
        }
        say(
            Level::Error,
            format_args!(
                "{}/{}: its thread did not stop within {:?} and can't be killed; it is left behind",
                self.plan.bus,
                self.plan.partitions[partition].name,
                self.plan.partitions[partition].shutdown
            ),
        );
        self.abandon(partition);
        Box::pin(self.go_on_stopping()).await;
    }

    /// Ends everything now.
    pub(super) async fn abort(&mut self) {
        if self.outcome == Outcome::Done {
            self.outcome = Outcome::Stopped;
        }
        for partition in 0..self.slots.len() {
            self.order(partition, Order::Stop);
            if let Some(alive) = &self.slots[partition].alive {
                alive.signal(9);
            }
        }
        self.stop_in_reverse().await;
    }
}
