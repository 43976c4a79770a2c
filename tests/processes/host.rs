//! The launching process's own ports and partitions, among partitions that are killed.

use std::sync::mpsc;
use std::thread;

use airssys_rt::RunError;
use airssys_rt::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

use crate::common::host::{Waiting, drive, receive_all, send_items};
use crate::common::{Item, Seen, await_that, bus_path, join, patiently, remove_bus};
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

/// Messages for each kill, so that the last comes before the last message.
const STRIDE: u64 = 2_000;
const KILLS: u64 = 45;

pub(crate) fn kills_between_two_ports() {
    for in_event_loop in [false, true] {
        let mut random = Random::seeded();
        let running = relayed().unwrap().launch(Launch::Processes).unwrap();
        let monitor = running.monitor();
        let mut to = running.sender::<Item>("first").unwrap();
        let mut from = running.receiver::<Item>("second").unwrap();
        let (killed, all_killed) = mpsc::channel();
        let sending = thread::spawn(move || {
            send_items(&mut to, 0..TOTAL - STRIDE, 50);
            // A relay that is done can't be killed.
            all_killed.recv().unwrap();
            send_items(&mut to, TOTAL - STRIDE..TOTAL, 50);
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
        killed.send(()).unwrap();
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
    for part in 1..10 {
        let target = FINITE / 10 * part;
        drive(&mut running.hosted("relay").unwrap(), || {
            monitor.links()[1].sent < target
        });
    }
    killing.join().unwrap();
    let end = drive(&mut running.hosted("relay").unwrap(), || true);
    assert_eq!(end, Turned::Ended);
    let report = join(running).unwrap();
    assert!(!report.stopped);
    for actor in ["relay", "sink"] {
        let seen = monitor.read(actor, "seen").unwrap();
        assert_eq!(seen, Some(Seen::of(FINITE)), "{actor}");
    }
    let restarts: Vec<u64> = report.partitions.iter().map(|life| life.restarts).collect();
    assert!(restarts[0] + restarts[2] >= 15, "{restarts:?}");
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
        let (to, from) = (running.sender("first"), running.receiver("second"));
        let waiting = Waiting::with(to.unwrap(), from.unwrap());
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
        waiting.are_told();
    }
    // What an escalation leaves for a look.
    remove_bus(bus_path(between_hosts().unwrap().bus()));
}
