//! The directory in `/dev/shm` that everything mapped lies in, removed however this ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use signal_hook::consts::TERM_SIGNALS;
use signal_hook::iterator::Signals;

use crate::Result;

const PLACE: &str = "/dev/shm";

/// Removed when it is dropped, and when a signal ends this process.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let path = Path::new(PLACE).join(format!("airssys-compare-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let scratch = Self(path);
        let path = scratch.0.clone();
        let mut signals = Signals::new(TERM_SIGNALS)?;
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    clear(&path);
                    std::process::exit(128 + signal);
                }
            })?;
        Ok(scratch)
    }

    /// A new directory for a measurement.
    pub(crate) fn part(&self, number: usize) -> Result<PathBuf> {
        let path = self
            .0
            .join(format!("compare-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        clear(&self.0);
    }
}

/// Removes a directory, and what of iceoryx2's and of killed topologies lies outside of it.
fn clear(path: &Path) {
    let _ = fs::remove_dir_all(path);
    let buses = Path::new(PLACE).join(format!("airssys-{}", nix::unistd::getuid()));
    let own = format!("compare-{}-", std::process::id());
    for place in [Path::new(PLACE), &buses] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&own) {
                let _ = fs::remove_file(entry.path());
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}
