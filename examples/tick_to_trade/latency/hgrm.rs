//! A histogram as an `.hgrm` file: the text that the tools of `HdrHistogram` write and its plotter reads.

use std::io::{self, Write};

use hdrhistogram::Histogram;

/// Lines for each halving of the distance to 100 %.
const LINES_PER_HALF: u32 = 5;

const NS_PER_US: f64 = 1e3;

/// Writes a histogram of nanoseconds, in microseconds.
#[allow(clippy::cast_precision_loss, reason = "figures with three decimals")]
pub(crate) fn write(histogram: &Histogram<u64>, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for line in histogram.iter_quantiles(LINES_PER_HALF) {
        total += line.count_since_last_iteration();
        let (quantile, us) = (
            line.quantile_iterated_to(),
            line.value_iterated_to() as f64 / NS_PER_US,
        );
        write!(out, "{us:>12.3} {quantile:>14.12} {total:>10}")?;
        if quantile < 1.0 {
            write!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_US, histogram.stdev() / NS_PER_US);
    let max = histogram.max() as f64 / NS_PER_US;
    writeln!(
        out,
        "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]"
    )?;
    writeln!(
        out,
        "#[Max     = {max:>12.3}, Total count    = {:>12}]",
        histogram.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::histogram;

    fn written(values: impl IntoIterator<Item = u64>) -> Vec<String> {
        let mut text = Vec::new();
        write(&histogram(values), &mut text).expect("memory takes everything");
        let text = String::from_utf8(text).expect("only text was written");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_has_its_columns_and_the_last_says_all() {
        let lines = written((1..=1_000).map(|us| us * 1_000));
        assert_eq!(
            lines[0],
            "       Value     Percentile TotalCount 1/(1-Percentile)"
        );
        assert_eq!(lines[1], "");
        let rows = lines.iter().filter(|line| line.starts_with(' ')).skip(1);
        let rows: Vec<Vec<f64>> = rows
            .map(|row| {
                let fields = row.split_whitespace();
                fields
                    .map(|field| field.parse().expect("a number"))
                    .collect()
            })
            .collect();
        let (last, before) = rows.split_last().expect("there are values");
        assert_eq!(last.len(), 3, "the inverse of nothing is left out");
        assert!((last[0] - 1_000.0).abs() < 1.0, "{last:?}");
        assert!((last[1] - 1.0).abs() < 1e-12 && (last[2] - 1_000.0).abs() < 1e-9);
        let half = before
            .iter()
            .find(|row| row[1] >= 0.5)
            .expect("a line of 50 %");
        assert!((half[0] - 500.0).abs() < 1.0 && (half[2] - 500.0).abs() < 1.5);
        assert!((half[3] - 2.0).abs() < 0.01, "{half:?}");
        assert!(before.iter().all(|row| row.len() == 4));
        assert!(rows.is_sorted_by(|one, next| one[2] <= next[2]));
        assert!(lines[lines.len() - 1].ends_with("Total count    =         1000]"));
    }

    #[test]
    fn no_values_give_a_file_without_rows() {
        let lines = written([]);
        assert!(lines[lines.len() - 1].ends_with("Total count    =            0]"));
    }
}
