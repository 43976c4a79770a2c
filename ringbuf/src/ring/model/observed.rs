//! An observer beside a producer that laps it: what it takes for a message is the one that was published, whole.
//!
//! Each message is its position twice, in two words, so that a copy of two laps shows. The consumer's part is played by the
//! producer's own thread: it isn't what is explored.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use loom::thread;

use super::{Form, Mistake, Modelled, deeper, message, ring_of, stage, take};
use crate::ring::look::{Look, look};
use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// How the observer judges its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// By `reserved`, after a fence.
    Reserved,
    /// By `reserved`, without a fence.
    Unfenced,
    /// By a second look at the signal.
    SecondLook,
    /// Not at all.
    None,
}

fn observe(storage: &Modelled, position: u64, judgement: Judgement) -> Look<[u64; 2]> {
    if judgement == Judgement::Reserved {
        return look(storage, position, || storage.words(position));
    }
    let shows = || {
        if storage.is_contiguous() {
            storage.tail().load(Ordering::Acquire) > position
        } else {
            storage.sequence(position).load(Ordering::Acquire) == position + 1
        }
    };
    if !shows() {
        return Look::Nothing;
    }
    let copied = storage.words(position);
    let holds = match judgement {
        Judgement::None => true,
        Judgement::SecondLook => shows(),
        Judgement::Reserved | Judgement::Unfenced => {
            position + storage.capacity() >= storage.reserved().load(Ordering::Relaxed)
        }
    };
    if holds {
        Look::Message(copied)
    } else {
        Look::Missed
    }
}

/// One slot, lapped while the observer looks at its first message.
fn explore(form: Form, judgement: Judgement) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(deeper(3));
    model.check(move || {
        let (outlet, inlet) = ring_of(form, 1, Mistake::Nothing);
        let storage = outlet.storage.clone();
        let observer = thread::spawn(move || observe(&storage, 0, judgement));
        for _ in 0..2 {
            stage(&outlet).unwrap();
            outlet.publish();
            take(&inlet);
            inlet.commit();
            inlet.settle(true);
        }
        if let Look::Message(copied) = observer.join().unwrap() {
            assert_eq!(copied, [message(0); 2], "what was published at 0");
        }
    });
}

#[test]
fn what_an_observer_takes_for_a_message_is_one() {
    explore(Form::Observed, Judgement::Reserved);
    explore(Form::ObservedContiguous, Judgement::Reserved);
}

#[test]
#[should_panic(expected = "what was published at 0")]
fn an_observer_without_reserved_is_found() {
    explore(Form::Observed, Judgement::None);
}

#[test]
#[should_panic(expected = "what was published at 0")]
fn a_second_look_at_the_sequence_is_found() {
    explore(Form::Observed, Judgement::SecondLook);
}

#[test]
#[should_panic(expected = "what was published at 0")]
fn a_second_look_at_the_tail_is_found() {
    explore(Form::ObservedContiguous, Judgement::SecondLook);
}

#[test]
#[should_panic(expected = "what was published at 0")]
fn an_observer_without_its_fence_is_found() {
    explore(Form::Observed, Judgement::Unfenced);
}

/// Staged bytes never pass for a message, and what was overwritten is missed.
#[test]
fn staged_and_stale_slots_are_no_messages() {
    loom::model(|| {
        for form in [Form::Observed, Form::ObservedContiguous] {
            let (outlet, inlet) = ring_of(form, 1, Mistake::Nothing);
            let at = |position| observe(&outlet.storage, position, Judgement::Reserved);
            stage(&outlet).unwrap();
            assert_eq!(at(0), Look::Nothing);
            outlet.publish();
            assert_eq!(at(0), Look::Message([message(0); 2]));
            take(&inlet);
            inlet.commit();
            inlet.settle(true);
            assert_eq!(
                at(0),
                Look::Message([message(0); 2]),
                "given back, not overwritten"
            );
            stage(&outlet).unwrap();
            assert_eq!(at(0), Look::Missed);
            assert_eq!(at(1), Look::Nothing);
        }
    });
}
