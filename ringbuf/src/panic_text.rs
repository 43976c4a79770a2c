//! The message of the panic that ended a partition's process, left in its own region for whoever asks why.
//!
//! Written by the process itself once its stack has unwound; the life's number comes last. A process that was killed on the
//! way leaves the text of an earlier life, under that life's number.

use crate::layout::{PANIC_TEXT_MAX, panic_word};
use crate::memory::{PeerWords, RangeError, Words};
use crate::region::{Region, SectionEntry};
use crate::word::Ordering;

/// Leaves `text`, or as much of it as there is room for.
///
/// # Errors
///
/// [`RangeError`] if the section is too small or the region is mapped read-only.
pub fn leave(
    own: &Region,
    section: &SectionEntry,
    incarnation: u64,
    text: &str,
) -> Result<(), RangeError> {
    let words = Words::new(own.memory(), section.offset, panic_word::COUNT)?;
    let mut len = text.len().min(PANIC_TEXT_MAX);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    let store = |word, value| words.at(word).store(value, Ordering::Relaxed);
    store(panic_word::LEN, len as u64);
    for (index, bytes) in text.as_bytes()[..len].chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        store(panic_word::TEXT + index, u64::from_ne_bytes(word));
    }
    // Release: the text is whole once the life's number shows (pairs with `left_by`).
    words
        .at(panic_word::INCARNATION)
        .store(incarnation, Ordering::Release);
    Ok(())
}

/// What life `incarnation` has left; `None` if it left nothing. What isn't UTF-8 is replaced.
#[must_use]
pub fn left_by(region: &Region, section: &SectionEntry, incarnation: u64) -> Option<String> {
    let words = PeerWords::new(region.memory(), section.offset, panic_word::COUNT).ok()?;
    let found = words.load(panic_word::INCARNATION, Ordering::Acquire);
    if found != incarnation {
        return None;
    }
    let len = words.load(panic_word::LEN, Ordering::Relaxed) as usize;
    let len = len.min(PANIC_TEXT_MAX);
    let load = |index| words.load(panic_word::TEXT + index, Ordering::Relaxed);
    let bytes = (0..len.div_ceil(8)).flat_map(|index| load(index).to_ne_bytes());
    let bytes: Vec<u8> = bytes.take(len).collect();
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

    use super::*;
    use crate::layout::panic_section;
    use crate::region::{RegionPlan, SectionKind};

    #[test]
    fn a_life_leaves_its_own_text_cut_between_characters() {
        let mut plan = RegionPlan::new("quotes", "book", 0);
        plan.add(panic_section());
        let region = Region::heap(&plan).unwrap();
        let section = region.section(SectionKind::Panic, "panic").unwrap();
        assert_eq!(left_by(&region, section, 1), None);
        leave(&region, section, 3, "index 9, length 8").unwrap();
        assert_eq!(
            left_by(&region, section, 3).as_deref(),
            Some("index 9, length 8")
        );
        assert_eq!(left_by(&region, section, 4), None);
        let long = format!("x{}", "ä".repeat(PANIC_TEXT_MAX));
        leave(&region, section, 4, &long).unwrap();
        let left = left_by(&region, section, 4).unwrap();
        assert_eq!(left.len(), PANIC_TEXT_MAX - 1);
        assert!(long.starts_with(&left));
    }
}
