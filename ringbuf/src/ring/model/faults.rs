//! Words that a peer that keeps to the rules never writes: what each end makes of them.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use super::{Form, Mistake, ring, ring_of, stage, take};
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::{Outlet, Refusal};
use crate::slots::Storage;
use crate::word::{Ordering, Word};

/// What a peer could write if it were broken: never taken for a message or for room.
#[test]
fn impossible_words_are_faults() {
    loom::model(|| {
        let (outlet, inlet) = ring(2, Mistake::Nothing);
        for ahead in [2, 3, 1 << 62] {
            inlet.storage.sequence(0).store(ahead, Ordering::Release);
            assert_eq!(inlet.peek(), Peek::Fault(ahead));
            assert_eq!(inlet.fault(), Some(ahead));
        }
        inlet.storage.sequence(0).store(0, Ordering::Release);
        assert_eq!(inlet.peek(), Peek::Empty);

        stage(&outlet).unwrap();
        stage(&outlet).unwrap();
        outlet.publish();
        for credit in [3, u64::MAX] {
            outlet.storage.credit().store(credit, Ordering::Release);
            assert_eq!(outlet.claim(), Err(Refusal::Fault(credit)));
            assert_eq!(outlet.fault(), Some(credit));
        }
        outlet.storage.credit().store(1, Ordering::Release);
        stage(&outlet).unwrap();
        outlet.publish();
        outlet.storage.credit().store(0, Ordering::Release);
        assert_eq!(outlet.claim(), Err(Refusal::Fault(0)), "credit went back");
    });
}

/// The same of a tail: behind what it was, or beyond what there is room for.
#[test]
fn impossible_tails_are_faults() {
    loom::model(|| {
        let (outlet, inlet) = ring_of(Form::Contiguous, 2, Mistake::Nothing);
        for tail in [3, 1 << 62, u64::MAX] {
            inlet.storage.tail().store(tail, Ordering::Release);
            assert_eq!(inlet.peek(), Peek::Fault(tail));
        }
        inlet.storage.tail().store(0, Ordering::Release);
        stage(&outlet).unwrap();
        outlet.publish();
        assert_eq!(take(&inlet), Peek::Ready(0));
        inlet.storage.tail().store(0, Ordering::Release);
        assert_eq!(inlet.peek(), Peek::Fault(0), "the tail went back");
    });
}

/// What an end that doesn't trust makes of them: the link ends at the first, for good, and what came before counts.
#[test]
fn an_untrusting_end_gives_the_link_up() {
    loom::model(|| {
        for form in [Form::Sequenced, Form::Contiguous] {
            let (outlet, _) = ring_of(form, 4, Mistake::Nothing);
            let inlet = Inlet::new(outlet.storage.clone(), 0, 0).untrusting(None);
            inlet.open(u64::MAX);
            stage(&outlet).unwrap();
            outlet.publish();
            assert_eq!(take(&inlet), Peek::Ready(0));
            let word = if form == Form::Contiguous {
                outlet.storage.tail()
            } else {
                outlet.storage.sequence(1)
            };
            word.store(77, Ordering::Release);
            assert_eq!(inlet.peek(), Peek::Empty);
            assert!(inlet.is_closed());
            assert_eq!(inlet.fault(), None, "the step is sound");
            inlet.rewind();
            assert!(!inlet.is_closed(), "a message is left");
            inlet.open(u64::MAX);
            assert_eq!(take(&inlet), Peek::Ready(0));
            word.store(2, Ordering::Release);
            assert_eq!(inlet.peek(), Peek::Empty);
            assert!(outlet.closed_by_receiver());

            let (outlet, inlet) = ring_of(form, 1, Mistake::Nothing);
            let outlet = Outlet::new(outlet.storage, 0, 0).untrusting(None);
            outlet.open();
            stage(&outlet).unwrap();
            outlet.publish();
            inlet.storage.credit().store(9, Ordering::Release);
            assert_eq!(outlet.claim(), Err(Refusal::Closed));
            inlet.storage.credit().store(1, Ordering::Release);
            assert_eq!(outlet.claim(), Err(Refusal::Closed));
            assert_eq!(outlet.fault(), None);
        }
    });
}

/// A sender that doesn't wait for credit: a step of an end that doesn't trust it ends after one lap.
#[test]
fn an_untrusting_end_takes_no_more_than_a_capacity_in_a_step() {
    loom::model(|| {
        for form in [Form::Sequenced, Form::Contiguous] {
            let (outlet, _) = ring_of(form, 2, Mistake::Nothing);
            let inlet = Inlet::new(outlet.storage.clone(), 0, 0).untrusting(None);
            inlet.open(u64::MAX);
            // One that believes in a credit of its own making.
            let hasty = Outlet::new(outlet.storage, 0, 2);
            hasty.open();
            for position in 0..3 {
                stage(&hasty).unwrap();
                hasty.publish();
                if position < 2 {
                    assert_eq!(take(&inlet), Peek::Ready(position));
                }
            }
            assert_eq!(
                take(&inlet),
                Peek::Empty,
                "{form:?}: not limited, it had all that can be there"
            );
            inlet.commit();
            inlet.settle(true);
            inlet.open(u64::MAX);
            if form == Form::Sequenced {
                assert_eq!(take(&inlet), Peek::Ready(2));
            }
        }
    });
}
