//! What the model of hints runs, and the mistakes that it has to find.

use std::cell::{Cell, RefCell};

use loom::sync::Arc;
use loom::thread;

use super::{Mistake, Receiving, Section, Sending};
use crate::park::model::{Mistake as Parking, Shared, explore};
use crate::ring::model::{Mistake as Storage, ring, stage};
use crate::step::hints::{HintReader, Hints};

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
        let parking = if let Mistake::Parked(mistake) = self.mistake {
            mistake
        } else {
            Parking::Nothing
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
