//! From a path to a validated, mapped region.
//!
//! The order is fixed: what the name leads to, whose it is, the header, what the caller expects, the directory, the
//! checksum, and only then the mapping. All of the file is untrusted until the last step: each number is used after it
//! was compared, and what is read is bounded before it is allocated.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::directory::{self, Inspection, SectionEntry, SectionKind, Strings, shown};
use super::error::{OpenError, OpenReason};
use super::header::{self, HEADER_LEN, Header, LAYOUT_VERSION, LAYOUT_VERSION_READABLE};
use crate::memory::{Access, Memory};
use crate::schema::{Schema, difference};

/// What the opener knows about the region already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The bus's name.
    pub bus: &'a str,
    /// Whose region it is.
    pub owner: &'a str,
    /// The digest of the topology.
    pub digest: u64,
    /// This boot, see [`boot_id`](super::boot_id).
    pub boot_id: [u8; 16],
}

/// A region that was found sound, and is mapped, or one on the heap. Clones share the memory, the file and its lock.
#[derive(Debug, Clone)]
pub struct Region {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// None for a region on the heap.
    pub(super) file: Option<File>,
    /// Whether this opening of the file holds its lock.
    pub(super) locked: Mutex<bool>,
    pub(super) memory: Arc<Memory>,
    pub(super) inspection: Inspection,
}

impl Region {
    /// Opens, validates and maps a region of a bus that the caller takes part in: of exactly this layout version.
    ///
    /// # Errors
    ///
    /// [`OpenError`] with both sides of whatever doesn't fit. A file that fits is mapped whole; somebody who truncates it
    /// later makes accesses fault, which nothing here can prevent.
    pub fn open(path: &Path, access: Access, expected: &Expected<'_>) -> Result<Self, OpenError> {
        Self::open_with(path, access, Some(expected)).map_err(|reason| at(path, reason))
    }

    /// Opens, validates and maps any region of this user, read-only: for observers, who learn what it is from it.
    ///
    /// One of the [version before](super::LAYOUT_VERSION_READABLE) is read, too: what it holds is found by its directory.
    ///
    /// # Errors
    ///
    /// [`OpenError`] as for [`open`](Self::open); a region of an earlier boot is not refused.
    pub fn observe(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Access::ReadOnly, None).map_err(|reason| at(path, reason))
    }

    fn open_with(
        path: &Path,
        access: Access,
        expected: Option<&Expected<'_>>,
    ) -> Result<Self, OpenReason> {
        let (file, real_len) = open_file(path, access)?;
        let inspection = read(&file, real_len, expected)?;
        let memory =
            Memory::map(&file, inspection.len, access).map_err(|source| OpenReason::Io {
                doing: "mapping it",
                source,
            })?;
        let shared = Shared {
            path: path.to_owned(),
            file: Some(file),
            locked: Mutex::new(false),
            memory: Arc::new(memory),
            inspection,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The section of that kind and name.
    ///
    /// # Errors
    ///
    /// [`OpenReason::NoSection`] if there is none.
    pub fn section(&self, kind: SectionKind, name: &str) -> Result<&SectionEntry, OpenError> {
        self.shared.inspection.section(kind, name).ok_or_else(|| {
            let name = shown(name);
            at(self.path(), OpenReason::NoSection { kind, name })
        })
    }

    /// The section of that kind and name, if it holds messages of that schema.
    ///
    /// # Errors
    ///
    /// [`OpenReason::NoSection`], or [`OpenReason::Schema`] with the first difference.
    pub fn section_of(
        &self,
        kind: SectionKind,
        name: &str,
        ours: &Schema,
    ) -> Result<&SectionEntry, OpenError> {
        let section = self.section(kind, name)?;
        match difference(&ours.to_text(), &section.schema) {
            None => Ok(section),
            Some(difference) => {
                let name = name.to_owned();
                Err(at(
                    self.path(),
                    OpenReason::Schema {
                        kind,
                        name,
                        difference,
                    },
                ))
            }
        }
    }

    /// All sections, in the order in which they were planned.
    #[must_use]
    pub fn sections(&self) -> &[SectionEntry] {
        &self.shared.inspection.sections
    }

    /// The path it was opened by; for a region on the heap `memory:<bus>/<owner>`, which leads nowhere.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The open file; none for a region on the heap.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.shared.file.as_ref()
    }

    /// The whole file, mapped, or as much heap.
    #[must_use]
    pub fn memory(&self) -> &Arc<Memory> {
        &self.shared.memory
    }

    /// The bus it belongs to.
    #[must_use]
    pub fn bus(&self) -> &str {
        &self.shared.inspection.bus
    }

    /// Whose region it is.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.shared.inspection.owner
    }

    /// The version of its layout.
    #[must_use]
    pub fn layout_version(&self) -> u32 {
        self.shared.inspection.layout_version
    }

    /// All that the file says about itself.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.shared.inspection
    }
}

