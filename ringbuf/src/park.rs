//! Sleeping until a peer has done something, with no lock and no fence in a partition that nobody waits on.
//!
//! Each ordered pair of regions has a doorbell, a 32-bit futex word in the *waker's* region; the sleeper has one `parked` word
//! in its own. The order is the whole protocol:
//!
//! ```text
//! sleeper                                waker
//!   snapshot the doorbells                 ... stores everything it has to show ...
//!   parked = 1                             fence(SeqCst)                     (B)
//!   fence(SeqCst)                 (A)      if parked: doorbell += 1, FUTEX_WAKE
//!   look at everything again
//!   if nothing: wait on the doorbells
//!     while they are as in the snapshot
//!   parked = 0
//! ```
//!
//! (A) and (B) are totally ordered. If (A) comes first the waker sees `parked`; it then changes the doorbell, and a wait on
//! the old value returns at once. If (B) comes first the second look sees what was stored. `AcqRel` fences don't give that
//! order; a look before `parked = 1` leaves a gap; and so on: the model in `park/model.rs` shows each of them losing a
//! wake-up.
//!
//! Doorbells outlive incarnations and are never reset: only equality counts. A crash of the sleeper leaves `parked` at 1,
//! which costs its wakers a system call a turn until the next incarnation clears it. A crash of the waker between its stores
//! and its doorbell leaves a sleeper that looks again when its bound runs out, or when the waker's next incarnation rings
//! every bell in recovery, whichever is first.

use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{self, ClockId, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};

use crate::layout::pulse_word;
use crate::memory::{Bells, PeerWords, RangeError, Words};
use crate::region::{Region, SectionEntry};
use crate::word::{AtomicU32, Ordering, Word, fence};

/// The sleeper's half, over any words: the order of its four accesses.
#[inline]
pub(crate) fn sleep<W: Word, S>(
    parked: &W,
    snapshot: impl FnOnce() -> S,
    fence_seq_cst: impl FnOnce(),
    has_news: impl FnOnce() -> bool,
    wait: impl FnOnce(S),
) {
    let seen = snapshot();
    parked.store(1, Ordering::Relaxed);
    fence_seq_cst();
    if !has_news() {
        wait(seen);
    }
    parked.store(0, Ordering::Relaxed);
}

/// The waker's half, after its fence.
#[inline]
pub(crate) fn wake<W: Word>(parked: &W, ring: impl FnOnce()) {
    if parked.load(Ordering::Relaxed) != 0 {
        ring();
    }
}

/// The longest sleep where the kernel can't wait on several doorbells: nobody can end it.
const UNHEARD: Duration = Duration::from_millis(1);

/// A partition's ability to sleep.
#[derive(Debug)]
pub struct Sleeper {
    parked: Words,
    /// The doorbell that each peer rings for this partition, in the peer's region.
    bells: Vec<(Bells, usize)>,
}

/// Doorbells that one wait can watch: the kernel's limit for `futex_waitv`.
pub const BELLS_MAX: usize = 128;

impl Sleeper {
    /// A sleeper that says so in the pulse section of `own`.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section is too small.
    pub fn new(own: &Region, pulse: &SectionEntry) -> Result<Self, RangeError> {
        let parked = Words::new(own.memory(), pulse.offset, pulse_word::COUNT)?;
        parked.at(pulse_word::PARKED).store(0, Ordering::Relaxed);
        Ok(Self {
            parked,
            bells: Vec::new(),
        })
    }

    /// Listens to the `index`-th doorbell of `bells`, a section of the waker's region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section has no such doorbell.
    ///
    /// # Panics
    ///
    /// With more than [`BELLS_MAX`] doorbells.
    pub fn listen(
        &mut self,
        waker: &Region,
        bells: &SectionEntry,
        index: usize,
    ) -> Result<(), RangeError> {
        assert!(
            self.bells.len() < BELLS_MAX,
            "more doorbells than a wait takes"
        );
        let bells = Bells::new(waker.memory(), bells.offset, index + 1)?;
        self.bells.push((bells, index));
        Ok(())
    }

