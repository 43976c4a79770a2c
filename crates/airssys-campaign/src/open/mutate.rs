//! Changes to a region's bytes that know where its words are.

use airssys_ringbuf::fnv1a64;

use crate::seed::Seed;

const HEADER_LEN: usize = 128;
const ENTRY_LEN: usize = 48;
const LEN_AT: usize = 24;
const ENTRIES_AT: usize = 64;
const STRINGS_AT: usize = 80;
const STRINGS_LEN_AT: usize = 88;
const CHECKSUM_AT: usize = 120;
const PAGE: usize = 4096;
const BYTES_MAX: usize = 1 << 16;

/// One of `bases` with some changes, most often under a right length and checksum.
pub(crate) fn mutated(bases: &[Vec<u8>], draws: &mut Seed) -> Vec<u8> {
    let mut bytes = bases[index(draws, bases.len())].clone();
    for _ in 0..=draws.below(4) {
        change(&mut bytes, bases, draws);
    }
    if draws.below(8) > 0 {
        seal(&mut bytes);
    }
    bytes
}

/// Gives the bytes the length and the checksum that they should have.
pub(crate) fn seal(bytes: &mut [u8]) {
    if bytes.len() < HEADER_LEN {
        return;
    }
    put(bytes, LEN_AT, bytes.len() as u64);
    let strings = get(bytes, STRINGS_AT).checked_add(get(bytes, STRINGS_LEN_AT));
    let preamble = strings.map_or(usize::MAX, |end| end as usize);
    if let Some(covered) = (HEADER_LEN..=bytes.len())
        .contains(&preamble)
        .then_some(preamble)
    {
        put(bytes, CHECKSUM_AT, 0);
        let checksum = fnv1a64(&bytes[..covered]);
        put(bytes, CHECKSUM_AT, checksum);
    }
}

fn change(bytes: &mut Vec<u8>, bases: &[Vec<u8>], draws: &mut Seed) {
    if bytes.len() < HEADER_LEN + ENTRY_LEN {
        bytes.resize(PAGE, 0);
    }
    let entries =
        (get(bytes, ENTRIES_AT) as usize).clamp(1, (bytes.len() - HEADER_LEN) / ENTRY_LEN);
    let directory_end = HEADER_LEN + entries * ENTRY_LEN;
    match draws.below(10) {
        0 => word(bytes, 8, LEN_AT, draws),
        1 | 2 => word(bytes, HEADER_LEN, directory_end - HEADER_LEN, draws),
        3 => {
            let strings = directory_end..(directory_end + 512).min(bytes.len());
            if let Some(byte) = bytes.get_mut(strings.start + index(draws, strings.len())) {
                *byte = draws.below(256) as u8;
            }
        }
        4 => bytes.truncate(index(draws, bytes.len() + 1)),
        5 => {
            let pages = 1 + index(draws, 4);
            bytes.resize((bytes.len() / PAGE + pages) * PAGE, draws.below(256) as u8);
            bytes.truncate(BYTES_MAX);
        }
        6 => {
            let at = index(draws, bytes.len());
            bytes[at] ^= 1 << draws.below(8);
        }
        7 => {
            let other = &bases[index(draws, bases.len())];
            let from = index(draws, other.len()) / 8 * 8;
            let len = (8 << draws.below(8))
                .min(other.len() - from)
                .min(bytes.len());
            let at = index(draws, bytes.len() - len + 1) / 8 * 8;
            let end = (at + len).min(bytes.len());
            bytes[at..end].copy_from_slice(&other[from..from + (end - at)]);
        }
        // What lies in the sections: records, positions, sequence words.
        _ => {
            let first = directory_end.next_multiple_of(PAGE).min(bytes.len());
            let len = bytes.len() - first;
            word(bytes, first, len, draws);
        }
    }
}

/// Sets a word of 4 or 8 bytes, within so many from `first` on, to a telling value.
fn word(bytes: &mut [u8], first: usize, len: usize, draws: &mut Seed) {
    let at = first + index(draws, len.max(4)) / 4 * 4;
    let known = get(bytes, at.min(bytes.len().saturating_sub(8)));
    let value = match draws.below(14) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => u64::MAX / 2,
        4 => 1 << 63,
        5 => bytes.len() as u64,
        6 => known.wrapping_add(1),
        7 => known.wrapping_sub(1),
        8 => known.wrapping_add(128),
        9 => known ^ (1 << draws.below(64)),
        10 => draws.below(16),
        11 => draws.below(1 << 16),
        12 => u64::MAX - draws.below(256),
        _ => draws.below(u64::MAX),
    };
    let size = if draws.below(2) == 0 { 4 } else { 8 };
    if let Some(place) = bytes.get_mut(at..at + size) {
        place.copy_from_slice(&value.to_ne_bytes()[..size]);
    }
}

fn index(draws: &mut Seed, len: usize) -> usize {
    draws.below(len as u64) as usize
}

fn get(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    if let Some(place) = bytes.get(at..at + 8) {
        word.copy_from_slice(place);
    }
    u64::from_ne_bytes(word)
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_ne_bytes());
}
