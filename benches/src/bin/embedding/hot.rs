//! Hot threads, each pinned to a core of its own: they write into the process's heap and read the clock, turn after turn, and
//! record the gap between each two readings.
//!
//! The writes are what makes a fork felt: it takes away the right to write to every page, and each first write afterwards asks
//! the kernel, which is still copying page tables. Apart from them a hot thread asks the kernel for nothing: its histograms
//! lie in pages that were touched before.
//!
//! A gap counts for the phase in which it began, and all gaps count. Whoever drives does nothing in a phase before every hot
//! thread has seen that it is this phase: it wakes up by taking a core from one of them in the midst of a turn, whose gap would
//! else be the whole of the new phase's and count for the old one.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use airssys_rt::monotonic_ns;
use core_affinity::CoreId;
use hdrhistogram::Histogram;

use crate::part::Result;

/// Words of a page of memory.
pub(crate) const PAGE_WORDS: usize = 512;

const STOP: usize = usize::MAX;

/// How often the driver looks whether its phase has been seen.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// Which phase it is: told by the thread that drives, read by the hot ones at each turn.
#[derive(Debug)]
pub(crate) struct Phases {
    current: AtomicUsize,
    /// What each hot thread has seen.
    seen: Vec<AtomicUsize>,
}

impl Phases {
    fn new(threads: usize) -> Self {
        Self {
            current: AtomicUsize::new(0),
            seen: (0..threads).map(|_| AtomicUsize::new(STOP)).collect(),
        }
    }

    /// Begins a phase: on return every gap that begins counts for it.
    pub(crate) fn begin(&self, phase: usize) {
        self.current.store(phase, Ordering::Relaxed);
        let unseen = |seen: &AtomicUsize| seen.load(Ordering::Relaxed) != phase;
        while self.seen.iter().any(unseen) {
            thread::sleep(LOOK_INTERVAL);
        }
    }
}

/// Stops the hot threads however the driver ends.
struct Stop<'a>(&'a Phases);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.current.store(STOP, Ordering::Relaxed);
    }
}

/// An empty histogram of nanoseconds, good to within 0.1 %.
///
/// # Panics
///
/// Never: the bounds are constants that it accepts.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1 << 36, 3).expect("constant bounds that are in range")
}

/// Runs a hot thread on each of `cores`, each with a part of `memory`, while this thread drives. Returns the gaps of all hot
/// threads together, by phase.
pub(crate) fn run(
    memory: &mut [u64],
    cores: &[CoreId],
    phases: usize,
    drive: impl FnOnce(&Phases) -> Result<()>,
) -> Result<Vec<Histogram<u64>>> {
    let begun = Barrier::new(cores.len() + 1);
    let part = (memory.len() / cores.len()).next_multiple_of(PAGE_WORDS);
    let current = Phases::new(cores.len());
    thread::scope(|scope| {
        let threads: Vec<_> = memory
            .chunks_mut(part)
            .zip(cores)
            .zip(&current.seen)
            .map(|((memory, &core), seen)| {
                let (current, begun) = (&current.current, &begun);
                scope.spawn(move || {
                    let pinned = core_affinity::set_for_current(core);
                    let mut gaps: Vec<_> = (0..phases).map(|_| touched()).collect();
                    begun.wait();
                    // Turns even so: the driver waits until each thread has seen its phases.
                    turn(memory, current, seen, &mut gaps);
                    pinned.then_some(gaps)
                })
            })
            .collect();
        let stop = Stop(&current);
        begun.wait();
        drive(&current)?;
        drop(stop);
        let mut together = vec![empty(); phases];
        for (thread, core) in threads.into_iter().zip(cores) {
            let gaps = thread.join().map_err(|_| "a hot thread panicked")?;
            let gaps = gaps.ok_or_else(|| format!("core {} can't be had", core.id))?;
            for (sum, gaps) in together.iter_mut().zip(&gaps) {
                sum.add(gaps)?;
            }
        }
        Ok(together)
    })
}

/// An empty histogram of which every bucket has been written.
fn touched() -> Histogram<u64> {
    let mut histogram = empty();
    for bucket in empty().iter_all() {
        histogram.saturating_record(bucket.value_iterated_to());
    }
    histogram.reset();
    histogram
}

fn turn(
    memory: &mut [u64],
    current: &AtomicUsize,
    seen: &AtomicUsize,
    gaps: &mut [Histogram<u64>],
) {
    let pages = memory.len() / PAGE_WORDS;
    let mut random = 1_u64;
    let mut phase = 0;
    let mut before_ns = monotonic_ns();
    seen.store(phase, Ordering::Relaxed);
    while phase != STOP {
        // Knuth's multiplier: any order will do that the prefetcher doesn't know.
        random = random.wrapping_mul(6_364_136_223_846_793_005) + 1;
        let page = (random >> 33) as usize % pages;
        memory[page * PAGE_WORDS] = random;
        let now_ns = monotonic_ns();
        gaps[phase].saturating_record(now_ns - before_ns);
        before_ns = now_ns;
        let next = current.load(Ordering::Relaxed);
        if next != phase {
            phase = next;
            seen.store(phase, Ordering::Relaxed);
        }
    }
}
