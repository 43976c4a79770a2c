//! Sleeping until a peer has done something, with no lock, and with no fence in a partition that nobody waits on.
//!
//! Each ordered pair of regions has a doorbell, a 32-bit futex word in the *waker's* region; the sleeper has one `parked` word
//! in its own. The order is the whole protocol:
//!
//! ```text
//! sleeper                                waker
//!   snapshot the doorbells                 ... stores everything it has to show ...
//!   parked = sleep << 2 | ASLEEP           barrier                           (B)
//!   barrier                       (A)      if parked is a sleep that it didn't ring for yet:
//!   look at everything again                 doorbell += 1, FUTEX_WAKE
//!   if nothing: wait on the doorbells
//!     while they are as in the snapshot
//!   parked = sleep << 2 | AWAKE
//! ```
//!
//! (A) and (B) are totally ordered; `barrier.rs` says by what. If (A) comes first the waker sees `parked`; it then changes the
//! doorbell, and a wait on the old value returns at once. If (B) comes first the second look sees what was stored. `AcqRel`
//! fences don't give that order; a look before `parked` leaves a gap; and so on: the model in `park/model.rs` shows each of
//! them losing a wake-up.
//!
//! # One ring for one sleep
//!
//! `parked` counts the sleeps, and a waker that has rung for one doesn't ring for it again, however many turns the sleeper
//! takes to get up. It may be skipped, since the doorbell changed after the snapshot: this sleep ends. What the waker shows
//! meanwhile is found before the next one, by (A) and (B) of that. So the snapshot has to be older than any ring for its sleep:
//! it comes before a `Release` store of `parked`, and the waker's load is an `Acquire`. (loom reorders no load behind a store,
//! so the model can't show that one.) And no two sleeps may look alike: the count goes on from what the word says, over
//! incarnations too, and takes 2^62 sleeps to come round.
//!
//! # Armed
//!
//! A sleeper that sleeps in somebody's event loop says `ARMED` for `ASLEEP`, and wakers notify an object that its loop waits on
//! (an eventfd, a FIFO) in place of the futex. There is no snapshot: a notification stays pending in that object until it is
//! taken out, which the sleeper may do at any time but between `arm` and its wait.
//!
//! # Crashes
//!
//! Doorbells outlive incarnations and are never reset: only equality counts. A crash of the sleeper leaves its last sleep in
//! `parked`, which costs each waker one system call. A crash of the waker between its stores and its doorbell leaves a sleeper
//! that looks again when its bound runs out, or when the waker's next incarnation rings every bell in recovery, whichever is
//! first.

mod barrier;
#[cfg(test)]
pub(crate) mod model;
mod sleeper;
mod waker;

use std::cell::Cell;

use crate::word::{Ordering, Word};

pub use barrier::Barrier;
pub use sleeper::{BELLS_MAX, Sleeper};
pub use waker::Waker;

/// How a sleeper sleeps: the lower bits of `parked`, below the count of sleeps.
pub(crate) const AWAKE: u64 = 0;
/// On its doorbells.
pub(crate) const ASLEEP: u64 = 1;
/// In an event loop.
pub(crate) const ARMED: u64 = 2;
const HOW: u64 = 3;

/// Says that the next sleep begins. `Release`: a snapshot taken before is older than any ring for this sleep.
#[inline]
fn lie_down<W: Word>(parked: &W, how: u64) {
    let count = (parked.load(Ordering::Relaxed) >> 2).wrapping_add(1);
    parked.store((count << 2) | how, Ordering::Release);
}

/// Says that the sleeper is awake, and keeps the count.
#[inline]
pub(crate) fn get_up<W: Word>(parked: &W) {
    let count = parked.load(Ordering::Relaxed) & !HOW;
    parked.store(count | AWAKE, Ordering::Relaxed);
}

/// The sleeper's half on doorbells, over any words: the order of its accesses.
///
/// `barrier` and `wait` hand on whether every waker is sure to see this sleep.
#[inline]
pub(crate) fn sleep<W: Word, S>(
    parked: &W,
    snapshot: impl FnOnce() -> S,
    barrier: impl FnOnce() -> bool,
    has_news: impl FnOnce() -> bool,
    wait: impl FnOnce(S, bool),
) {
    let seen = snapshot();
    lie_down(parked, ASLEEP);
    let heard = barrier();
    if !has_news() {
        wait(seen, heard);
    }
    get_up(parked);
}

/// The sleeper's half before it sleeps in an event loop; true if it may.
#[inline]
pub(crate) fn arm<W: Word>(
    parked: &W,
    barrier: impl FnOnce() -> bool,
    has_news: impl FnOnce() -> bool,
) -> bool {
    lie_down(parked, ARMED);
    let armed = barrier() && !has_news();
    if !armed {
        get_up(parked);
    }
    armed
}

/// The waker's half, after its barrier. `last` is the last sleep that this waker rang for; `ring` is told how the sleeper
/// sleeps, and says whether it could; if not, the next turn that shows something rings for the same sleep.
#[inline]
pub(crate) fn wake<W: Word>(parked: &W, last: &Cell<u64>, ring: impl FnOnce(u64) -> bool) {
    let seen = parked.load(Ordering::Acquire);
    if seen & HOW != AWAKE && seen != last.get() && ring(seen & HOW) {
        last.set(seen);
    }
}
