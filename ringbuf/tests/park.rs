//! Sleepers and wakers on this machine's kernel and memory: nobody sleeps until his bound.
//!
//! The model shows that the order of accesses is right if a barrier is one; these show that the barriers are. Two threads
//! play ping-pong, each asleep until the other's word, and the bound is so long that one lost wake-up is plain to see.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use airssys_ringbuf::layout::{doorbells_section, pulse_section};
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::region::{
    Access, Expected, Region, RegionPlan, SectionEntry, SectionKind, boot_id,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

const ROUNDS: u64 = 20_000;
const BOUND: Duration = Duration::from_secs(10);

/// Two parties' regions, under a directory that goes with them.
struct Bus(PathBuf);

const OWNERS: [&str; 2] = ["left", "right"];

impl Bus {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("airssys-park-{}-{name}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        for owner in OWNERS {
            RegionPlan::new("park", owner, 0)
                .add(pulse_section())
                .add(doorbells_section(OWNERS.len()))
                .create(&path, owner, boot_id().unwrap())
                .unwrap();
        }
        Self(path)
    }

    fn open(&self, owner: usize, access: Access) -> Region {
        let expected = Expected {
            bus: "park",
            owner: OWNERS[owner],
            digest: 0,
            boot_id: boot_id().unwrap(),
        };
        Region::open(&self.0.join(OWNERS[owner]), access, &expected).unwrap()
    }

    /// A sleeper that listens to the other party.
    fn sleeper(&self, own: usize, barrier: Barrier) -> Sleeper {
        let region = self.open(own, Access::ReadWrite);
        let mut sleeper = Sleeper::new(&region, pulse(&region), barrier).unwrap();
        let peer = self.open(1 - own, Access::ReadOnly);
        sleeper.listen(&peer, doorbells(&peer), own).unwrap();
        sleeper
    }

    /// A waker that knows nobody yet.
    fn waker(&self, own: usize, barrier: Barrier) -> Waker {
        let region = self.open(own, Access::ReadWrite);
        Waker::new(&region, doorbells(&region), barrier).unwrap()
    }

    /// A waker of the other party.
    fn waker_of_peer(&self, own: usize, barrier: Barrier) -> Waker {
        let mut waker = self.waker(own, barrier);
        let peer = self.open(1 - own, Access::ReadOnly);
        waker.add(&peer, pulse(&peer), 1 - own).unwrap();
        waker
    }

    /// A waker that notifies the other party.
    fn notifier_of_peer(&self, own: usize, barrier: Barrier, object: &Arc<Notified>) -> Waker {
        let mut waker = self.waker(own, barrier);
        let peer = self.open(1 - own, Access::ReadOnly);
        let object = Arc::clone(object);
        let notify = Box::new(move || {
            object.notify();
            true
        });
        waker
            .add_notified(&peer, pulse(&peer), 1 - own, notify)
            .unwrap();
        waker
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pulse(region: &Region) -> &SectionEntry {
    region.section(SectionKind::Pulse, "pulse").unwrap()
}

fn doorbells(region: &Region) -> &SectionEntry {
    region.section(SectionKind::Doorbells, "doorbells").unwrap()
}

/// What each party has said, on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Said(AtomicU64);

impl Said {
    /// After this the wake-up has to order by itself: no stronger store does it on the side.
    fn say(&self, word: u64) {
        self.0.store(word, Ordering::Release);
    }

    fn is(&self, word: u64) -> bool {
        self.0.load(Ordering::Acquire) == word
    }
}

/// Looks for a while that differs from round to round, so that sleeps begin at all points of the other's turn.
fn spun(round: u64, has_news: impl Fn() -> bool) -> bool {
    (0..round * 7 % 64).any(|_| {
        std::hint::spin_loop();
        has_news()
    })
}

/// Takes a look for news, and says whether the sleep ended in time.
type Sleep = Box<dyn Fn(&dyn Fn() -> bool) -> bool + Send>;

fn ping_pong(wakers: [Waker; 2], sleeps: [Sleep; 2]) {
    let said: [Said; 2] = Default::default();
    std::thread::scope(|scope| {
        for (own, (waker, sleep)) in wakers.into_iter().zip(sleeps).enumerate() {
            let said = &said;
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    if own == 0 {
                        said[own].say(round);
                        waker.wake();
                    }
                    let has_news = || said[1 - own].is(round);
                    while !spun(round, has_news) && !has_news() {
                        let in_time = sleep(&has_news);
                        assert!(in_time, "{} missed {round}", OWNERS[own]);
                    }
                    if own == 1 {
                        said[own].say(round);
                        waker.wake();
                    }
                }
            });
        }
    });
}

fn on_doorbells(name: &str, barrier: Barrier) {
    let bus = Bus::new(name);
    ping_pong(
        [0, 1].map(|own| bus.waker_of_peer(own, barrier)),
        [0, 1].map(|own| {
            let sleeper = bus.sleeper(own, barrier);
            Box::new(move |has_news: &dyn Fn() -> bool| sleeper.park(BOUND, has_news)) as _
        }),
    );
}

