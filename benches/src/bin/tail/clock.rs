//! What the clock itself costs: it is in every latency, half of it before the one reading and half of it after the other.

use airssys_rt::monotonic_ns;
use hdrhistogram::Histogram;

use crate::latency::histogram;

/// Readings of which nothing is kept, and readings.
const WARM_UP: usize = 100_000;
const READINGS: usize = 2_000_000;

/// The time between two readings, one right after the other.
pub(crate) fn cost() -> Histogram<u64> {
    let mut before_ns = monotonic_ns();
    let mut gap_ns = || {
        let now_ns = monotonic_ns();
        let gap_ns = now_ns - before_ns;
        before_ns = now_ns;
        gap_ns
    };
    for _ in 0..WARM_UP {
        gap_ns();
    }
    histogram((0..READINGS).map(|_| gap_ns()))
}
