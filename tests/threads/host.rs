//! Host ports on partitions that are threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{HostError, Running, SendError};
use rustix::event::{PollFd, PollFlags, poll};

use crate::common::host::{host_around, receive_all, send_items};
use crate::common::{
    Item, Seen, assert_no_trace, await_that, bus_name, bus_path, join, patiently, relay, sink,
    source,
};

type Ports = (HostSender<Item>, HostReceiver<Item>);

fn ports(running: &Running) -> Ports {
    (
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    )
}

/// Host, relay, host.
fn relayed(bus: &str, capacity: u64) -> Topology {
    let mut plan = Topology::builder(bus);
    let ends = host_around(&mut plan, capacity);
    relay(&mut plan, ends, 8);
    plan.build().unwrap()
}

#[test]
fn two_threads_send_and_receive_and_a_close_ends_everything() {
    const TOTAL: u64 = 50_000;
    for (tag, capacity) in [("roomy", 256), ("tight", 1)] {
        let bus = bus_name(&format!("host-{tag}"));
        let total = if capacity == 1 { TOTAL / 25 } else { TOTAL };
        let running = relayed(&bus, capacity).launch(Launch::Threads).unwrap();
        let (mut to, mut from) = ports(&running);
        let sending = thread::spawn(move || {
            for seq in 0..total {
                to.send(Item::new(seq)).unwrap();
            }
            to.close().unwrap();
        });
        let seen = patiently("the receiving port", move || receive_all(&mut from));
        assert_eq!(seen, Seen::of(total));
        sending.join().unwrap();
        let report = join(running).unwrap();
        assert!(!report.stopped);
        for link in &report.links {
            assert_eq!((link.sent, link.received), (total, total), "{}", link.name);
        }
        assert_no_trace(&bus);
    }
}

#[test]
fn a_slice_is_one_commit() {
    const BATCH: u64 = 8;
    let bus = bus_name("host-slices");
    let running = relayed(&bus, 64).launch(Launch::Threads).unwrap();
    let (mut to, mut from) = ports(&running);
    let monitor = running.monitor();
    let done = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&done);
    let watching = thread::spawn(move || {
        while !until.load(Ordering::SeqCst) {
            let sent = monitor.links()[0].sent;
            assert_eq!(sent % BATCH, 0, "seen amidst a slice");
        }
    });
    let sending = thread::spawn(move || {
        for first in (0..20_000).step_by(BATCH as usize) {
            let items: Vec<Item> = (first..first + BATCH).map(Item::new).collect();
            await_that("room", || to.room() >= items.len());
            assert_eq!(to.send_slice(&items).unwrap(), items.len());
        }
        assert_eq!(to.send_slice(&[]).unwrap(), 0);
        to.close().unwrap();
    });
    assert_eq!(receive_all(&mut from), Seen::of(20_000));
    sending.join().unwrap();
    done.store(true, Ordering::SeqCst);
    watching.join().unwrap();
    join(running).unwrap();
}

/// Hands nothing on before it may; is done after `enough`.
struct Gated {
    input: Receiver<Item>,
    out: Sender<Item>,
    open: Arc<AtomicBool>,
    enough: u64,
}

impl Actor for Gated {
    fn step(&mut self) -> Result<Step, Refused> {
        if !self.open.load(Ordering::SeqCst) {
            return Ok(Step::Retry);
        }
        if self.input.received() == self.enough {
            return Ok(Step::Done);
        }
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        self.out.send(item)?;
        Ok(Step::Busy)
    }
}

