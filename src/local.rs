//! Local links: any `T: Send` between threads of one process, over rtrb.
//!
//! A local link lies in this process's heap, outside of every region and of every step: what it carries is neither part of a
//! commit nor undone by an abort, and it is gone with the process. Its ends outlive incarnations: a partition's port gives
//! its half back when it is dropped, and the next incarnation takes it again with everything that is in it.
//!
//! | word | writer |
//! |---|---|
//! | `sent`, `sender_done` | the sending partition |
//! | `received`, `receiver_done` | the receiving one |
//!
//! The counters are what the partitions' loops look at: rtrb's own positions are reachable through the ports alone, which
//! their actors own.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::actor::TrySendError;
use crate::topology::model::{ActorId, Plan};

/// Makes the ring of a local link for one launch.
#[derive(Clone)]
pub(crate) struct MakeLocal(Arc<dyn Fn() -> AnyLocal + Send + Sync>);

impl fmt::Debug for MakeLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeLocal")
    }
}

impl MakeLocal {
    pub(crate) fn of<T: Send + 'static>(capacity: usize) -> Self {
        Self(Arc::new(move || AnyLocal::new::<T>(capacity)))
    }

    pub(crate) fn make(&self) -> AnyLocal {
        (self.0)()
    }
}

/// One side's words, on lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Side {
    moved: AtomicU64,
    done: AtomicBool,
}

/// What both partitions' loops may know of a local link.
#[derive(Debug, Default)]
struct Counters {
    sender: Side,
    receiver: Side,
}

/// The two halves, each waiting for its actor's next incarnation.
struct Halves<T> {
    producer: Mutex<Option<Producer<T>>>,
    consumer: Mutex<Option<Consumer<T>>>,
}

/// A local link of whatever type, of one launch.
#[derive(Clone)]
pub(crate) struct AnyLocal {
    counters: Arc<Counters>,
    halves: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for AnyLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyLocal").field(&self.counters).finish()
    }
}

impl AnyLocal {
    fn new<T: Send + 'static>(capacity: usize) -> Self {
        let (producer, consumer) = RingBuffer::new(capacity);
        let halves: Halves<T> = Halves {
            producer: Mutex::new(Some(producer)),
            consumer: Mutex::new(Some(consumer)),
        };
        Self {
            counters: Arc::default(),
            halves: Arc::new(halves),
        }
    }

    fn halves<T: Send + 'static>(&self) -> Option<Arc<Halves<T>>> {
        Arc::clone(&self.halves).downcast().ok()
    }

    /// The sending end; `None` while an earlier one lives or if it is of another type.
    pub(crate) fn sender<T: Send + 'static>(&self) -> Option<LocalSender<T>> {
        let halves = self.halves::<T>()?;
        let producer = take(&halves.producer)?;
        Some(LocalSender {
            producer: Some(producer),
            halves,
            counters: Arc::clone(&self.counters),
        })
    }

    /// The receiving end; `None` while an earlier one lives or if it is of another type.
    pub(crate) fn receiver<T: Send + 'static>(&self) -> Option<LocalReceiver<T>> {
        let halves = self.halves::<T>()?;
        let consumer = take(&halves.consumer)?;
        Some(LocalReceiver {
            consumer: Some(consumer),
            halves,
            counters: Arc::clone(&self.counters),
        })
    }

    pub(crate) fn end(&self, sends: bool) -> LocalEnd {
        LocalEnd {
            counters: Arc::clone(&self.counters),
            sends,
            shown: Cell::new(0),
            looked: Cell::new((0, false)),
        }
    }
}

fn take<H>(half: &Mutex<Option<H>>) -> Option<H> {
    half.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn give<H>(half: &Mutex<Option<H>>, back: Option<H>) {
    *half.lock().unwrap_or_else(PoisonError::into_inner) = back;
}

/// One end of a local link, as the loop of its partition sees it.
#[derive(Debug)]
pub(crate) struct LocalEnd {
    counters: Arc<Counters>,
    sends: bool,
    shown: Cell<u64>,
    looked: Cell<(u64, bool)>,
}

impl LocalEnd {
    fn sides(&self) -> (&Side, &Side) {
        let Counters { sender, receiver } = &*self.counters;
        if self.sends {
            (sender, receiver)
        } else {
            (receiver, sender)
        }
    }

    /// Whether the actor has moved something since the last call: its peer has to be woken.
    pub(crate) fn has_shown(&self) -> bool {
        let moved = self.sides().0.moved.load(Ordering::Relaxed);
        self.shown.replace(moved) != moved
    }

    /// Whether the peer has done something that no look has seen yet.
    pub(crate) fn has_news(&self) -> bool {
        let peer = self.sides().1;
        let now = (
            peer.moved.load(Ordering::Acquire),
            peer.done.load(Ordering::Acquire),
        );
        self.looked.replace(now) != now
    }

    /// The actor has ended: its peer sees the link closed.
    pub(crate) fn close(&self) {
        self.sides().0.done.store(true, Ordering::Release);
    }
}

/// The local links of one launch, in order of declaration.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalRings(pub(crate) Arc<[AnyLocal]>);

impl LocalRings {
    /// The actor has ended, maybe in an earlier run: its peers see its local links closed.
    pub(crate) fn close(&self, plan: &Plan, actor: ActorId) {
        for (local, ring) in plan.locals.iter().zip(&*self.0) {
            if local.from == actor {
                ring.end(true).close();
            }
            if local.to == actor {
                ring.end(false).close();
            }
        }
    }

    /// Makes those of the plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        Self(plan.locals.iter().map(|local| local.make.make()).collect())
    }

    /// Values sent on the link so far.
    pub(crate) fn sent(&self, link: usize) -> u64 {
        self.0[link].counters.sender.moved.load(Ordering::Acquire)
    }

    fn received(&self, link: usize) -> u64 {
        self.0[link].counters.receiver.moved.load(Ordering::Acquire)
    }

    /// Values sent on the link and not received.
    pub(crate) fn depth(&self, link: usize) -> u64 {
        // The receiver first: a value may be received before its sender has counted it, and is counted the next time.
        let received = self.received(link);
        self.sent(link).saturating_sub(received)
    }

    /// Values that the partition's actors have sent and received.
    pub(crate) fn moves_of(&self, plan: &Plan, partition: usize) -> u64 {
        let links = plan.locals.iter().enumerate();
        links
            .map(|(link, local)| {
                let sent = (local.from.partition == partition).then(|| self.sent(link));
                let received = (local.to.partition == partition).then(|| self.received(link));
                sent.unwrap_or(0) + received.unwrap_or(0)
            })
            .sum()
    }
}

