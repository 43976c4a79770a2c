//! Sleeper and waker under loom, over the ring's own ends: no order of their accesses loses a wake-up.
//!
//! The kernel's part is modelled by [`Kernel`]: doorbells, compared under a lock, and waiters that are woken by the bells they
//! wait on alone. A wake-up is lost when the sleeper waits on though its last waker has gone; there is no time and so no
//! bound on the sleep here. Each shortcut in [`Mistake`] has to lose one.
//!
//! The tests with two wakers explore executions with at most three preemptions; the others are explored in full.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use loom::sync::atomic::{AtomicU64, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::park::{sleep, wake};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::model::{LoomWord, Mistake as Storage, Modelled, ring, stage, take};
use crate::ring::outlet::{Outlet, Refusal};
use crate::word::Ordering;

/// What is wrong with a sleeper or with its waker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Nothing,
    /// The sleeper's fence is `AcqRel`.
    WeakSleeper,
    /// The waker's fence is `AcqRel`.
    WeakWaker,
    /// The waker has no fence.
    NoWakerFence,
    /// The sleeper has no fence.
    NoSleeperFence,
    /// The sleeper looks before it says that it is parked.
    LookFirst,
    /// The sleeper takes its snapshot when it begins to wait.
    LateSnapshot,
    /// The sleeper waits on the first doorbell alone.
    OneBell,
    /// The sleeper looks at its copy of the credit.
    CachedCredit,
}

/// Doorbells and the kernel's wait on several of them.
struct Kernel {
    bells: Vec<AtomicU64>,
    waiter: Mutex<Waiter>,
    changed: Condvar,
}

/// What the kernel knows under its lock.
struct Waiter {
    /// Which bells the sleeper waits on at present.
    watched: Vec<bool>,
    /// Wakers that may still ring.
    wakers: usize,
}

impl Kernel {
    fn new(bells: usize) -> Self {
        Self {
            bells: (0..bells).map(|_| AtomicU64::new(0)).collect(),
            waiter: Mutex::new(Waiter {
                watched: vec![false; bells],
                wakers: bells,
            }),
            changed: Condvar::new(),
        }
    }

    fn snapshot(&self, bells: usize) -> Vec<u64> {
        let load = |bell: &AtomicU64| bell.load(Ordering::Relaxed);
        self.bells[..bells].iter().map(load).collect()
    }

    fn wait(&self, seen: &[u64]) {
        let mut waiter = self.waiter.lock().unwrap();
        if self.snapshot(seen.len()) != seen {
            return;
        }
        waiter.watched[..seen.len()].fill(true);
        while waiter.watched[0] && waiter.wakers > 0 {
            waiter = self.changed.wait(waiter).unwrap();
        }
        let lost = waiter.watched[0];
        drop(waiter);
        assert!(!lost, "lost wake-up");
    }

    fn ring(&self, index: usize) {
        let bell = &self.bells[index];
        bell.store(bell.load(Ordering::Relaxed) + 1, Ordering::Release);
        let mut waiter = self.waiter.lock().unwrap();
        if waiter.watched[index] {
            waiter.watched.fill(false);
            self.changed.notify_all();
        }
    }

    /// A waker has done all it will do.
    fn leave(&self) {
        self.waiter.lock().unwrap().wakers -= 1;
        self.changed.notify_all();
    }
}

/// What a sleeper and its wakers share.
struct Shared {
    parked: LoomWord,
    kernel: Kernel,
    mistake: Mistake,
}

impl Shared {
    fn new(bells: usize, mistake: Mistake) -> Arc<Self> {
        Arc::new(Self {
            parked: LoomWord::new(),
            kernel: Kernel::new(bells),
            mistake,
        })
    }

    /// The fence of one side, and which mistakes weaken it or leave it out.
    fn fence(&self, weak: Mistake, none: Mistake) {
        if self.mistake == weak {
            fence(Ordering::AcqRel);
        } else if self.mistake != none {
            fence(Ordering::SeqCst);
        }
    }

    fn sleep(&self, has_news: impl Fn() -> bool) {
        let watched = if self.mistake == Mistake::OneBell {
            1
        } else {
            self.kernel.bells.len()
        };
        let early = (self.mistake == Mistake::LookFirst).then(&has_news);
        sleep(
            &self.parked,
            || self.kernel.snapshot(watched),
            || self.fence(Mistake::WeakSleeper, Mistake::NoSleeperFence),
            || early.unwrap_or_else(has_news),
            |seen| {
                if self.mistake == Mistake::LateSnapshot {
                    self.kernel.wait(&self.kernel.snapshot(watched));
                } else {
                    self.kernel.wait(&seen);
                }
            },
        );
    }

