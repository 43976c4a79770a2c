//! `Launch::Inline`: the joining thread drives everything, while others feed it; and what such a run leaves alone.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Cause, Error, RunError};

use crate::common::host::{host_around, receive_all, send_items};
use crate::common::{
    Item, Seen, assert_no_trace, await_that, bus_name, join, patiently, relay, relay_in, sink,
    source, three_stages,
};

const TOTAL: u64 = 5_000;

fn feed(mut to: HostSender<Item>, mut from: HostReceiver<Item>) -> [thread::JoinHandle<Seen>; 2] {
    let sending = thread::spawn(move || {
        send_items(&mut to, 0..TOTAL, 5);
        to.close().unwrap();
        Seen::of(TOTAL)
    });
    [sending, thread::spawn(move || receive_all(&mut from))]
}

#[test]
fn threads_feed_it_while_it_is_joined() {
    let mut plan = Topology::builder("fed");
    let ends = host_around(&mut plan, 16);
    relay(&mut plan, ends, 8);
    let topology = plan.build().unwrap();

    let running = topology.launch(Launch::Inline).unwrap();
    let feeding = feed(
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    );
    let report = join(running).unwrap();
    // The last ones may be received after the bus's end.
    for thread in feeding {
        assert_eq!(thread.join().unwrap(), Seen::of(TOTAL));
    }
    assert!(!report.stopped);
    let links = report.monitor.links();
    assert!(
        links
            .iter()
            .all(|link| (link.sent, link.received) == (TOTAL, TOTAL))
    );
    assert_eq!(report.partitions[0].last_cause, Some(Cause::Done));
    assert_eq!(
        report.monitor.read("relay", "seen").unwrap(),
        Some(Seen::of(TOTAL))
    );

    let (send, feeding) = mpsc::channel();
    topology
        .run(Launch::Inline, |running| {
            let ports = (
                running.sender("first").unwrap(),
                running.receiver("second").unwrap(),
            );
            send.send(feed(ports.0, ports.1)).unwrap();
        })
        .unwrap();
    for thread in feeding.recv().unwrap() {
        assert_eq!(thread.join().unwrap(), Seen::of(TOTAL));
    }
}

#[test]
fn a_stop_from_another_thread_drains_and_ends_the_join() {
    let mut plan = Topology::builder("stopped");
    three_stages(&mut plan, 16, u64::MAX, 4);
    let running = plan.build().unwrap().launch(Launch::Inline).unwrap();
    let monitor = running.monitor();
    let stopping = thread::spawn(move || {
        await_that("traffic", || monitor.links()[1].received >= 100);
        monitor.kill("relay").unwrap();
        monitor.stop();
    });
    let report = join(running).unwrap();
    stopping.join().unwrap();
    assert!(report.stopped);
    let sent = report.links[0].sent;
    assert!(
        report
            .links
            .iter()
            .all(|link| (link.sent, link.received) == (sent, sent))
    );
    assert!(
        report
            .partitions
            .iter()
            .all(|life| life.last_cause == Some(Cause::Stopped))
    );
}

/// Always busy with itself, whatever it is told.
struct Restless {
    out: Sender<u64>,
    input: Receiver<u64>,
}

impl Actor for Restless {
    fn step(&mut self) -> Result<Step, Refused> {
        let number = self.input.try_recv().unwrap_or(0);
        self.out.send(number)?;
        Ok(Step::Busy)
    }
}

#[test]
fn a_drain_that_never_ends_is_ended_by_its_timeout() {
    let mut plan = Topology::builder("restless");
    plan.drain_timeout(Duration::from_millis(20));
    let ends = plan.link::<u64>("numbers", 2);
    plan.partition("restless")
        .actor("restless", ends, |(out, input)| Restless { out, input });
    let running = plan.build().unwrap().launch(Launch::Inline).unwrap();
    running.stop();
    let report = join(running).unwrap();
    assert!(report.stopped && report.links[0].depth() > 0);
}

struct Falls;

impl Actor for Falls {
    fn step(&mut self) -> Result<Step, Refused> {
        panic!("planned");
    }
}

#[test]
fn a_panic_is_the_joining_threads_and_an_error_is_returned() {
    let mut plan = Topology::builder("falls");
    let (out, input) = plan.link::<Item>("items", 1);
    plan.host().receives(input);
    plan.partition("falls").actor("falls", (), |()| Falls);
    source(&mut plan, out, 10, 2);
    let topology = plan.build().unwrap();
    let running = topology.launch(Launch::Inline).unwrap();
    let mut items = running.receiver::<Item>("items").unwrap();
    let waiting = thread::spawn(move || receive_all(&mut items));
    let fallen = thread::spawn(move || running.join().map(drop))
        .join()
        .unwrap_err();
    assert_eq!(fallen.downcast_ref::<&str>(), Some(&"planned"));
    assert_eq!(
        patiently("the port", || waiting.join().unwrap()),
        Seen::of(0)
    );

    let mut plan = Topology::builder("greedy");
    let (out, input) = plan.link::<Item>("items", 1);
    source(&mut plan, out, 10, 2);
    sink(&mut plan, input, 1);
    let error = plan
        .build()
        .unwrap()
        .run(Launch::Inline, |_| ())
        .unwrap_err();
    assert!(matches!(error, Error::Run(RunError::Turn(_))), "{error}");
}

