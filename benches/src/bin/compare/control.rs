//! The words beside a measurement that its two sides meet by, in heap memory or a mapped file.
//!
//! | line pair | writer | holds |
//! |---|---|---|
//! | 0, 1 | near, far | the stage that it has come to |
//! | 2 | sender | messages sent, before the one that says stop |
//! | 2 | the slower side | what its work takes alone |
//! | 3 | either | not zero: give up |

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use airssys_ringbuf::memory::{Access, LINE_PAIR, Memory, Words};

use crate::Result;
use crate::wait::Wait;

const PAIR_WORDS: usize = LINE_PAIR / 8;
const SENT: usize = 2 * PAIR_WORDS;
const ALONE: usize = SENT + 1;
const GIVE_UP: usize = 3 * PAIR_WORDS;
const BYTES: usize = 4 * LINE_PAIR;

/// Who measures, and who works with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Near,
    Far,
}

#[derive(Clone, Debug)]
pub(crate) struct Control(Words);

impl Control {
    pub(crate) fn heap() -> Result<Self> {
        let memory = Arc::new(Memory::heap(BYTES));
        Ok(Self(Words::new(&memory, 0, BYTES / 8)?))
    }

    /// Over a file, which is made if need be.
    pub(crate) fn file(path: &Path) -> Result<Self> {
        let memory = map(path, BYTES)?;
        Ok(Self(Words::new(&memory, 0, BYTES / 8)?))
    }

    /// Waits until both sides have come to `stage`.
    pub(crate) fn meet(&self, side: Side, stage: u64) -> Result<()> {
        let (own, other) = match side {
            Side::Near => (0, PAIR_WORDS),
            Side::Far => (PAIR_WORDS, 0),
        };
        self.0.at(own).store(stage, Ordering::Release);
        let mut wait = Wait::new(self);
        while self.0.at(other).load(Ordering::Acquire) < stage {
            wait.again()?;
        }
        Ok(())
    }

    /// Told by the sender before its last message.
    pub(crate) fn tell_sent(&self, count: u64) {
        self.0.at(SENT).store(count, Ordering::Release);
    }

    pub(crate) fn sent(&self) -> u64 {
        self.0.at(SENT).load(Ordering::Acquire)
    }

    /// Told by the slower side before both begin.
    pub(crate) fn tell_alone(&self, ns: f64) {
        self.0.at(ALONE).store(ns.to_bits(), Ordering::Release);
    }

    pub(crate) fn alone_ns(&self) -> f64 {
        f64::from_bits(self.0.at(ALONE).load(Ordering::Acquire))
    }

    /// Ends the other side's waits.
    pub(crate) fn give_up(&self) {
        self.0.at(GIVE_UP).store(1, Ordering::Release);
    }

    pub(crate) fn given_up(&self) -> bool {
        self.0.at(GIVE_UP).load(Ordering::Acquire) != 0
    }
}

/// Gives up unless it was told that all went well.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    control: &'a Control,
    well: bool,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(control: &'a Control) -> Self {
        Self {
            control,
            well: false,
        }
    }

    pub(crate) fn well(mut self) {
        self.well = true;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.well {
            self.control.give_up();
        }
    }
}

/// The first `len` bytes of the file at `path`, which is made and sized if need be.
pub(crate) fn map(path: &Path, len: usize) -> Result<Arc<Memory>> {
    let file = open(path)?;
    file.set_len(len as u64)?;
    Ok(Arc::new(Memory::map(&file, len, Access::ReadWrite)?))
}

pub(crate) fn open(path: &Path) -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| format!("{}: {error}", path.display()).into())
}
