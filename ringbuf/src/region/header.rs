//! The fixed part of a region file, to bytes and back. The offsets are those of the table in `mod.rs`.

use super::error::OpenReason;
use super::{FILE_LEN_MAX, NAME_LEN_MAX, PAGE, SECTIONS_MAX, STRINGS_LEN_MAX};
use crate::digest::Digest;

const MAGIC: [u8; 8] = *b"AirsRegn";
const BYTE_ORDER_MARK: u32 = 0x0102_0304;
const VERSION: u32 = 2;

/// Bytes of the header.
pub(super) const HEADER_LEN: usize = 128;
/// Bytes of a directory entry.
pub(super) const ENTRY_LEN: usize = 48;

const CHECKSUM_AT: usize = 120;
const RESERVED_AT: usize = 104;

/// What the header says that is not fixed by the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
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
        bytes[..8].copy_from_slice(&MAGIC);
        put_u32(&mut bytes, 8, BYTE_ORDER_MARK);
        put_u32(&mut bytes, 12, VERSION);
        put_u32(&mut bytes, 16, HEADER_LEN as u32);
        put_u32(&mut bytes, 20, ENTRY_LEN as u32);
        put_u64(&mut bytes, 24, self.file_len as u64);
        bytes[32..48].copy_from_slice(&self.boot_id);
        put_u64(&mut bytes, 48, self.digest);
        put_u64(&mut bytes, 56, HEADER_LEN as u64);
        put_u64(&mut bytes, 64, self.count as u64);
        put_u64(&mut bytes, 72, self.directory_len() as u64);
        put_u64(&mut bytes, 80, strings_at as u64);
        put_u64(&mut bytes, 88, self.strings_len as u64);
        put_u32(&mut bytes, 96, self.bus_len as u32);
        put_u32(&mut bytes, 100, self.owner_len as u32);
        put_u64(&mut bytes, CHECKSUM_AT, self.checksum);
        bytes
    }

    /// The header of a file of `real_len` bytes, if all that it says can be true of such a file.
    pub(super) fn decode(bytes: &[u8; HEADER_LEN], real_len: u64) -> Result<Self, OpenReason> {
        check_identity(bytes)?;
        let file_len = get_u64(bytes, 24);
        if file_len != real_len {
            return Err(OpenReason::Length {
                found: real_len,
                expected: file_len,
            });
        }
        limit("file length", file_len, FILE_LEN_MAX)?;
        equal("file length modulo a page", file_len % PAGE as u64, 0)?;
        let header = Self {
            file_len: file_len as usize,
            boot_id: std::array::from_fn(|index| bytes[32 + index]),
            digest: get_u64(bytes, 48),
            count: limit("directory entries", get_u64(bytes, 64), SECTIONS_MAX)?,
            strings_len: limit("bytes of strings", get_u64(bytes, 88), STRINGS_LEN_MAX)?,
            bus_len: limit(
                "bytes of the bus's name",
                get_u32(bytes, 96).into(),
                NAME_LEN_MAX,
            )?,
            owner_len: limit(
                "bytes of the owner's name",
                get_u32(bytes, 100).into(),
                NAME_LEN_MAX,
            )?,
            checksum: get_u64(bytes, CHECKSUM_AT),
        };
        let strings_at = HEADER_LEN + header.directory_len();
        equal("directory offset", get_u64(bytes, 56), HEADER_LEN as u64)?;
        equal(
            "directory length",
            get_u64(bytes, 72),
            header.directory_len() as u64,
        )?;
        equal("strings offset", get_u64(bytes, 80), strings_at as u64)?;
        equal("reserved bytes at 104", get_u64(bytes, RESERVED_AT), 0)?;
        equal("reserved bytes at 112", get_u64(bytes, RESERVED_AT + 8), 0)?;
        limit(
            "bytes of header, directory and strings",
            header.preamble_len() as u64,
            header.file_len,
        )?;
        Ok(header)
    }
}

/// Whether this is a region of this version at all.
fn check_identity(bytes: &[u8; HEADER_LEN]) -> Result<(), OpenReason> {
    let magic: [u8; 8] = std::array::from_fn(|index| bytes[index]);
    if magic != MAGIC {
        return Err(OpenReason::Magic {
            found: magic,
            expected: MAGIC,
        });
    }
    let mark = get_u32(bytes, 8);
    if mark != BYTE_ORDER_MARK {
        return Err(OpenReason::ByteOrder {
            found: mark,
            expected: BYTE_ORDER_MARK,
        });
    }
    let version = get_u32(bytes, 12);
    if version != VERSION {
        return Err(OpenReason::Version {
            found: version,
            expected: VERSION,
        });
    }
    equal(
        "header length",
        get_u32(bytes, 16).into(),
        HEADER_LEN as u64,
    )?;
    equal("entry length", get_u32(bytes, 20).into(), ENTRY_LEN as u64)
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
