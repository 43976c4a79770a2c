//! Local links between threads: any value, waking whoever waits, and what a death leaves.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{LocalReceiver, LocalSender, TopologyBuilder, TrySendError};

use crate::common::{assert_no_trace, await_that, bus_name, join};

/// Sends the numbers `0..total` as texts, and is done.
struct Texts {
    out: LocalSender<String>,
    next: u64,
    total: u64,
}

impl Actor for Texts {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.next == self.total || self.out.is_closed() {
            return Ok(Step::Done);
        }
        match self.out.try_send(self.next.to_string()) {
            Ok(()) => {
                self.next += 1;
                Ok(Step::Busy)
            }
            Err(TrySendError::Full(back)) => {
                assert_eq!(back, self.next.to_string());
                Ok(Step::Idle)
            }
            Err(TrySendError::Closed(_)) => Ok(Step::Done),
        }
    }
}

/// Reads texts; falls after every `falls_each`-th.
struct Reader {
    input: LocalReceiver<String>,
    read: Arc<Mutex<Vec<u64>>>,
    falls_each: u64,
}

impl Actor for Reader {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(text) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        let number = text.parse().unwrap();
        let mut read = self.read.lock().unwrap();
        read.push(number);
        drop(read);
        assert!((number + 1) % self.falls_each != 0, "a planned panic");
        Ok(Step::Busy)
    }
}

/// Texts and their reader, and what it has read.
fn texts(bus: &str, total: u64, falls_each: u64) -> (TopologyBuilder, Arc<Mutex<Vec<u64>>>) {
    let read = Arc::new(Mutex::new(Vec::new()));
    let mut plan = Topology::builder(bus);
    plan.intensity(1_000, Duration::from_secs(60));
    let (out, input) = plan.local_link::<String>("texts", 3);
    plan.partition("texts")
        .actor("texts", out, move |out| Texts {
            out,
            next: 0,
            total,
        });
    let by_actor = Arc::clone(&read);
    plan.partition("reader")
        .actor("reader", input, move |input| Reader {
            input,
            read: Arc::clone(&by_actor),
            falls_each,
        });
    (plan, read)
}

#[test]
fn texts_arrive_once_and_in_order_and_a_done_sender_closes() {
    const TOTAL: u64 = 10_000;
    let bus = bus_name("local-texts");
    let (plan, read) = texts(&bus, TOTAL, u64::MAX);
    let report = join(plan.build().unwrap().launch(Launch::Threads).unwrap()).unwrap();
    assert!(!report.stopped);
    assert!(read.lock().unwrap().iter().copied().eq(0..TOTAL));
    assert_no_trace(&bus);
}

#[test]
fn a_receiver_that_falls_loses_what_it_held_and_nothing_else() {
    const TOTAL: u64 = 2_000;
    let bus = bus_name("local-falls");
    let (plan, read) = texts(&bus, TOTAL, 100);
    let report = join(plan.build().unwrap().launch(Launch::Threads).unwrap()).unwrap();
    assert_eq!(report.partitions[1].restarts, TOTAL / 100);
    // It fell with the text in its hands: none came again.
    assert!(read.lock().unwrap().iter().copied().eq(0..TOTAL));
    assert_no_trace(&bus);
}

#[test]
fn a_stop_lets_local_links_drain_too() {
    for round in 0..10 {
        let bus = bus_name(&format!("local-drain-{round}"));
        let sent = Arc::new(AtomicU64::new(0));
        let received = Arc::new(AtomicU64::new(0));
        let mut plan = Topology::builder(&bus);
        let (out, input) = plan.local_link::<u64>("numbers", 64);
        let by_sender = Arc::clone(&sent);
        plan.partition("sender")
            .actor("sender", out, move |out| Filling {
                out,
                sent: Arc::clone(&by_sender),
            });
        let by_receiver = Arc::clone(&received);
        plan.partition("receiver")
            .actor("receiver", input, move |input| Slow {
                input,
                received: Arc::clone(&by_receiver),
            });
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        await_that("traffic", || received.load(Ordering::SeqCst) > 2);
        running.stop();
        join(running).unwrap();
        assert_eq!(received.load(Ordering::SeqCst), sent.load(Ordering::SeqCst));
        assert_no_trace(&bus);
    }
}

struct Filling {
    out: LocalSender<u64>,
    sent: Arc<AtomicU64>,
}

impl Actor for Filling {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.out.try_send(1).is_err() {
            return Ok(Step::Idle);
        }
        self.sent.fetch_add(1, Ordering::SeqCst);
        Ok(Step::Busy)
    }
}

/// Takes longer for each than the supervisor for its looks.
struct Slow {
    input: LocalReceiver<u64>,
    received: Arc<AtomicU64>,
}

impl Actor for Slow {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(one) = self.input.try_recv() else {
            return Ok(Step::Idle);
        };
        std::thread::sleep(Duration::from_millis(1));
        self.received.fetch_add(one, Ordering::SeqCst);
        Ok(Step::Busy)
    }
}

type Job = Box<dyn FnOnce(&mut Vec<u64>) + Send>;

struct Clerk {
    out: LocalSender<Job>,
    next: u64,
}

impl Actor for Clerk {
    fn step(&mut self) -> Result<Step, Refused> {
        let number = self.next;
        if number == 100 {
            return Ok(Step::Done);
        }
        let job: Job = Box::new(move |done| done.push(number));
        Ok(if self.out.try_send(job).is_ok() {
            self.next += 1;
            Step::Busy
        } else {
            Step::Idle
        })
    }
}

