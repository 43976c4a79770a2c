//! Any bytes as a region: opened, judged, and every end attached to whatever opens.
//!
//! The campaign `open-bytes` and the fuzz target `open` share this. What must hold for any bytes: each call returns, with a
//! typed error or with something sound, and nothing is accessed outside of the mapping (its guard pages would end the process).

pub(crate) mod ends;
pub(crate) mod letters;
pub(crate) mod mutate;
pub(crate) mod shapes;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use airssys_ringbuf::region::{Access, Expected, Inspection, OpenReason, Region, inspect};

use crate::bus::Directory;
use crate::failure::{Failure, ensure};

/// Opens byte strings, one after the other, by one file in shared memory.
#[derive(Debug)]
pub(crate) struct Opener {
    file: File,
    path: PathBuf,
}

impl Opener {
    /// By a file of this process in `directory`, which goes with that.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if there can be no such file.
    pub(crate) fn new(directory: &Directory) -> Result<Self, Failure> {
        let path = directory.path().join(std::process::id().to_string());
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path);
        Ok(Self {
            file: file.map_err(|error| Failure::broken("creating a file in /dev/shm", error))?,
            path,
        })
    }

    /// Opens `bytes` in every way there is, and uses what opens. Returns whether they are a region.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if what opened isn't sound, or two ways of opening disagree.
    pub(crate) fn try_bytes(&self, bytes: &[u8]) -> Result<bool, Failure> {
        let broken = |error| Failure::broken("writing a file in /dev/shm", error);
        self.file.set_len(0).map_err(broken)?;
        self.file.write_all_at(bytes, 0).map_err(broken)?;
        let found = inspect(&self.path);
        let observed = Region::observe(&self.path);
        ensure!(
            found.is_ok() == observed.is_ok(),
            "inspect and observe disagree: {found:?}, {observed:?}"
        );
        let Ok(found) = found else {
            // An error says what it found, whatever that was.
            drop(observed.map_err(|error| error.to_string()));
            return Ok(false);
        };
        check_sound(&found, bytes.len())?;
        self.others_are_refused(&found)?;
        let expected = Expected {
            bus: &found.bus,
            owner: &found.owner,
            digest: found.digest,
            boot_id: found.boot_id,
        };
        let seen = observed?;
        ends::watch_all(&seen);
        match Region::open(&self.path, Access::ReadWrite, &expected) {
            Ok(own) => ends::use_all(&own, &seen)?,
            // Observers read the version before, too; who takes part has to be of this one.
            Err(error) => ensure!(
                matches!(error.reason, OpenReason::Version { .. }),
                "its own names are refused: {error}"
            ),
        }
        Ok(true)
    }

    /// A region isn't opened by who expects another.
    fn others_are_refused(&self, found: &Inspection) -> Result<(), Failure> {
        let expected = Expected {
            bus: &found.bus,
            owner: &found.owner,
            digest: !found.digest,
            boot_id: found.boot_id,
        };
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let opened = Region::open(&self.path, access, &expected);
            ensure!(opened.is_err(), "opened with another digest");
        }
        Ok(())
    }
}

/// All that the directory says is inside of the file, aligned and apart.
fn check_sound(found: &Inspection, len: usize) -> Result<(), Failure> {
    ensure!(
        found.len == len,
        "a length of {} in a file of {len}",
        found.len
    );
    let mut last = 128;
    let mut sections: Vec<_> = found.sections.iter().collect();
    sections.sort_by_key(|section| section.offset);
    for section in sections {
        let aligned = section.offset.is_multiple_of(section.align.max(128));
        let items = section.count.checked_mul(section.stride);
        let end = section.offset.checked_add(section.len);
        let inside = section.offset >= last && end.is_some_and(|end| end <= len);
        let fits = section.len > 0 && items.is_some_and(|bytes| bytes <= section.len as u64);
        ensure!(
            aligned && inside && fits,
            "not sound: {section:?} in {len} bytes"
        );
        last = section.offset + section.len;
    }
    Ok(())
}

/// What the fuzzer calls: `bytes` as they are, and with the length and the checksum that they should have, which no
/// mutation would find.
///
/// # Panics
///
/// If a promise is broken, or there is no file in `/dev/shm`.
#[doc(hidden)]
pub fn open_any(bytes: &[u8]) {
    thread_local! {
        static OPENER: (Opener, Directory) = {
            let directory = Directory::create().expect("room in /dev/shm");
            (Opener::new(&directory).expect("room in /dev/shm"), directory)
        };
    }
    OPENER.with(|(opener, _)| {
        let tried = opener.try_bytes(bytes).and_then(|_| {
            let mut sealed = bytes.to_vec();
            mutate::seal(&mut sealed);
            opener.try_bytes(&sealed)
        });
        if let Err(failure) = tried {
            panic!("{failure}");
        }
    });
}

/// Regions to start from: what the fuzzer's corpus holds, by file name.
///
/// # Panics
///
/// If they can't be made.
#[doc(hidden)]
#[must_use]
pub fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = Directory::create().expect("room in /dev/shm");
    shapes::corpus(directory.path()).expect("sound regions")
}
