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
