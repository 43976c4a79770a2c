//! The ring alone, as a user holds it.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use airssys_ringbuf::{Consumer, Layout, Message, Producer, Ring, ShapeError, TrySendError};

const CAPACITIES: [usize; 4] = [1, 2, 4, 64];

/// Its words all depend on its place, so that one torn or overwritten while it is read shows.
fn patterned<const WORDS: usize>(place: u64) -> [u64; WORDS] {
    std::array::from_fn(|word| (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word as u64)
}

/// One line of the ring's cache lines with the sequence, and two.
type Line = [u64; 7];
type Pair = [u64; 15];

fn ring<T: Message>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    Ring::heap(capacity).unwrap()
}

/// How one end of a stream moves its messages: returns how many it moved, starting with the given place.
type Send<T> = fn(&mut Producer<T>, u64, u64) -> u64;
type Receive<T> = fn(&mut Consumer<T>, u64) -> u64;

fn send_single<const WORDS: usize>(tx: &mut Producer<[u64; WORDS]>, place: u64, _: u64) -> u64 {
    match tx.try_send(patterned(place)) {
        Ok(()) => 1,
        Err(TrySendError::Full(value)) => {
            assert_eq!(value, patterned(place), "given back");
            0
        }
        Err(TrySendError::Closed(_)) => panic!("closed at {place}"),
    }
}

fn send_in_place<const WORDS: usize>(tx: &mut Producer<[u64; WORDS]>, place: u64, _: u64) -> u64 {
    let Some(mut slot) = tx.claim() else {
        return 0;
    };
    assert_eq!(slot.position(), place);
    *slot = patterned(place);
    slot.publish();
    1
}

fn send_batch<const WORDS: usize>(tx: &mut Producer<[u64; WORDS]>, place: u64, end: u64) -> u64 {
    let values: Vec<_> = (place..end.min(place + 3)).map(patterned).collect();
    tx.send_slice(&values) as u64
}

fn receive_single<const WORDS: usize>(rx: &mut Consumer<[u64; WORDS]>, place: u64) -> u64 {
    let received = rx.try_recv();
    received.map_or(0, |value| {
        assert_eq!(value, patterned(place));
        1
    })
}

fn receive_in_place<const WORDS: usize>(rx: &mut Consumer<[u64; WORDS]>, place: u64) -> u64 {
    let mut next = place;
    rx.drain(5, |value| {
        assert_eq!(*value, patterned(next));
        next += 1;
    });
    next - place
}

fn receive_batch<const WORDS: usize>(rx: &mut Consumer<[u64; WORDS]>, place: u64) -> u64 {
    let mut values = [[0; WORDS]; 3];
    let count = rx.recv_slice(&mut values);
    for (value, place) in values[..count].iter().zip(place..) {
        assert_eq!(*value, patterned(place));
    }
    count as u64
}

/// Streams `messages` from one thread to another; the producer's drop ends it.
fn stream<const WORDS: usize>(
    capacity: usize,
    messages: u64,
    send: Send<[u64; WORDS]>,
    receive: Receive<[u64; WORDS]>,
) {
    let (mut tx, mut rx) = ring::<[u64; WORDS]>(capacity);
    let producer = thread::spawn(move || {
        let mut place = 0;
        while place < messages {
            match send(&mut tx, place, messages) {
                // There may be fewer cores than threads.
                0 => thread::yield_now(),
                more => place += more,
            }
            assert_eq!(tx.sent(), place);
        }
    });
    let mut received = 0;
    loop {
        // Asked before the look: nothing found after the end is nothing left.
        let ended = producer.is_finished();
        match receive(&mut rx, received) {
            0 if ended => break,
            0 => thread::yield_now(),
            more => received += more,
        }
        assert_eq!(rx.received(), received);
        assert!(
            received == messages || !rx.is_closed(),
            "closed at {received}"
        );
    }
    producer.join().unwrap();
    assert_eq!(received, messages);
    assert!(rx.is_closed());
}

fn streams<const WORDS: usize>() {
    for capacity in CAPACITIES {
        stream::<WORDS>(capacity, 5000, send_single, receive_single);
        stream::<WORDS>(capacity, 5000, send_in_place, receive_in_place);
        stream::<WORDS>(capacity, 5000, send_batch, receive_batch);
        stream::<WORDS>(capacity, 5000, send_batch, receive_single);
        stream::<WORDS>(capacity, 5000, send_single, receive_batch);
    }
}

#[test]
fn messages_of_one_line_cross_threads_whole_and_in_order() {
    streams::<{ size_of::<Line>() / 8 }>();
}

#[test]
fn messages_of_two_lines_cross_threads_whole_and_in_order() {
    streams::<{ size_of::<Pair>() / 8 }>();
}

#[test]
fn more_streams_than_cores_end() {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| stream::<7>(4, 2000, send_single, receive_single));
        }
    });
}

