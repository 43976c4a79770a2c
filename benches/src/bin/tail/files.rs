//! The report's files.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use airssys_benches::tail::{FILE, Report};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::Result;
use crate::latency::hgrm;
use crate::measured::Measured;
use crate::{plots, text};

/// Where the `.hgrm` files go, one for each series.
const HGRM: &str = "tail";

/// Makes the directories, empty of what an earlier run has left of series that this one may not have.
pub(crate) fn prepare(directory: &Path) -> Result<()> {
    let of_series = directory.join(HGRM);
    fs::create_dir_all(&of_series).map_err(|error| format!("{}: {error}", of_series.display()))?;
    Ok(())
}

pub(crate) fn write(
    directory: &Path,
    report: &Report,
    measured: &[Measured],
    began_at: SystemTime,
) -> Result<()> {
    for entry in fs::read_dir(directory.join(HGRM))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "hgrm")
        {
            fs::remove_file(path)?; // of an earlier run, which may have had other series
        }
    }
    for one in measured {
        let path = directory
            .join(HGRM)
            .join(format!("{}.hgrm", one.series.name()));
        let mut file = BufWriter::new(File::create(path)?);
        hgrm::write(&one.response, &mut file)?;
        file.flush()?;
    }
    let mut log = BufWriter::new(File::create(directory.join("tail.hlog"))?);
    write_log(&mut log, report, measured, began_at)?;
    log.flush()?;
    plots::percentiles(&directory.join("tail.svg"), measured)?;
    plots::over_time(&directory.join("tail-max.svg"), measured)?;
    let json = serde_json::to_string_pretty(report)?;
    fs::write(directory.join(FILE), json + "\n")?;
    fs::write(directory.join("tail.md"), text::render(report)?)?;
    Ok(())
}

/// The histogram of each second, tagged with its series.
fn write_log(
    log: &mut impl Write,
    report: &Report,
    measured: &[Measured],
    began_at: SystemTime,
) -> Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&report.command)
        .add_comment(
            "response in nanoseconds, from when a message was due; the maximum in milliseconds",
        )
        .with_start_time(began_at)
        .with_base_time(began_at)
        .with_max_value_divisor(1e6)
        .begin_log_with(log, &mut serializer)?;
    for one in measured {
        let name = one.series.name();
        for (second, histogram) in (0..).zip(&one.seconds) {
            let starts = one.starts + Duration::from_secs(second);
            log.write_histogram(histogram, starts, Duration::from_secs(1), Tag::new(&name))
                .map_err(|error| format!("tail.hlog: {error:?}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use airssys_benches::tail::Figures;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::pipeline::times::Times;
    use crate::run::Outcome;
    use crate::series::Series;

    #[test]
    fn the_log_has_every_second_of_every_series_under_its_tag() {
        let lasts = Duration::from_secs(2);
        let series = Series::all_of(10, Duration::ZERO, lasts, &[0, 1]);
        let times = (0..20).map(|number| {
            let due_ns = series[0].schedule.due_ns(5, number);
            Times {
                due_ns,
                sent_ns: due_ns,
                done_ns: due_ns + 1_000,
            }
        });
        let outcome = Outcome {
            times: times.collect(),
            restarts: 0,
        };
        let measured: Vec<Measured> = series[..2]
            .iter()
            .map(|one| Measured::new(one, Duration::from_secs(3), &outcome))
            .collect();
        let report = Report {
            command: "tail".to_owned(),
            environment: serde_json::Map::new(),
            load_before: String::new(),
            clock_ns: Figures::new(),
            warm_up_s: 0,
            seconds: 2,
            interval_ms: 100,
            series: measured.iter().map(Measured::figures).collect(),
        };
        let mut log = Vec::new();
        write_log(&mut log, &report, &measured, SystemTime::UNIX_EPOCH).unwrap();
        let entries = IntervalLogIterator::new(&log).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(one) => Some((
                one.tag()?.as_str().to_owned(),
                one.start_timestamp().as_secs(),
            )),
            LogEntry::StartTime(_) | LogEntry::BaseTime(_) => None,
        });
        let told = [
            ("floor-10", 3),
            ("floor-10", 4),
            ("one-way-threads-10", 3),
            ("one-way-threads-10", 4),
        ];
        assert_eq!(
            entries.collect::<Vec<_>>(),
            told.map(|(tag, second)| (tag.to_owned(), second))
        );
        let text = text::render(&report).unwrap();
        assert!(
            text.contains("| one-way-threads | 0 1 | response | 10 | 20 | 1.00 | 1.00 | - |"),
            "{text}"
        );
    }
}
