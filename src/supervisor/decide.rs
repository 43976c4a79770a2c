//! What follows a partition's end. Pure: times come in, decisions go out.

use std::collections::VecDeque;
use std::time::Duration;

use airssys_ringbuf::clock::nanos;

use crate::supervisor::cause::Cause;
use crate::topology::model::RestartKind;

/// Failures within a sliding window.
#[derive(Debug)]
pub(super) struct Intensity {
    most: u32,
    period_ns: u64,
    failures: VecDeque<u64>,
}

impl Intensity {
    pub(super) fn new(most: u32, period: Duration) -> Self {
        Self {
            most,
            period_ns: nanos(period),
            failures: VecDeque::new(),
        }
    }

    /// Counts a failure and returns how many there are within the period now, this one included.
    pub(super) fn count(&mut self, now_ns: u64) -> u32 {
        self.failures.push_back(now_ns);
        while let Some(&oldest) = self.failures.front()
            && now_ns.saturating_sub(oldest) >= self.period_ns
        {
            self.failures.pop_front();
        }
        self.failures.len() as u32
    }

    pub(super) fn is_exceeded_by(&self, failures: u32) -> bool {
        failures > self.most
    }
}

/// How long the next restart of one partition waits.
///
/// The first restart is immediate, and so is every one whose life before committed a step. Lives that die without one in a
/// row wait twice as long each time: they would only burn the intensity.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    fruitless: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            fruitless: 0,
        }
    }

    /// Lives in a row that committed nothing, up to the last one handed to [`delay`](Self::delay).
    pub(super) fn fruitless(&self) -> u32 {
        self.fruitless
    }

    pub(super) fn delay(&mut self, progressed: bool) -> Duration {
        if progressed {
            self.fruitless = 0;
            return Duration::ZERO;
        }
        self.fruitless = self.fruitless.saturating_add(1);
        match self.fruitless {
            1 => Duration::ZERO,
            nth => self
                .first
                .saturating_mul(1 << (nth - 2).min(31))
                .min(self.max),
        }
    }
}

/// What a partition's end leads to, before the intensity has its say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It has ended for good, and left nothing undone.
    Ended,
    /// It has ended for good; what follows its last commit may have to be done again.
    LastRites,
    /// It lives again.
    Restart,
    /// It can't live.
    Escalate,
}

/// The consequence of `cause` for a partition of this restart type.
pub(super) fn consequence(restart: RestartKind, cause: &Cause) -> Consequence {
    match (restart, cause) {
        (_, Cause::Done) => Consequence::Ended,
        (_, cause) if cause.is_hopeless() => Consequence::Escalate,
        (RestartKind::Permanent, _) => Consequence::Restart,
        (RestartKind::Transient, cause) if cause.is_abnormal() => Consequence::Restart,
        (_, cause) if cause.is_abnormal() => Consequence::LastRites,
        (RestartKind::Transient | RestartKind::Temporary, _) => Consequence::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_window_slides() {
        let mut intensity = Intensity::new(2, Duration::from_secs(5));
        assert_eq!(intensity.count(0), 1);
        assert_eq!(intensity.count(SECOND), 2);
        let third = intensity.count(5 * SECOND - 1);
        assert!(third == 3 && intensity.is_exceeded_by(third));
        // The first one is exactly a period old now, and out.
        assert_eq!(intensity.count(5 * SECOND), 3);
        assert_eq!(intensity.count(60 * SECOND), 1);
    }

    #[test]
    fn no_failure_is_allowed_at_intensity_zero() {
        let mut intensity = Intensity::new(0, Duration::from_secs(5));
        let first = intensity.count(0);
        assert!(intensity.is_exceeded_by(first));
    }

    #[test]
    fn backoff_grows_only_without_progress() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(10), ms(35));
        let fruitless: Vec<_> = (0..5).map(|_| backoff.delay(false)).collect();
        assert_eq!(fruitless, [ms(0), ms(10), ms(20), ms(35), ms(35)]);
        assert_eq!(backoff.fruitless(), 5);
        assert_eq!(backoff.delay(true), ms(0));
        assert_eq!(backoff.fruitless(), 0);
        assert_eq!(backoff.delay(false), ms(0));
        assert_eq!(backoff.delay(false), ms(10));
    }

    #[test]
    fn a_backoff_of_many_deaths_stays_at_its_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        let last = (0..100).map(|_| backoff.delay(false)).last();
        assert_eq!(last, Some(Duration::from_secs(1)));
    }

    #[test]
    fn restart_types_are_those_of_otp() {
        use Consequence::{Ended, Escalate, LastRites, Restart};
        use RestartKind::{Permanent, Temporary, Transient};
        let panic = Cause::Panic(None);
        let hopeless = Cause::Hopeless("no core".to_owned());
        let cases = [
            (Permanent, Cause::Done, Ended),
            (Permanent, panic.clone(), Restart),
            (Permanent, Cause::Stopped, Restart),
            (Permanent, Cause::Exit(0), Restart),
            (Transient, Cause::Done, Ended),
            (Transient, Cause::Stopped, Ended),
            (Transient, Cause::Exit(0), Restart),
            (Transient, Cause::Hung, Restart),
            (Temporary, panic, LastRites),
            (Temporary, Cause::Stopped, Ended),
            (Temporary, Cause::Unknown, LastRites),
            (Permanent, hopeless.clone(), Escalate),
            (Temporary, hopeless, Escalate),
        ];
        for (restart, cause, expected) in cases {
            assert_eq!(
                consequence(restart, &cause),
                expected,
                "{restart:?} {cause:?}"
            );
        }
    }
}
