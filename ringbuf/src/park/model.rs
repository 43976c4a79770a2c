//! Sleeper and waker under loom, over the ring's own ends: no order of their accesses loses a wake-up.
//!
//! The kernel's part is modelled by [`Kernel`]: doorbells, compared under a lock, and waiters that are woken by the bells they
//! wait on alone. A wake-up is lost when the sleeper waits on though its last waker has gone; there is no time and so no
//! bound on the sleep here. Each shortcut in [`Mistake`] has to lose one.
//!
//! A barrier is a `SeqCst` fence on both sides, also where it stands for `membarrier`: loom has none, and that the sleeper's
//! call is as good as a fence in the waker is the kernel's promise. What is left if the kernel breaks it, or if a waker relies
//! on it that isn't registered, is [`Mistake::NoWakerFence`]. Nor does loom reorder a load behind a store, so that the
//! `Release` of `parked` after the snapshot shows in no test.
//!
//! Tests with two wakers or two messages explore executions with at most three preemptions, four with `AIRSSYS_LOOM=deep` in the environment;
//! the others are explored in full.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use std::cell::Cell;

use loom::sync::atomic::{AtomicU64, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::park::{ARMED, arm, get_up, sleep, wake};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::model::{LoomWord, Mistake as Storage, Modelled, deeper, ring, stage, take};
use crate::ring::outlet::{Outlet, Refusal};
use crate::word::{Ordering, Word};

/// What is wrong with a sleeper or with its waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
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
    /// The sleeper forgets its count: each sleep looks like the one before, for which the waker has rung.
    SameCount,
    /// Two wakers with one doorbell load and store it.
    TornBell,
    /// The sleeper takes out notifications after it has armed.
    LateTake,
    /// The notified object forgets a notification that nobody waits for.
    EdgeTriggered,
}

/// Doorbells and the kernel's wait on several of them.
pub(crate) struct Kernel {
    bells: Vec<AtomicU64>,
    waiter: Mutex<Waiter>,
    changed: Condvar,
}

/// What the kernel knows under its lock.
struct Waiter {
    /// Which bells the sleeper waits on at present.
    watched: Vec<bool>,
    /// Whether the sleeper waits in its event loop.
    polling: bool,
    /// Whether the notified object has something to take out.
    notified: bool,
    /// Wakers that may still ring.
    wakers: usize,
}

