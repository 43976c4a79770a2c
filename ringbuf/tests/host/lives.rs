//! Ports that are dropped and attached again, and what a kill leaves between a commit and what follows it.

use airssys_ringbuf::region::{Region, SectionKind};
use airssys_ringbuf::step::{AttachError, End, HostReceiver, HostSender, recover};

use super::{Spot, on_both, plans};

#[test]
fn a_port_attached_again_goes_on_at_its_position() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        let mut tx = bus.sender();
        assert_eq!(tx.send_slice(&[0, 1, 2]).unwrap(), 3);
        drop(tx);
        assert!(!echo.sees_end(), "a drop is no close");
        let mut tx = bus.sender();
        assert_eq!((tx.sent(), tx.room()), (3, 1), "credit is what it was");
        tx.try_send(3).unwrap();
        assert!(tx.try_send(4).is_err());
        drop(tx);
        assert_eq!(echo.turn(2), 2);
        let mut tx = bus.sender();
        assert_eq!(
            (tx.room(), tx.has_room()),
            (2, true),
            "the receiver's credit"
        );
        assert_eq!(tx.send_slice(&[4, 5, 6]).unwrap(), 2);

        let mut rx = bus.receiver();
        assert_eq!(rx.try_recv().unwrap(), Some(0));
        drop(rx);
        let mut rx = bus.receiver();
        assert_eq!(rx.received(), 1);
        assert_eq!(rx.try_recv().unwrap(), Some(1));
        assert_eq!(echo.turn(9), 4);
        let mut rest = [0; 8];
        assert_eq!(rx.recv_slice(&mut rest).unwrap(), 4);
        assert_eq!(rest[..4], [2, 3, 4, 5]);
    });
}

#[test]
fn a_port_is_attached_once_at_a_time() {
    on_both(4, |bus| {
        let (tx, rx) = (bus.sender(), bus.receiver());
        let again = HostSender::<u64>::attach(&bus.host.own, "down", &bus.part.seen).unwrap_err();
        assert!(matches!(again, AttachError::Attached { .. }), "{again}");
        let again = HostReceiver::<u64>::attach(&bus.host.own, "up", &bus.part.seen).unwrap_err();
        assert!(matches!(again, AttachError::Attached { .. }), "{again}");
        drop((tx, rx));
        let _ = (bus.sender(), bus.receiver());
    });
}

/// Regions on the heap are told apart by where they lie, not by their names.
#[test]
fn a_port_of_another_bus_of_that_name_is_another() {
    let attach = || {
        let [host, part] = plans(4).map(|plan| Region::heap(&plan).unwrap());
        HostSender::<u64>::attach(&host, "down", &part).unwrap()
    };
    let (mut one, mut other) = (attach(), attach());
    one.try_send(1).unwrap();
    assert_eq!((one.sent(), other.sent()), (1, 0));
    other.try_send(1).unwrap();
}

#[test]
fn the_message_is_checked_against_the_link() {
    on_both(4, |bus| {
        let other = HostSender::<i64>::attach(&bus.host.own, "down", &bus.part.seen).unwrap_err();
        assert!(matches!(other, AttachError::Schema { .. }), "{other}");
        let other = HostReceiver::<i64>::attach(&bus.host.own, "up", &bus.part.seen).unwrap_err();
        assert!(matches!(other, AttachError::Schema { .. }), "{other}");
    });
}

#[test]
fn a_message_committed_and_not_shown_is_shown_by_the_next_port() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        let mut tx = bus.sender();
        tx.try_send(7).unwrap();
        drop(tx);
        let sequence = Spot::first_sequence(&bus.host, "down");
        assert_eq!(sequence.get(), 1);
        sequence.set(0);
        assert_eq!(echo.receive(), [0; 0]);
        let tx = bus.sender();
        assert_eq!((tx.sent(), sequence.get()), (1, 1));
        assert_eq!(echo.receive(), [7]);
    });
}

/// The kill comes before the control word is stored: the message never was.
#[test]
fn a_message_not_committed_is_overwritten_by_the_next_port() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        let control = Spot::of(&bus.host, SectionKind::Actor, "down", 0);
        let before = control.get();
        let mut tx = bus.sender();
        tx.try_send(7).unwrap();
        drop(tx);
        control.set(before);
        Spot::first_sequence(&bus.host, "down").set(0);
        let mut tx = bus.sender();
        assert_eq!(tx.sent(), 0);
        tx.try_send(8).unwrap();
        assert_eq!(echo.receive(), [8]);
    });
}

#[test]
fn credit_committed_and_not_given_is_given_by_the_next_port() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        echo.send(&[1, 2, 3, 4]);
        let credit = Spot::of(&bus.host, SectionKind::Credit, "up", 0);
        let mut rx = bus.receiver();
        assert_eq!(rx.drain(2, |_| ()).unwrap(), 2);
        drop(rx);
        assert_eq!(credit.get(), 2);
        credit.set(0);
        assert_eq!(echo.room(), 0);
        let mut rx = bus.receiver();
        assert_eq!(echo.room(), 2);
        assert_eq!(rx.try_recv().unwrap(), Some(3));
    });
}

#[test]
fn a_close_committed_and_not_shown_is_shown_by_the_next_port() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        bus.sender().close().unwrap();
        bus.receiver().close().unwrap();
        let of_sender = Spot::of(&bus.host, SectionKind::Ring, "down", 0);
        let of_receiver = Spot::of(&bus.host, SectionKind::Credit, "up", 16);
        assert_eq!((of_sender.get(), of_receiver.get()), (1, 1));
        of_sender.set(0);
        of_receiver.set(0);
        assert!(!echo.sees_end() && !echo.output.is_closed());
        let (mut tx, mut rx) = (bus.sender(), bus.receiver());
        assert!(echo.sees_end() && echo.output.is_closed());
        assert!(tx.take_visible() && rx.take_visible());
    });
}

/// What a partition that doesn't live again gets, for a port that nobody attaches again.
#[test]
fn a_port_is_recovered_without_its_type() {
    on_both(4, |bus| {
        let mut echo = bus.echo();
        let mut tx = bus.sender();
        tx.try_send(7).unwrap();
        drop(tx);
        Spot::first_sequence(&bus.host, "down").set(0);
        let end = |link| End {
            link,
            peer: &bus.part.seen,
            payload: 8,
        };
        assert!(!recover(&bus.host.own, "down", &[], &[end("down")]).unwrap());
        assert_eq!(echo.receive(), [7]);
        bus.receiver().close().unwrap();
        assert!(recover(&bus.host.own, "up", &[end("up")], &[]).unwrap());
    });
}
