//! A partition's sleep.
//!
//! The sleeper alone writes `parked`, and loads its wakers' doorbells through read-only mappings, which the kernel's wait
//! takes.

use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{self, ClockId, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};

use crate::layout::pulse_word;
use crate::memory::{Bells, RangeError, Words};
use crate::park::barrier::Barrier;
use crate::park::{arm, get_up, sleep};
use crate::region::{Region, SectionEntry};
use crate::word::{AtomicU64, Ordering};

/// The longest sleep that nobody is sure to end: the kernel can't wait on several doorbells, or its barrier failed.
pub(super) const UNHEARD: Duration = Duration::from_millis(1);

/// Doorbells that one wait can watch: the kernel's limit for `futex_waitv`.
pub const BELLS_MAX: usize = 128;

/// A partition's ability to sleep.
#[derive(Debug)]
pub struct Sleeper {
    parked: Words,
    barrier: Barrier,
    /// The doorbell that each peer rings for this partition, in the peer's region.
    bells: Vec<(Bells, usize)>,
}

impl Sleeper {
    /// A sleeper that says so in the pulse section of `own`. `barrier` is the bus's, the same for all its parties.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section is too small.
    ///
    /// # Panics
    ///
    /// If the region is mapped read-only.
    pub fn new(own: &Region, pulse: &SectionEntry, barrier: Barrier) -> Result<Self, RangeError> {
        let parked = Words::new(own.memory(), pulse.offset, pulse_word::COUNT)?;
        get_up(parked.at(pulse_word::PARKED));
        Ok(Self {
            parked,
            barrier,
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

    /// Sleeps until a peer rings, `has_news` is already true, or `bound` has passed; false if time ran out.
    ///
    /// `has_news` has to look at the shared words themselves, not at cached copies. Returns early for no reason at times.
    pub fn park(&self, bound: Duration, has_news: impl FnOnce() -> bool) -> bool {
        let mut in_time = true;
        sleep(
            self.parked(),
            || self.snapshot(),
            || self.barrier.pass_in_sleeper(),
            has_news,
            |seen, heard| in_time = wait(&seen, bound_of(bound, heard)),
        );
        in_time
    }

    /// Prepares a sleep in an event loop: from now on until [`disarm`](Self::disarm), a waker that knows this sleeper by
    /// [`Waker::add_notified`](crate::park::Waker::add_notified) notifies it, once a sleep. A waker that knows it by
    /// [`add`](crate::park::Waker::add) alone isn't heard.
    ///
    /// False, and not armed, if `has_news` is true, which has to look at the shared words themselves; or if the kernel
    /// refused the bus's [`Barrier`], since nobody would bound such a sleep. The caller takes its turn then, and tries again.
    ///
    /// Notifications of earlier sleeps have to be taken out of the notified object before this call or after the sleep, and
    /// never between the two.
    #[must_use = "the sleep is right only if armed"]
    pub fn arm(&self, has_news: impl FnOnce() -> bool) -> bool {
        arm(self.parked(), || self.barrier.pass_in_sleeper(), has_news)
    }

    /// The sleep in the event loop is over. To be followed by a look at everything. Harmless if not armed.
    pub fn disarm(&self) {
        get_up(self.parked());
    }

    fn parked(&self) -> &AtomicU64 {
        self.parked.at(pulse_word::PARKED)
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

fn bound_of(bound: Duration, heard: bool) -> Duration {
    if heard { bound } else { bound.min(UNHEARD) }
}

/// False if time ran out.
fn wait(seen: &[Wait], bound: Duration) -> bool {
    if seen.is_empty() {
        std::thread::sleep(bound);
        return false;
    }
    let until = crate::clock::monotonic_ns().saturating_add(bound.as_nanos() as u64);
    let until = Timespec {
        tv_sec: (until / 1_000_000_000).cast_signed(),
        tv_nsec: (until % 1_000_000_000).cast_signed(),
    };
    match futex::waitv(seen, WaitvFlags::empty(), Some(&until), ClockId::Monotonic) {
        Err(Errno::TIMEDOUT) => false,
        // Where the call itself is missing (before Linux 5.16, or filtered) the caller would look all the time.
        Err(Errno::NOSYS | Errno::PERM) => {
            std::thread::sleep(bound_of(bound, false));
            false
        }
        // Interrupted, or rung before the wait: the caller looks again.
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_that_nobody_is_sure_to_end_is_short() {
        let long = Duration::from_secs(10);
        let kernel_refuses = || false;
        let heard = Barrier::Membarrier.pass_with(kernel_refuses);
        assert_eq!(bound_of(long, heard), UNHEARD);
        let heard = Barrier::Fences.pass_with(kernel_refuses);
        assert_eq!(bound_of(long, heard), long, "fences need no kernel");
        assert_eq!(bound_of(Duration::ZERO, false), Duration::ZERO);
    }
}