#[test]
fn a_full_ring_gives_the_value_back() {
    for capacity in CAPACITIES {
        let (mut tx, mut rx) = ring::<u64>(capacity);
        for value in 0..capacity as u64 {
            tx.try_send(value).unwrap();
        }
        let refused = tx.try_send(99).unwrap_err();
        assert_eq!(refused, TrySendError::Full(99));
        assert_eq!(refused.into_inner(), 99);
        assert!(tx.claim().is_none());
        assert_eq!(tx.send_slice(&[99]), 0);
        assert_eq!(tx.sent(), capacity as u64);

        for value in 0..capacity as u64 {
            assert_eq!(rx.try_recv(), Some(value));
        }
        assert_eq!(rx.try_recv(), None);
        tx.try_send(100).unwrap();
        assert_eq!(rx.try_recv(), Some(100));
    }
}

/// Room comes back once an eighth of the ring is behind, or when the receiver finds nothing.
#[test]
fn room_comes_back_in_eighths_or_when_the_ring_is_empty() {
    let (mut tx, mut rx) = ring::<u64>(64);
    assert_eq!(tx.send_slice(&[0; 65]), 64);
    for _ in 0..7 {
        rx.try_recv().unwrap();
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    }
    rx.try_recv().unwrap();
    assert_eq!(tx.send_slice(&[1; 9]), 8);

    assert_eq!(rx.drain(64, |_| ()), 64);
    assert_eq!(tx.send_slice(&[2; 65]), 64);
    assert_eq!(rx.drain(7, |_| ()), 7);
    assert_eq!(tx.send_slice(&[3]), 0);
    assert_eq!(rx.drain(0, |_| ()), 0);
    assert_eq!(tx.send_slice(&[3; 8]), 7);
}

#[test]
fn a_claim_dropped_unsent_sends_nothing() {
    let (mut tx, mut rx) = ring::<u64>(1);
    for _ in 0..3 {
        let mut slot = tx.claim().unwrap();
        *slot = 13;
        drop(slot);
        assert_eq!((tx.sent(), rx.try_recv()), (0, None));
    }
    tx.claim().unwrap().publish();
    assert_eq!(rx.try_recv(), Some(13), "a slot holds what was last in it");
    std::mem::forget(tx.claim().unwrap());
    tx.try_send(14).unwrap();
    assert_eq!(rx.try_recv(), Some(14));
    assert_eq!((tx.sent(), rx.received()), (2, 2));
}

#[test]
fn slices_move_what_there_is_room_for() {
    let (mut tx, mut rx) = ring::<u64>(4);
    assert_eq!(tx.send_slice(&[0, 1, 2]), 3);
    assert_eq!(tx.send_slice(&[3, 4, 5]), 1);
    let mut values = [77; 3];
    assert_eq!(rx.recv_slice(&mut values), 3);
    assert_eq!(values, [0, 1, 2]);
    assert_eq!(rx.recv_slice(&mut values), 1);
    assert_eq!(values, [3, 1, 2], "the rest is untouched");
    assert_eq!(rx.recv_slice(&mut values), 0);
}

/// Yields the numbers from 0 on and counts what was taken; panics at one.
struct Counted {
    next: u64,
    end: u64,
    panics_at: u64,
    knows_length: bool,
}

impl Iterator for Counted {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        assert_ne!(self.next, self.panics_at, "planted");
        (self.next < self.end).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        if self.knows_length {
            let left = (self.end - self.next) as usize;
            (left, Some(left))
        } else {
            (0, None)
        }
    }
}

#[test]
fn an_iterator_is_used_up_as_far_as_there_is_room() {
    for (layout, knows_length) in [
        (Layout::Sequenced, true),
        (Layout::Sequenced, false),
        (Layout::Contiguous, true),
        (Layout::Contiguous, false),
    ] {
        let (mut tx, mut rx) = Ring::<u64>::heap_in(8, layout).unwrap();
        let mut values = Counted {
            next: 0,
            end: 21,
            panics_at: u64::MAX,
            knows_length,
        };
        let mut received = 0;
        for (sent, takes) in [(8, 3), (3, 8), (8, 8), (2, 2), (0, 0)] {
            assert_eq!(tx.send_iter(values.by_ref()), sent, "{layout:?}");
            assert_eq!(values.next, tx.sent(), "none is taken and not sent");
            assert_eq!(tx.send_iter(Vec::new()), 0);
            for _ in 0..takes {
                assert_eq!(rx.try_recv(), Some(received));
                received += 1;
            }
            if tx.sent() == 11 {
                assert_eq!(rx.try_recv(), None, "and gives back");
            }
        }
        assert_eq!(received, 21);
    }
}

