//! What is made of latencies: percentiles, an `.hgrm` file, a curve; and the floor beneath them that the machine itself lays.

pub(crate) mod chart;
pub(crate) mod curve;
pub(crate) mod floor;
pub(crate) mod hgrm;
pub(crate) mod percentiles;

use hdrhistogram::Histogram;

/// Above any latency that a run of minutes can have.
const LONGEST_NS: u64 = 1 << 42;

/// A histogram of nanoseconds, good to within 0.1 %.
///
/// # Panics
///
/// Never: the bounds are constants that it accepts.
pub(crate) fn histogram(latencies_ns: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds that are in range");
    for latency_ns in latencies_ns {
        histogram.saturating_record(latency_ns);
    }
    histogram
}
