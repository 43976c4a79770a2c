//! What was measured: by subject and question, a figure of each round, and all samples of all rounds together for the tails.

use std::collections::BTreeMap;

use airssys_benches::median;
use hdrhistogram::Histogram;

use crate::Result;
use crate::catalog::{STEP, Which};
use crate::cell::{Metric, Mode, Sample};
use crate::clock::Clock;

/// Whose own work holds a stream of unequal sides up, and how long it takes for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slower {
    Sender(u32),
    Receiver(u32),
}

impl Slower {
    pub(crate) const ALL: [Self; 4] = [
        Self::Sender(67),
        Self::Sender(302),
        Self::Receiver(35),
        Self::Receiver(262),
    ];

    pub(crate) fn side(self) -> &'static str {
        match self {
            Self::Sender(_) => "sender",
            Self::Receiver(_) => "receiver",
        }
    }

    pub(crate) fn work_ns(self) -> u32 {
        match self {
            Self::Sender(ns) | Self::Receiver(ns) => ns,
        }
    }
}

/// What is asked of several subjects in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) metric: Metric,
    pub(crate) mode: Mode,
    pub(crate) payload: usize,
    pub(crate) batch: usize,
    pub(crate) slower: Option<Slower>,
}

impl Question {
    /// What a batch is for this subject: a linked actor's steps have a size of their own.
    pub(crate) fn batch_of(&self, which: Which) -> usize {
        if which.is_raw() {
            1
        } else if which == Which::Link && self.batch > 1 {
            STEP
        } else {
            self.batch
        }
    }

    /// Cache lines that a message takes at least.
    fn lines(&self) -> f64 {
        self.payload.div_ceil(64) as f64
    }
}

/// One round's figures, in nanoseconds; not a number where there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Time for a message, of a stream.
    pub(crate) per_message: f64,
    /// What the slower side paid for the ring.
    pub(crate) paid: f64,
    /// Of the time for a round trip or a message to the limit's in the same round; of rates the inverse.
    pub(crate) to_raw: f64,
    pub(crate) p99_to_raw: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) rounds: Vec<Round>,
    /// All samples of all rounds.
    pub(crate) tail: Histogram<u64>,
}

impl Series {
    pub(crate) fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        let figures: Vec<f64> = self.rounds.iter().map(figure).collect();
        if figures.iter().any(|figure| figure.is_nan()) {
            return f64::NAN;
        }
        median(&figures)
    }

    /// The median over the rounds of this figure's ratio to another's in the same round.
    pub(crate) fn ratio(&self, other: &Self, figure: impl Fn(&Round) -> f64) -> f64 {
        let both = self.rounds.iter().zip(&other.rounds);
        let ratios: Vec<f64> = both
            .map(|(own, other)| figure(own) / figure(other))
            .collect();
        median(&ratios)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(BTreeMap<(Question, Which), Series>);

impl Figures {
    pub(crate) fn of(&self, question: Question, which: Which) -> Option<&Series> {
        self.0.get(&(question, which))
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = self.0.keys().map(|(question, _)| *question).collect();
        questions.dedup();
        questions
    }

    pub(crate) fn asked(&self, question: Question) -> impl Iterator<Item = (Which, &Series)> {
        self.0
            .iter()
            .filter(move |((asked, _), _)| *asked == question)
            .map(|((_, which), series)| (*which, series))
    }

    /// Adds a round of a question: each subject's sample.
    pub(crate) fn add(
        &mut self,
        clock: &Clock,
        question: Question,
        samples: Vec<(Which, Sample)>,
    ) -> Result<()> {
        let mut rounds = Vec::new();
        for (which, sample) in samples {
            let (round, tail) = summary(clock, question, which, sample)?;
            rounds.push((which, round, tail));
        }
        let limit = match question.metric {
            Metric::Rtt | Metric::Unequal => Which::Raw,
            Metric::Stream => Which::RawLine,
        };
        let raw = rounds.iter().find(|(which, ..)| *which == limit);
        let raw = raw.map(|(_, round, _)| *round);
        for (which, mut round, tail) in rounds {
            if let Some(raw) = raw {
                round.p99_to_raw = round.p99 / raw.p99;
                round.to_raw = match question.metric {
                    Metric::Rtt | Metric::Unequal => round.p50 / raw.p50,
                    Metric::Stream => raw.per_message / round.per_message,
                };
            }
            let series = self.0.entry((question, which)).or_insert_with(|| Series {
                rounds: Vec::new(),
                tail: empty(),
            });
            series.rounds.push(round);
            series.tail.add(&tail)?;
        }
        Ok(())
    }
}

/// An empty histogram of nanoseconds, good to within 0.1 %.
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << 40, 3).expect("constant bounds that are in range")
}

