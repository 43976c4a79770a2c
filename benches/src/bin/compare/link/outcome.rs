//! A result's way out of a partition: a file of words, written in the last step.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::cell::{Metric, Sample};
use crate::sides::Streamed;

/// Messages and time, and then the samples.
pub(super) fn write(path: &Path, messages: u64, units: u64, samples: &[u64]) {
    let words = [messages, units];
    let bytes: Vec<u8> = words
        .iter()
        .chain(samples)
        .flat_map(|word| word.to_le_bytes())
        .collect();
    if let Err(error) = fs::write(path, bytes) {
        panic!("{}: {error}", path.display());
    }
}

/// What a slower side's work takes alone, in a file of its own.
pub(super) fn write_alone(path: &Path, ns: f64) {
    if let Err(error) = fs::write(path, ns.to_le_bytes()) {
        panic!("{}: {error}", path.display());
    }
}

fn read_alone(path: &Path) -> f64 {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.try_into().map_or(f64::NAN, f64::from_le_bytes)
}

pub(super) fn read(path: &Path, alone: &Path, metric: Metric) -> Result<Sample> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (words, rest) = bytes.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let [messages, units, samples @ ..] = &words[..] else {
        return Err(format!("{} has {} bytes", path.display(), bytes.len()).into());
    };
    if !rest.is_empty() {
        return Err(format!("{} is cut off", path.display()).into());
    }
    Ok(if metric == Metric::Rtt {
        Sample::Trips(samples.to_vec())
    } else {
        Sample::Streamed(Streamed {
            messages: *messages,
            units: *units,
            one_way: samples.to_vec(),
            alone_ns: read_alone(alone),
        })
    })
}
