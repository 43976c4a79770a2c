//! A region file, complete or not at all.
//!
//! The file is made under a temporary name that starts with a dot, which nobody opens, and renamed last; a creator that
//! is killed before leaves that file and no other trace. Space is taken before the first byte is written, so that a full
//! tmpfs is an error here and not a SIGBUS in a running partition.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FallocateFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::error::CreateError;
use super::plan::RegionPlan;

/// Bytes per write of zeros: large enough that system calls don't count, small enough to stay in the cache.
const CHUNK_LEN: usize = 256 << 10;

/// Temporary names to try; only what a killed creator with our pid left can be in the way.
const NAMES_TO_TRY: u32 = 64;

const FILE_NAME_LEN_MAX: usize = 200;

impl RegionPlan {
    /// Creates the region's file in `directory`, with mode 0600, every page allocated and written.
    ///
    /// The caller holds the bus's lock: two creators of the same file don't disturb each other, but one of them gets
    /// [`CreateError::Exists`].
    ///
    /// # Errors
    ///
    /// See [`CreateError`]. No file is left in any case.
    pub fn create(
        &self,
        directory: &Path,
        file_name: &str,
        boot_id: [u8; 16],
    ) -> Result<(), CreateError> {
        check_file_name(file_name)?;
        let layout = self.layout()?;
        let place = Place::open(directory, file_name)?;
        let temporary = Temporary::create(&place)?;
        temporary.allocate(layout.file_len)?;
        temporary.fill(&self.preamble(&layout, boot_id), layout.file_len)?;
        temporary.rename()
    }
}

fn check_file_name(name: &str) -> Result<(), CreateError> {
    let sound = (1..=FILE_NAME_LEN_MAX).contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(['/', '\0']);
    if sound {
        Ok(())
    } else {
        Err(CreateError::FileName {
            name: name.to_owned(),
        })
    }
}

/// The name that the file shall have, in a directory that stays the same one whatever is renamed meanwhile.
struct Place<'a> {
    directory: OwnedFd,
    file_name: &'a str,
    path: PathBuf,
}

impl<'a> Place<'a> {
    fn open(directory: &Path, file_name: &'a str) -> Result<Self, CreateError> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened =
            rustix::fs::open(directory, flags, Mode::empty()).map_err(|errno| CreateError::Io {
                path: directory.to_owned(),
                doing: "opening the bus's directory",
                source: errno.into(),
            })?;
        Ok(Self {
            directory: opened,
            file_name,
            path: directory.join(file_name),
        })
    }

    fn error(&self, doing: &'static str, source: impl Into<io::Error>) -> CreateError {
        CreateError::Io {
            path: self.path.clone(),
            doing,
            source: source.into(),
        }
    }
}

/// The unfinished file; dropped before its renaming, it removes itself.
struct Temporary<'a> {
    place: &'a Place<'a>,
    file: File,
    name: String,
    finished: bool,
}

impl<'a> Temporary<'a> {
    fn create(place: &'a Place<'a>) -> Result<Self, CreateError> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let pid = std::process::id();
        for attempt in 0..NAMES_TO_TRY {
            let name = format!(".{}.{pid}.{attempt}", place.file_name);
            match rustix::fs::openat(&place.directory, &name, flags, mode) {
                Ok(opened) => {
                    let temporary = Self {
                        place,
                        file: opened.into(),
                        name,
                        finished: false,
                    };
                    // A umask may have taken the bits by which its owner is to open it.
                    rustix::fs::fchmod(&temporary.file, mode)
                        .map_err(|errno| place.error("setting its mode", errno))?;
                    return Ok(temporary);
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(place.error("creating the file", errno)),
            }
        }
        Err(place.error("creating the file under a temporary name", Errno::EXIST))
    }

    /// Takes `len` bytes of the file system.
    fn allocate(&self, len: usize) -> Result<(), CreateError> {
        let allocated = rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, len as u64)
        });
        allocated.map_err(|errno| self.write_error("allocating its space", len, errno.into()))
    }

    /// Writes every page, so that none is faulted in later and all of them lie on this thread's memory node.
    fn fill(&self, preamble: &[u8], len: usize) -> Result<(), CreateError> {
        let failed = |source| self.write_error("writing it", len, source);
        let zeros = vec![0; CHUNK_LEN.min(len)];
        for at in (0..len).step_by(CHUNK_LEN) {
            let chunk = &zeros[..CHUNK_LEN.min(len - at)];
            self.file.write_all_at(chunk, at as u64).map_err(failed)?;
        }
        self.file.write_all_at(preamble, 0).map_err(failed)
    }

    fn write_error(&self, doing: &'static str, needed: usize, source: io::Error) -> CreateError {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if !full.contains(&source.kind()) {
            return self.place.error(doing, source);
        }
        let free = rustix::fs::fstatvfs(&self.file)
            .map_or(0, |status| status.f_bavail.saturating_mul(status.f_frsize));
        CreateError::NoSpace {
            path: self.place.path.clone(),
            needed: needed as u64,
            free,
        }
    }

    fn rename(mut self) -> Result<(), CreateError> {
        let Place {
            directory,
            file_name,
            path,
        } = self.place;
        let renamed = rustix::fs::renameat_with(
            directory,
            &self.name,
            directory,
            *file_name,
            RenameFlags::NOREPLACE,
        );
        match renamed {
            Ok(()) => {
                self.finished = true;
                Ok(())
            }
            Err(Errno::EXIST) => Err(CreateError::Exists { path: path.clone() }),
            Err(errno) => Err(self.place.error("renaming it to its name", errno)),
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // An error is on its way to the caller already; a name that could not be removed starts with a dot.
            let _ = rustix::fs::unlinkat(&self.place.directory, &self.name, AtFlags::empty());
        }
    }
}
