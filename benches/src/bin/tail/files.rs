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