    /// The last thing that a waker does.
    fn wake(&self, bell: usize) {
        self.fence(Mistake::WeakWaker, Mistake::NoWakerFence);
        wake(&self.parked, || self.kernel.ring(bell));
        self.kernel.leave();
    }
}

fn explore(preemptions: Option<usize>, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(run);
}

fn send_and_wake(outlet: &Outlet<Modelled>, shared: &Shared, bell: usize) {
    stage(outlet).unwrap();
    outlet.publish();
    shared.wake(bell);
}

/// One message and one sleeper that waits for it.
fn message(mistake: Mistake) {
    explore(None, move || {
        let shared = Shared::new(1, mistake);
        let (outlet, inlet) = ring(1, Storage::Nothing);
        let waker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || send_and_wake(&outlet, &shared, 0)
        });
        while take(&inlet) == Peek::Empty {
            shared.sleep(|| has_message(&inlet));
        }
        waker.join().unwrap();
    });
}

/// A fresh look at the inlet's own words.
fn has_message(inlet: &Inlet<Modelled>) -> bool {
    inlet.ready_from(inlet.cursor()) > inlet.cursor()
}

/// A full ring, and a sleeper that waits for room on it.
fn credit(mistake: Mistake) {
    explore(None, move || {
        let shared = Shared::new(1, mistake);
        let (outlet, inlet) = ring(1, Storage::Nothing);
        stage(&outlet).unwrap();
        outlet.publish();
        let waker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                assert_eq!(take(&inlet), Peek::Ready(0));
                inlet.commit();
                assert!(inlet.settle(true));
                shared.wake(0);
            }
        });
        while let Err(refusal) = stage(&outlet) {
            assert_eq!(refusal, Refusal::Full);
            shared.sleep(|| mistake != Mistake::CachedCredit && outlet.has_news());
        }
        waker.join().unwrap();
    });
}

/// Two partitions that each send one message, and a sleeper that waits for both.
fn two_wakers(mistake: Mistake) {
    explore(Some(3), move || {
        let shared = Shared::new(2, mistake);
        let (outlets, inlets): (Vec<_>, Vec<Inlet<_>>) =
            (0..2).map(|_| ring(1, Storage::Nothing)).unzip();
        for (bell, outlet) in outlets.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || send_and_wake(&outlet, &shared, bell));
        }
        let mut received = 0;
        while received < 2 {
            let ready = |inlet: &&Inlet<_>| matches!(take(inlet), Peek::Ready(_));
            let taken = inlets.iter().filter(ready).count();
            received += taken;
            if taken == 0 {
                shared.sleep(|| inlets.iter().any(has_message));
            }
        }
    });
}

#[test]
fn no_message_is_slept_through() {
    message(Mistake::Nothing);
}

#[test]
fn no_credit_is_slept_through() {
    credit(Mistake::Nothing);
}

#[test]
fn neither_of_two_wakers_is_slept_through() {
    two_wakers(Mistake::Nothing);
}

macro_rules! loses_wake_up {
    ($($name:ident: $scenario:ident, $mistake:ident;)*) => {$(
        #[test]
        #[should_panic(expected = "lost wake-up")]
        fn $name() {
            $scenario(Mistake::$mistake);
        }
    )*};
}

loses_wake_up! {
    an_acq_rel_fence_of_the_sleeper_is_found: message, WeakSleeper;
    an_acq_rel_fence_of_the_waker_is_found: message, WeakWaker;
    a_missing_fence_of_the_sleeper_is_found: message, NoSleeperFence;
    a_missing_fence_of_the_waker_is_found: message, NoWakerFence;
    a_look_before_parked_is_found: message, LookFirst;
    a_late_snapshot_is_found: message, LateSnapshot;
    one_doorbell_of_two_is_found: two_wakers, OneBell;
    an_acq_rel_fence_of_the_sleeper_loses_credit: credit, WeakSleeper;
    an_acq_rel_fence_of_the_waker_loses_credit: credit, WeakWaker;
    a_look_at_the_cached_credit_is_found: credit, CachedCredit;
}
