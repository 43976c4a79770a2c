//! Counting lines and words in a slice, several bytes at a time.
//!
//! Written as counters in lanes of one byte, which compilers turn into vector instructions; a lane is added up before it
//! can overflow.

/// Bytes side by side: two vector registers on any x86-64.
const LANES: usize = 32;

/// Rows until the lanes are added up: what a `u8` counts to.
const ROWS: usize = u8::MAX as usize;

/// Lines and words found in a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Newline bytes.
    pub(crate) lines: u64,
    /// Beginnings of words.
    pub(crate) words: u64,
}

/// Space, or `\t`, `\n`, `\v`, `\f`, `\r`, which lie side by side.
#[inline]
fn is_space(byte: u8) -> bool {
    (byte == b' ') | (byte.wrapping_sub(b'\t') < 5)
}

/// Counts `bytes`, which go on where the slice before them ended. `in_word` says whether that was inside of a word, and is
/// left saying the same of this one.
pub(crate) fn count(bytes: &[u8], in_word: &mut bool) -> Counts {
    let (Some((&first, at)), Some((&last, before))) = (bytes.split_first(), bytes.split_last())
    else {
        return Counts::default();
    };
    let mut counts = Counts {
        lines: u64::from(first == b'\n'),
        words: u64::from(!is_space(first) && !*in_word),
    };
    // Each byte beside the one before it.
    let most = LANES * ROWS;
    for (before, at) in before.chunks(most).zip(at.chunks(most)) {
        count_rows(before, at, &mut counts);
    }
    *in_word = !is_space(last);
    counts
}

/// Counts at most `ROWS` rows.
fn count_rows(before: &[u8], at: &[u8], counts: &mut Counts) {
    let (before_rows, before_rest) = before.as_chunks::<LANES>();
    let (at_rows, at_rest) = at.as_chunks::<LANES>();
    let (mut lines, mut words) = ([0_u8; LANES], [0_u8; LANES]);
    for (before, at) in before_rows.iter().zip(at_rows) {
        for lane in 0..LANES {
            lines[lane] += u8::from(at[lane] == b'\n');
            words[lane] += u8::from(is_space(before[lane]) & !is_space(at[lane]));
        }
    }
    counts.lines += lines.iter().map(|&lane| u64::from(lane)).sum::<u64>();
    counts.words += words.iter().map(|&lane| u64::from(lane)).sum::<u64>();
    for (&before, &at) in before_rest.iter().zip(at_rest) {
        counts.lines += u64::from(at == b'\n');
        counts.words += u64::from(is_space(before) & !is_space(at));
    }
}