struct Worker {
    input: LocalReceiver<Job>,
    done: Vec<u64>,
    total: Durable<u64>,
}

impl Actor for Worker {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(job) = self.input.try_recv() else {
            if self.input.is_closed() {
                assert!(self.done.iter().copied().eq(0..100));
                return Ok(Step::Done);
            }
            return Ok(Step::Idle);
        };
        job(&mut self.done);
        self.total.set(self.done.len() as u64);
        Ok(Step::Busy)
    }
}

#[test]
fn closures_are_run_by_whoever_receives_them() {
    let bus = bus_name("local-jobs");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.local_link::<Job>("jobs", 8);
    plan.partition("clerk")
        .actor("clerk", out, |out| Clerk { out, next: 0 });
    plan.partition("worker")
        .actor("worker", (input, durable("total")), |(input, total)| {
            Worker {
                input,
                done: Vec::new(),
                total,
            }
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    assert_eq!(monitor.read("worker", "total").unwrap(), Some(100_u64));
    assert_no_trace(&bus);
}

/// Returns what it gets, one more; the one with `serves` begins.
struct Player {
    input: LocalReceiver<Box<u64>>,
    out: LocalSender<Box<u64>>,
    serves: bool,
    last: u64,
}

impl Actor for Player {
    fn step(&mut self) -> Result<Step, Refused> {
        let number = match self.input.try_recv() {
            Some(number) if *number == self.last => return Ok(Step::Done),
            Some(number) => *number,
            None if std::mem::take(&mut self.serves) => 0,
            None if self.input.is_closed() => return Ok(Step::Done),
            None => return Ok(Step::Idle),
        };
        self.out.try_send(Box::new(number + 1)).unwrap();
        Ok(Step::Busy)
    }
}

/// Each waits for the other all the time, and neither polls: with every wake-up lost it would take five minutes.
#[test]
fn a_parked_receiver_is_woken_by_a_local_send() {
    let bus = bus_name("local-wakes");
    let mut plan = Topology::builder(&bus);
    let (there_out, there_in) = plan.local_link::<Box<u64>>("there", 1);
    let (back_out, back_in) = plan.local_link::<Box<u64>>("back", 1);
    let player = |serves| {
        move |(input, out)| Player {
            input,
            out,
            serves,
            last: 3_000,
        }
    };
    plan.partition("a")
        .wait(Wait::spin_then_park())
        .actor("a", (back_in, there_out), player(true));
    plan.partition("b").wait(Wait::spin_then_park()).actor(
        "b",
        (there_in, back_out),
        player(false),
    );
    join(plan.build().unwrap().launch(Launch::Threads).unwrap()).unwrap();
    assert_no_trace(&bus);
}

/// Sends on and on, and waits for room alone: its input never brings anything, so it doesn't poll.
struct Pusher {
    out: LocalSender<u64>,
    _never: LocalReceiver<u64>,
    next: u64,
}

impl Actor for Pusher {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.next == ROUNDS {
            return Ok(Step::Done);
        }
        if self.out.try_send(self.next).is_err() {
            return Ok(Step::Idle);
        }
        self.next += 1;
        Ok(Step::Busy)
    }
}

/// With every wake-up lost it would take two minutes and a half.
const ROUNDS: u64 = 1_500;

/// Receives one a step, and so slowly that the sender has parked.
struct Puller {
    input: LocalReceiver<u64>,
    _never: LocalSender<u64>,
    next: u64,
}

impl Actor for Puller {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        assert_eq!(number, self.next);
        self.next += 1;
        // The other one fills the link again, finds it full and parks: nothing tells when it has.
        std::thread::sleep(Duration::from_micros(200));
        Ok(Step::Busy)
    }
}

#[test]
fn a_parked_sender_is_woken_by_a_local_receive() {
    let bus = bus_name("local-room");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.local_link::<u64>("numbers", 1);
    let (never_out, never_in) = plan.local_link::<u64>("never", 1);
    plan.partition("pusher").wait(Wait::spin_then_park()).actor(
        "pusher",
        (out, never_in),
        |(out, never)| Pusher {
            out,
            _never: never,
            next: 0,
        },
    );
    plan.partition("puller").wait(Wait::spin_then_park()).actor(
        "puller",
        (input, never_out),
        |(input, never)| Puller {
            input,
            _never: never,
            next: 0,
        },
    );
    join(plan.build().unwrap().launch(Launch::Threads).unwrap()).unwrap();
    assert_no_trace(&bus);
}

#[test]
fn between_processes_there_are_none() {
    let bus = bus_name("local-processes");
    let text = format!(
        "topology `{bus}`, local link `texts`: it can't connect processes; launch with Launch::Threads, or make it a link \
         of a `#[message]` type"
    );
    let (plan, _) = texts(&bus, 1, u64::MAX);
    let error = plan.build_for(Launch::Processes).unwrap_err();
    assert_eq!(error.to_string(), text);
    let (plan, _) = texts(&bus, 1, u64::MAX);
    let topology = plan.build_for(Launch::Threads).unwrap();
    let error = topology.launch(Launch::Processes).unwrap_err();
    assert_eq!(error.to_string(), text);
    assert_no_trace(&bus);
}
