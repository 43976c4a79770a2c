//! A peer that wrote what can't be is named, and nothing goes on.

use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::{SendError, StepError};

use super::{Spot, on_both};

#[test]
fn an_impossible_credit_is_a_fault_that_gives_the_value_back() {
    on_both(4, |bus| {
        let mut tx = bus.sender();
        assert_eq!(tx.send_slice(&[1, 2, 3, 4]).unwrap(), 4);
        let credit = Spot::of(&bus.part, SectionKind::Credit, "down", 0);
        credit.set(9);
        assert!(tx.has_room(), "the send tells");
        assert_eq!(tx.room(), 0);
        let error = tx.try_send(5).unwrap_err();
        assert!(
            matches!(
                error,
                SendError::Fault {
                    value: 5,
                    error: StepError::ImpossiblePosition {
                        found: 9,
                        known: 4,
                        ..
                    }
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("`down`"), "{error}");
        assert!(!format!("{error:?}").contains("value"), "{error:?}");

        credit.set(4);
        let again = tx.send_slice(&[5]).unwrap_err();
        assert!(
            matches!(again, SendError::Fault { .. }),
            "it stays: {again}"
        );
        let again = tx.send_with(|slot| *slot = 5).unwrap_err();
        assert!(
            matches!(again, SendError::Fault { .. }),
            "it stays: {again}"
        );
        assert_eq!((tx.sent(), bus.sent().steps), (4, 1));
        tx.close().unwrap_err();
        assert!(!bus.sent().done);
    });
}

/// A credit that goes back, too, is told to a sender that waits for room.
#[test]
fn a_credit_that_went_back_is_a_fault() {
    on_both(4, |bus| {
        let (mut tx, mut echo) = (bus.sender(), bus.echo());
        assert_eq!(tx.send_slice(&[1, 2, 3, 4]).unwrap(), 4);
        assert_eq!(echo.receive(), [1, 2, 3, 4]);
        assert_eq!(tx.send_slice(&[5, 6, 7, 8]).unwrap(), 4);
        Spot::of(&bus.part, SectionKind::Credit, "down", 0).set(3);
        assert!(tx.has_room(), "the send tells");
        let error = tx.try_send(9).unwrap_err();
        assert!(matches!(error, SendError::Fault { .. }), "{error}");
    });
}

#[test]
fn an_impossible_sequence_is_a_fault() {
    on_both(4, |bus| {
        let (mut echo, mut rx) = (bus.echo(), bus.receiver());
        Spot::first_sequence(&bus.part, "up").set(99);
        assert!(rx.has_news(), "the receive tells");
        let error = rx.try_recv().unwrap_err();
        assert!(
            matches!(
                error,
                StepError::ImpossiblePosition {
                    found: 99,
                    known: 0,
                    ..
                }
            ),
            "{error}"
        );
        echo.send(&[1]);
        rx.drain(9, |_| ()).unwrap_err();
        rx.recv_slice(&mut [0]).unwrap_err();
        assert_eq!((rx.received(), bus.received().steps), (0, 0));
        rx.close().unwrap_err();
        assert!(!bus.received().done);
    });
}
