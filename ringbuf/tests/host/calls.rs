//! What one call does, and that it is one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::step::{SendError, latencies, read_cell};

use super::on_both;

#[test]
fn a_message_goes_to_an_actor_and_comes_back() {
    on_both(8, |bus| {
        let (mut tx, mut echo, mut rx) = (bus.sender(), bus.echo(), bus.receiver());
        assert_eq!((tx.name(), tx.capacity()), ("down", 8));
        assert_eq!((rx.name(), rx.capacity()), ("up", 8));
        assert!(!rx.has_news());
        for value in 0..100 {
            tx.try_send(value).unwrap();
            assert_eq!(rx.try_recv().unwrap(), None);
            assert_eq!(echo.turn(1), 1);
            assert!(rx.has_news());
            assert_eq!(rx.try_recv().unwrap(), Some(value));
            assert!(!rx.has_news());
        }
        assert_eq!((tx.sent(), rx.received()), (100, 100));
        let (sent, received) = (bus.sent(), bus.received());
        assert_eq!((sent.steps, sent.sent), (100, vec![100]));
        assert_eq!((received.steps, received.received), (100, vec![100]));

        let counts = latencies(&bus.host.seen, "up").unwrap();
        assert_eq!(counts.iter().map(|bucket| bucket.count).sum::<u64>(), 100);
        let sum = read_cell::<u64>(&bus.part.seen, "echo", (1, 1), ("sum", 0));
        assert_eq!(sum.unwrap(), Some(99 * 100 / 2));
    });
}

#[test]
fn a_full_link_gives_the_value_back_until_there_is_room() {
    on_both(4, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        for value in 0..4 {
            assert_eq!((tx.room(), tx.has_room()), (4 - value as usize, true));
            tx.try_send(value).unwrap();
        }
        assert_eq!((tx.room(), tx.has_room()), (0, false));
        assert_eq!(tx.try_send(4).unwrap_err(), SendError::Full(4));
        let refused = tx.send_with(|_| panic!("not called")).unwrap_err();
        assert_eq!(refused, SendError::Full(()));
        assert_eq!(tx.send_slice(&[4]).unwrap_err(), SendError::Full(()));
        assert_eq!((tx.sent(), bus.sent().steps), (4, 4), "refused: no commit");

        assert_eq!(echo.turn(1), 1);
        assert_eq!((tx.room(), tx.has_room()), (1, true));
        tx.send_with(|slot| *slot = 4).unwrap();
        assert!(!tx.has_room());
        assert_eq!(echo.receive(), [1, 2, 3, 4]);
    });
}

#[test]
fn a_slice_is_sent_as_far_as_there_is_room_in_one_commit() {
    on_both(4, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        assert_eq!(tx.send_slice(&[]).unwrap(), 0);
        assert_eq!(bus.sent().steps, 0);
        assert_eq!(tx.send_slice(&[0, 1, 2]).unwrap(), 3);
        assert_eq!((bus.sent().steps, bus.sent().sent), (1, vec![3]));
        assert_eq!(tx.send_slice(&[3, 4]).unwrap(), 1);
        assert_eq!(tx.send_slice(&[4]).unwrap_err(), SendError::Full(()));
        assert_eq!(tx.send_slice(&[]).unwrap(), 0);
        assert_eq!(echo.receive(), [0, 1, 2, 3]);
        assert_eq!(tx.send_slice(&[4, 5, 6, 7, 8]).unwrap(), 4);
        assert_eq!(bus.sent().steps, 3);
        assert_eq!(echo.receive(), [4, 5, 6, 7]);
    });
}

#[test]
fn a_batch_is_received_in_one_commit() {
    on_both(8, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        echo.send(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let mut shown = Vec::new();
        assert_eq!(rx.drain(3, |value| shown.push(*value)).unwrap(), 3);
        assert_eq!(
            (bus.received().steps, bus.received().received),
            (1, vec![3])
        );
        let mut values = [0; 2];
        assert_eq!(rx.recv_slice(&mut values).unwrap(), 2);
        assert_eq!(bus.received().steps, 2);
        shown.extend(values);
        assert_eq!(rx.drain(usize::MAX, |value| shown.push(*value)).unwrap(), 3);
        assert_eq!(bus.received().steps, 3);
        assert_eq!(rx.drain(9, |_| panic!("nothing is there")).unwrap(), 0);
        assert_eq!(bus.received().steps, 3, "nothing was moved");
        assert_eq!(shown, [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

#[test]
fn a_panic_while_messages_are_shown_leaves_all_of_them() {
    on_both(8, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        echo.send(&[7, 8, 9]);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            rx.drain(9, |value| assert_ne!(*value, 9, "a bad one"))
        }));
        assert!(caught.is_err());
        assert_eq!((rx.received(), bus.received().steps), (0, 0));
        assert!(rx.has_news());
        let mut values = [0; 8];
        assert_eq!(rx.recv_slice(&mut values).unwrap(), 3);
        assert_eq!(values[..3], [7, 8, 9]);
    });
}

#[test]
fn a_panic_while_a_message_is_written_sends_nothing() {
    on_both(8, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            tx.send_with(|slot| {
                *slot = 1;
                panic!("half written");
            })
        }));
        assert!(caught.is_err());
        assert_eq!((tx.sent(), tx.room(), bus.sent().steps), (0, 8, 0));
        assert_eq!(echo.receive(), [0; 0]);
        tx.send_with(|slot| *slot = 2).unwrap();
        assert_eq!(echo.receive(), [2]);
    });
}

#[test]
fn a_receiver_that_finds_nothing_gives_back() {
    on_both(64, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        echo.send(&[1, 2, 3]);
        while rx.received() < 3 {
            rx.try_recv().unwrap().unwrap();
        }
        assert_eq!(echo.room(), 61, "less than an eighth is behind");
        assert_eq!(rx.try_recv().unwrap(), None);
        assert_eq!(echo.room(), 64);
    });
}

#[test]
fn what_peers_can_see_is_told_once() {
    on_both(64, |bus| {
        let (mut tx, mut echo, mut rx) = (bus.sender(), bus.echo(), bus.receiver());
        assert!(tx.take_visible() && rx.take_visible(), "recovery");
        assert!(!tx.take_visible() && !rx.take_visible());
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        assert!(tx.take_visible());
        assert!(!tx.take_visible());
        while tx.try_send(3).is_ok() {}
        assert!(tx.take_visible());
        assert!(tx.try_send(3).is_err());
        assert!(!tx.take_visible(), "a refusal shows nothing");

        echo.turn(64);
        assert_eq!(rx.try_recv().unwrap(), Some(1));
        assert!(!rx.take_visible(), "no credit is due yet");
        assert_eq!(rx.drain(8, |_| ()).unwrap(), 8);
        assert!(rx.take_visible(), "an eighth was received");
        rx.try_recv().unwrap();
        assert!(!rx.take_visible());
        while rx.try_recv().unwrap().is_some() {}
        assert!(rx.take_visible());
        assert_eq!(rx.try_recv().unwrap(), None);
        assert!(!rx.take_visible(), "all was given back before");
    });
}
