//! Regions: one partition's shared memory, under a name, with a directory of what lies where.
//!
//! The supervisor plans a region ([`RegionPlan`]), creates its file complete or not at all, and never writes it again;
//! everybody else opens it ([`Region::open`]), the partition for writing, its peers and observers read-only. Where all
//! partitions live on one thread, [`Region::heap`] makes a region without a file from the same plan. What a
//! section holds is the business of its [`SectionKind`]'s owner; this module knows offsets, lengths and names.
//!
//! # The file
//!
//! Numbers are in the byte order of the machine that wrote them, which the mark at 8 tells. Who takes part in a bus reads this
//! version alone; who only looks reads the one before, too ([`LAYOUT_VERSION_READABLE`]). docs/memory-layout.md has every word.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic, `AirsRegn` |
//! | 8 | 4 | byte order mark, `0x0102_0304` |
//! | 12 | 4 | layout version, 2 |
//! | 16 | 4 | header length, 128 |
//! | 20 | 4 | length of a directory entry, 48 |
//! | 24 | 8 | file length, a multiple of 4096 |
//! | 32 | 16 | boot id |
//! | 48 | 8 | digest of the topology |
//! | 56 | 8 | directory: offset, 128 |
//! | 64 | 8 | directory: entries, up to 65,536 |
//! | 72 | 8 | directory: bytes |
//! | 80 | 8 | strings: offset, right after the directory |
//! | 88 | 8 | strings: bytes, up to 16 MiB |
//! | 96 | 4 | bytes of the bus's name, the first string |
//! | 100 | 4 | bytes of the owner's name, the second string |
//! | 104 | 16 | zero |
//! | 120 | 8 | FNV-1a 64 of header, directory and strings, with these 8 bytes zero |
//!
//! A directory entry; its name and its schema are the next two strings, without terminators:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | kind, see [`SectionKind`] |
//! | 4 | 4 | alignment |
//! | 8 | 8 | offset in the file |
//! | 16 | 8 | length |
//! | 24 | 8 | count of items |
//! | 32 | 8 | stride, bytes from item to item |
//! | 40 | 4 | bytes of the name |
//! | 44 | 4 | bytes of the schema |
//!
//! # Where sections lie
//!
//! The first on the first page after the strings, each on a multiple of 128 (two cache lines: sections may have
//! different writers) or of its own alignment. A ring of 16 KiB or more starts on a page of its own plus
//! `(i * 3 + 1) % 16 * 128` bytes, `i` counting such rings: their sizes are powers of two, and rings at equal offsets
//! into their pages would compete for the same sets of the first-level cache.
//!
//! # Invariants
//!
//! - A file under a region's name is complete: it is written under a temporary name and renamed. A creator that is killed
//!   leaves a file whose name starts with a dot.
//! - Header, directory and strings are never written again. They are read by `pread`, never through a mapping, and
//!   everything they say is checked against the file's real size before any of it is mapped.
//! - The file lock of a region is held by the process that owns it, for life; the kernel frees it whatever that process
//!   dies of.

mod boot;
mod create;
pub(crate) mod directory;
mod error;
pub(crate) mod header;
mod heap;
mod lock;
mod open;
mod plan;

pub use crate::memory::Access;
pub use boot::boot_id;
pub use directory::{Inspection, SectionEntry, SectionKind};
pub use error::{CreateError, LockError, OpenError, OpenReason};
pub use header::{LAYOUT_VERSION, LAYOUT_VERSION_READABLE};
pub use lock::is_locked;
pub use open::{Expected, Region, inspect};
pub use plan::{RegionPlan, Section};

/// Bytes of a page; file lengths are multiples of it.
pub(crate) const PAGE: usize = 4096;

/// Longest bus, owner and section name in bytes.
pub(crate) const NAME_LEN_MAX: usize = 127;

/// Longest region file in bytes: more than any machine's memory, little enough that no sum of two overflows.
pub(crate) const FILE_LEN_MAX: usize = 1 << 46;

/// Most sections in a region.
pub(crate) const SECTIONS_MAX: usize = 65_536;

/// Most bytes of names and schemas in a region.
pub(crate) const STRINGS_LEN_MAX: usize = 16 << 20;
