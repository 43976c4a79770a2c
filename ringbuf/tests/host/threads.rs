//! Ports on threads of their own, and handed from one to another.

use std::thread;

use airssys_ringbuf::step::{HostReceiver, HostSender, SendError};

use super::on_both;

const COUNT: u64 = 20_000;

fn assert_send<T: Send>() {}

#[test]
fn ports_may_move_to_other_threads() {
    assert_send::<HostSender<u64>>();
    assert_send::<HostReceiver<u64>>();
}

fn send(tx: &mut HostSender<u64>, end: u64) {
    while tx.sent() < end {
        let from = tx.sent();
        let values: Vec<u64> = (from..end.min(from + 3)).collect();
        let sent = if from.is_multiple_of(2) {
            tx.send_slice(&values).map(|_| ())
        } else {
            tx.try_send(from).map_err(|refused| match refused {
                SendError::Full(value) => {
                    assert_eq!(value, from, "given back");
                    SendError::Full(())
                }
                SendError::Closed(_) | SendError::Fault { .. } => panic!("{refused}"),
            })
        };
        match sent {
            Ok(()) => {}
            Err(SendError::Full(())) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn receive(rx: &mut HostReceiver<u64>, end: u64) {
    while rx.received() < end {
        let mut next = rx.received();
        let most = (end - next).min(5) as usize;
        let shown = rx.drain(most, |value| {
            assert_eq!(*value, next, "lost, repeated or torn");
            next += 1;
        });
        if shown.unwrap() == 0 {
            thread::yield_now();
        }
    }
}

#[test]
fn a_stream_between_threads_is_whole() {
    on_both(16, |bus| {
        let (mut tx, mut rx) = (bus.sender(), bus.receiver());
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                send(&mut tx, COUNT / 2);
                tx
            });
            let receiving = scope.spawn(move || {
                receive(&mut rx, COUNT / 2);
                rx
            });
            let mut echo = bus.echo();
            echo_until(&mut echo, COUNT / 2);
            let (mut tx, mut rx) = (sending.join().unwrap(), receiving.join().unwrap());
            scope.spawn(move || {
                send(&mut tx, COUNT);
                tx.close().unwrap();
            });
            scope.spawn(move || receive(&mut rx, COUNT));
            echo_until(&mut echo, COUNT);
        });
        assert_eq!(bus.received().received, [COUNT]);
        assert!(bus.sent().done);
    });
}

fn echo_until(echo: &mut super::Echo, end: u64) {
    while echo.input.received() < end {
        let most = 4.min(echo.room());
        if echo.turn(most) == 0 {
            thread::yield_now();
        }
    }
}
