//! What a partition does in a turn that found nothing to do.

use std::time::Duration;

use airssys_ringbuf::park::Sleeper;
use airssys_ringbuf::pulse::{Phase, Pulse};

use crate::topology::model::WaitKind;

/// Fruitless turns before the core is offered to others: some microseconds, a few times a message's way between two cores,
/// and little enough that with more partitions than cores the others soon get on.
const SPINS: u32 = 200;

/// The longest sleep while every actor waits for a link: a heartbeat each time, and what a waker that was killed between its
/// stores and its doorbell costs at the most.
const PARK_MAX: Duration = Duration::from_secs(1);

/// The longest sleep while an actor without inputs is idle: what it waits for rings no doorbell.
const POLL_MAX: Duration = Duration::from_millis(1);

/// A partition's idling, by its wait strategy.
#[derive(Debug)]
pub(crate) struct Idle {
    wait: WaitKind,
    sleeper: Sleeper,
    fruitless: u32,
    /// Fruitless turns before it does more than to look again.
    spins: u32,
}

impl Idle {
    /// Whoever shares its core yields it at once: while it spins there, nobody whom it may wait for gets on.
    pub(crate) fn new(wait: WaitKind, sleeper: Sleeper, shares_core: bool) -> Self {
        let yields = wait == WaitKind::SpinThenYield;
        Self {
            wait,
            sleeper,
            fruitless: 0,
            spins: if shares_core && yields { 0 } else { SPINS },
        }
    }

    /// A turn did something.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.fruitless = 0;
    }

    /// A turn did nothing; whether to look again at once.
    ///
    /// Who never gives up the core doesn't pause either: a pause is as long as several looks, and half of it is added to each
    /// message's way.
    #[inline]
    pub(crate) fn looks_again(&mut self) -> bool {
        if self.wait == WaitKind::Spin {
            return true;
        }
        let spins = self.fruitless < self.spins;
        if spins {
            self.fruitless += 1;
            std::hint::spin_loop();
        }
        spins
    }

    /// A turn did nothing, and it isn't time to look again. `polls` if an actor waits for something that rings no doorbell; `has_news` looks at all shared
    /// words that a turn would.
    pub(crate) fn wait(&mut self, pulse: &Pulse, polls: bool, has_news: impl FnOnce() -> bool) {
        if self.wait == WaitKind::SpinThenPark {
            self.sleep(pulse, polls, PARK_MAX, has_news);
            self.fruitless = SPINS / 2;
        } else {
            std::thread::yield_now();
        }
    }

    /// Sleeps, whatever the strategy, for at most `at_most`.
    pub(crate) fn sleep(
        &self,
        pulse: &Pulse,
        polls: bool,
        at_most: Duration,
        has_news: impl FnOnce() -> bool,
    ) {
        let bound = if polls {
            at_most.min(POLL_MAX)
        } else {
            at_most
        };
        pulse.phase(Phase::Parked);
        self.sleeper.park(bound, has_news);
        pulse.phase(Phase::Running);
    }
}