/// Host, gate, host, with links for four.
fn gated(bus: &str, enough: u64) -> (Running, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let mut plan = Topology::builder(bus);
    let ends = host_around(&mut plan, 4);
    let gate = Arc::clone(&open);
    plan.partition("gate")
        .actor("gate", ends, move |(input, out)| Gated {
            input,
            out,
            open: Arc::clone(&gate),
            enough,
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    (running, open)
}

#[test]
fn a_full_link_gives_back_waits_or_times_out() {
    let bus = bus_name("host-full");
    let (running, open) = gated(&bus, u64::MAX);
    let (mut to, mut from) = ports(&running);
    let moment = Duration::from_millis(2);
    assert!(from.try_recv().unwrap().is_none());
    assert!(from.recv_timeout(moment).unwrap().is_none());
    assert!(!from.is_ready() && !from.is_closed());
    let items: Vec<Item> = (0..9).map(Item::new).collect();
    assert_eq!(to.send_slice(&items).unwrap(), 4);
    assert!(!to.is_ready() && !to.is_closed());
    let Err(SendError::Full(back)) = to.try_send(items[4]) else {
        panic!("it was not full");
    };
    assert_eq!(back.seq, 4);
    assert!(matches!(to.send_slice(&items), Err(SendError::Full(()))));
    let written = to.send_with(|_| panic!("there is no slot to write"));
    assert!(matches!(written, Err(SendError::Full(()))));
    let late = to.send_timeout(items[4], moment);
    assert!(matches!(late, Err(SendError::Full(item)) if item.seq == 4));
    assert_eq!(to.sent(), 4);

    let sending = thread::spawn(move || {
        to.send(items[4]).unwrap();
        to.send_timeout(items[5], crate::common::PATIENCE).unwrap();
        to
    });
    open.store(true, Ordering::SeqCst);
    for seq in 0..6 {
        let item = from.recv_timeout(crate::common::PATIENCE).unwrap();
        assert_eq!(item.unwrap().seq, seq);
    }
    sending.join().unwrap().close().unwrap();
    assert!(from.recv().unwrap().is_none() && from.is_closed());
    join(running).unwrap();
    assert_no_trace(&bus);
}

#[test]
fn a_sender_that_waits_is_told_that_its_receiver_is_done() {
    let bus = bus_name("host-done");
    let (running, open) = gated(&bus, 0);
    let (mut to, mut from) = ports(&running);
    send_items(&mut to, 0..4, 4);
    let sending = thread::spawn(move || (to.send(Item::new(4)), to));
    await_that("the sender", || running.links()[0].sent == 4);
    open.store(true, Ordering::SeqCst);
    let (sent, mut to) = sending.join().unwrap();
    assert!(matches!(sent, Err(SendError::Closed(item)) if item.seq == 4));
    assert!(to.is_closed() && to.is_ready());
    assert!(matches!(
        to.try_send(Item::new(4)),
        Err(SendError::Closed(_))
    ));
    assert!(from.recv().unwrap().is_none());
    let report = join(running).unwrap();
    assert_eq!(report.links[0].depth(), 4);
    assert_no_trace(&bus);
}

#[test]
fn a_bus_that_drains_takes_no_more_and_what_it_had_taken_arrives() {
    let bus = bus_name("host-drain");
    let (running, open) = gated(&bus, u64::MAX);
    let (mut to, mut from) = ports(&running);
    send_items(&mut to, 0..4, 4);
    let sending = thread::spawn(move || (to.send(Item::new(4)), to));
    running.stop();
    let (sent, mut to) = patiently("the sender", || sending.join().unwrap());
    assert!(matches!(sent, Err(SendError::Closed(_))));
    assert!(to.is_closed());
    assert!(matches!(
        to.send_slice(&[Item::new(4)]),
        Err(SendError::Closed(()))
    ));
    assert!(matches!(to.send_with(|_| ()), Err(SendError::Closed(()))));
    open.store(true, Ordering::SeqCst);
    let seen = patiently("the receiver", move || receive_all(&mut from));
    assert_eq!(seen, Seen::of(4));
    assert!(join(running).unwrap().stopped);
    assert_no_trace(&bus);
}

#[test]
fn what_is_left_is_received_after_the_end() {
    let bus = bus_name("host-after");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 64);
    source(&mut plan, out, 40, 4);
    plan.host().receives(input);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let mut port = running.receiver::<Item>("items").unwrap();
    let report = join(running).unwrap();
    assert_eq!(report.links[0].depth(), 40);
    assert_no_trace(&bus);
    assert!(port.is_ready() && !port.is_closed());
    let mut seen = Seen::of(0);
    assert_eq!(port.drain(8, |item| seen.note(item)).unwrap(), 8);
    let mut four = [Item::new(0); 4];
    assert_eq!(port.recv_slice(&mut four).unwrap(), 4);
    for item in &four {
        seen.note(item);
    }
    while let Some(item) = port.recv_timeout(Duration::from_secs(1)).unwrap() {
        seen.note(&item);
    }
    assert_eq!(seen, Seen::of(40));
    assert!(port.is_closed() && port.is_ready());
    assert!(port.recv().unwrap().is_none());
    assert_eq!(report.monitor.links()[0].received, 40);
}

#[test]
fn a_port_that_was_dropped_goes_on_where_it_was_on_whatever_thread() {
    let bus = bus_name("host-again");
    let running = relayed(&bus, 16).launch(Launch::Threads).unwrap();
    let mut seen = Seen::of(0);
    for part in 0..20 {
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut to = running.sender::<Item>("first").unwrap();
                assert_eq!(to.sent(), part * 10);
                send_items(&mut to, part * 10..(part + 1) * 10, 3);
            });
            let mut from = running.receiver::<Item>("second").unwrap();
            assert_eq!(from.received(), part * 10);
            for _ in 0..10 {
                seen.note(&from.recv().unwrap().unwrap());
            }
        });
    }
    assert_eq!(seen, Seen::of(200));
    running.sender::<Item>("first").unwrap().close().unwrap();
    let mut closed = running.sender::<Item>("first").unwrap();
    assert!(closed.is_closed());
    assert!(matches!(
        closed.send(Item::new(0)),
        Err(SendError::Closed(_))
    ));
    join(running).unwrap();
    assert_no_trace(&bus);
}

#[track_caller]
fn says<T>(result: Result<T, HostError>, text: &str) {
    let error = result.err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some(text));
}

