//! The report as text.

use std::fmt::Write as _;

use airssys_benches::report::heading;
use airssys_benches::tail::{FIGURES, Figures, Report, Series};
use serde_json::Value;

use crate::Result;
use crate::latency::percentiles::micros;

const HOW_TO_READ: &str = "\
Messages are due by the clock at the series' rate, whether anybody keeps up or not. *Response* is from when a message was due until \
its last consequence was there: whatever holds the sender up counts, for every message that was due meanwhile. *Service* is from when \
it was really sent. *Floor* is how late a thread that does nothing but to keep the same schedule sees that a message is due, on each of \
the cores at once, in a run of its own before the others: what the machine itself takes. *done/s* \
of it is what each core did, *count* what all did. One second of warm-up before each series is not counted; all the rest is. A \
percentile is told with ten values above it or more, and is a dash otherwise. Microseconds.

*one-way*: from a pinned actor over one link to another. *round-trip*: and back. *tick-to-trade*: feed, book, strategy and gateway of \
`examples/tick_to_trade`, four pinned partitions; some half of the ticks lead to an order, and those are timed. Messages take 40 to 56 \
bytes; everything is on: steps, commits, heartbeats, counters.
";

pub(crate) fn render(report: &Report) -> Result<String> {
    let environment = Value::Object(report.environment.clone());
    let mut text = heading("Tail", &report.command, &environment);
    let load = &report.load_before;
    writeln!(
        text,
        "\nLoad of the machine before the run: `{load}`.\n\n{HOW_TO_READ}"
    )?;
    let of_clock = |name: &str| report.clock_ns.get(name).copied().flatten().unwrap_or(0);
    writeln!(
        text,
        "Between two readings of the clock, which every latency has once: p50 {} ns, p99 {} ns.\n",
        of_clock("p50"),
        of_clock("p99")
    )?;
    writeln!(text, "![latencies over their percentiles](tail.svg)\n")?;
    writeln!(
        text,
        "![the longest of each {} ms over time](tail-max.svg)",
        report.interval_ms
    )?;
    let mut rates: Vec<u64> = report.series.iter().map(|series| series.rate).collect();
    rates.dedup();
    for rate in rates {
        writeln!(text, "\n## {rate} a second for {} s\n", report.seconds)?;
        table(
            &mut text,
            report.series.iter().filter(|series| series.rate == rate),
        )?;
    }
    Ok(text)
}

fn table<'a>(text: &mut String, all: impl Iterator<Item = &'a Series>) -> Result<()> {
    let names = FIGURES.join(" | ");
    writeln!(text, "| series | cores | | done/s | {names} |")?;
    writeln!(text, "|---|---|---|---|{}", "---|".repeat(FIGURES.len()))?;
    for series in all {
        let suffix = format!("-{}", series.rate);
        let name = series.name.trim_end_matches(&suffix);
        let cores: Vec<String> = series.cores.iter().map(usize::to_string).collect();
        let done = format!("{:.0}", series.achieved);
        let first = [name, &cores.join(" "), "response", &done].join(" | ");
        writeln!(text, "| {first} | {} |", row(&series.response_ns))?;
        if let Some(service) = &series.service_ns {
            writeln!(text, "| | | service | | {} |", row(service))?;
        }
        if series.restarts > 0 {
            writeln!(text, "| | | {} restarts | | |", series.restarts)?;
        }
    }
    Ok(())
}

fn row(figures: &Figures) -> String {
    let cell = |&name: &&str| {
        let value = figures.get(name).copied().flatten();
        if name == "count" {
            value.unwrap_or(0).to_string()
        } else {
            micros(value)
        }
    };
    FIGURES.iter().map(cell).collect::<Vec<_>>().join(" | ")
}