/// The sending end of a local link, held by an actor.
///
/// A send is seen at once, whatever becomes of the step: an aborted step that runs again sends again.
pub struct LocalSender<T: Send + 'static> {
    producer: Option<Producer<T>>,
    halves: Arc<Halves<T>>,
    counters: Arc<Counters>,
}

impl<T: Send + 'static> LocalSender<T> {
    /// Sends `value`, or gives it back.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value: `Full`, or `Closed` once the receiving actor has ended.
    pub fn try_send(&mut self, value: T) -> Result<(), TrySendError<T>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(value));
        }
        let Some(producer) = &mut self.producer else {
            return Err(TrySendError::Closed(value));
        };
        producer
            .push(value)
            .map_err(|PushError::Full(value)| TrySendError::Full(value))?;
        count(&self.counters.sender);
        Ok(())
    }

    /// Free slots.
    #[must_use]
    pub fn room(&self) -> usize {
        self.producer.as_ref().map_or(0, Producer::slots)
    }

    /// Whether the receiving actor has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.counters.receiver.done.load(Ordering::Acquire)
    }
}

/// One more; each side's counter has one writer.
fn count(side: &Side) {
    let moved = side.moved.load(Ordering::Relaxed);
    side.moved.store(moved + 1, Ordering::Release);
}

impl<T: Send + 'static> Drop for LocalSender<T> {
    fn drop(&mut self) {
        give(&self.halves.producer, self.producer.take());
    }
}

impl<T: Send + 'static> fmt::Debug for LocalSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalSender").field(&self.counters).finish()
    }
}

/// The receiving end of a local link, held by an actor.
///
/// A received value is the actor's: a step that is aborted, panics or is lost doesn't put it back.
pub struct LocalReceiver<T: Send + 'static> {
    consumer: Option<Consumer<T>>,
    halves: Arc<Halves<T>>,
    counters: Arc<Counters>,
}

impl<T: Send + 'static> LocalReceiver<T> {
    /// The next value, if there is one.
    pub fn try_recv(&mut self) -> Option<T> {
        let value = self.consumer.as_mut()?.pop().ok()?;
        count(&self.counters.receiver);
        Some(value)
    }

    /// Whether the sending actor has ended and everything it sent was received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // The end first: what was sent came before it.
        self.counters.sender.done.load(Ordering::Acquire)
            && self.consumer.as_ref().is_none_or(Consumer::is_empty)
    }
}

impl<T: Send + 'static> Drop for LocalReceiver<T> {
    fn drop(&mut self) {
        give(&self.halves.consumer, self.consumer.take());
    }
}

impl<T: Send + 'static> fmt::Debug for LocalReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalReceiver")
            .field(&self.counters)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    #[test]
    fn an_end_is_taken_once_and_given_back_with_what_is_in_it() {
        let local = AnyLocal::new::<String>(2);
        let mut tx = local.sender::<String>().unwrap();
        assert!(local.sender::<String>().is_none());
        assert!(local.sender::<u8>().is_none(), "another type");
        tx.try_send("a".to_owned()).unwrap();
        tx.try_send("b".to_owned()).unwrap();
        let back = tx.try_send("c".to_owned()).unwrap_err();
        assert!(matches!(&back, TrySendError::Full(value) if value == "c"));
        let mut rx = local.receiver::<String>().unwrap();
        assert_eq!(rx.try_recv().as_deref(), Some("a"));
        drop((tx, rx));
        let mut rx = local.receiver::<String>().unwrap();
        assert_eq!(rx.try_recv().as_deref(), Some("b"));
        assert_eq!(local.sender::<String>().unwrap().room(), 2);
    }

    #[test]
    fn a_close_is_seen_after_the_last_value() {
        let local = AnyLocal::new::<u32>(2);
        let (mut tx, mut rx) = (
            local.sender::<u32>().unwrap(),
            local.receiver::<u32>().unwrap(),
        );
        tx.try_send(1).unwrap();
        local.end(true).close();
        assert!(!rx.is_closed());
        assert_eq!(rx.try_recv(), Some(1));
        assert!(rx.is_closed());
        assert!(!tx.is_closed());
        local.end(false).close();
        assert!(matches!(tx.try_send(2), Err(TrySendError::Closed(2))));
    }

    #[test]
    fn each_move_is_news_once() {
        let local = AnyLocal::new::<u32>(2);
        let (sending, receiving) = (local.end(true), local.end(false));
        assert!(!sending.has_shown() && !receiving.has_news());
        local.sender::<u32>().unwrap().try_send(1).unwrap();
        assert!(sending.has_shown() && receiving.has_news());
        assert!(!sending.has_shown() && !receiving.has_news());
        local.receiver::<u32>().unwrap().try_recv().unwrap();
        assert!(receiving.has_shown() && sending.has_news());
        sending.close();
        assert!(receiving.has_news() && !receiving.has_news());
    }
}