#[test]
fn hosted_partitions_are_run_with_the_others() {
    let mut plan = Topology::builder("hosted");
    let ends = host_around(&mut plan, 16);
    relay_in(plan.partition("relay").hosted(), ends, 4);
    let running = plan.build().unwrap().launch(Launch::Inline).unwrap();
    let error = running.hosted("relay").unwrap_err().to_string();
    assert_eq!(
        error,
        "topology `hosted`, hosted partition `relay`: an inline bus runs its hosted partitions itself, with all others"
    );
    let feeding = feed(
        running.sender("first").unwrap(),
        running.receiver("second").unwrap(),
    );
    join(running).unwrap();
    for thread in feeding {
        assert_eq!(thread.join().unwrap(), Seen::of(TOTAL));
    }
}

/// Looks at its process and its thread.
struct Looking {
    affinity: rustix::thread::CpuSet,
    thread: rustix::process::Pid,
    bus: String,
    left: u32,
}

impl Actor for Looking {
    fn step(&mut self) -> Result<Step, Refused> {
        assert!(rustix::thread::sched_getaffinity(None).unwrap() == self.affinity);
        assert_eq!(rustix::thread::gettid(), self.thread);
        assert_no_trace(&self.bus);
        self.left -= 1;
        Ok(if self.left == 0 {
            Step::Done
        } else {
            Step::Busy
        })
    }
}

/// Names of this process's threads that are none of the test harness's.
fn own_threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("airssys") || name.starts_with("looking"))
        .collect()
}

#[test]
fn it_makes_no_file_and_no_thread_and_pins_nobody() {
    let bus = bus_name("inline-traces");
    let affinity = rustix::thread::sched_getaffinity(None).unwrap();
    let core = (0..rustix::thread::CpuSet::MAX_CPU)
        .find(|&core| affinity.is_set(core))
        .unwrap();
    let of_bus = bus.clone();
    let thread = rustix::thread::gettid();
    let mut plan = Topology::builder(&bus);
    for name in ["looking-a", "looking-b"] {
        let bus = of_bus.clone();
        plan.partition(name)
            .core(core)
            .share_core()
            .actor(name, (), move |()| Looking {
                affinity,
                thread,
                bus: bus.clone(),
                left: 10,
            });
    }
    let topology = plan.build().unwrap();
    let running = topology.launch(Launch::Inline).unwrap();
    assert_no_trace(&bus);
    assert_eq!(own_threads(), Vec::<String>::new());
    let report = running.join().unwrap();
    assert!(
        report
            .partitions
            .iter()
            .all(|life| life.last_cause == Some(Cause::Done))
    );
    let mut inline = topology.inline(7).unwrap();
    assert_eq!(inline.run_until_idle(100).unwrap(), Turned::Ended);
    assert_eq!(own_threads(), Vec::<String>::new());
    assert!(rustix::thread::sched_getaffinity(None).unwrap() == affinity);
}

/// Local values on one thread.
struct Hands {
    out: LocalSender<String>,
    left: u32,
}

impl Actor for Hands {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.left == 0 {
            return Ok(Step::Done);
        }
        if self.out.try_send("a text".to_owned()).is_err() {
            return Ok(Step::Idle);
        }
        self.left -= 1;
        Ok(Step::Busy)
    }
}

struct Takes {
    input: LocalReceiver<String>,
    taken: Durable<u64>,
}

impl Actor for Takes {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(text) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        assert_eq!(text, "a text");
        *self.taken.borrow_mut() += 1;
        Ok(Step::Busy)
    }
}

#[test]
fn local_links_work_and_their_values_outlive_a_kill() {
    for seed in 0..20 {
        let mut plan = Topology::builder("local");
        let (out, input) = plan.local_link::<String>("texts", 3);
        plan.partition("hands")
            .actor("hands", out, |out| Hands { out, left: 40 });
        plan.partition("takes")
            .actor("takes", (input, durable("taken")), |(input, taken)| Takes {
                input,
                taken,
            });
        let mut bus = plan
            .build_for(Launch::Inline)
            .unwrap()
            .inline(seed)
            .unwrap();
        let mut turns = 0;
        while bus.turn().unwrap() != Turned::Ended {
            turns += 1;
            assert!(turns < 1_000, "seed {seed}");
            if turns % 4 == 0 {
                bus.kill("takes").unwrap();
            }
        }
        assert_eq!(
            bus.read("takes", "taken").unwrap(),
            Some(40_u64),
            "seed {seed}"
        );
    }
}
