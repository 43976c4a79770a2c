//! The file to count: is it one, and reading it.
//!
//! Nothing here waits for ever: a pipe or a device is refused before it is opened, and one that takes the file's place just
//! then is opened without waiting and refused afterwards.

use std::fmt;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The file can't be counted.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{path}: {trouble}")]
pub(crate) struct SourceError {
    path: String,
    trouble: Trouble,
}

/// Why a file can't be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The kernel refuses, with this error number.
    Refused(i32),
    /// It is something else, or has become so.
    NotAFile(&'static str),
    /// It has no size and yet content: every look at it may find something else.
    MadeUp,
    /// It ended before the size that it had.
    Shrunk { found: u64, expected: u64 },
}

impl Trouble {
    pub(crate) fn of(self, path: &Path) -> SourceError {
        let path = path.display().to_string();
        SourceError {
            path,
            trouble: self,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "{error}; name a file that can be read")
            }
            Self::NotAFile(found) => write!(
                f,
                "it is {found}; a regular file is needed, since a restarted reader reads it again"
            ),
            Self::MadeUp => f.write_str(
                "its size is 0 and yet there is something in it, as in files that the kernel makes up while they are read; \
                 copy it and count the copy",
            ),
            Self::Shrunk { found, expected } => write!(
                f,
                "it ended at byte {found} and had {expected} bytes when the count began; run again when nobody changes it"
            ),
        }
    }
}

/// A regular file, opened for reading.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// Bytes.
    pub(crate) size: u64,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, Trouble> {
        refuse_others(&std::fs::metadata(path)?)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)?;
        let metadata = file.metadata()?;
        refuse_others(&metadata)?;
        let size = metadata.len();
        let source = Self { file, size };
        // Some that can be opened can't be read.
        match source.read_at(&mut [0], 0)? {
            1 if size == 0 => Err(Trouble::MadeUp),
            _ => Ok(source),
        }
    }

    /// Reads at `offset` until `buffer` is full or the file ends, and returns how many bytes.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Trouble> {
        let mut filled = 0;
        while filled < buffer.len() {
            let free = &mut buffer[filled..];
            match self.file.read_at(free, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(filled)
    }
}

fn refuse_others(metadata: &Metadata) -> Result<(), Trouble> {
    other_kind(metadata.file_type()).map_or(Ok(()), |found| Err(Trouble::NotAFile(found)))
}

/// What else than a regular file it is.
fn other_kind(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}
