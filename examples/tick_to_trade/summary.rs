//! What is told at the end.

use std::io::{self, Write};

use airssys_rt::Launch;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::latency::percentiles::{self, figures, micros};
use crate::pipeline::PARTITIONS;
use crate::pipeline::cores::Placement;
use crate::pipeline::schedule::Schedule;

/// What was measured, and how.
pub(crate) struct Summary {
    pub(crate) schedule: Schedule,
    pub(crate) launch: Launch,
    pub(crate) placement: Placement,
    pub(crate) restarts: u64,
    /// From when the tick was due.
    pub(crate) response: Histogram<u64>,
    /// From when the tick was really sent.
    pub(crate) service: Histogram<u64>,
    /// Of threads that only keep the schedule.
    pub(crate) floor: Histogram<u64>,
}

impl Summary {
    fn rows(&self) -> [(&'static str, &Histogram<u64>); 3] {
        [
            ("response", &self.response),
            ("service", &self.service),
            ("floor", &self.floor),
        ]
    }

    fn mode(&self) -> &'static str {
        if self.launch == Launch::Processes {
            "processes"
        } else {
            "threads"
        }
    }

    /// What ran.
    pub(crate) fn title(&self) -> String {
        let Schedule { rate, lasts, .. } = self.schedule;
        let (seconds, mode) = (lasts.as_secs(), self.mode());
        format!("tick to trade: {rate} ticks a second for {seconds} s, partitions as {mode}")
    }

    /// A table with a word on each row.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", self.title())?;
        self.print_cores(out)?;
        write!(out, "\n{:<12} {:>9} {:>8}", "latency, us", "count", "min")?;
        for percentile in percentiles::ALL {
            write!(out, " {:>8}", percentile.name)?;
        }
        writeln!(out, " {:>8}", "max")?;
        for (name, histogram) in self.rows() {
            let min = micros(Some(histogram.min()));
            write!(out, "{name:<12} {:>9} {min:>8}", histogram.len())?;
            for percentile in percentiles::ALL {
                write!(out, " {:>8}", micros(percentile.of(histogram)))?;
            }
            writeln!(out, " {:>8}", micros(Some(histogram.max())))?;
        }
        writeln!(
            out,
            "\nresponse: from when a tick was due until its order goes out; whatever holds the feed up counts\n\
             service:  from when the tick was really sent\n\
             floor:    how late a thread on each of these cores sees that a tick is due, if that is all it does\n\
             -:        fewer than ten values lie above it: run for longer"
        )?;
        if self.restarts > 0 {
            let restarts = self.restarts;
            writeln!(
                out,
                "partitions were restarted {restarts} times; a gateway that was killed has lost its times"
            )?;
        }
        Ok(())
    }

    fn print_cores(&self, out: &mut impl Write) -> io::Result<()> {
        let placed = PARTITIONS.iter().zip(&self.placement.cores);
        let placed: Vec<String> = placed
            .map(|(name, core)| format!("{name} on core {core}"))
            .collect();
        writeln!(out, "{}", placed.join(", "))?;
        if self.placement.shared {
            let cores = self.placement.distinct().len();
            writeln!(
                out,
                "too few cores ({cores}) for {} partitions: those that share one yield it to one another, which is most of \
                 the latency",
                PARTITIONS.len()
            )?;
        }
        Ok(())
    }

    /// The same for programs; latencies in nanoseconds, `null` for what can't be told.
    pub(crate) fn json(&self) -> Value {
        let mut object = json!({
            "rate": self.schedule.rate,
            "seconds": self.schedule.lasts.as_secs(),
            "mode": self.mode(),
            "cores": self.placement.cores,
            "shared": self.placement.shared,
            "restarts": self.restarts,
        });
        for (name, histogram) in self.rows() {
            object[format!("{name}_ns")] = json!(figures(histogram));
        }
        object
    }
}
