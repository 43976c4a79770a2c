//! What can go wrong with a region file, each with both sides and the remedy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::boot::Uuid;
use super::{NAME_LEN_MAX, SECTIONS_MAX, STRINGS_LEN_MAX, SectionKind};

/// Why [`RegionPlan::create`](super::RegionPlan::create) left no file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The bus's or the owner's name cannot be stored.
    #[error("region of `{owner}` on bus `{bus}`: {problem}")]
    Name {
        /// The bus's name as given, escaped.
        bus: String,
        /// The owner's name as given, escaped.
        owner: String,
        /// What is wrong with which of them.
        problem: String,
    },
    /// A section cannot be laid out.
    #[error("region of `{owner}` on bus `{bus}`, {kind} section `{name}`: {problem}")]
    Section {
        /// The bus.
        bus: String,
        /// The region's owner.
        owner: String,
        /// The section's kind.
        kind: SectionKind,
        /// The section's name, escaped.
        name: String,
        /// What was found, and what is expected.
        problem: String,
    },
    /// All sections together are too many or too large.
    #[error("region of `{owner}` on bus `{bus}`: {problem}")]
    TooLarge {
        /// The bus.
        bus: String,
        /// The region's owner.
        owner: String,
        /// What was found, and what is expected.
        problem: String,
    },
    /// The file's name is not one that a region may have.
    #[error(
        "region file name `{}`: use 1 to 200 bytes without `/`, not starting with a dot, which marks unfinished files",
        name.escape_debug()
    )]
    FileName {
        /// The name as given.
        name: String,
    },
    /// The file system has no room.
    #[error(
        "{}: the region needs {needed} bytes, the file system has {free} free; make the links' capacities smaller or \
         /dev/shm larger (in a container: --shm-size)", path.display()
    )]
    NoSpace {
        /// The file that was to be.
        path: PathBuf,
        /// Its size in bytes.
        needed: u64,
        /// Bytes that the file system had free just after the refusal.
        free: u64,
    },
    /// There is a file of that name; a region is never replaced under the feet of who has it mapped.
    #[error("{}: there is a region of that name already; resume or discard the bus first", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The kernel refused something else.
    #[error("{}: {doing}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A region that was not opened, or lacks what was asked of it. Nothing of it is mapped.
#[derive(Debug, Error)]
#[error("region {}: {reason}", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub reason: OpenReason,
}

/// Why a region was not opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenReason {
    /// The kernel refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something other than a file has the name.
    #[error("found {found}, expected a regular file; remove it")]
    NotAFile {
        /// What it is.
        found: &'static str,
    },
    /// Another user's file.
    #[error("the file belongs to user {found}, expected {expected}, who runs this program")]
    ForeignUser {
        /// Its owner's user id.
        found: u32,
        /// The effective user id of this process.
        expected: u32,
    },
    /// Fewer bytes than any region has.
    #[error("the file is cut off: it has {found} bytes, the header alone has {expected}")]
    Short {
        /// The file's length.
        found: u64,
        /// The least length.
        expected: u64,
    },
    /// Not a region at all.
    #[error("not a region file: it starts with `{}`, expected `{}`", found.escape_ascii(), expected.escape_ascii())]
    Magic {
        /// The first bytes.
        found: [u8; 8],
        /// What a region starts with.
        expected: [u8; 8],
    },
    /// Written on a machine of the other byte order, or damaged there.
    #[error(
        "byte order mark {found:#010x}, expected {expected:#010x}: written on a machine of another byte order"
    )]
    ByteOrder {
        /// The mark as read here.
        found: u32,
        /// The mark as written here.
        expected: u32,
    },
    /// Another layout version.
    #[error(
        "layout version {found}, expected {}; run both with the same version of airssys-ringbuf",
        versions(*oldest, *newest)
    )]
    Version {
        /// The file's version.
        found: u32,
        /// The oldest that is accepted here: to look at a region, the one before this program's.
        oldest: u32,
        /// This program's version.
        newest: u32,
    },
    /// The file was truncated or extended after it was created.
    #[error(
        "the file has {found} bytes, its header says {expected}; it was changed after its creation"
    )]
    Length {
        /// The file's length.
        found: u64,
        /// What the header says.
        expected: u64,
    },
    /// A number in the header that this version never writes.
    #[error("header, {field}: found {found}, expected {expected}; the header is damaged")]
    Header {
        /// Which field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The value that fits the rest.
        expected: u64,
    },
    /// A header that asks for more than any region has.
    #[error(
        "header, {field}: {found} is above the limit of {limit} (a region has at most {SECTIONS_MAX} sections, \
         {STRINGS_LEN_MAX} bytes of strings and names of {NAME_LEN_MAX} bytes); the header is damaged"
    )]
    Limit {
        /// Which field.
        field: &'static str,
        /// Its value.
        found: u64,
        /// The largest value.
        limit: u64,
    },
    /// Left over from before the last reboot.
    #[error(
        "created during boot {}, this is boot {}; discard the bus",
        Uuid(found),
        Uuid(expected)
    )]
    Boot {
        /// The file's boot id.
        found: [u8; 16],
        /// This machine's boot id.
        expected: [u8; 16],
    },
    /// Part of another bus.
    #[error("belongs to bus `{found}`, expected `{expected}`")]
    Bus {
        /// The file's bus, escaped.
        found: String,
        /// The bus that was asked for.
        expected: String,
    },
    /// Another partition's region.
    #[error("belongs to `{found}`, expected `{expected}`")]
    Owner {
        /// The file's owner, escaped.
        found: String,
        /// The owner that was asked for.
        expected: String,
    },
    /// Created for another topology.
    #[error(
        "the topology differs: digest {found:#018x} in the region, {expected:#018x} in this program; the names, \
         schemas, capacities or policies changed, so discard the bus, or start the program that created it"
    )]
    Digest {
        /// The file's digest.
        found: u64,
        /// This program's digest.
        expected: u64,
    },
    /// The strings don't fit the directory.
    #[error("{what}: {problem}; the directory is damaged")]
    Strings {
        /// Which string.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A section that cannot be where the directory says.
    #[error("section {index} (`{name}`): {problem}; the directory is damaged")]
    Section {
        /// Its place in the directory, from 0.
        index: usize,
        /// Its name, escaped.
        name: String,
        /// What was found, and what is expected.
        problem: String,
    },
    /// Everything is plausible, yet some byte was changed.
    #[error(
        "checksum {found:#018x}, computed {computed:#018x}; the header, directory or strings are damaged"
    )]
    Checksum {
        /// The file's checksum.
        found: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// The region is sound and lacks that section.
    #[error("there is no {kind} section `{name}`")]
    NoSection {
        /// The kind asked for.
        kind: SectionKind,
        /// The name asked for, escaped.
        name: String,
    },
    /// The section holds another kind of message.
    #[error("{kind} `{name}`: {difference}")]
    Schema {
        /// The section's kind.
        kind: SectionKind,
        /// The section's name.
        name: String,
        /// The sentence of [`schema::difference`](crate::schema::difference).
        difference: String,
    },
}

fn versions(oldest: u32, newest: u32) -> String {
    if oldest == newest {
        newest.to_string()
    } else {
        format!("{oldest} or {newest}")
    }
}

/// Why a region's lock was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// A live process holds it.
    #[error("region {}: another live process holds its lock; wait until that one is reaped", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// Nobody owns it, but probes of it got in the way each time.
    #[error("region {}: the lock is being probed all the time, no attempt of {attempts} got through", path.display())]
    Contended {
        /// The file.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel refused something else.
    #[error("region {}: taking the lock: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}
