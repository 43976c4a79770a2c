//! The ring's two ends under loom: every order of their accesses, and every value that a weak load may see.
//!
//! [`Modelled`] is a storage of loom's words and cells, so a payload that is touched by both ends at once is reported. The
//! lines that run are those of `outlet.rs` and `inlet.rs`. A storage may plant a [`Mistake`], and each of them has to be
//! found: else the model proves nothing.
//!
//! Capacities are 1 and 2, so that every message after the first or second laps the ring. Where the head of a test says
//! so, loom explores only executions with at most three preemptions, four with `AIRSSYS_LOOM=deep` in the environment; the others
//! are explored in full.

#![allow(unsafe_code, reason = "the modelled storage's payloads are loom cells")]
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod faults;
mod observed;
mod storage;

use loom::thread;

use crate::ring::inlet::{Inlet, Peek};
use crate::ring::outlet::{Outlet, Refusal};
use crate::slots::Storage;
use crate::word::{Ordering, Word};

pub(crate) use storage::{Form, LoomWord, Modelled};

/// What is wrong with a storage or with the loop that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    Nothing,
    /// The sequence word is stored with no release.
    RelaxedPublish,
    /// The sequence word is loaded with no acquire.
    RelaxedPeek,
    /// The credit is stored with no release.
    RelaxedCredit,
    /// The credit is loaded with no acquire.
    RelaxedRefill,
    /// The sequence word is stored before the payload.
    PublishBeforeWrite,
    /// The credit is stored before the payload is read.
    CreditBeforeRead,
    /// Credit that isn't due while messages arrive is never stored when none do.
    NoIdleCredit,
}

/// So many preemptions in one execution, one more where the environment says `AIRSSYS_LOOM=deep`.
pub(crate) fn deeper(preemptions: usize) -> usize {
    let deep = std::env::var_os("AIRSSYS_LOOM").is_some_and(|depth| depth == "deep");
    preemptions + usize::from(deep)
}

/// Both ends of a new sequenced ring, the gates open.
pub(crate) fn ring(capacity: usize, mistake: Mistake) -> (Outlet<Modelled>, Inlet<Modelled>) {
    ring_of(Form::Sequenced, capacity, mistake)
}

/// Both ends of a new ring, the gates open.
fn ring_of(form: Form, capacity: usize, mistake: Mistake) -> (Outlet<Modelled>, Inlet<Modelled>) {
    let storage = Modelled::new(capacity, form, mistake);
    let outlet = Outlet::new(storage.clone(), 0, 0);
    let inlet = Inlet::new(storage, 0, 0);
    outlet.open();
    inlet.open(u64::MAX);
    (outlet, inlet)
}

/// What the message at `position` says.
fn message(position: u64) -> u64 {
    !(position * 3)
}

/// Stages one message, if there is room.
pub(crate) fn stage(outlet: &Outlet<Modelled>) -> Result<(), Refusal> {
    let position = outlet.claim()?;
    // SAFETY: the one producer of this ring, position just claimed, messages are `u64`.
    unsafe { outlet.storage.write(position, &message(position)) };
    outlet.stage();
    Ok(())
}

/// Takes one message, if there is one, and checks it.
pub(crate) fn take(inlet: &Inlet<Modelled>) -> Peek {
    let peek = inlet.peek();
    if let Peek::Ready(position) = peek {
        // SAFETY: the one consumer of this ring, position just seen published, messages are `u64`.
        let value: u64 = unsafe { inlet.storage.read(position) };
        assert_eq!(value, message(position), "the message at {position}");
        inlet.take();
    }
    peek
}

/// How many messages, and how many of them at a time.
#[derive(Clone, Copy)]
struct Load {
    form: Form,
    capacity: usize,
    messages: u64,
    /// Messages staged before they are published together.
    send: u64,
    /// Messages taken before they are committed together.
    receive: u64,
    mistake: Mistake,
}

