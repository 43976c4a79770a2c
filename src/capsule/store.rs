//! The directory of a topology's capsules: bounded in number and in bytes, the oldest removed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Capsule;
use crate::files::write_whole;
use crate::report::{Level, say};
use crate::topology::model::CapsulePlan;

/// Ends the name of every capsule.
const SUFFIX: &str = ".capsule.json";

/// Writes the capsule's file, whole or not at all, and removes the oldest ones beyond the bounds.
pub(crate) fn write(plan: &CapsulePlan, capsule: &Capsule) -> io::Result<PathBuf> {
    let bytes = bounded(capsule.clone(), plan.max_bytes)?;
    let path = write_whole(&plan.directory, &file_name(capsule), &bytes)?;
    remove_oldest(plan, &capsule.bus, &path);
    Ok(path)
}

/// The file's bytes, with fewer of the messages that waited if it is too long with all of them.
fn bounded(mut capsule: Capsule, max_bytes: u64) -> io::Result<Vec<u8>> {
    loop {
        let bytes = capsule.to_bytes();
        if bytes.len() as u64 <= max_bytes {
            return Ok(bytes);
        }
        let mut shorter = false;
        for input in &mut capsule.inputs {
            let in_work = (input.in_work as usize).min(input.messages.len());
            let waiting = input.messages.len() - in_work;
            input.messages.truncate(in_work + waiting / 2);
            shorter |= waiting > 0;
        }
        if !shorter {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "it takes {} bytes, {max_bytes} allowed; raise the bound in `plan.capsules(..)`",
                    bytes.len()
                ),
            ));
        }
    }
}

/// Sorts by bus and time. No name in it has a dot.
fn file_name(capsule: &Capsule) -> String {
    let Capsule {
        bus,
        died_at_ns,
        partition,
        actor,
        incarnation,
        ..
    } = capsule;
    format!("{bus}.{died_at_ns:020}.{partition}.{actor}.{incarnation}{SUFFIX}")
}

/// The capsules in `directory`, of one bus or of all, the oldest first.
pub(super) fn list(directory: &Path, bus: Option<&str>) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            continue;
        };
        let mut parts = name.split('.');
        let (of, at) = (parts.next().unwrap_or_default(), parts.next());
        let is_wanted = name.ends_with(SUFFIX) && bus.is_none_or(|bus| bus == of);
        if let Some(at) = at.filter(|_| is_wanted && !of.is_empty()) {
            found.push((format!("{at}.{name}"), path));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Removes the bus's oldest capsules until the rest keeps the bounds; never the one just written.
fn remove_oldest(plan: &CapsulePlan, bus: &str, newest: &Path) {
    let Ok(found) = list(&plan.directory, Some(bus)) else {
        return;
    };
    let len = |path: &PathBuf| fs::metadata(path).map_or(0, |found| found.len());
    let mut bytes: u64 = found.iter().map(len).sum();
    let mut count = found.len();
    for path in found.iter().filter(|path| *path != newest) {
        if count <= plan.max_files && bytes <= plan.max_bytes {
            return;
        }
        let its_len = len(path);
        match fs::remove_file(path) {
            Ok(()) => {
                count -= 1;
                bytes = bytes.saturating_sub(its_len);
            }
            Err(error) => say(
                Level::Warn,
                format_args!(
                    "{bus}: an old capsule can't be removed, {}: {error}",
                    path.display()
                ),
            ),
        }
    }
}
