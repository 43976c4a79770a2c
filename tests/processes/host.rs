//! The launching process's own ports and partitions, among partitions that are killed.

use std::thread;

use airssys_rt::prelude::*;
use airssys_rt::{RunError, SendError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

use crate::common::{
    Item, Seen, await_that, bus_path, drive, join, patiently, receive_all, send_items,
};
use crate::kills::{Random, kill};
use crate::topologies::{FINITE, between_hosts, hosted, relayed};

const TOTAL: u64 = 100_000;

/// Receives everything, asleep in an event loop whenever there is nothing: until its descriptor says so, however long.
fn receive_in_an_event_loop(port: &mut HostReceiver<Item>) -> Seen {
    let mut seen = Seen::of(0);
    let _ = port.descriptor().unwrap();
    loop {
        while port.drain(64, |item| seen.note(item)).unwrap() > 0 {}
        if port.is_closed() {
            return seen;
        }
        if port.arm() {
            let descriptor = port.descriptor().unwrap();
            let mut watched = [PollFd::new(&descriptor, PollFlags::IN)];
            retry_on_intr(|| poll(&mut watched, None)).unwrap();
        }
        port.disarm();
    }
}

/// Messages for each kill: the last comes well before the last message.
const STRIDE: u64 = 2_000;
const KILLS: u64 = 45;

pub(crate) fn kills_between_two_ports() {
    for in_event_loop in [false, true] {
        let mut random = Random::seeded();
        let running = relayed().unwrap().launch(Launch::Processes).unwrap();
        let monitor = running.monitor();
        let mut to = running.sender::<Item>("first").unwrap();
        let mut from = running.receiver::<Item>("second").unwrap();
        let sending = thread::spawn(move || {
            send_items(&mut to, 0..TOTAL, 50);
            to.close().unwrap();
        });
        let receiving = thread::spawn(move || {
            if in_event_loop {
                receive_in_an_event_loop(&mut from)
            } else {
                receive_all(&mut from)
            }
        });
        for kills in 0..KILLS {
            let target = kills * STRIDE + random.below(STRIDE);
            await_that("traffic", || monitor.links()[1].received >= target);
            kill(&monitor, 0);
        }
        let seen = patiently("the ports", move || {
            sending.join().unwrap();
            receiving.join().unwrap()
        });
        assert_eq!(seen, Seen::of(TOTAL));
        let report = join(running).unwrap();
        assert!(report.partitions[0].restarts >= KILLS);
        for link in &report.links {
            assert_eq!((link.sent, link.received), (TOTAL, TOTAL), "{}", link.name);
        }
    }
}

pub(crate) fn kills_around_a_hosted_one() {
    let running = hosted().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    let killing = {
        let (mut random, monitor) = (Random::seeded(), running.monitor());
        thread::spawn(move || {
            for kills in 0..15 {
                let target = kills * 1_000 + random.below(1_000);
                await_that("traffic", || monitor.links()[1].received >= target);
                kill(&monitor, 2 * random.below(2) as usize);
            }
        })
    };
    // Now and then another life of it, too.
    for part in 1..=10 {
        let target = FINITE / 10 * part;
        drive(&mut running.hosted("relay").unwrap(), || {
            monitor.links()[1].sent < target
        });
    }
    let end = drive(&mut running.hosted("relay").unwrap(), || true);
    assert_eq!(end, Turned::Ended);
    killing.join().unwrap();
    let report = join(running).unwrap();
    assert!(!report.stopped);
    for actor in ["relay", "sink"] {
        let seen = monitor.read(actor, "seen").unwrap();
        assert_eq!(seen, Some(Seen::of(FINITE)), "{actor}");
    }
    let restarts: Vec<u64> = report.partitions.iter().map(|life| life.restarts).collect();
    assert_eq!(restarts[0] + restarts[2], 15);
}

/// How a bus ends under threads that wait on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Stop,
    Drop,
    Escalation,
}

pub(crate) fn waiting_threads() {
    for ends in [Ends::Stop, Ends::Drop, Ends::Escalation] {
        let running = between_hosts().unwrap().launch(Launch::Processes).unwrap();
        let mut to = running.sender::<Item>("first").unwrap();
        let mut from = running.receiver::<Item>("second").unwrap();
        send_items(&mut to, 0..4, 4);
        let sending = thread::spawn(move || to.send(Item::new(4)).unwrap_err());
        let receiving = thread::spawn(move || receive_all(&mut from));
        match ends {
            Ends::Stop => {
                running.stop();
                assert_eq!(join(running).unwrap().links[0].depth(), 4);
            }
            Ends::Drop => patiently("the drop", move || drop(running)),
            Ends::Escalation => {
                running.kill("between").unwrap();
                let error = join(running).unwrap_err();
                assert!(matches!(error, RunError::Escalated { .. }), "{error}");
            }
        }
        patiently("the waiting threads", move || {
            let error = sending.join().unwrap();
            assert!(matches!(error, SendError::Closed(_)), "{ends:?}: {error:?}");
            assert_eq!(receiving.join().unwrap(), Seen::of(0));
        });
    }
    // What an escalation leaves for a look.
    std::fs::remove_dir_all(bus_path(between_hosts().unwrap().bus())).unwrap();
}