#[test]
fn an_iterator_that_panics_sends_nothing() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        let (mut tx, mut rx) = Ring::<u64>::heap_in(8, layout).unwrap();
        // The panic comes after the ring's end, with a part of the run staged already.
        assert_eq!(tx.send_iter(0..6), 6);
        assert_eq!(rx.drain(6, |_| ()), 6);
        assert_eq!(rx.try_recv(), None);
        let values = Counted {
            next: 0,
            end: 8,
            panics_at: 5,
            knows_length: true,
        };
        let sent = catch_unwind(AssertUnwindSafe(|| tx.send_iter(values)));
        assert!(sent.is_err());
        assert_eq!((tx.sent(), rx.try_recv()), (6, None), "{layout:?}");
        tx.try_send(7).unwrap();
        assert_eq!(
            (rx.try_recv(), rx.try_recv()),
            (Some(7), None),
            "{layout:?}"
        );
    }
}

#[test]
fn nothing_moves_with_a_length_of_zero() {
    let (mut tx, mut rx) = ring::<u64>(2);
    tx.try_send(1).unwrap();
    assert_eq!(tx.send_slice(&[]), 0);
    assert_eq!(rx.recv_slice(&mut []), 0);
    assert_eq!(rx.drain(0, |_| panic!("none was asked for")), 0);
    assert_eq!((tx.sent(), rx.received()), (1, 0));
    assert_eq!(rx.try_recv(), Some(1));
}

#[test]
fn the_receiver_sees_the_end_after_the_last_message() {
    let (mut tx, mut rx) = ring::<u64>(4);
    assert!(!rx.is_closed());
    tx.send_slice(&[1, 2]);
    drop(tx);
    assert!(!rx.is_closed());
    assert_eq!(rx.try_recv(), Some(1));
    assert!(!rx.is_closed());
    assert_eq!(rx.try_recv(), Some(2));
    assert!(rx.is_closed());
    assert_eq!(rx.try_recv(), None);
}

#[test]
fn the_sender_sees_the_end_of_the_receiver() {
    let (mut tx, rx) = ring::<u64>(2);
    tx.send_slice(&[1, 2]);
    assert!(!tx.is_closed());
    drop(rx);
    assert!(tx.is_closed());
    let refused = tx.try_send(3).unwrap_err();
    assert_eq!(refused, TrySendError::Closed(3));
    assert!(tx.claim().is_none());
    assert_eq!(tx.send_slice(&[3]), 0);
}

#[test]
fn a_message_whose_handler_panics_stays() {
    let (mut tx, mut rx) = ring::<u64>(2);
    tx.send_slice(&[1, 2]);
    for _ in 0..2 {
        let mut shown = Vec::new();
        let drained = catch_unwind(AssertUnwindSafe(|| {
            rx.drain(8, |value| {
                shown.push(*value);
                assert_ne!(*value, 2, "planted");
            })
        }));
        assert!(drained.is_err());
        assert_eq!(shown.last(), Some(&2));
        assert_eq!(rx.received(), 1, "those before it don't stay");
    }
    assert_eq!(rx.try_recv(), Some(2));
    assert_eq!(rx.try_recv(), None);
    assert_eq!(tx.send_slice(&[3, 4, 5]), 2, "both slots are free again");
}

#[test]
fn a_ring_without_a_shape_is_refused() {
    fn refused<T: Message>(capacity: usize) -> ShapeError {
        Ring::<T>::heap(capacity).unwrap_err()
    }

    for capacity in [0, 3, 1000, (1 << 24) + 1, 1 << 25, usize::MAX] {
        let text = refused::<u64>(capacity).to_string();
        assert!(
            text.contains(&format!("{capacity} messages of 8 bytes")),
            "{text}"
        );
    }
    let text = refused::<[u8; (1 << 20) + 1]>(4).to_string();
    assert!(text.contains("4 messages of 1048577 bytes"), "{text}");
    assert_eq!(ring::<[u8; 1 << 20]>(1).0.capacity(), 1);
}

fn places<T: Message>(values: [T; 4]) -> Vec<usize> {
    let (mut tx, mut rx) = ring::<T>(4);
    assert_eq!(tx.send_slice(&values), 4);
    let mut places = Vec::new();
    rx.drain(4, |value| places.push(std::ptr::from_ref(value).addr()));
    places
}

#[test]
fn a_message_in_place_starts_a_cache_line() {
    let lines = places([[1u64; 7]; 4]);
    for pair in lines.windows(2) {
        assert_eq!(pair[1] - pair[0], 64);
    }
    assert_eq!(lines[0] % 64, 0);
}

#[test]
fn small_messages_share_a_cache_line() {
    for (places, stride) in [(places([1u8; 4]), 16), (places([[1u64; 3]; 4]), 32)] {
        for pair in places.windows(2) {
            assert_eq!(pair[1] - pair[0], stride);
        }
        assert_eq!(places[0] % 64, 0);
    }
}