impl Load {
    const fn singles(capacity: usize, messages: u64) -> Self {
        Self {
            form: Form::Sequenced,
            capacity,
            messages,
            send: 1,
            receive: 1,
            mistake: Mistake::Nothing,
        }
    }

    const fn batches(self, send: u64, receive: u64) -> Self {
        Self {
            send,
            receive,
            ..self
        }
    }

    const fn contiguous(self) -> Self {
        Self {
            form: Form::Contiguous,
            ..self
        }
    }

    const fn with(self, mistake: Mistake) -> Self {
        Self { mistake, ..self }
    }

    fn produce(self, outlet: &Outlet<Modelled>) {
        while outlet.published() < self.messages {
            let most = self.send.min(self.messages - outlet.published());
            let mut refused = Ok(());
            while refused.is_ok() && outlet.cursor() - outlet.published() < most {
                if self.mistake == Mistake::PublishBeforeWrite && outlet.claim().is_ok() {
                    outlet.publish_range(outlet.cursor(), outlet.cursor() + 1);
                }
                refused = stage(outlet);
            }
            match refused {
                Ok(()) => {}
                Err(Refusal::Full) if outlet.cursor() > outlet.published() => {}
                Err(Refusal::Full) => thread::yield_now(),
                Err(other) => panic!("{other:?}"),
            }
            outlet.publish();
        }
        outlet.close();
    }

    fn consume(self, inlet: &Inlet<Modelled>) {
        loop {
            for _ in 0..self.receive {
                if self.mistake == Mistake::CreditBeforeRead {
                    give_back_early(inlet);
                }
                match take(inlet) {
                    Peek::Ready(_) => {}
                    Peek::Empty => break,
                    Peek::Limited | Peek::Shut => panic!("the gate is open"),
                    Peek::Fault(sequence) => panic!("sequence word {sequence}"),
                }
            }
            let moved = inlet.cursor() > inlet.committed();
            inlet.commit();
            inlet.settle(moved);
            if !moved {
                if inlet.is_closed() {
                    break;
                }
                thread::yield_now();
            }
        }
        assert_eq!(
            inlet.cursor(),
            self.messages,
            "closed after the last message"
        );
        assert!(matches!(inlet.peek(), Peek::Empty));
        inlet.close();
    }

    /// Explores the load, with at most so many preemptions in one execution if there is a bound.
    fn explore(self, preemptions: Option<usize>) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = preemptions.map(deeper);
        model.check(move || {
            let (outlet, inlet) = ring_of(self.form, self.capacity, self.mistake);
            let consumer = thread::spawn(move || self.consume(&inlet));
            self.produce(&outlet);
            consumer.join().unwrap();
            outlet.open();
            assert_eq!(outlet.claim(), Err(Refusal::Closed));
        });
    }
}

/// The message at the cursor is given back, then read.
fn give_back_early(inlet: &Inlet<Modelled>) {
    if matches!(inlet.peek(), Peek::Ready(_)) {
        let at = inlet.cursor();
        inlet.storage.credit().store(at + 1, Ordering::Release);
    }
}

#[test]
fn one_slot_lapped_by_singles() {
    Load::singles(1, 3).explore(None);
}

#[test]
fn two_slots_lapped_by_singles() {
    Load::singles(2, 3).explore(None);
}

#[test]
fn two_slots_lapped_by_batches_of_senders() {
    Load::singles(2, 3).batches(2, 1).explore(None);
}

#[test]
fn two_slots_lapped_by_batches_of_both() {
    Load::singles(2, 3).batches(2, 2).explore(None);
}

#[test]
fn two_contiguous_slots_lapped_by_singles() {
    Load::singles(2, 3).contiguous().explore(None);
}

#[test]
fn two_contiguous_slots_lapped_by_batches_of_both() {
    Load::singles(2, 3).contiguous().batches(2, 2).explore(None);
}

/// At most three preemptions.
#[test]
fn two_contiguous_slots_lapped_twice_by_batches() {
    Load::singles(2, 5)
        .contiguous()
        .batches(2, 2)
        .explore(Some(3));
}

