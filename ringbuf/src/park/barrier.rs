//! Which side of the parking protocol pays for the order that both need.
//!
//! Sleeper: `parked = v`, barrier (A), look. Waker: show, barrier (B), load `parked`. It must not happen that the look misses
//! what was shown *and* the load misses `v`. Sleepers are rare and wakers are not, so where the kernel can, the sleeper pays
//! for both: `membarrier(GLOBAL_EXPEDITED)` returns after every running thread of every registered process has passed a full
//! barrier somewhere in its program order, and a thread that isn't running passes one when it is switched to.
//!
//! | bus | sleeper | waker | why nothing is lost |
//! |---|---|---|---|
//! | `Fences` | fence | fence | both are `SeqCst`, so one comes first |
//! | `Membarrier` | fence + membarrier | compiler fence, registered | the waker passes a barrier between (A)'s begin and its end: before its load, which then finds `v`, or after its stores, which the look then finds; there is no third place, since the compiler may not swap the two |
//! | `Membarrier` | fence + membarrier | fence, not registered | the fences alone, as in the first row |
//! | `Membarrier` | fence, membarrier failed | any | the first row with a waker that fences; with one that doesn't, a wake-up may be lost, so this sleep is no longer than [`UNHEARD`](super::UNHEARD) |
//! | `Fences` | fence | fence, registered or not | registration changes nothing |
//!
//! Wrong would be a sleeper of `Fences` with a waker of `Membarrier`. That is why a bus has one [`Barrier`], settled by its
//! launcher and handed to each party; none settles it for itself.

use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

use crate::word::{Ordering, compiler_fence, fence};

/// Who orders stores before loads while peers may park: one choice for all parties of a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// Sleepers and wakers pass a full fence each.
    Fences,
    /// The sleeper has the kernel pass a barrier in every waker, which pays nothing in its turn.
    ///
    /// The kernel interrupts each core that runs a registered process then, also those of wakers that nobody waits for.
    Membarrier,
}

impl Barrier {
    /// [`Barrier::Membarrier`] where this machine's kernel has it and lets this process use it.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let has = membarrier_query();
        let needed = [
            MembarrierCommand::GlobalExpedited,
            MembarrierCommand::RegisterGlobalExpedited,
        ];
        // A filter may let the query pass and not the command.
        let usable = needed
            .iter()
            .all(|&command| has.contains_command(command) && membarrier(command).is_ok());
        if usable {
            Self::Membarrier
        } else {
            Self::Fences
        }
    }

    /// (A). False if a waker may have missed what was stored before.
    pub(super) fn pass_in_sleeper(self) -> bool {
        self.pass_with(|| membarrier(MembarrierCommand::GlobalExpedited).is_ok())
    }

    pub(super) fn pass_with(self, everywhere: impl FnOnce() -> bool) -> bool {
        // For wakers that fence; and the kernel's barrier says nothing to the compiler.
        fence(Ordering::SeqCst);
        let heard = match self {
            Self::Fences => true,
            Self::Membarrier => everywhere(),
        };
        fence(Ordering::SeqCst);
        heard
    }
}

/// (B), as one process can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WakerBarrier {
    Fence,
    /// The sleepers' kernel calls reach this process.
    Registered,
}

impl WakerBarrier {
    /// Registers this process where `barrier` asks for it.
    ///
    /// Asked each time, not once a process: the kernel answers a second registration at once, and it alone knows whether a
    /// process that was forked or has replaced its program is registered.
    pub(super) fn new(barrier: Barrier) -> Self {
        match barrier {
            Barrier::Membarrier
                if membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok() =>
            {
                Self::Registered
            }
            Barrier::Membarrier | Barrier::Fences => Self::Fence,
        }
    }

    #[inline]
    pub(super) fn pass(self) {
        match self {
            Self::Fence => fence(Ordering::SeqCst),
            Self::Registered => compiler_fence(Ordering::SeqCst),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    const ROUNDS: u64 = 100_000;

    /// A word on cache lines of its own: a store to it takes a while if the other side looked at it last.
    #[repr(align(128))]
    #[derive(Default)]
    struct Line(AtomicU64);

    #[derive(Default)]
    struct Litmus {
        parked: Line,
        shown: Line,
        arrived: Line,
    }

    impl Litmus {
        /// Both sides begin the round together; it differs by how much.
        fn begin(&self, side: u64, round: u64) {
            self.arrived.0.fetch_add(1, Ordering::AcqRel);
            let mut looks = 0_u32;
            while self.arrived.0.load(Ordering::Acquire) < 2 * round {
                looks += 1;
                if looks.is_multiple_of(200) {
                    // There may be one core.
                    std::thread::yield_now();
                }
            }
            for _ in 0..(round * (3 + 4 * side)) % 32 {
                std::hint::spin_loop();
            }
        }

        /// In how many rounds a side stores `own` first, passes its barrier and then misses what the other one stored.
        fn play(&self, side: u64, own: &Line, other: &Line, barrier: impl Fn()) -> Vec<bool> {
            (1..=ROUNDS)
                .map(|round| {
                    self.begin(side, round);
                    own.0.store(round, Ordering::Relaxed);
                    barrier();
                    other.0.load(Ordering::Relaxed) < round
                })
                .collect()
        }

        fn run(barrier: Barrier) {
            let litmus = Self::default();
            let (parked, shown) = (&litmus.parked, &litmus.shown);
            let waker_barrier = WakerBarrier::new(barrier);
            let (sleeper, waker) = std::thread::scope(|scope| {
                let waker = scope.spawn(|| litmus.play(1, shown, parked, || waker_barrier.pass()));
                let sleeper = litmus.play(0, parked, shown, || {
                    assert!(barrier.pass_in_sleeper(), "the kernel's barrier failed");
                });
                (sleeper, waker.join().expect("no panic"))
            });
            let lost = sleeper.iter().zip(&waker).filter(|&(a, b)| *a && *b);
            let lost = lost.count();
            assert_eq!(lost, 0, "{barrier:?}: both sides missed the other's store");
        }
    }

    /// One after the other, so that two cores suffice for the sides to meet; a machine that has them finds a missing barrier
    /// in most runs, a single core in none.
    #[test]
    fn no_two_sides_miss_each_other() {
        for barrier in [Barrier::Fences, Barrier::of_this_machine()] {
            Litmus::run(barrier);
        }
    }
}