    /// Sleeps until a peer rings, `has_news` is already true, or `bound` has passed.
    ///
    /// `has_news` has to look at the shared words themselves, not at cached copies. Returns early for no reason at times.
    pub fn park(&self, bound: Duration, has_news: impl FnOnce() -> bool) {
        sleep(
            self.parked.at(pulse_word::PARKED),
            || self.snapshot(),
            || fence(Ordering::SeqCst),
            has_news,
            |seen| wait(&seen, bound),
        );
    }

    fn snapshot(&self) -> Vec<Wait> {
        self.bells
            .iter()
            .map(|(bells, index)| {
                let bell = bells.at(*index);
                let mut wait = Wait::new();
                wait.val = u64::from(bell.load(Ordering::Relaxed));
                wait.uaddr = WaitPtr::new(bell.as_ptr().cast());
                wait.flags = WaitFlags::SIZE_U32;
                wait
            })
            .collect()
    }
}

fn wait(seen: &[Wait], bound: Duration) {
    if seen.is_empty() {
        std::thread::sleep(bound);
        return;
    }
    let until = crate::clock::monotonic_ns().saturating_add(bound.as_nanos() as u64);
    let until = Timespec {
        tv_sec: (until / 1_000_000_000).cast_signed(),
        tv_nsec: (until % 1_000_000_000).cast_signed(),
    };
    let waited = futex::waitv(seen, WaitvFlags::empty(), Some(&until), ClockId::Monotonic);
    // Timed out, interrupted, rung before the wait: the caller looks again. Where the call itself is missing (before Linux
    // 5.16, or filtered) it would look all the time.
    if matches!(waited, Err(Errno::NOSYS | Errno::PERM)) {
        std::thread::sleep(bound.min(UNHEARD));
    }
}

/// A partition's ability to wake its peers.
#[derive(Debug)]
pub struct Waker {
    bells: Bells,
    sleepers: Vec<(PeerWords, usize)>,
}

impl Waker {
    /// A waker that rings the doorbells of its own region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section is too small for its count.
    ///
    /// # Panics
    ///
    /// If the region is mapped read-only.
    pub fn new(own: &Region, bells: &SectionEntry) -> Result<Self, RangeError> {
        assert!(
            own.memory().access() == crate::memory::Access::ReadWrite,
            "doorbells are rung in one's own region"
        );
        Ok(Self {
            bells: Bells::new(own.memory(), bells.offset, bells.count as usize)?,
            sleepers: Vec::new(),
        })
    }

    /// Adds a peer that may park: its pulse section, and which of our doorbells it listens to.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if its pulse section is too small.
    pub fn add(
        &mut self,
        sleeper: &Region,
        pulse: &SectionEntry,
        index: usize,
    ) -> Result<(), RangeError> {
        let parked = PeerWords::new(sleeper.memory(), pulse.offset, pulse_word::COUNT)?;
        self.sleepers.push((parked, index));
        Ok(())
    }

    /// Wakes each peer that is parked. To be called after everything that a turn has shown; costs one fence, and nothing
    /// where no peer may park.
    #[inline]
    pub fn wake(&self) {
        if self.sleepers.is_empty() {
            return;
        }
        fence(Ordering::SeqCst);
        for (parked, index) in &self.sleepers {
            wake(parked.word(pulse_word::PARKED), || self.ring(*index));
        }
    }

    /// Rings every peer, parked or not: the start of an incarnation, whose last one may have died before it rang.
    pub fn wake_all(&self) {
        for (_, index) in &self.sleepers {
            self.ring(*index);
        }
    }

    fn ring(&self, index: usize) {
        let bell: &AtomicU32 = self.bells.at(index);
        // A load and a store: this partition alone writes its doorbells.
        bell.store(
            bell.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
        // Nobody waiting is no error.
        let _ = futex::wake(bell, futex::Flags::empty(), u32::MAX >> 1);
    }
}

#[cfg(test)]
mod model;