/// At most three preemptions.
#[test]
fn two_slots_lapped_twice_by_singles() {
    Load::singles(2, 5).explore(Some(3));
}

/// At most three preemptions.
#[test]
fn two_slots_lapped_twice_by_batches() {
    Load::singles(2, 5).batches(2, 2).explore(Some(3));
}

/// A ring of 16 filled to the brim, of which one message was consumed: less than an eighth, so its slot isn't given back by
/// a turn that moved. `idle` is the receiver's next turn, which consumes nothing.
fn one_slot_behind(mistake: Mistake) {
    loom::model(move || {
        let (outlet, inlet) = ring(16, mistake);
        for _ in 0..16 {
            stage(&outlet).unwrap();
        }
        outlet.publish();
        assert_eq!(take(&inlet), Peek::Ready(0));
        inlet.commit();
        assert!(!inlet.settle(true), "one of sixteen isn't due");
        let receiver = thread::spawn(move || {
            if mistake != Mistake::NoIdleCredit {
                assert!(inlet.settle(false), "nothing moved, so it is due");
            }
        });
        while let Err(refusal) = stage(&outlet) {
            assert_eq!(refusal, Refusal::Full);
            thread::yield_now();
        }
        receiver.join().unwrap();
    });
}

#[test]
fn lazy_credit_is_given_by_an_idle_turn() {
    one_slot_behind(Mistake::Nothing);
}

#[test]
#[should_panic(expected = "exceeded maximum number of branches")]
fn credit_never_given_by_an_idle_turn_is_found() {
    one_slot_behind(Mistake::NoIdleCredit);
}

/// The load that shows each mistake: two laps of two slots, with at most three preemptions.
fn explore_mistake(mistake: Mistake) {
    Load::singles(2, 4).with(mistake).explore(Some(3));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_is_found() {
    explore_mistake(Mistake::RelaxedPublish);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_of_a_tail_is_found() {
    let load = Load::singles(2, 4).contiguous();
    load.with(Mistake::RelaxedPublish).explore(Some(3));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_look_at_a_tail_is_found() {
    let load = Load::singles(2, 4).contiguous();
    load.with(Mistake::RelaxedPeek).explore(Some(3));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_peek_is_found() {
    explore_mistake(Mistake::RelaxedPeek);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_credit_is_found() {
    explore_mistake(Mistake::RelaxedCredit);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_refill_is_found() {
    explore_mistake(Mistake::RelaxedRefill);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn publishing_before_the_write_is_found() {
    explore_mistake(Mistake::PublishBeforeWrite);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn giving_back_before_the_read_is_found() {
    explore_mistake(Mistake::CreditBeforeRead);
}

/// A look at the room after a refusal renews the cached credit: what it saw is news all the same.
#[test]
fn credit_seen_after_a_refusal_is_news() {
    loom::model(|| {
        let (outlet, inlet) = ring(1, Mistake::Nothing);
        stage(&outlet).unwrap();
        outlet.publish();
        assert_eq!(stage(&outlet), Err(Refusal::Full));
        assert!(!outlet.has_news());
        take(&inlet);
        inlet.commit();
        inlet.settle(true);
        assert_eq!(outlet.room(), 1);
        assert!(outlet.has_news());
        outlet.open();
        assert!(!outlet.has_news());
    });
}

/// A slot that is published after its step has ended opens nothing.
#[test]
fn nothing_is_claimed_through_a_shut_gate() {
    loom::model(|| {
        let (outlet, inlet) = ring(2, Mistake::Nothing);
        outlet.claim().unwrap();
        outlet.shut();
        outlet.stage();
        assert_eq!(outlet.claim(), Err(Refusal::Shut));
        assert_eq!(outlet.room(), 0);

        inlet.shut();
        inlet.take();
        assert_eq!(inlet.peek(), Peek::Shut);
    });
}
