//! An open-loop schedule: when each message is due, whether anybody keeps up or not.

use std::time::Duration;

use airssys_rt::monotonic_ns;
use airssys_rt::prelude::*;

const SECOND_NS: u64 = 1_000_000_000;

/// Message `n` is due `n / rate` seconds after the beginning.
///
/// Nothing that happens moves a due time. A message that is sent late, because its sender was held up or the link was full, is
/// still timed from when it was due; so a stall counts for every message that it held up, not for one alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Messages a second; not zero.
    pub(crate) rate: u64,
    /// What is due before this much time has passed isn't counted.
    pub(crate) warm_up: Duration,
    /// For how long messages are due after that.
    pub(crate) lasts: Duration,
}

impl Schedule {
    /// Messages in all, with those of the warm-up.
    pub(crate) fn count(&self) -> u64 {
        let micros = (self.warm_up + self.lasts).as_micros() as u64;
        micros * self.rate / 1_000_000
    }

    /// When message `number` is due.
    pub(crate) fn due_ns(&self, began_ns: u64, number: u64) -> u64 {
        began_ns + number * SECOND_NS / self.rate
    }

    /// What a sender that keeps the schedule has to do about message `number`, by the clock. `began_ns` is when message 0 was
    /// due, or 0: the schedule begins with the first look then.
    pub(crate) fn look(&self, began_ns: &mut Durable<u64>, number: u64) -> Due {
        if began_ns.get() == 0 {
            began_ns.set(monotonic_ns());
        }
        if number == self.count() {
            return Due::NoMore;
        }
        let due_ns = self.due_ns(began_ns.get(), number);
        let now_ns = monotonic_ns();
        if now_ns < due_ns {
            Due::Later
        } else {
            Due::Now { due_ns, now_ns }
        }
    }

    /// Whether what was due at `due_ns` counts.
    pub(crate) fn counts(&self, began_ns: u64, due_ns: u64) -> bool {
        due_ns >= began_ns + self.warm_up.as_nanos() as u64
    }
}

/// When a message is due, seen from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Later,
    Now {
        due_ns: u64,
        now_ns: u64,
    },
    /// The one before was the last.
    NoMore,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_evenly_and_those_of_the_warm_up_do_not_count() {
        let schedule = Schedule {
            rate: 3,
            warm_up: Duration::from_secs(1),
            lasts: Duration::from_secs(2),
        };
        assert_eq!(schedule.count(), 9);
        let due: Vec<u64> = (0..4).map(|number| schedule.due_ns(7, number)).collect();
        assert_eq!(due, [7, 333_333_340, 666_666_673, 1_000_000_007]);
        let counted = (0..9).filter(|&number| schedule.counts(7, schedule.due_ns(7, number)));
        assert_eq!(counted.collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_day_of_the_highest_rates_does_not_overflow() {
        let schedule = Schedule {
            rate: 10_000_000,
            warm_up: Duration::ZERO,
            lasts: Duration::from_secs(1_000),
        };
        let last = schedule.count() - 1;
        assert_eq!(schedule.due_ns(0, last), 999_999_999_900);
    }
}
