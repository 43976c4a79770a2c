//! Hints under loom: no message of a link that is looked at only when somebody hints at it stays unseen, and no wake-up for
//! one is lost.
//!
//! One partition sends on two links to one receiver. What runs are the hints of `hints.rs`, both halves of the parking
//! protocol, over the kernel of `park/model.rs`, and the ring's own ends. The order of a commit (messages, hints, bells) and
//! the receiver's queue are written down here once more, as in `commit.rs` and `fan_in.rs`.
//!
//! Executions have at most so many preemptions as each scene says, one more where the environment says `AIRSSYS_LOOM=deep`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use loom::sync::Arc;
use loom::thread;

use super::{HintReader, Hints};
use crate::layout::hint_word;
use crate::park::model::{Mistake as Parking, Shared, explore};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::model::{LoomWord, Mistake as Storage, Modelled, ring, stage, take};
use crate::ring::outlet::Outlet;
use crate::word::{Ordering, Run, Word};

/// What is wrong with the sender, its hints or the receiver's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    Nothing,
    /// The hint comes before what it is about.
    HintBeforePublish,
    /// The hint comes after the look at who sleeps.
    HintAfterWake,
    /// The count is stored with no release.
    RelaxedCount,
    /// The count is loaded with no acquire.
    RelaxedLook,
    /// A number is read whatever has become of it meanwhile.
    OneLook,
    /// What came while hints were read counts as read.
    ReadToNow,
    /// The next life doesn't put the reader behind.
    NoOverflow,
    /// It puts it behind by what the ring holds, less one.
    ShortOverflow,
    /// The close comes with no hint.
    SilentClose,
    /// A link leaves the queue when it is found empty, whatever becomes of the step.
    LeftAtOnce,
    /// A sleeper's or a waker's own.
    Parked(Parking),
}

/// Words of hints, with or without their fences.
#[derive(Clone)]
struct Section<const RELEASE: bool, const ACQUIRE: bool>(Arc<Vec<Fenced<RELEASE, ACQUIRE>>>);

/// A word of theirs.
struct Fenced<const RELEASE: bool, const ACQUIRE: bool>(LoomWord);

impl<const RELEASE: bool, const ACQUIRE: bool> Word for Fenced<RELEASE, ACQUIRE> {
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(order)
    }

    fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, order);
    }

    fn fence(order: Ordering) {
        if RELEASE && order == Ordering::Release || ACQUIRE && order == Ordering::Acquire {
            LoomWord::fence(order);
        }
    }
}

impl<const RELEASE: bool, const ACQUIRE: bool> Section<RELEASE, ACQUIRE> {
    fn new(capacity: usize, mistake: Mistake) -> Self {
        let relaxed_load = mistake == Mistake::RelaxedLook;
        let count = LoomWord::weak(relaxed_load, mistake == Mistake::RelaxedCount);
        let numbers = (0..capacity).map(|_| LoomWord::new());
        let words = std::iter::once(count).chain(numbers).map(Fenced);
        Self(Arc::new(words.collect()))
    }
}

impl<const RELEASE: bool, const ACQUIRE: bool> Run for Section<RELEASE, ACQUIRE> {
    type Word = Fenced<RELEASE, ACQUIRE>;

    fn at(&self, index: usize) -> &Self::Word {
        match index.checked_sub(hint_word::NUMBERS) {
            Some(number) => &self.0[1 + number],
            None if index == hint_word::COUNT => &self.0[0],
            None => panic!("a word of padding"),
        }
    }
}

/// The sending partition.
struct Sending<R> {
    hints: Hints<R>,
    links: [Outlet<Modelled>; 2],
    shared: Arc<Shared>,
    /// The last sleep that it rang for.
    last: Cell<u64>,
    mistake: Mistake,
}

impl<R: Run> Sending<R> {
    /// What a step shows of one link.
    fn publish(&self, link: usize) {
        if self.mistake == Mistake::HintBeforePublish {
            self.hints.push(link as u32);
        }
        stage(&self.links[link]).unwrap();
        self.links[link].publish();
        if !matches!(
            self.mistake,
            Mistake::HintBeforePublish | Mistake::HintAfterWake
        ) {
            self.hints.push(link as u32);
        }
    }

    /// A turn in which that is all.
    fn turn(&self, link: usize) {
        self.publish(link);
        self.wake();
        if self.mistake == Mistake::HintAfterWake {
            self.hints.push(link as u32);
        }
    }

