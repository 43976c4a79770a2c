//! The goals that this command can judge, and what was reached.
//!
//! A ratio to a peer is the median of its ratios in each round, and of several peers the best one decides. Of our layouts the
//! one that does better counts for the bare ring.

use std::fmt;

use serde_json::{Value, json};

use crate::catalog::{BATCH, Which};
use crate::cell::{Metric, Mode};
use crate::figures::{Figures, Question, Round, Series};

/// Our bare rings.
const BARE: [Which; 2] = [Which::Sequenced, Which::Contiguous];

#[derive(Clone, Debug)]
pub(crate) struct Goal {
    what: String,
    mode: Mode,
    bound: f64,
    figure: f64,
    at_least: bool,
}

impl Goal {
    fn reached(&self) -> bool {
        if self.at_least {
            self.figure >= self.bound
        } else {
            self.figure <= self.bound
        }
    }

    pub(crate) fn value(&self) -> Value {
        json!({
            "goal": self.what, "mode": self.mode.to_string(), "bound": self.bound, "figure": self.figure,
            "reached": self.reached(),
        })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.at_least { ">=" } else { "<=" };
        let reached = if self.reached() { "reached" } else { "missed" };
        write!(
            f,
            "| {} {sign} {} | {} | {:.2} | {reached} |",
            self.what, self.bound, self.mode, self.figure
        )
    }
}

/// The figures of one way to run.
struct Judge<'a> {
    figures: &'a Figures,
    mode: Mode,
    goals: Vec<Goal>,
}

/// Judges everything that was measured.
pub(crate) fn judge(figures: &Figures) -> Vec<Goal> {
    let mut goals = Vec::new();
    for mode in [Mode::Threads, Mode::Processes] {
        let mut payloads: Vec<usize> = figures
            .questions()
            .iter()
            .filter(|question| question.mode == mode && question.slower.is_none())
            .map(|question| question.payload)
            .collect();
        payloads.sort_unstable();
        payloads.dedup();
        let mut judge = Judge {
            figures,
            mode,
            goals: Vec::new(),
        };
        for payload in payloads {
            judge.round_trip(payload);
            judge.one_by_one(payload);
            judge.batches(payload);
            judge.link(payload);
        }
        judge.unequal();
        goals.extend(judge.goals);
    }
    goals
}

fn p50(round: &Round) -> f64 {
    round.p50
}

/// Messages for a time.
fn rate(round: &Round) -> f64 {
    1.0 / round.per_message
}

impl<'a> Judge<'a> {
    fn question(&self, metric: Metric, payload: usize, batch: usize) -> Question {
        Question {
            metric,
            mode: self.mode,
            payload,
            batch,
            slower: None,
        }
    }

    fn put(&mut self, what: String, figure: f64, at_least: bool, bound: f64) {
        if figure.is_finite() {
            self.goals.push(Goal {
                what,
                mode: self.mode,
                bound,
                figure,
                at_least,
            });
        }
    }

    fn at_most(&mut self, what: String, figure: f64, bound: f64) {
        self.put(what, figure, false, bound);
    }

    fn at_least(&mut self, what: String, figure: f64, bound: f64) {
        self.put(what, figure, true, bound);
    }

