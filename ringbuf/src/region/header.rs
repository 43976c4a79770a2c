//! The fixed part of a region file, to bytes and back. The offsets are those of the table in `mod.rs`.

use super::error::OpenReason;
use super::{FILE_LEN_MAX, NAME_LEN_MAX, PAGE, SECTIONS_MAX, STRINGS_LEN_MAX};
use crate::digest::Digest;

pub(crate) const MAGIC: [u8; 8] = *b"AirsRegn";
pub(crate) const BYTE_ORDER_MARK: u32 = 0x0102_0304;

/// The version of the layout that this crate writes.
pub const LAYOUT_VERSION: u32 = 2;
/// The oldest version that [`Region::observe`](super::Region::observe) and [`inspect`](super::inspect) read: the one before.
/// Whoever takes part in a bus reads [`LAYOUT_VERSION`] alone.
pub const LAYOUT_VERSION_READABLE: u32 = LAYOUT_VERSION - 1;

/// Bytes of the header.
pub(crate) const HEADER_LEN: usize = 128;
/// Bytes of a directory entry.
pub(crate) const ENTRY_LEN: usize = 48;

/// Where the header's fields begin.
pub(crate) mod at {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const BYTE_ORDER: usize = 8;
    pub(crate) const VERSION: usize = 12;
    pub(crate) const HEADER_LEN: usize = 16;
    pub(crate) const ENTRY_LEN: usize = 20;
    pub(crate) const FILE_LEN: usize = 24;
    pub(crate) const BOOT_ID: usize = 32;
    pub(crate) const DIGEST: usize = 48;
    pub(crate) const DIRECTORY: usize = 56;
    pub(crate) const ENTRIES: usize = 64;
    pub(crate) const DIRECTORY_LEN: usize = 72;
    pub(crate) const STRINGS: usize = 80;
    pub(crate) const STRINGS_LEN: usize = 88;
    pub(crate) const BUS_LEN: usize = 96;
    pub(crate) const OWNER_LEN: usize = 100;
    pub(crate) const ZERO: usize = 104;
    pub(crate) const CHECKSUM: usize = 120;
}

/// What the header says that is not the same in every region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) file_len: usize,
    pub(super) boot_id: [u8; 16],
    pub(super) digest: u64,
    /// Entries in the directory.
    pub(super) count: usize,
    pub(super) strings_len: usize,
    pub(super) bus_len: usize,
    pub(super) owner_len: usize,
    /// See [`checksum`].
    pub(super) checksum: u64,
}

impl Header {
    pub(super) fn directory_len(&self) -> usize {
        self.count * ENTRY_LEN
    }