    fn wake(&self) {
        self.shared.wake(0, &self.last);
    }

    /// What a life does first, after one that was killed between a message and its hint.
    fn recover(&self, link: usize) {
        self.links[link].publish_range(0, 1);
        self.put_behind();
        self.shared.ring(0);
    }

    fn put_behind(&self) {
        match self.mistake {
            Mistake::NoOverflow => {}
            Mistake::ShortOverflow => {
                let count = self.hints.words.at(hint_word::COUNT);
                let at = count.load(Ordering::Relaxed);
                count.store(at + self.hints.capacity - 1, Ordering::Release);
            }
            _ => self.hints.overflow(),
        }
    }

    fn close(&self, link: usize) {
        self.links[link].close();
        if self.mistake != Mistake::SilentClose {
            self.put_behind();
        }
        self.wake();
    }
}

/// The receiver: a queue of links that may have something.
struct Receiving<R> {
    reader: HintReader<R>,
    links: [Inlet<Modelled>; 2],
    queue: RefCell<Queue>,
    shared: Arc<Shared>,
    mistake: Mistake,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<usize>,
    emptied: Vec<usize>,
    queued: [bool; 2],
    closed: [bool; 2],
}

impl Queue {
    fn enter(&mut self, link: usize) {
        if !self.queued[link] && !self.closed[link] {
            self.queued[link] = true;
            self.ready.push_back(link);
        }
    }
}

impl<R: Run> Receiving<R> {
    fn received(&self) -> u64 {
        self.links.iter().map(Inlet::committed).sum()
    }

    fn has_closed(&self, link: usize) -> bool {
        self.queue.borrow().closed[link]
    }

    fn look(&self, link: usize) {
        if self.links[link].is_ready_at(self.links[link].cursor()) {
            self.queue.borrow_mut().enter(link);
        } else if self.links[link].is_closed() {
            self.queue.borrow_mut().closed[link] = true;
        }
    }

    fn read_hints(&self) {
        if !self.reader.has_news() {
            return;
        }
        let hint = |number| self.queue.borrow_mut().enter(number as usize);
        let complete = match self.mistake {
            Mistake::OneLook | Mistake::ReadToNow => self.read_wrongly(hint),
            _ => self.reader.read(hint),
        };
        if !complete {
            for link in 0..self.links.len() {
                if !self.queue.borrow().queued[link] {
                    self.look(link);
                }
            }
        }
    }

    fn read_wrongly(&self, mut hint: impl FnMut(u64)) -> bool {
        let reader = &self.reader;
        let (from, to) = (reader.read.get(), reader.count(Ordering::Acquire));
        let complete = to.wrapping_sub(from) < reader.capacity;
        if complete {
            for at in from..to {
                let place = hint_word::NUMBERS + (at % reader.capacity) as usize;
                hint(reader.words.at(place).load(Ordering::Relaxed));
            }
        }
        R::Word::fence(Ordering::Acquire);
        let now = reader.count(Ordering::Relaxed);
        let late = self.mistake == Mistake::ReadToNow;
        reader.read.set(if late { now } else { to });
        complete && (!late || now.wrapping_sub(from) < reader.capacity)
    }

    /// Takes everything that there is, and commits it or not; whether there was anything.
    fn step(&self, commits: bool) -> bool {
        let emptied = std::mem::take(&mut self.queue.borrow_mut().emptied);
        for link in emptied {
            self.queue.borrow_mut().queued[link] = false;
            self.look(link);
        }
        self.read_hints();
        let mut took = false;
        while let Some(link) = self.front() {
            match take(&self.links[link]) {
                Peek::Ready(_) => took = true,
                Peek::Empty => self.leave(link),
                other @ (Peek::Limited | Peek::Shut | Peek::Fault(_)) => panic!("{other:?}"),
            }
        }
        for link in &self.links {
            if commits {
                link.commit();
            } else {
                link.rewind();
            }
        }
        took
    }

    fn front(&self) -> Option<usize> {
        if self.queue.borrow().ready.is_empty() {
            self.read_hints();
        }
        self.queue.borrow().ready.front().copied()
    }

    fn leave(&self, link: usize) {
        let mut queue = self.queue.borrow_mut();
        queue.ready.pop_front();
        if self.mistake == Mistake::LeftAtOnce {
            queue.queued[link] = false;
        } else {
            queue.emptied.push(link);
        }
    }

    fn sleep(&self) {
        self.shared.sleep(|| self.reader.has_unseen());
    }

