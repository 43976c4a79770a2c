//! The one clock: monotonic, the same in all processes of this boot, and never part of a decision of the ring. Beside it the
//! calendar's, for actors that ask for it.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`. Processes on one machine may compare what they read.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Nanoseconds of `CLOCK_REALTIME`, since 1970: what a calendar shows. It may be set, and go back.
#[must_use]
pub fn realtime_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Nanoseconds of a time span, as many as fit: a span such as [`Duration::MAX`](std::time::Duration::MAX) means "for ever".
#[must_use]
pub fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
