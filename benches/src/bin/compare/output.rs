//! The figures for programs and for people.

use std::fmt::Write as _;

use airssys_benches::report::heading;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::catalog::{BATCH, LEFT_OUT, STEP, Which};
use crate::cell::{Metric, Mode};
use crate::figures::{Figures, Question, Series};
use crate::goals;
use crate::run::Extent;

/// All that is shown.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) figures: &'a Figures,
    pub(crate) extent: Extent,
    pub(crate) cores: &'a [usize],
    pub(crate) clock_ns: f64,
    pub(crate) environment: Value,
    pub(crate) command: String,
}

/// A number with three digits behind the point, or null.
fn number(figure: f64) -> Value {
    if figure.is_finite() {
        json!((figure * 1000.0).round() / 1000.0)
    } else {
        Value::Null
    }
}

fn cell_text(figure: f64, digits: usize) -> String {
    if figure.is_finite() {
        format!("{figure:.digits$}")
    } else {
        String::new()
    }
}

fn tail(series: &Series, quantile: f64) -> f64 {
    if series.tail.is_empty() {
        f64::NAN
    } else {
        series.tail.value_at_quantile(quantile) as f64
    }
}

fn maximum(series: &Series) -> f64 {
    if series.tail.is_empty() {
        f64::NAN
    } else {
        series.tail.max() as f64
    }
}

fn object(question: Question, which: Which, series: &Series) -> Value {
    let mut line = Map::new();
    let mut put = |key: &str, value: Value| {
        line.insert(key.to_owned(), value);
    };
    let rate = 1e9 / series.median(|round| round.per_message);
    put("metric", json!(question.metric.to_string()));
    put("mode", json!(question.mode.to_string()));
    put("subject", json!(which.name(question.metric)));
    put("payload", json!(question.payload));
    put("batch", json!(question.batch_of(which)));
    put("p50_ns", number(series.median(|round| round.p50)));
    put("p99_ns", number(series.median(|round| round.p99)));
    put("msgs_per_s", number(rate));
    put("ratio_to_raw", number(series.median(|round| round.to_raw)));
    put("p999_ns", number(tail(series, 0.999)));
    put("p9999_ns", number(tail(series, 0.9999)));
    put("max_ns", number(maximum(series)));
    put(
        "p99_ratio_to_raw",
        number(series.median(|round| round.p99_to_raw)),
    );
    put(
        "ns_per_msg",
        number(series.median(|round| round.per_message)),
    );
    put("samples", json!(series.tail.len()));
    put("rounds", json!(series.rounds.len()));
    if let Some(slower) = question.slower {
        put("slower", json!(slower.side()));
        put("work_ns", json!(slower.work_ns()));
        put("paid_ns", number(series.median(|round| round.paid)));
    }
    Value::Object(line)
}

