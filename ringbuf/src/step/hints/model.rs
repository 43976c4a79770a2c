//! Hints under loom: no message of a link that is looked at only when somebody hints at it stays unseen, and no wake-up for
//! one is lost.
//!
//! One partition sends on two links to one receiver. What runs are the hints of `hints.rs`, both halves of the parking
//! protocol, over the kernel of `park/model.rs`, and the ring's own ends. The order of a commit (messages, hints, bells) and
//! the receiver's queue are written down here once more, as in `commit.rs` and `fan_in.rs`.
//!
//! Executions have at most so many preemptions as each scene says, one more where the environment says `AIRSSYS_LOOM=deep`; where it
//! says none, all are explored.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod scenes;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use loom::sync::Arc;

use super::{HintReader, Hints};
use crate::layout::hint_word;
use crate::park::model::{Mistake as Parking, Shared};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::model::{LoomWord, Modelled, stage, take};
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
        if self.mistake == Mistake::ShortOverflow {
            let count = self.hints.words.at(hint_word::COUNT);
            let at = count.load(Ordering::Relaxed);
            count.store(at + self.hints.capacity - 1, Ordering::Release);
        } else if self.mistake != Mistake::NoOverflow {
            self.hints.overflow();
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
        let complete = if matches!(self.mistake, Mistake::OneLook | Mistake::ReadToNow) {
            self.read_wrongly(hint)
        } else {
            self.reader.read(hint)
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