    fn ours(&self, question: Question) -> Vec<&'a Series> {
        let figures = self.figures;
        let bare = BARE.iter();
        bare.filter_map(|which| figures.of(question, *which))
            .collect()
    }

    fn peers(&self, question: Question) -> Vec<(Which, &'a Series)> {
        let asked = self.figures.asked(question);
        asked.filter(|(which, _)| which.is_peer()).collect()
    }

    /// The least of a figure over our layouts.
    fn least(&self, question: Question, figure: fn(&Round) -> f64) -> f64 {
        let ours = self.ours(question).into_iter();
        ours.map(|series| series.median(figure))
            .fold(f64::NAN, f64::min)
    }

    /// Our better layout's ratio to the peer that makes it the worst, and that peer.
    fn beside_peers(
        &self,
        question: Question,
        figure: fn(&Round) -> f64,
        more_is_better: bool,
    ) -> Option<(f64, &'static str)> {
        let better = |a: f64, b: f64| if more_is_better { a.max(b) } else { a.min(b) };
        let ours = self.ours(question);
        let peers = self.peers(question).into_iter().map(|(which, peer)| {
            let ratios = ours.iter().map(|own| own.ratio(peer, figure));
            (ratios.fold(f64::NAN, better), which.name(question.metric))
        });
        peers.reduce(|a, b| {
            let first_is_worse = if more_is_better {
                a.0 <= b.0
            } else {
                a.0 >= b.0
            };
            if first_is_worse { a } else { b }
        })
    }

    fn round_trip(&mut self, payload: usize) {
        let question = self.question(Metric::Rtt, payload, 1);
        let to_raw = self.least(question, |round| round.to_raw);
        if payload <= 56 {
            self.at_most(format!("round trip {payload} B: p50 / raw"), to_raw, 1.05);
            let p99 = self.least(question, |round| round.p99_to_raw);
            self.at_most(format!("round trip {payload} B: p99 / raw p99"), p99, 1.2);
        }
        if payload == 120 {
            self.at_most(format!("round trip {payload} B: p50 / raw"), to_raw, 1.10);
        }
        if let Some((ratio, peer)) = self.beside_peers(question, p50, false) {
            let what = format!("round trip {payload} B: p50 / best peer's ({peer})");
            self.at_most(what, ratio, 1.03);
        }
    }

    fn one_by_one(&mut self, payload: usize) {
        let question = self.question(Metric::Stream, payload, 1);
        let bound = match payload {
            ..=56 => 1.15,
            120 | 248 => 1.4,
            128 | 256 => 1.1,
            _ => 0.95,
        };
        if let Some((ratio, peer)) = self.beside_peers(question, rate, true) {
            let what = format!("one by one {payload} B: rate / best peer's ({peer})");
            self.at_least(what, ratio, bound);
        }
    }

    fn batches(&mut self, payload: usize) {
        let question = self.question(Metric::Stream, payload, BATCH);
        let bound = if payload == 8 { 1.2 } else { 0.95 };
        if let Some((ratio, peer)) = self.beside_peers(question, rate, true) {
            let what = format!("batches of {BATCH}, {payload} B: rate / best peer's ({peer})");
            self.at_least(what, ratio, bound);
        }
        if payload == 56 {
            let single = self.question(Metric::Stream, payload, 1);
            let to_raw = [single, question].map(|question| {
                let ours = self.ours(question).into_iter();
                ours.map(|series| series.median(|round| round.to_raw))
                    .fold(f64::NAN, f64::max)
            });
            let best = to_raw[0].max(to_raw[1]);
            self.at_least(format!("stream {payload} B: rate / raw lines'"), best, 0.87);
        }
    }

    fn link(&mut self, payload: usize) {
        let rtt = self.question(Metric::Rtt, payload, 1);
        let link = self.figures.of(rtt, Which::Link);
        if let Some(link) = link.filter(|_| payload <= 56) {
            let to_raw = link.median(|round| round.to_raw);
            self.at_most(
                format!("link, round trip {payload} B: p50 / raw"),
                to_raw,
                1.3,
            );
        }
        for (batch, bound, name) in [(1, 0.55, "one a step"), (BATCH, 0.8, "steps of up to 64")] {
            let question = self.question(Metric::Stream, payload, batch);
            let Some(link) = self.figures.of(question, Which::Link) else {
                continue;
            };
            let ours = self.ours(question).into_iter();
            let worst = ours
                .map(|bare| link.ratio(bare, rate))
                .fold(f64::NAN, f64::min);
            let what = format!("link, {name}, {payload} B: rate / bare ring's, batches of {batch}");
            self.at_least(what, worst, bound);
        }
    }

    fn unequal(&mut self) {
        for question in self.figures.questions() {
            let Some(slower) = question.slower.filter(|_| question.mode == self.mode) else {
                continue;
            };
            let (side, ns) = (slower.side(), slower.work_ns());
            let paid = self.least(question, |round| round.paid);
            self.at_most(format!("{side}'s work {ns} ns: it pays, ns"), paid, 5.0);
            if side == "sender" {
                let to_raw = self.least(question, |round| round.to_raw);
                let what = format!("{side}'s work {ns} ns: one-way p50 / raw round trip");
                self.at_most(what, to_raw, 0.55);
            }
        }
    }
}