#[test]
fn ports_that_can_not_be_had_are_refused_with_reasons() {
    let bus = bus_name("host-refused");
    let running = relayed(&bus, 4).launch(Launch::Threads).unwrap();
    let known = "it has: sends on `first`, receives on `second`";
    says(
        running.sender::<Item>("third"),
        &format!(
            "topology `{bus}` has no host port that sends on link `third`; declare it with `plan.host().sends(..)`; {known}"
        ),
    );
    says(
        running.receiver::<Item>("first"),
        &format!(
            "topology `{bus}` has no host port that receives on link `first`; declare it with `plan.host().receives(..)`; {known}"
        ),
    );
    says(
        running.sender::<Item>("second"),
        &format!(
            "topology `{bus}` has no host port that sends on link `second`; declare it with `plan.host().sends(..)`; {known}"
        ),
    );
    let error = running.sender::<u64>("first").unwrap_err().to_string();
    assert!(
        error.starts_with("host port of link `first`: link or cell `first`: ")
            && error.contains("u64")
            && error.contains("Item"),
        "{error}"
    );
    // A refused one is not held.
    let (_to, _from) = ports(&running);
    says(
        running.sender::<Item>("first"),
        "host port of link `first`: Actor `first` of region `host` is attached already in this process; drop that one first",
    );
    says(
        running.receiver::<Item>("second"),
        "host port of link `second`: Actor `second` of region `host` is attached already in this process; drop that one first",
    );
    drop(running);
    assert_no_trace(&bus);

    let bus = bus_name("host-none");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 4);
    source(&mut plan, out, 4, 4);
    sink(&mut plan, input, 4);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    says(
        running.sender::<Item>("items"),
        &format!(
            "topology `{bus}` has no host port that sends on link `items`; declare it with `plan.host().sends(..)`; it has: none"
        ),
    );
    join(running).unwrap();
}

/// Hands on one by one, and falls at every 100th step of its partition, whatever was done in it.
struct Falling {
    input: Receiver<Item>,
    out: Sender<Item>,
    steps: Arc<AtomicU64>,
}

impl Actor for Falling {
    fn step(&mut self) -> Result<Step, Refused> {
        let got = self.input.try_recv();
        if let Some(item) = got {
            self.out.send(item)?;
        }
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        assert!(got.is_none() || step % 100 != 99, "a planned panic");
        Ok(match got {
            Some(_) => Step::Busy,
            None if self.input.is_closed() => Step::Done,
            None => Step::Idle,
        })
    }
}

#[test]
fn a_relay_that_falls_again_and_again_loses_nothing_of_the_hosts() {
    const TOTAL: u64 = 5_000;
    let bus = bus_name("host-falls");
    let steps = Arc::new(AtomicU64::new(0));
    let mut plan = Topology::builder(&bus);
    plan.intensity(100_000, Duration::from_secs(3_600));
    let ends = host_around(&mut plan, 16);
    plan.partition("relay")
        .actor("relay", ends, move |(input, out)| Falling {
            input,
            out,
            steps: Arc::clone(&steps),
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let (mut to, mut from) = ports(&running);
    let sending = thread::spawn(move || {
        send_items(&mut to, 0..TOTAL, 5);
        to.close().unwrap();
    });
    let seen = patiently("the receiving port", move || receive_all(&mut from));
    assert_eq!(seen, Seen::of(TOTAL));
    sending.join().unwrap();
    let report = join(running).unwrap();
    assert!(
        report.partitions[0].restarts >= 5,
        "{:?}",
        report.partitions
    );
    assert_no_trace(&bus);
}

#[test]
fn an_event_loop_waits_for_ports_by_their_descriptors() {
    const TOTAL: u64 = 500;
    let bus = bus_name("host-epoll");
    let running = relayed(&bus, 2).launch(Launch::Threads).unwrap();
    let bells = || {
        let files = std::fs::read_dir(bus_path(&bus)).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|kind| kind == "bell"))
            .count()
    };
    let (mut to, mut from) = ports(&running);
    send_items(&mut to, 0..1, 1);
    let mut seen = Seen::of(0);
    seen.note(&from.recv().unwrap().unwrap());
    assert_eq!(bells(), 0, "a port that never sleeps so costs nothing");
    let mut next = 1;
    patiently("the loop", move || {
        // Opened once, before the first sleep.
        let _ = (to.descriptor().unwrap(), from.descriptor().unwrap());
        while seen.next < TOTAL {
            while next < TOTAL && to.try_send(Item::new(next)).is_ok() {
                next += 1;
            }
            while let Some(item) = from.try_recv().unwrap() {
                seen.note(&item);
            }
            let armed = (next == TOTAL || to.arm()) && from.arm();
            if armed && seen.next < TOTAL {
                let (a, b) = (to.descriptor().unwrap(), from.descriptor().unwrap());
                let mut watched = [
                    PollFd::new(&a, PollFlags::IN),
                    PollFd::new(&b, PollFlags::IN),
                ];
                poll(&mut watched, None).unwrap();
            }
            to.disarm();
            from.disarm();
        }
        assert_eq!(seen, Seen::of(TOTAL));
        to.close().unwrap();
    });
    assert_eq!(bells(), 2);
    join(running).unwrap();
    assert_no_trace(&bus);
}
