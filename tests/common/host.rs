//! What tests of the launching program's own part in a bus share.

use std::thread;
use std::time::{Duration, Instant};

use airssys_rt::prelude::*;
use airssys_rt::{Hosted, LinkIn, LinkOut, PartitionBuilder, SendError, TopologyBuilder};

use super::{Item, PATIENCE, Seen, patiently};

/// The host's ports on `first` and `second`, and their other ends: for something that hands on from the one to the other.
pub(crate) fn host_around(
    plan: &mut TopologyBuilder,
    capacity: u64,
) -> (LinkIn<Item>, LinkOut<Item>) {
    let (first_out, first_in) = plan.link::<Item>("first", capacity);
    let (second_out, second_in) = plan.link::<Item>("second", capacity);
    plan.host().sends(first_out).receives(second_in);
    (first_in, second_out)
}

/// Sends the items `from..to` in slices of up to `batch`, waiting for room.
pub(crate) fn send_items(port: &mut HostSender<Item>, items: std::ops::Range<u64>, batch: usize) {
    let items: Vec<Item> = items.map(Item::new).collect();
    let mut rest = &items[..];
    while let [first, ..] = rest {
        let sent = match port.send_slice(&rest[..batch.min(rest.len())]) {
            Ok(sent) => sent,
            Err(SendError::Full(())) => {
                port.send(*first).unwrap();
                1
            }
            Err(error) => panic!("{error}"),
        };
        rest = &rest[sent..];
    }
}

/// Receives until the link is closed, or the bus has ended.
pub(crate) fn receive_all(port: &mut HostReceiver<Item>) -> Seen {
    let mut seen = Seen::of(0);
    while let Some(item) = port.recv().unwrap() {
        seen.note(&item);
    }
    seen
}

/// Drives a hosted partition while `goes_on`, to its end if it always does; says what the last turn came to.
pub(crate) fn drive(hosted: &mut Hosted, goes_on: impl Fn() -> bool) -> Turned {
    let since = Instant::now();
    while goes_on() {
        match hosted.turn().unwrap() {
            Turned::Busy => {}
            Turned::Idle => hosted.wait(Duration::from_millis(10)),
            Turned::Ended => return Turned::Ended,
        }
        assert!(since.elapsed() < PATIENCE, "it did not come to its end");
    }
    Turned::Idle
}

/// Takes nothing, and sends nothing.
struct Deaf {
    _ends: (Receiver<Item>, Sender<Item>),
}

impl Actor for Deaf {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Retry)
    }
}

/// The actor `deaf`, which leaves whoever waits for it waiting.
pub(crate) fn deaf_in(partition: &mut PartitionBuilder<'_>, ends: (LinkIn<Item>, LinkOut<Item>)) {
    partition.actor("deaf", ends, |ends| Deaf { _ends: ends });
}

/// Two threads that wait on a bus with a deaf partition, one for room and one for a message, and what they are told.
pub(crate) struct Waiting {
    sender: thread::JoinHandle<SendError<Item>>,
    receiver: thread::JoinHandle<Seen>,
}

impl Waiting {
    /// With the ports of links for four.
    pub(crate) fn with(mut to: HostSender<Item>, mut from: HostReceiver<Item>) -> Self {
        send_items(&mut to, 0..4, 4);
        Self {
            sender: thread::spawn(move || to.send(Item::new(4)).unwrap_err()),
            receiver: thread::spawn(move || receive_all(&mut from)),
        }
    }

    /// Both come back, to hear that there is nothing to wait for.
    pub(crate) fn are_told(self) {
        patiently("the waiting threads", || {
            let error = self.sender.join().unwrap();
            assert!(matches!(error, SendError::Closed(_)), "{error:?}");
            assert_eq!(self.receiver.join().unwrap(), Seen::of(0));
        });
    }
}
