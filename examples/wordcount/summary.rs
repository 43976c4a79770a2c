//! What a run came to, for a person or as JSON.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use airssys_rt::{Recovery, Report};
use hdrhistogram::Histogram;
use indicatif::HumanCount;
use serde_json::{Map, Value, json};

use crate::actors::Totals;

/// A recovery that takes longer counts as this.
const HOUR_US: u64 = 3_600_000_000;

/// What the comparison with the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Equal,
    NotEqual,
    Interrupted,
}

#[derive(Debug)]
pub(crate) struct Summary {
    totals: Totals,
    verdict: Verdict,
    messages: u64,
    elapsed: Duration,
    /// The killer's seed, if there was one.
    seed: Option<u64>,
    /// By partition.
    restarts: Vec<(String, u64)>,
    /// In microseconds, from each kill to the end of the next incarnation's first step.
    recoveries_us: Histogram<u64>,
    /// Where their time went: the median of each part.
    parts: Recovery,
}

/// The median of each part by itself.
fn medians(report: &Report) -> Recovery {
    let of = |part: fn(&Recovery) -> Duration| {
        let lives = report.partitions.iter();
        let mut all: Vec<_> = lives
            .flat_map(|lives| &lives.recoveries)
            .map(part)
            .collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let mut parts = Recovery::default();
    parts.death = of(|recovery| recovery.death);
    parts.spawn = of(|recovery| recovery.spawn);
    parts.start = of(|recovery| recovery.start);
    parts.first_step = of(|recovery| recovery.first_step);
    parts
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Summary {
    pub(crate) fn new(
        report: &Report,
        (totals, verdict): (Totals, Verdict),
        elapsed: Duration,
        seed: Option<u64>,
    ) -> Self {
        let mut recoveries_us =
            Histogram::new_with_bounds(1, HOUR_US, 3).expect("constant bounds that are in range");
        for recovery in report.partitions.iter().flat_map(|lives| &lives.recoveries) {
            recoveries_us.saturating_record(recovery.total().as_micros() as u64);
        }
        let lives = report.partitions.iter();
        Self {
            totals,
            verdict,
            messages: report.links.iter().map(|link| link.received).sum(),
            elapsed,
            seed,
            restarts: lives
                .map(|lives| (lives.name.clone(), lives.restarts))
                .collect(),
            recoveries_us,
            parts: medians(report),
        }
    }

    /// Each kill that hit led to a restart; the others found nobody.
    fn kills(&self) -> u64 {
        let restarts = self.restarts.iter().map(|(_, restarts)| restarts);
        self.seed.map_or(0, |_| restarts.sum())
    }

    fn mb_per_s(&self) -> f64 {
        self.totals.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds; `None` if nothing had to recover.
    fn recovery_ms(&self, quantile: f64) -> Option<f64> {
        let us = self.recoveries_us.value_at_quantile(quantile);
        (!self.recoveries_us.is_empty()).then(|| us as f64 / 1e3)
    }

    pub(crate) fn print(&self, as_json: bool) -> io::Result<()> {
        let text = if as_json {
            format!("{}\n", self.json())
        } else {
            self.to_string()
        };
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        match written {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    fn json(&self) -> Value {
        let restarts = self.restarts.iter().cloned();
        let restarts: Map<_, _> = restarts.map(|(name, count)| (name, count.into())).collect();
        json!({
            "lines": self.totals.lines,
            "words": self.totals.words,
            "bytes": self.totals.bytes,
            "checksum": format!("{:08x}", self.totals.checksum),
            "equal": match self.verdict {
                Verdict::Equal => Some(true),
                Verdict::NotEqual => Some(false),
                Verdict::Interrupted => None,
            },
            "interrupted": self.verdict == Verdict::Interrupted,
            "messages": self.messages,
            "kills": self.kills(),
            "restarts": restarts,
            "recovery_p50_ms": self.recovery_ms(0.5),
            "recovery_p99_ms": self.recovery_ms(0.99),
            "recovery_max_ms": self.recovery_ms(1.0),
            "recovery_parts_p50_ms": self.recovery_ms(0.5).map(|_| json!({
                "death": ms(self.parts.death),
                "spawn": ms(self.parts.spawn),
                "start": ms(self.parts.start),
                "first_step": ms(self.parts.first_step),
            })),
            "mb_per_s": self.mb_per_s(),
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            lines,
            words,
            bytes,
            checksum,
            ..
        } = self.totals;
        writeln!(f, "lines       {}", HumanCount(lines))?;
        writeln!(f, "words       {}", HumanCount(words))?;
        writeln!(f, "bytes       {}", HumanCount(bytes))?;
        writeln!(f, "checksum    {checksum:08x} (CRC-32)")?;
        writeln!(f, "messages    {}", HumanCount(self.messages))?;
        let seconds = self.elapsed.as_secs_f64();
        writeln!(
            f,
            "throughput  {:.0} MB/s in {seconds:.3} s",
            self.mb_per_s()
        )?;
        if let Some(seed) = self.seed {
            writeln!(f, "kills       {} (seed {seed})", self.kills())?;
        }
        if let (Some(p50), Some(p99), Some(max)) = (
            self.recovery_ms(0.5),
            self.recovery_ms(0.99),
            self.recovery_ms(1.0),
        ) {
            let restarts = self.restarts.iter();
            let restarts: Vec<_> = restarts
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            writeln!(f, "restarts    {}", restarts.join(", "))?;
            writeln!(
                f,
                "recovery    p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
            )?;
            writeln!(
                f,
                "of it       death {:.1} ms, spawn {:.1} ms, start {:.1} ms, first step {:.1} ms (each a median)",
                ms(self.parts.death),
                ms(self.parts.spawn),
                ms(self.parts.start),
                ms(self.parts.first_step)
            )?;
        }
        f.write_str(match self.verdict {
            Verdict::Equal => "equal to the file\n",
            Verdict::NotEqual => "NOT EQUAL to the file\n",
            Verdict::Interrupted => "interrupted: the counts so far\n",
        })
    }
}
