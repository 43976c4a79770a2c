//! A histogram's way out of a partition: the counts of all of its buckets, in durable cells that are written once, by the last
//! step.
//!
//! Until then it lies in plain memory: committing it with each value would be most of what is measured. What the cells cost
//! meanwhile is that each commit asks them whether they have changed, so they are few.

use airssys_rt::prelude::*;
use airssys_rt::{CellSpec, Monitor};
use hdrhistogram::Histogram;

use crate::part::Result;

/// A cell's counts; the most that a cell may hold.
pub(crate) type Page = [u32; 1024];

/// Enough for every bucket.
const PAGES: usize = 4;

/// More than a minute.
const LONGEST_NS: u64 = 1 << 36;

/// An empty histogram of nanoseconds, good to within 0.8 %.
///
/// # Panics
///
/// Never: the bounds are constants that it accepts.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds that are in range")
}

fn name(page: usize) -> String {
    format!("counts-{page}")
}

/// The cells, to be declared with the actor.
pub(crate) fn cells() -> Vec<CellSpec<Page>> {
    (0..PAGES).map(|page| durable(name(page))).collect()
}

/// Writes the histogram into the actor's cells.
pub(crate) fn store(histogram: &Histogram<u64>, cells: &mut [Durable<Page>]) {
    for (page, counts) in pages(histogram).iter().enumerate() {
        cells[page].set(*counts);
    }
}

fn pages(histogram: &Histogram<u64>) -> [Page; PAGES] {
    let mut pages = [[0; 1024]; PAGES];
    for (index, bucket) in histogram.iter_all().enumerate() {
        let count = u32::try_from(bucket.count_at_value()).unwrap_or(u32::MAX);
        pages[index / 1024][index % 1024] = count;
    }
    pages
}

/// Reads it back from the cells of `actor`.
pub(crate) fn load(monitor: &Monitor, actor: &str) -> Result<Histogram<u64>> {
    let mut pages = [[0; 1024]; PAGES];
    for (page, counts) in pages.iter_mut().enumerate() {
        let read = monitor.read::<Page>(actor, &name(page))?;
        *counts = read.ok_or_else(|| format!("actor `{actor}` has never lived"))?;
    }
    Ok(histogram(&pages))
}

fn histogram(pages: &[Page; PAGES]) -> Histogram<u64> {
    let mut histogram = empty();
    for (bucket, &count) in empty().iter_all().zip(pages.as_flattened()) {
        histogram.saturating_record_n(bucket.value_iterated_to(), u64::from(count));
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_what_was_stored() {
        let mut stored = empty();
        assert!(stored.distinct_values() <= PAGES * 1024);
        for power in 0..36 {
            stored.saturating_record_n(1 << power, power + 1);
            stored.saturating_record_n((1 << power) + (1 << power) / 3, 3);
        }
        let arrived = histogram(&pages(&stored));
        let counts = |histogram: &Histogram<u64>| {
            let buckets = histogram.iter_recorded();
            buckets
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
                .collect::<Vec<_>>()
        };
        assert_eq!(counts(&arrived), counts(&stored));
    }
}