fn summary(
    clock: &Clock,
    question: Question,
    which: Which,
    sample: Sample,
) -> Result<(Round, Histogram<u64>)> {
    let (mut times, streamed, alone_ns) = match sample {
        Sample::Trips(trips) => (trips, None, f64::NAN),
        Sample::Streamed(streamed) => (
            streamed.one_way,
            Some((streamed.messages, clock.ns(0, streamed.units))),
            streamed.alone_ns,
        ),
    };
    let mut tail = empty();
    for &units in &times {
        tail.saturating_record(clock.ns(0, units).max(1));
    }
    times.sort_unstable();
    let lines = if which.is_raw() && question.metric == Metric::Stream {
        question.lines()
    } else {
        1.0
    };
    let per_message = match streamed {
        Some((0, _)) => return Err(format!("{which:?} received nothing that counts").into()),
        Some((messages, ns)) => ns as f64 / messages as f64 * lines,
        None => f64::NAN,
    };
    if streamed.is_none() && tail.is_empty() {
        return Err(format!("{which:?} made no round trip that counts").into());
    }
    let quantile = |at| quantile(&times, at) * clock.ns(0, PROBE) as f64 / PROBE as f64;
    let round = Round {
        p50: quantile(0.5),
        p99: quantile(0.99),
        per_message,
        paid: per_message - alone_ns,
        to_raw: f64::NAN,
        p99_to_raw: f64::NAN,
    };
    Ok((round, tail))
}

/// Units whose nanoseconds are asked for the length of one.
const PROBE: u64 = 1 << 32;

/// A quantile of sorted readings. Where the clock advances by many units at a time, a lot of readings are the same: each stands
/// for all times up to half the way to its neighbours, evenly. Not a number of none.
fn quantile(times: &[u64], at: f64) -> f64 {
    let rank = at * times.len() as f64;
    let Some(&value) = times.get((rank as usize).min(times.len().saturating_sub(1))) else {
        return f64::NAN;
    };
    let from = times.partition_point(|time| *time < value);
    let to = times.partition_point(|time| *time <= value);
    let (before, after) = (from.checked_sub(1).map(|at| times[at]), times.get(to));
    let middle = |neighbour: u64| f64::midpoint(value as f64, neighbour as f64);
    let (Some(low), Some(high)) = (before.map(middle), after.copied().map(middle)) else {
        return value as f64;
    };
    low + (high - low) * (rank - from as f64) / (to - from) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_the_readings_around_it() {
        // Readings of a clock that advances by ten: the median of evenly spread ones is that of what they stand for.
        let times = [vec![10; 100], vec![20; 100], vec![30; 100]].concat();
        assert!((quantile(&times, 0.5) - 20.0).abs() < 1e-9);
        assert!((quantile(&times, 0.4) - 17.0).abs() < 1e-9);
        let skewed = [vec![10; 100], vec![20; 190], vec![30; 10]].concat();
        let median = quantile(&skewed, 0.5);
        assert!((15.0..20.0).contains(&median), "{median}");
        assert!(quantile(&[], 0.5).is_nan());
        assert!((quantile(&[7], 0.99) - 7.0).abs() < 1e-9);
    }
}