    /// Steps, and sleeps after each that found nothing, until that is the case.
    fn live_until(&self, over: impl Fn(&Self) -> bool) {
        while !over(self) {
            if !self.step(true) && !over(self) {
                self.sleep();
            }
        }
    }
}

type Ends<R> = (Sending<R>, Receiving<R>);

/// What runs.
#[derive(Clone, Copy)]
struct Scene {
    /// Numbers that the ring of hints holds.
    hints: usize,
    preemptions: Option<usize>,
    mistake: Mistake,
}

impl Scene {
    const fn new(hints: usize, preemptions: Option<usize>) -> Self {
        Self {
            hints,
            preemptions,
            mistake: Mistake::Nothing,
        }
    }

    const fn with(self, mistake: Mistake) -> Self {
        Self { mistake, ..self }
    }

    /// Both ends of two links, of which the receiver has had its first look at all.
    fn ends<const RELEASE: bool, const ACQUIRE: bool>(self) -> Ends<Section<RELEASE, ACQUIRE>> {
        let parking = match self.mistake {
            Mistake::Parked(mistake) => mistake,
            _ => Parking::Nothing,
        };
        let shared = Shared::new(1, 1, parking);
        let words = Section::new(self.hints, self.mistake);
        let [(to0, from0), (to1, from1)] = [(); 2].map(|()| ring(2, Storage::Nothing));
        let sending = Sending {
            hints: Hints {
                words: words.clone(),
                capacity: self.hints as u64,
            },
            links: [to0, to1],
            shared: Arc::clone(&shared),
            last: Cell::new(0),
            mistake: self.mistake,
        };
        let receiving = Receiving {
            reader: HintReader::over(words, self.hints as u64),
            links: [from0, from1],
            queue: RefCell::default(),
            shared,
            mistake: self.mistake,
        };
        assert!(!receiving.step(true), "nothing was sent");
        (sending, receiving)
    }

    /// What the sender does, the receiver meanwhile, and what holds when both are over.
    ///
    /// Once with each of them on a thread of its own: where a thread loads its own word before it stores it, as the sender does
    /// with the count, loom doesn't come back to a load of the other's in between.
    fn explore<const RELEASE: bool, const ACQUIRE: bool>(
        self,
        send: fn(&Sending<Section<RELEASE, ACQUIRE>>),
        receive: fn(&Receiving<Section<RELEASE, ACQUIRE>>),
        after: fn(&Receiving<Section<RELEASE, ACQUIRE>>),
    ) {
        let send = move |sending: &Sending<_>| {
            send(sending);
            sending.shared.kernel.leave();
        };
        explore(self.preemptions, move || {
            let (sending, receiving) = self.ends();
            let sender = thread::spawn(move || send(&sending));
            receive(&receiving);
            sender.join().unwrap();
            after(&receiving);
        });
        explore(self.preemptions, move || {
            let (sending, receiving) = self.ends();
            let receiver = thread::spawn(move || {
                receive(&receiving);
                receiving
            });
            send(&sending);
            after(&receiver.join().unwrap());
        });
    }

    /// A message on each link, each in a turn of its own, to a receiver that sleeps when it finds nothing.
    fn slept_for(self) {
        self.explore::<true, true>(
            |sending| (0..2).for_each(|link| sending.turn(link)),
            |receiving| receiving.live_until(|receiving| receiving.received() == 2),
            |_| (),
        );
    }

    /// The same, and the first step that finds something is aborted.
    fn aborted_once(self) {
        self.explore::<true, true>(
            |sending| (0..2).for_each(|link| sending.turn(link)),
            |receiving| {
                while !receiving.step(false) {
                    receiving.sleep();
                }
                receiving.live_until(|receiving| receiving.received() == 2);
            },
            |_| (),
        );
    }

    /// A life that begins after one which was killed between a message and its hint.
    fn killed_before_its_hint(self) {
        self.explore::<true, true>(
            |sending| {
                stage(&sending.links[1]).unwrap();
                sending.links[1].publish();
                sending.recover(1);
            },
            |receiving| receiving.live_until(|receiving| receiving.received() == 1),
            |_| (),
        );
    }

    /// A message, and the end of its sender.
    fn closed(self) {
        self.explore::<true, true>(
            |sending| {
                sending.publish(1);
                sending.close(1);
            },
            |receiving| receiving.live_until(|receiving| receiving.has_closed(1)),
            |receiving| assert_eq!(receiving.received(), 1, "closed after the last message"),
        );
    }

