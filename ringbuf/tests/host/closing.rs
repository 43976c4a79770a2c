//! A link ends by `close` and by nothing else, after its last message, for good.

use airssys_ringbuf::step::SendError;

use super::on_both;

#[test]
fn a_closed_sender_is_seen_after_the_last_message() {
    on_both(8, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        assert!(tx.close().unwrap());
        assert!(!echo.sees_end(), "two messages lie before the end");
        assert_eq!(echo.receive(), [1, 2]);
        assert!(echo.sees_end());
        assert!(bus.sent().done);
    });
}

#[test]
fn an_ended_sender_is_seen_after_the_last_message() {
    on_both(8, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        echo.send(&[5]);
        assert!(echo.end().visible);
        assert!(rx.has_news() && !rx.is_closed());
        assert_eq!(rx.try_recv().unwrap(), Some(5));
        assert!(rx.has_news() && rx.is_closed());
        assert_eq!(rx.try_recv().unwrap(), None);
        assert_eq!(rx.received(), 1);
    });
}

#[test]
fn a_sender_meets_the_end_of_its_receiver() {
    on_both(4, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        assert_eq!(tx.send_slice(&[1, 2, 3, 4]).unwrap(), 4);
        assert!(!tx.has_room() && !tx.is_closed());
        let _ = echo.end();
        assert!(tx.has_room() && tx.is_closed());
        assert_eq!(tx.room(), 0);
        assert_eq!(tx.try_send(5).unwrap_err(), SendError::Closed(5));
        assert_eq!(tx.send_slice(&[5]).unwrap_err(), SendError::Closed(()));
        let refused = tx.send_with(|_| panic!("not called")).unwrap_err();
        assert_eq!(refused, SendError::Closed(()));
    });
}

#[test]
fn a_closed_receiver_is_met_by_its_sender() {
    on_both(8, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        echo.send(&[1, 2, 3]);
        assert_eq!(rx.try_recv().unwrap(), Some(1));
        assert!(!echo.output.is_closed());
        assert!(rx.close().unwrap());
        assert!(echo.output.is_closed());
        let ended = bus.received();
        assert_eq!((ended.done, ended.received), (true, vec![1]));
    });
}

#[test]
fn nobody_sleeps_on_a_full_link_that_is_closed() {
    on_both(2, |bus| {
        let mut tx = bus.sender();
        assert_eq!(tx.send_slice(&[1, 2]).unwrap(), 2);
        assert!(!tx.has_room());
        tx.close().unwrap();
        drop(tx);
        assert!(bus.sender().has_room());
        assert_eq!(bus.echo().receive(), [1, 2]);
    });
}

#[test]
fn a_closed_port_stays_closed() {
    on_both(8, |bus| {
        let mut echo = bus.echo();
        echo.send(&[1]);
        bus.sender().close().unwrap();
        bus.receiver().close().unwrap();
        let steps = (bus.sent().steps, bus.received().steps);

        let (mut tx, mut rx) = (bus.sender(), bus.receiver());
        assert!(tx.is_closed() && rx.is_closed());
        assert!(tx.has_room() && rx.has_news(), "a sleeper is to be told");
        assert_eq!(tx.try_send(1).unwrap_err().into_inner(), 1);
        assert_eq!(tx.try_send(1).unwrap_err(), SendError::Closed(1));
        assert_eq!(tx.send_slice(&[1]).unwrap_err(), SendError::Closed(()));
        assert_eq!(tx.room(), 0);
        assert_eq!(rx.try_recv().unwrap(), None);
        assert_eq!(rx.drain(9, |_| panic!("closed")).unwrap(), 0);
        assert_eq!(rx.recv_slice(&mut [0]).unwrap(), 0);
        tx.close().unwrap();
        rx.close().unwrap();
        assert_eq!(steps, (bus.sent().steps, bus.received().steps));
        assert!(echo.sees_end() && echo.output.is_closed());
    });
}