/// Reads and validates what a region says about itself, without mapping it and whatever topology or boot it is of; also of
/// the [version before](super::LAYOUT_VERSION_READABLE).
///
/// # Errors
///
/// [`OpenError`] as for [`Region::open`].
pub fn inspect(path: &Path) -> Result<Inspection, OpenError> {
    let read = || {
        let (file, real_len) = open_file(path, Access::ReadOnly)?;
        read(&file, real_len, None)
    };
    read().map_err(|reason| at(path, reason))
}

fn at(path: &Path, reason: OpenReason) -> OpenError {
    OpenError {
        path: path.to_owned(),
        reason,
    }
}

/// The file and its length, if it is a regular file of ours. Never waits: a FIFO is opened without a peer.
pub(super) fn open_file(path: &Path, access: Access) -> Result<(File, u64), OpenReason> {
    let mode = match access {
        Access::ReadOnly => OFlags::RDONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => OpenReason::NotAFile {
            found: "a symbolic link",
        },
        Errno::ISDIR => OpenReason::NotAFile {
            found: "a directory",
        },
        Errno::NXIO => OpenReason::NotAFile {
            found: "a socket or a device",
        },
        _ => OpenReason::Io {
            doing: "opening it",
            source: errno.into(),
        },
    })?;
    let file = File::from(opened);
    let status = file.metadata().map_err(|source| OpenReason::Io {
        doing: "reading its status",
        source,
    })?;
    let kind = status.file_type();
    if !kind.is_file() {
        let found = if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() {
            "a FIFO"
        } else {
            "a device"
        };
        return Err(OpenReason::NotAFile { found });
    }
    let expected = rustix::process::geteuid().as_raw();
    if status.uid() != expected {
        return Err(OpenReason::ForeignUser {
            found: status.uid(),
            expected,
        });
    }
    Ok((file, status.len()))
}

fn read(
    file: &File,
    real_len: u64,
    expected: Option<&Expected<'_>>,
) -> Result<Inspection, OpenReason> {
    if real_len < HEADER_LEN as u64 {
        return Err(OpenReason::Short {
            found: real_len,
            expected: HEADER_LEN as u64,
        });
    }
    let mut fixed = [0; HEADER_LEN];
    read_at(file, &mut fixed, 0)?;
    // Who expects something of a region takes part in its bus; who expects nothing only looks.
    let oldest = match expected {
        Some(_) => LAYOUT_VERSION,
        None => LAYOUT_VERSION_READABLE,
    };
    let header = Header::decode(&fixed, real_len, oldest)?;
    if let Some(expected) = expected {
        check_boot(&header, expected)?;
    }
    let mut rest = vec![0; header.preamble_len() - HEADER_LEN];
    read_at(file, &mut rest, HEADER_LEN as u64)?;
    let (entries, strings) = rest.split_at(header.directory_len());
    let mut strings = Strings::new(strings)?;
    let bus = strings.take(header.bus_len, || "the bus's name".to_owned())?;
    let owner = strings.take(header.owner_len, || "the owner's name".to_owned())?;
    if let Some(expected) = expected {
        check_names(bus, owner, &header, expected)?;
    }
    let (sections, order) = directory::decode(&header, entries, strings)?;
    let computed = header::checksum(&header, &rest);
    if computed != header.checksum {
        return Err(OpenReason::Checksum {
            found: header.checksum,
            computed,
        });
    }
    Ok(Inspection {
        bus: bus.to_owned(),
        owner: owner.to_owned(),
        layout_version: header.version,
        digest: header.digest,
        boot_id: header.boot_id,
        len: header.file_len,
        sections,
        order,
    })
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<(), OpenReason> {
    file.read_exact_at(bytes, offset)
        .map_err(|source| OpenReason::Io {
            doing: "reading its header",
            source,
        })
}

fn check_boot(header: &Header, expected: &Expected<'_>) -> Result<(), OpenReason> {
    let (found, expected) = (header.boot_id, expected.boot_id);
    if found == expected {
        Ok(())
    } else {
        Err(OpenReason::Boot { found, expected })
    }
}

fn check_names(
    bus: &str,
    owner: &str,
    header: &Header,
    expected: &Expected<'_>,
) -> Result<(), OpenReason> {
    if bus != expected.bus {
        return Err(OpenReason::Bus {
            found: shown(bus),
            expected: expected.bus.to_owned(),
        });
    }
    if owner != expected.owner {
        return Err(OpenReason::Owner {
            found: shown(owner),
            expected: expected.owner.to_owned(),
        });
    }
    let (found, expected) = (header.digest, expected.digest);
    if found == expected {
        Ok(())
    } else {
        Err(OpenReason::Digest { found, expected })
    }
}