    /// More hints than the ring holds, while they are read: whatever isn't found meanwhile is found after. All of them in one
    /// step, which has claimed its slots before: a claim passes a fence, which would stand for the hint's own.
    fn lapped<const RELEASE: bool, const ACQUIRE: bool>(self) {
        self.explore::<RELEASE, ACQUIRE>(
            |sending| {
                for link in [1, 0] {
                    stage(&sending.links[link]).unwrap();
                }
                for link in [1, 0] {
                    sending.links[link].publish();
                    sending.hints.push(link as u32);
                }
                sending.hints.push(0);
            },
            |receiving| _ = receiving.step(true),
            |receiving| {
                while receiving.step(true) {}
                assert_eq!(receiving.received(), 2, "a hint was lost");
            },
        );
    }
}

const SLEPT_FOR: Scene = Scene::new(4, Some(3));
const SMALL: Scene = Scene::new(2, Some(3));
const LAPPED: Scene = Scene::new(2, None);

#[test]
fn no_hint_is_slept_through() {
    SLEPT_FOR.slept_for();
}

#[test]
fn no_hint_is_slept_through_that_finds_its_ring_full() {
    SMALL.slept_for();
}

#[test]
fn an_aborted_step_finds_its_links_again() {
    SLEPT_FOR.aborted_once();
}

#[test]
fn a_life_tells_what_the_last_one_did_not() {
    SMALL.killed_before_its_hint();
}

#[test]
fn no_close_is_slept_through() {
    SMALL.closed();
}

#[test]
fn hints_that_are_overwritten_are_missed_and_not_misread() {
    LAPPED.lapped::<true, true>();
}

macro_rules! finds {
    ($($name:ident: $scene:ident.$run:ident, $mistake:expr, $expected:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $expected)]
        fn $name() {
            use Mistake::*;
            $scene.with($mistake).$run();
        }
    )*};
}

finds! {
    a_hint_before_its_message_is_found: SLEPT_FOR.slept_for, HintBeforePublish, "lost wake-up";
    a_hint_after_the_wake_is_found: SLEPT_FOR.slept_for, HintAfterWake, "lost wake-up";
    a_count_with_no_release_is_found: SLEPT_FOR.slept_for, RelaxedCount, "lost wake-up";
    a_look_with_no_acquire_is_found: SLEPT_FOR.slept_for, RelaxedLook, "lost wake-up";
    hints_read_that_came_later_are_found: SLEPT_FOR.slept_for, ReadToNow, "lost wake-up";
    an_acq_rel_fence_of_the_hinting_waker_is_found: SLEPT_FOR.slept_for, Parked(Parking::WeakWaker), "lost wake-up";
    an_acq_rel_fence_of_the_hinted_sleeper_is_found: SLEPT_FOR.slept_for, Parked(Parking::WeakSleeper), "lost wake-up";
    a_missing_fence_of_the_hinting_waker_is_found: SLEPT_FOR.slept_for, Parked(Parking::NoWakerFence), "lost wake-up";
    a_missing_fence_of_the_hinted_sleeper_is_found: SLEPT_FOR.slept_for, Parked(Parking::NoSleeperFence), "lost wake-up";
    a_look_at_hints_before_parked_is_found: SLEPT_FOR.slept_for, Parked(Parking::LookFirst), "lost wake-up";
    a_link_that_leaves_an_aborted_step_is_found: SLEPT_FOR.aborted_once, LeftAtOnce, "lost wake-up";
    a_life_that_leaves_the_reader_where_it_is_is_found: SMALL.killed_before_its_hint, NoOverflow, "lost wake-up";
    a_reader_put_too_little_behind_is_found: SMALL.killed_before_its_hint, ShortOverflow, "lost wake-up";
    a_close_without_a_hint_is_found: SMALL.closed, SilentClose, "lost wake-up";
    a_number_read_with_one_look_is_found: LAPPED.lapped_fenced, OneLook, "a hint was lost";
}

impl Scene {
    fn lapped_fenced(self) {
        self.lapped::<true, true>();
    }
}

#[test]
#[should_panic(expected = "a hint was lost")]
fn numbers_stored_with_no_fence_before_are_found() {
    LAPPED.lapped::<false, true>();
}

#[test]
#[should_panic(expected = "a hint was lost")]
fn numbers_read_with_no_fence_after_are_found() {
    LAPPED.lapped::<true, false>();
}
