//! What became of a series: histograms of all of it and of each second, and the longest of each interval.

use std::time::{Duration, Instant};

use airssys_benches::tail;
use hdrhistogram::Histogram;

use crate::Result;
use crate::latency::percentiles::figures;
use crate::latency::{floor, histogram};
use crate::pipeline::times::Times;
use crate::run::{self, Outcome};
use crate::series::Series;

/// Of the plot over time.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Of the interval log.
const SECOND: Duration = Duration::from_secs(1);

/// A series as measured.
pub(crate) struct Measured {
    pub(crate) series: Series,
    /// Since the report's beginning, when the first message that counts was due.
    pub(crate) starts: Duration,
    /// From when a message was due.
    pub(crate) response: Histogram<u64>,
    /// From when it was sent; the floor has none.
    pub(crate) service: Option<Histogram<u64>>,
    /// The response of each second, by when the message was due.
    pub(crate) seconds: Vec<Histogram<u64>>,
    /// The longest response of each interval.
    max_ns: Vec<u64>,
    achieved: f64,
    restarts: u64,
}

impl Measured {
    /// Measures it; `None` if that was stopped by a signal.
    pub(crate) fn of(series: &Series, report_began: Instant) -> Result<Option<Self>> {
        let starts = report_began.elapsed() + series.schedule.warm_up;
        let Some(launch) = series.launch else {
            let cores = series.placement.distinct();
            let times = floor::measure(&cores, series.schedule)?;
            let outcome = Outcome { times, restarts: 0 };
            return Ok(Some(Self::new(series, starts, &outcome)));
        };
        let topology = series.topology()?;
        let outcome = run::run(&topology, launch, series.kind.sender(), series.schedule)?;
        Ok(outcome.map(|outcome| Self::new(series, starts, &outcome)))
    }

    pub(crate) fn new(series: &Series, starts: Duration, outcome: &Outcome) -> Self {
        let times = &outcome.times;
        let first_ns = times.iter().map(|times| times.due_ns).min().unwrap_or(0);
        let seconds = split(times, first_ns, SECOND).into_iter().map(histogram);
        let intervals = split(times, first_ns, INTERVAL).into_iter();
        let service = || histogram(times.iter().map(Times::service_ns));
        Self {
            series: series.clone(),
            starts,
            response: histogram(times.iter().map(Times::response_ns)),
            service: series.launch.map(|_| service()),
            seconds: seconds.collect(),
            max_ns: intervals
                .map(|of_one| of_one.into_iter().max().unwrap_or(0))
                .collect(),
            achieved: achieved(series, times, first_ns),
            restarts: outcome.restarts,
        }
    }

    /// Seconds and microseconds: the longest response of each interval that has one.
    pub(crate) fn longest(&self) -> Vec<(f64, f64)> {
        let intervals = self.max_ns.iter().enumerate();
        intervals
            .filter(|&(_, &max_ns)| max_ns > 0)
            .map(|(index, &max_ns)| (index as f64 * INTERVAL.as_secs_f64(), max_ns as f64 / 1e3))
            .collect()
    }

    pub(crate) fn figures(&self) -> tail::Series {
        tail::Series {
            name: self.series.name(),
            rate: self.series.schedule.rate,
            achieved: self.achieved.round(),
            cores: self.series.placement.cores.clone(),
            restarts: self.restarts,
            response_ns: figures(&self.response),
            service_ns: self.service.as_ref().map(figures),
            max_ns: self.max_ns.clone(),
        }
    }
}

/// Messages a second that were done: of the floor by each of its threads, which keep the whole schedule each.
fn achieved(series: &Series, times: &[Times], first_ns: u64) -> f64 {
    let schedules = match series.launch {
        Some(_) => 1,
        None => series.placement.cores.len(),
    };
    let last_ns = times.iter().map(|times| times.done_ns).max().unwrap_or(0);
    // The last message is due before the time is over, by which it isn't done any faster.
    let took = Duration::from_nanos(last_ns.saturating_sub(first_ns)).max(series.schedule.lasts);
    times.len() as f64 / schedules as f64 / took.as_secs_f64()
}

/// The responses by which interval their message was due in.
fn split(times: &[Times], first_ns: u64, interval: Duration) -> Vec<Vec<u64>> {
    let mut intervals = Vec::new();
    for times in times {
        let index = ((times.due_ns - first_ns) / interval.as_nanos() as u64) as usize;
        if index >= intervals.len() {
            intervals.resize(index + 1, Vec::new());
        }
        intervals[index].push(times.response_ns());
    }
    intervals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one who keeps the schedule takes down, each message done `late_ns` after it was due.
    fn kept(series: &Series, late_ns: u64) -> impl Iterator<Item = Times> {
        let schedule = series.schedule;
        (0..schedule.count()).map(move |number| {
            let due_ns = schedule.due_ns(7, number);
            Times {
                due_ns,
                sent_ns: due_ns,
                done_ns: due_ns + late_ns,
            }
        })
    }

    #[test]
    fn who_keeps_the_schedule_achieves_its_rate_however_many_threads_the_floor_has() {
        let lasts = Duration::from_secs(2);
        let achieved = |one: &Series, times: Vec<Times>| {
            let outcome = Outcome { times, restarts: 0 };
            let measured = Measured::new(one, Duration::ZERO, &outcome);
            format!("{:.3}", measured.achieved)
        };
        for cores in [&[0][..], &[0, 1], &[0, 1, 2, 3]] {
            let all = Series::all_of(10, Duration::ZERO, lasts, cores);
            let [floor, link, ..] = &all[..] else {
                panic!("a floor, and more");
            };
            let of_each = floor.placement.cores.iter();
            let together = of_each.flat_map(|_| kept(floor, 1_000));
            assert_eq!(achieved(floor, together.collect()), "10.000");
            assert_eq!(achieved(link, kept(link, 1_000).collect()), "10.000");
            let two_seconds_late = kept(link, 2_100_000_000);
            assert_eq!(achieved(link, two_seconds_late.collect()), "5.000");
        }
    }

    #[test]
    fn a_response_counts_for_the_interval_in_which_its_message_was_due() {
        let times = |due_ns, done_ns| Times {
            due_ns,
            sent_ns: due_ns,
            done_ns,
        };
        let all = [times(100, 103), times(109, 150), times(130, 131)];
        let intervals = split(&all, 100, Duration::from_nanos(10));
        assert_eq!(intervals, [vec![3, 41], vec![], vec![], vec![1]]);
        assert!(split(&[], 0, INTERVAL).is_empty());
    }
}
