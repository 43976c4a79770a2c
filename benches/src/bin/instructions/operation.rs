//! What is counted, and what is done uncounted around it.

use std::error::Error;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Calls that are counted together.
pub(crate) const BATCH: u64 = 64;

/// One line of the table.
pub(crate) struct Operation {
    pub(crate) name: String,
    /// Messages that one call handles: the count is by message.
    pub(crate) messages: u64,
    /// So many calls; whether each did what it is counted for.
    pub(crate) run: Box<dyn Fn(u64) -> Result<bool>>,
}

impl Operation {
    pub(crate) fn new(
        name: impl Into<String>,
        messages: u64,
        run: impl Fn(u64) -> Result<bool> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            messages,
            run: Box::new(run),
        }
    }
}

/// Callgrind collects in here alone, by this name.
#[inline(never)]
fn counted_by_callgrind(call: &mut impl FnMut() -> bool) -> bool {
    batch(call)
}

#[inline]
fn batch(call: &mut impl FnMut() -> bool) -> bool {
    let mut all = true;
    for _ in 0..BATCH {
        all &= call();
    }
    all
}

/// Calls `counted` at least `calls` times, with a batch of `before` and one of `after` around each batch of it.
pub(crate) fn rounds(
    calls: u64,
    mut before: impl FnMut() -> bool,
    mut counted: impl FnMut() -> bool,
    mut after: impl FnMut() -> bool,
) -> bool {
    let mut all = true;
    for _ in 0..calls.div_ceil(BATCH) {
        all &= batch(&mut before);
        all &= counted_by_callgrind(&mut counted);
        all &= batch(&mut after);
    }
    all
}

/// Nothing to be done around what is counted.
pub(crate) fn nothing() -> bool {
    true
}
