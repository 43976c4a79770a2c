//! The percentiles that are told, as far as there are enough values for them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// A percentile: one value in so many lies above it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percentile {
    pub(crate) name: &'static str,
    one_in: u64,
}

pub(crate) const ALL: [Percentile; 6] = [
    Percentile::new("p50", 2),
    Percentile::new("p90", 10),
    Percentile::new("p99", 100),
    Percentile::new("p99.9", 1_000),
    Percentile::new("p99.99", 10_000),
    Percentile::new("p99.999", 100_000),
];

/// With fewer values above a percentile it tells where these few happened to lie, and the next run tells something else.
const ABOVE_MIN: u64 = 10;

impl Percentile {
    const fn new(name: &'static str, one_in: u64) -> Self {
        Self { name, one_in }
    }

    /// The value in nanoseconds; none if the histogram has too few to tell.
    #[allow(clippy::cast_precision_loss, reason = "a power of ten, or two")]
    pub(crate) fn of(self, histogram: &Histogram<u64>) -> Option<u64> {
        let enough = histogram.len() / self.one_in >= ABOVE_MIN;
        enough.then(|| histogram.value_at_quantile(1.0 - 1.0 / self.one_in as f64))
    }
}

/// Count, minimum, percentiles and maximum by name, in nanoseconds.
pub(crate) fn figures(histogram: &Histogram<u64>) -> BTreeMap<String, Option<u64>> {
    let percentiles = ALL.map(|one| (one.name, one.of(histogram)));
    let (count, min, max) = (histogram.len(), histogram.min(), histogram.max());
    [
        ("count", Some(count)),
        ("min", Some(min)),
        ("max", Some(max)),
    ]
    .into_iter()
    .chain(percentiles)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Nanoseconds as microseconds with as many digits as mean something; a dash for what can't be told.
#[allow(clippy::cast_precision_loss, reason = "figures with three digits")]
pub(crate) fn micros(nanoseconds: Option<u64>) -> String {
    let Some(nanoseconds) = nanoseconds else {
        return "-".to_owned();
    };
    let us = nanoseconds as f64 / 1e3;
    match us {
        ..10.0 => format!("{us:.2}"),
        10.0..100.0 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::histogram;

    fn told(values: u64) -> Vec<&'static str> {
        let histogram = histogram(1..=values);
        let told = ALL.iter().filter(|one| one.of(&histogram).is_some());
        told.map(|one| one.name).collect()
    }

    #[test]
    fn a_percentile_is_told_with_ten_values_above_it() {
        assert_eq!(told(0), [""; 0]);
        assert_eq!(told(19), [""; 0]);
        assert_eq!(told(20), ["p50"]);
        assert_eq!(told(999), ["p50", "p90"]);
        assert_eq!(told(1_000), ["p50", "p90", "p99"]);
        assert_eq!(told(99_999).len(), 4);
        assert_eq!(told(100_000).len(), 5);
        assert_eq!(told(999_999).len(), 5);
        assert_eq!(told(1_000_000).len(), 6);
    }

    #[test]
    fn it_is_the_value_that_one_in_so_many_exceeds() {
        let histogram = histogram((1..=1_000).map(|value| 1_000 * value));
        let p99 = ALL[2].of(&histogram).expect("enough values");
        assert!((990_000..=991_000).contains(&p99), "{p99}");
        assert_eq!(micros(Some(p99)), "990");
        assert_eq!(micros(Some(1_234)), "1.23");
        assert_eq!(micros(Some(12_345)), "12.3");
        assert_eq!(micros(None), "-");
    }
}