    /// Bytes of header, directory and strings: what the checksum covers.
    pub(super) fn preamble_len(&self) -> usize {
        HEADER_LEN + self.directory_len() + self.strings_len
    }

    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let strings_at = HEADER_LEN + self.directory_len();
        let mut bytes = [0; HEADER_LEN];
        bytes[at::MAGIC..][..8].copy_from_slice(&MAGIC);
        put_u32(&mut bytes, at::BYTE_ORDER, BYTE_ORDER_MARK);
        put_u32(&mut bytes, at::VERSION, self.version);
        put_u32(&mut bytes, at::HEADER_LEN, HEADER_LEN as u32);
        put_u32(&mut bytes, at::ENTRY_LEN, ENTRY_LEN as u32);
        put_u64(&mut bytes, at::FILE_LEN, self.file_len as u64);
        bytes[at::BOOT_ID..][..16].copy_from_slice(&self.boot_id);
        put_u64(&mut bytes, at::DIGEST, self.digest);
        put_u64(&mut bytes, at::DIRECTORY, HEADER_LEN as u64);
        put_u64(&mut bytes, at::ENTRIES, self.count as u64);
        put_u64(&mut bytes, at::DIRECTORY_LEN, self.directory_len() as u64);
        put_u64(&mut bytes, at::STRINGS, strings_at as u64);
        put_u64(&mut bytes, at::STRINGS_LEN, self.strings_len as u64);
        put_u32(&mut bytes, at::BUS_LEN, self.bus_len as u32);
        put_u32(&mut bytes, at::OWNER_LEN, self.owner_len as u32);
        put_u64(&mut bytes, at::CHECKSUM, self.checksum);
        bytes
    }

    /// The header of a file of `real_len` bytes, if all that it says can be true of such a file of version `oldest` or later.
    pub(super) fn decode(
        bytes: &[u8; HEADER_LEN],
        real_len: u64,
        oldest: u32,
    ) -> Result<Self, OpenReason> {
        let version = check_identity(bytes, oldest)?;
        let file_len = get_u64(bytes, at::FILE_LEN);
        if file_len != real_len {
            return Err(OpenReason::Length {
                found: real_len,
                expected: file_len,
            });
        }
        limit("file length", file_len, FILE_LEN_MAX)?;
        equal("file length modulo a page", file_len % PAGE as u64, 0)?;
        let header = Self {
            version,
            file_len: file_len as usize,
            boot_id: std::array::from_fn(|index| bytes[at::BOOT_ID + index]),
            digest: get_u64(bytes, at::DIGEST),
            count: limit(
                "directory entries",
                get_u64(bytes, at::ENTRIES),
                SECTIONS_MAX,
            )?,
            strings_len: limit(
                "bytes of strings",
                get_u64(bytes, at::STRINGS_LEN),
                STRINGS_LEN_MAX,
            )?,
            bus_len: limit(
                "bytes of the bus's name",
                get_u32(bytes, at::BUS_LEN).into(),
                NAME_LEN_MAX,
            )?,
            owner_len: limit(
                "bytes of the owner's name",
                get_u32(bytes, at::OWNER_LEN).into(),
                NAME_LEN_MAX,
            )?,
            checksum: get_u64(bytes, at::CHECKSUM),
        };
        let strings_at = HEADER_LEN + header.directory_len();
        equal(
            "directory offset",
            get_u64(bytes, at::DIRECTORY),
            HEADER_LEN as u64,
        )?;
        equal(
            "directory length",
            get_u64(bytes, at::DIRECTORY_LEN),
            header.directory_len() as u64,
        )?;
        equal(
            "strings offset",
            get_u64(bytes, at::STRINGS),
            strings_at as u64,
        )?;
        equal("reserved bytes at 104", get_u64(bytes, at::ZERO), 0)?;
        equal("reserved bytes at 112", get_u64(bytes, at::ZERO + 8), 0)?;
        limit(
            "bytes of header, directory and strings",
            header.preamble_len() as u64,
            header.file_len,
        )?;
        Ok(header)
    }
}

/// The version of the region, if this is one at all and of a version that the caller reads.
fn check_identity(bytes: &[u8; HEADER_LEN], oldest: u32) -> Result<u32, OpenReason> {
    let magic: [u8; 8] = std::array::from_fn(|index| bytes[at::MAGIC + index]);
    if magic != MAGIC {
        return Err(OpenReason::Magic {
            found: magic,
            expected: MAGIC,
        });
    }
    let mark = get_u32(bytes, at::BYTE_ORDER);
    if mark != BYTE_ORDER_MARK {
        return Err(OpenReason::ByteOrder {
            found: mark,
            expected: BYTE_ORDER_MARK,
        });
    }
    let version = get_u32(bytes, at::VERSION);
    if !(oldest..=LAYOUT_VERSION).contains(&version) {
        return Err(OpenReason::Version {
            found: version,
            oldest,
            newest: LAYOUT_VERSION,
        });
    }
    equal(
        "header length",
        get_u32(bytes, at::HEADER_LEN).into(),
        HEADER_LEN as u64,
    )?;
    equal(
        "entry length",
        get_u32(bytes, at::ENTRY_LEN).into(),
        ENTRY_LEN as u64,
    )?;
    Ok(version)
}

fn equal(field: &'static str, found: u64, expected: u64) -> Result<(), OpenReason> {
    if found == expected {
        Ok(())
    } else {
        Err(OpenReason::Header {
            field,
            found,
            expected,
        })
    }
}

fn limit(field: &'static str, found: u64, limit: usize) -> Result<usize, OpenReason> {
    if found <= limit as u64 {
        Ok(found as usize)
    } else {
        Err(OpenReason::Limit {
            field,
            found,
            limit: limit as u64,
        })
    }
}

/// The checksum of header, directory and strings as they would be with a checksum of zero.
pub(super) fn checksum(header: &Header, rest: &[u8]) -> u64 {
    let unsealed = Header {
        checksum: 0,
        ..*header
    };
    let mut digest = Digest::new();
    digest.write(&unsealed.encode());
    digest.write(rest);
    digest.finish()
}

pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

pub(super) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
}

pub(super) fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(std::array::from_fn(|index| bytes[at + index]))
}

pub(super) fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(std::array::from_fn(|index| bytes[at + index]))
}