impl Shown<'_> {
    /// One object for each subject of each question.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for question in self.figures.questions() {
            for (which, series) in self.figures.asked(question) {
                // Beside batches the limit is measured again, for the ratio alone.
                if question.batch == 1 || !which.is_raw() {
                    lines.push(object(question, which, series));
                }
            }
        }
        lines
    }

    /// Everything, for the report's file.
    pub(crate) fn value(&self) -> Value {
        json!({
            "command": self.command,
            "environment": self.environment,
            "cores": self.cores,
            "rounds": self.extent.rounds,
            "measurement_us": self.extent.lasts_us,
            "clock_reading_ns": number(self.clock_ns),
            "left_out": LEFT_OUT,
            "figures": self.lines(),
            "goals": goals::judge(self.figures).iter().map(goals::Goal::value).collect::<Vec<_>>(),
        })
    }

    /// Tables by payload, and the goals.
    pub(crate) fn text(&self) -> Result<String> {
        let mut text = heading("Our ring and its peers", &self.command, &self.environment);
        self.write_conditions(&mut text)?;
        for mode in [Mode::Threads, Mode::Processes] {
            for &payload in self.extent.payloads {
                self.write_payload(&mut text, mode, payload)?;
            }
        }
        self.write_unequal(&mut text)?;
        writeln!(text, "\n## Goals\n")?;
        writeln!(text, "| goal | between | reached | |\n|---|---|---|---|")?;
        for goal in goals::judge(self.figures) {
            writeln!(text, "{goal}")?;
        }
        Ok(text)
    }

    fn write_conditions(&self, text: &mut String) -> Result<()> {
        let Extent {
            rounds, lasts_us, ..
        } = self.extent;
        let cores = match self.cores {
            [near, far] => format!("pinned to cores {near} and {far}"),
            _ => "NOT pinned: one core for both sides".to_owned(),
        };
        writeln!(
            text,
            "\n{rounds} rounds, every subject in turn for {} ms each, in another order each round; {cores}; nothing trimmed. \
             p50, p99, rates and ratios are medians of the rounds, other percentiles are of all samples of all rounds. A \
             reading of the clock takes {:.1} ns, and about one is in every round trip, the same for all. Ratios are to the limit \
             in the same round: of a round trip to that of one cache line (`raw`), of a rate to that of whole lines (`raw-line`), \
             as many as the payload takes, each told of by itself: who tells of many at a time may do better. Senders write every byte; receivers read a word of each line, and check it. Rings have \
             64 KiB of slots up to 256 B and 256 KiB above.",
            lasts_us / 1000,
            self.clock_ns
        )?;
        for left_out in LEFT_OUT {
            writeln!(text, "- {left_out}")?;
        }
        Ok(())
    }

    fn write_payload(&self, text: &mut String, mode: Mode, payload: usize) -> Result<()> {
        let question = |metric, batch| Question {
            metric,
            mode,
            payload,
            batch,
            slower: None,
        };
        let rtt = question(Metric::Rtt, 1);
        let single = question(Metric::Stream, 1);
        let batches = question(Metric::Stream, BATCH);
        writeln!(text, "\n## {payload} B between {mode}\n")?;
        writeln!(
            text,
            "| | round trip p50 ns | p99 | p99.9 | p99.99 | max | x raw | one by one, M/s | ns | x raw-line | batches of \
             {BATCH} (link: steps of up to {STEP}), M/s | ns | x raw-line |"
        )?;
        writeln!(
            text,
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        )?;
        for which in <Which as clap::ValueEnum>::value_variants() {
            let [trip, one, many] =
                [rtt, single, batches].map(|question| self.figures.of(question, *which));
            if trip.or(one).or(many).is_none() {
                continue;
            }
            let name = if *which == Which::Raw {
                "raw, raw-word"
            } else {
                which.name(Metric::Stream)
            };
            let many = many.filter(|_| !which.is_raw());
            writeln!(
                text,
                "| {name} {}{}{}|",
                trip_cells(trip),
                rate_cells(one),
                rate_cells(many)
            )?;
        }
        Ok(())
    }

    fn write_unequal(&self, text: &mut String) -> Result<()> {
        for question in self.figures.questions() {
            let Some(slower) = question.slower else {
                continue;
            };
            writeln!(
                text,
                "\n## {} B between {}, the {}'s own work {} ns\n",
                question.payload,
                question.mode,
                slower.side(),
                slower.work_ns()
            )?;
            writeln!(
                text,
                "| | it pays for the ring, ns a message | one-way p50 ns | p99 | p50 x raw round trip |"
            )?;
            writeln!(text, "|---|---|---|---|---|")?;
            for (which, series) in self.figures.asked(question) {
                let name = if which == Which::Raw {
                    "raw, round trip"
                } else {
                    which.name(question.metric)
                };
                writeln!(
                    text,
                    "| {name} {}|",
                    cells(&[
                        (series.median(|round| round.paid), 1),
                        (series.median(|round| round.p50), 0),
                        (series.median(|round| round.p99), 0),
                        (series.median(|round| round.to_raw), 2),
                    ])
                )?;
            }
        }
        Ok(())
    }
}

fn trip_cells(series: Option<&Series>) -> String {
    let Some(series) = series else {
        return "| | | | | | ".to_owned();
    };
    let columns = [
        (series.median(|round| round.p50), 0),
        (series.median(|round| round.p99), 0),
        (tail(series, 0.999), 0),
        (tail(series, 0.9999), 0),
        (maximum(series), 0),
        (series.median(|round| round.to_raw), 2),
    ];
    cells(&columns)
}

fn rate_cells(series: Option<&Series>) -> String {
    let Some(series) = series else {
        return "| | | ".to_owned();
    };
    let per_message = series.median(|round| round.per_message);
    cells(&[
        (1e3 / per_message, 1),
        (per_message, 2),
        (series.median(|round| round.to_raw), 2),
    ])
}

fn cells(columns: &[(f64, usize)]) -> String {
    let cell = |&(figure, digits): &(f64, usize)| format!("| {} ", cell_text(figure, digits));
    columns.iter().map(cell).collect()
}
