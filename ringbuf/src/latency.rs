//! One-way latencies of a stamped link, counted in fixed buckets in the receiver's region.
//!
//! Buckets are log-linear: 32 to each power of two, so a bucket is at most 3.2 % wide; from 1 ns to 2^41 ns (36 min), above
//! which everything counts in the last. Only the receiver writes (a load and a store, no read-modify-write); anybody may
//! read, and builds a histogram from [`BucketCount`]s. A crash leaves the counts. A message that a redone step receives
//! again is counted again.

use crate::memory::Words;
use crate::word::Ordering;

const SUB_BITS: u32 = 5;
const SUB: u64 = 1 << SUB_BITS;
const EXPONENT_MAX: u32 = 41;

/// Buckets of a latency section.
pub const BUCKETS: usize = (SUB + (EXPONENT_MAX - SUB_BITS) as u64 * SUB) as usize;

/// The bucket that counts `latency_ns`.
#[inline]
fn bucket(latency_ns: u64) -> usize {
    if latency_ns < SUB {
        return latency_ns as usize;
    }
    let exponent = latency_ns.ilog2();
    if exponent >= EXPONENT_MAX {
        return BUCKETS - 1;
    }
    let group = u64::from(exponent - SUB_BITS + 1);
    let within = (latency_ns >> (exponent - SUB_BITS)) - SUB;
    (group * SUB + within) as usize
}

/// The highest latency that a bucket counts.
pub(crate) fn upper_ns(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((SUB + index % SUB + 1) << shift) - 1
}

/// The receiver's hold on its buckets.
#[derive(Debug)]
pub(crate) struct Latencies(pub(crate) Words);

impl Latencies {
    #[inline]
    pub(crate) fn record(&self, latency_ns: u64) {
        let count = self.0.at(bucket(latency_ns));
        // The region may hold anything.
        let counted = count.load(Ordering::Relaxed).wrapping_add(1);
        count.store(counted, Ordering::Relaxed);
    }
}

/// So many latencies at or below so many nanoseconds, above the bucket before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketCount {
    /// The highest latency that the bucket counts, in nanoseconds.
    pub upper_ns: u64,
    /// How many it has counted.
    pub count: u64,
}

/// The buckets of a latency section that have counted anything, lowest first.
///
/// # Panics
///
/// If `load` does: it is called with every index below [`BUCKETS`].
pub fn counted(load: impl Fn(usize) -> u64) -> impl Iterator<Item = BucketCount> {
    (0..BUCKETS).filter_map(move |index| {
        let count = load(index);
        (count > 0).then(|| BucketCount {
            upper_ns: upper_ns(index),
            count,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_its_bucket() {
        let mut probes: Vec<u64> = (0..5000).collect();
        probes.extend((12..EXPONENT_MAX).flat_map(|bit| {
            let power = 1u64 << bit;
            [power - 1, power, power + power / 3]
        }));
        for latency in probes {
            let index = bucket(latency);
            assert!(latency <= upper_ns(index), "{latency} in {index}");
            assert!(
                index == 0 || latency > upper_ns(index - 1),
                "{latency} in {index}"
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