#[test]
fn no_wake_up_is_lost_with_fences() {
    on_doorbells("fences", Barrier::Fences);
}

#[test]
fn no_wake_up_is_lost_with_what_this_machine_has() {
    on_doorbells("machine", Barrier::of_this_machine());
}

/// An eventfd, and how often it was notified.
struct Notified {
    descriptor: OwnedFd,
    count: AtomicU32,
}

impl Notified {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            descriptor: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap(),
            count: AtomicU32::new(0),
        })
    }

    fn notify(&self) {
        rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes()).unwrap();
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether it is notified within `bound`; takes the notification out.
    fn wait(&self, bound: Duration) -> bool {
        let mut polled = [PollFd::new(&self.descriptor, PollFlags::IN)];
        let bound = Timespec::try_from(bound).unwrap();
        let ready = poll(&mut polled, Some(&bound)).unwrap();
        if ready > 0 {
            rustix::io::read(&self.descriptor, &mut [0; 8]).unwrap();
        }
        ready > 0
    }
}

fn in_event_loops(name: &str, barrier: Barrier) {
    let bus = Bus::new(name);
    let objects = [0, 1].map(|_| Notified::new());
    let arms = [0, 1].map(|_| Arc::new(AtomicU32::new(0)));
    ping_pong(
        [0, 1].map(|own| bus.notifier_of_peer(own, barrier, &objects[1 - own])),
        [0, 1].map(|own| {
            let sleeper = bus.sleeper(own, barrier);
            let object = Arc::clone(&objects[own]);
            let arms = Arc::clone(&arms[own]);
            Box::new(move |has_news: &dyn Fn() -> bool| {
                arms.fetch_add(1, Ordering::Relaxed);
                let in_time = !sleeper.arm(has_news) || object.wait(BOUND);
                sleeper.disarm();
                in_time
            }) as _
        }),
    );
    for (object, arms) in objects.iter().zip(arms) {
        assert!(
            object.count() <= arms.load(Ordering::Relaxed),
            "more notifications than sleeps"
        );
    }
}

#[test]
fn no_notification_is_lost_with_fences() {
    in_event_loops("notify-fences", Barrier::Fences);
}

#[test]
fn no_notification_is_lost_with_what_this_machine_has() {
    in_event_loops("notify-machine", Barrier::of_this_machine());
}

#[test]
fn one_sleep_is_notified_once() {
    let bus = Bus::new("once");
    let object = Notified::new();
    let waker = bus.notifier_of_peer(1, Barrier::Fences, &object);
    let sleeper = bus.sleeper(0, Barrier::Fences);
    waker.wake();
    assert_eq!(object.count(), 0, "awake");
    assert!(!sleeper.arm(|| true), "there was news");
    waker.wake();
    assert_eq!(object.count(), 0, "not armed");
    for sleep in 1..=3 {
        assert!(sleeper.arm(|| false));
        waker.wake();
        waker.wake();
        assert_eq!(object.count(), sleep);
        assert!(object.wait(Duration::ZERO), "it stays pending");
        sleeper.disarm();
        waker.wake();
        assert_eq!(object.count(), sleep);
    }
    waker.wake_all();
    assert_eq!(object.count(), 4, "recovery notifies whoever is awake too");
}

#[test]
fn the_next_incarnations_sleep_is_another_one() {
    let bus = Bus::new("incarnation");
    let object = Notified::new();
    let waker = bus.notifier_of_peer(1, Barrier::Fences, &object);
    for incarnation in 1..=3 {
        let sleeper = bus.sleeper(0, Barrier::Fences);
        waker.wake();
        assert_eq!(object.count(), incarnation - 1, "a new sleeper is awake");
        assert!(sleeper.arm(|| false));
        waker.wake();
        assert_eq!(object.count(), incarnation);
        // It dies armed.
        drop(sleeper);
    }
}

#[test]
fn a_notified_peer_may_also_sleep_on_its_doorbell() {
    let bus = Bus::new("both");
    let object = Notified::new();
    let waker = bus.notifier_of_peer(1, Barrier::Fences, &object);
    let sleeper = bus.sleeper(0, Barrier::Fences);
    let looked = Cell::new(false);
    let in_time = sleeper.park(BOUND, || {
        // Rung between the snapshot and the wait: the wait ends at once.
        waker.wake();
        looked.replace(true)
    });
    assert!(in_time && looked.get());
    assert_eq!(object.count(), 0);
}

#[test]
fn a_bound_that_runs_out_is_told() {
    let bus = Bus::new("bound");
    let sleeper = bus.sleeper(0, Barrier::of_this_machine());
    assert!(!sleeper.park(Duration::from_millis(1), || false));
    assert!(sleeper.park(BOUND, || true));
}