impl Kernel {
    fn new(bells: usize, wakers: usize) -> Self {
        Self {
            bells: (0..bells).map(|_| AtomicU64::new(0)).collect(),
            waiter: Mutex::new(Waiter {
                watched: vec![false; bells],
                polling: false,
                notified: false,
                wakers,
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

    fn ring(&self, index: usize, torn: bool) {
        let bell = &self.bells[index];
        if torn {
            bell.store(bell.load(Ordering::Relaxed) + 1, Ordering::Release);
        } else {
            bell.fetch_add(1, Ordering::Release);
        }
        let mut waiter = self.waiter.lock().unwrap();
        if waiter.watched[index] {
            waiter.watched.fill(false);
            self.changed.notify_all();
        }
    }

    /// Waits until the object is notified.
    fn poll(&self) {
        let mut waiter = self.waiter.lock().unwrap();
        waiter.polling = true;
        while !waiter.notified && waiter.wakers > 0 {
            waiter = self.changed.wait(waiter).unwrap();
        }
        waiter.polling = false;
        let lost = !waiter.notified;
        drop(waiter);
        assert!(!lost, "lost wake-up");
    }

    fn take_out(&self) {
        self.waiter.lock().unwrap().notified = false;
    }

    fn notify(&self, edge_triggered: bool) {
        let mut waiter = self.waiter.lock().unwrap();
        waiter.notified = waiter.polling || !edge_triggered;
        self.changed.notify_all();
    }

    /// A waker has done all it will do.
    pub(crate) fn leave(&self) {
        self.waiter.lock().unwrap().wakers -= 1;
        self.changed.notify_all();
    }
}

/// What a sleeper and its wakers share.
pub(crate) struct Shared {
    parked: LoomWord,
    pub(crate) kernel: Kernel,
    mistake: Mistake,
}

impl Shared {
    pub(crate) fn new(bells: usize, wakers: usize, mistake: Mistake) -> Arc<Self> {
        Arc::new(Self {
            parked: LoomWord::new(),
            kernel: Kernel::new(bells, wakers),
            mistake,
        })
    }

    /// The barrier of one side, and which mistakes weaken it or leave it out.
    fn barrier(&self, weak: Mistake, none: Mistake) -> bool {
        if self.mistake == weak {
            fence(Ordering::AcqRel);
        } else if self.mistake != none {
            fence(Ordering::SeqCst);
        }
        true
    }

    fn barrier_of_sleeper(&self) -> bool {
        self.barrier(Mistake::WeakSleeper, Mistake::NoSleeperFence)
    }

    pub(crate) fn sleep(&self, has_news: impl Fn() -> bool) {
        let watched = if self.mistake == Mistake::OneBell {
            1
        } else {
            self.kernel.bells.len()
        };
        let early = (self.mistake == Mistake::LookFirst).then(&has_news);
        sleep(
            &self.parked,
            || self.kernel.snapshot(watched),
            || self.barrier_of_sleeper(),
            || early.unwrap_or_else(has_news),
            |seen, _| {
                if self.mistake == Mistake::LateSnapshot {
                    self.kernel.wait(&self.kernel.snapshot(watched));
                } else {
                    self.kernel.wait(&seen);
                }
            },
        );
        self.forget();
    }

    /// The same in an event loop.
    fn sleep_armed(&self, has_news: impl Fn() -> bool) {
        if self.mistake != Mistake::LateTake {
            self.kernel.take_out();
        }
        if arm(&self.parked, || self.barrier_of_sleeper(), has_news) {
            if self.mistake == Mistake::LateTake {
                self.kernel.take_out();
            }
            self.kernel.poll();
            get_up(&self.parked);
        }
        self.forget();
    }

    fn forget(&self) {
        if self.mistake == Mistake::SameCount {
            self.parked.store(0, Ordering::Relaxed);
        }
    }

    /// What ends a waker's turn; `last` is that waker's memory.
    pub(crate) fn wake(&self, bell: usize, last: &Cell<u64>) {
        self.barrier(Mistake::WeakWaker, Mistake::NoWakerFence);
        wake(&self.parked, last, |how| {
            if how == ARMED {
                self.kernel.notify(self.mistake == Mistake::EdgeTriggered);
            } else {
                self.ring(bell);
            }
            true
        });
    }

    pub(crate) fn ring(&self, bell: usize) {
        self.kernel.ring(bell, self.mistake == Mistake::TornBell);
    }
}

pub(crate) fn explore(preemptions: Option<usize>, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions.map(deeper);
    model.check(run);
}

/// A waker that sends some messages, each in a turn of its own, and goes.
fn send_and_wake(outlet: &Outlet<Modelled>, messages: usize, shared: &Shared, bell: usize) {
    let last = Cell::new(0);
    for _ in 0..messages {
        stage(outlet).unwrap();
        outlet.publish();
        shared.wake(bell, &last);
    }
    shared.kernel.leave();
}

/// How a sleeper of the model sleeps.
type Sleep = fn(&Shared, &Inlet<Modelled>);

fn on_doorbells(shared: &Shared, inlet: &Inlet<Modelled>) {
    shared.sleep(|| has_message(inlet));
}

fn in_event_loop(shared: &Shared, inlet: &Inlet<Modelled>) {
    shared.sleep_armed(|| has_message(inlet));
}

/// Some messages from one waker, and one sleeper that waits for each.
fn messages(count: usize, preemptions: Option<usize>, sleep: Sleep, mistake: Mistake) {
    explore(preemptions, move || {
        let shared = Shared::new(1, 1, mistake);
        let (outlet, inlet) = ring(2, Storage::Nothing);
        let waker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || send_and_wake(&outlet, count, &shared, 0)
        });
        for _ in 0..count {
            while take(&inlet) == Peek::Empty {
                sleep(&shared, &inlet);
            }
        }
        waker.join().unwrap();
    });
}

/// One message and one sleeper that waits for it.
fn message(mistake: Mistake) {
    messages(1, None, on_doorbells, mistake);
}

/// Two messages: what is shown in a sleep that the waker rang for already, and in the next one.
fn two_messages(mistake: Mistake) {
    messages(2, Some(3), on_doorbells, mistake);
}

fn armed_message(mistake: Mistake) {
    messages(1, None, in_event_loop, mistake);
}

fn two_armed_messages(mistake: Mistake) {
    messages(2, Some(3), in_event_loop, mistake);
}

/// A fresh look at the inlet's own words.
fn has_message(inlet: &Inlet<Modelled>) -> bool {
    inlet.ready_from(inlet.cursor()) > inlet.cursor()
}

/// A full ring, and a sleeper that waits for room on it.
fn credit(mistake: Mistake) {
    explore(None, move || {
        let shared = Shared::new(1, 1, mistake);
        let (outlet, inlet) = ring(1, Storage::Nothing);
        stage(&outlet).unwrap();
        outlet.publish();
        let waker = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                assert_eq!(take(&inlet), Peek::Ready(0));
                inlet.commit();
                assert!(inlet.settle(true));
                shared.wake(0, &Cell::new(0));
                shared.kernel.leave();
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
        let shared = Shared::new(2, 2, mistake);
        let (outlets, inlets): (Vec<_>, Vec<Inlet<_>>) =
            (0..2).map(|_| ring(1, Storage::Nothing)).unzip();
        for (bell, outlet) in outlets.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || send_and_wake(&outlet, 1, &shared, bell));
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

/// Two host ports of one process, on one doorbell. Both ring for a sleep that is over, one of them has something to show after
/// that: a word, since a ring on top is too much to explore.
fn shared_bell(mistake: Mistake) {
    explore(Some(3), move || {
        let shared = Shared::new(1, 2, mistake);
        let late = Arc::clone(&shared);
        thread::spawn(move || {
            late.ring(0);
            late.kernel.leave();
        });
        let shown = Arc::new(LoomWord::new());
        let (waker, show) = (Arc::clone(&shared), Arc::clone(&shown));
        thread::spawn(move || {
            waker.ring(0);
            show.store(1, Ordering::Release);
            waker.wake(0, &Cell::new(0));
            waker.kernel.leave();
        });
        let has_news = || shown.load(Ordering::Acquire) == 1;
        while !has_news() {
            shared.sleep(has_news);
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

#[test]
fn no_second_message_is_slept_through() {
    two_messages(Mistake::Nothing);
}

#[test]
fn no_message_is_slept_through_in_an_event_loop() {
    armed_message(Mistake::Nothing);
}

#[test]
fn no_second_message_is_slept_through_in_an_event_loop() {
    two_armed_messages(Mistake::Nothing);
}

#[test]
fn no_waker_on_a_shared_doorbell_is_slept_through() {
    shared_bell(Mistake::Nothing);
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
    a_sleep_like_the_last_one_is_found: two_messages, SameCount;
    two_that_tear_one_doorbell_are_found: shared_bell, TornBell;
    an_acq_rel_fence_of_an_armed_sleeper_is_found: armed_message, WeakSleeper;
    an_acq_rel_fence_of_a_notifying_waker_is_found: armed_message, WeakWaker;
    a_notification_taken_out_after_arming_is_found: armed_message, LateTake;
    a_notification_that_does_not_stay_is_found: armed_message, EdgeTriggered;
    an_armed_sleep_like_the_last_one_is_found: two_armed_messages, SameCount;
}
