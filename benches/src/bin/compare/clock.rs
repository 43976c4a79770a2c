//! The clock of every figure: the processor's counter where it is fit for that, read by `quanta`.
//!
//! A round trip is timed by two readings, so about one reading's time is in every sample, the same for each subject.

use std::time::Duration;

/// A calibrated clock. Raw readings of two threads or processes may be compared: the kernel uses the same counter.
#[derive(Clone, Debug)]
pub(crate) struct Clock(quanta::Clock);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(quanta::Clock::new())
    }

    /// A reading, in no unit.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.0.raw()
    }

    /// Nanoseconds between two readings; none if the later one is the smaller.
    pub(crate) fn ns(&self, from: u64, to: u64) -> u64 {
        self.0.delta_as_nanos(from, to)
    }

    /// About how many units a time span has.
    pub(crate) fn units(&self, span: Duration) -> u64 {
        const PROBE: u64 = 1 << 32;
        let probe_ns = self.ns(0, PROBE).max(1);
        u64::try_from(span.as_nanos() * u128::from(PROBE) / u128::from(probe_ns))
            .unwrap_or(u64::MAX)
    }

    /// What a reading costs, in nanoseconds: the mean of many.
    pub(crate) fn cost_ns(&self) -> f64 {
        const READINGS: u32 = 100_000;
        let begin = self.now();
        for _ in 1..READINGS {
            std::hint::black_box(self.now());
        }
        self.ns(begin, self.now()) as f64 / f64::from(READINGS)
    }
}
