//! A capsule of a panic: what it holds, and its step run again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Capsule, Crash, ReplayError, Replayed, Report, RunError, replay};

use crate::common::{bus_name, bus_path, join, remove_bus};

#[message]
#[derive(Debug, PartialEq)]
struct Order {
    id: u64,
    price: f64,
    symbol: [u8; 8],
}

/// Falls, before the fix, over an order at a price below the last one's.
struct Desk {
    orders: Receiver<Order>,
    fills: Sender<u64>,
    last: Durable<f64>,
    clock: Clock,
    is_fixed: bool,
}

const BATCH: usize = 4;

impl Actor for Desk {
    fn step(&mut self) -> Result<Step, Refused> {
        let now = self.clock.now();
        let (fills, last) = (&mut self.fills, &mut self.last);
        let is_fixed = self.is_fixed;
        let filled = self.orders.try_drain(BATCH, |order| {
            let fell = order.price < last.get();
            assert!(is_fixed || !fell, "order {} at {now}", order.id);
            last.set(order.price);
            fills.send(order.id)
        })?;
        Ok(if filled == 0 && self.orders.is_closed() {
            Step::Done
        } else {
            filled.into()
        })
    }
}

struct Feed {
    orders: Sender<Order>,
}

/// Orders at rising prices but for one.
const ORDERS: u64 = 40;
const FALLS_AT: u64 = 21;

fn order(id: u64) -> Order {
    Order {
        id,
        price: if id == FALLS_AT {
            1.5
        } else {
            100.0 + f64::from(id as u32)
        },
        symbol: *b"ABC\0\0\0\0\0",
    }
}

impl Actor for Feed {
    fn step(&mut self) -> Result<Step, Refused> {
        let id = self.orders.sent();
        if id == ORDERS {
            return Ok(Step::Done);
        }
        self.orders.send(order(id))?;
        Ok(Step::Busy)
    }
}

struct Fills(Receiver<u64>);

impl Actor for Fills {
    fn step(&mut self) -> Result<Step, Refused> {
        let filled = self.0.drain(64, |_| ());
        Ok(if filled == 0 && self.0.is_closed() {
            Step::Done
        } else {
            filled.into()
        })
    }
}

fn desk(bus: &str, is_fixed: bool, capsules: &Path) -> Topology {
    desk_with(LinkOptions::new(64), bus, is_fixed, capsules)
}

fn desk_with(orders: LinkOptions, bus: &str, is_fixed: bool, capsules: &Path) -> Topology {
    let mut plan = Topology::builder("desk");
    plan.bus(bus).capsules(capsules, 4, 1 << 20);
    let (order_out, order_in) = plan.link_with::<Order>("orders", orders);
    let (fill_out, fill_in) = plan.link::<u64>("fills", 64);
    plan.partition("feed")
        .actor("feed", order_out, |orders| Feed { orders });
    let ends = (order_in, fill_out, durable("last"), clock());
    plan.partition("desk").restart(Restart::temporary()).actor(
        "desk",
        ends,
        move |(orders, fills, last, clock)| Desk {
            orders,
            fills,
            last,
            clock,
            is_fixed,
        },
    );
    plan.partition("fills").actor("fills", fill_in, Fills);
    plan.build().unwrap()
}

/// A directory of this test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(tag: &str) -> Self {
        let name = format!("airssys-capsules-{tag}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(topology: &Topology) -> Report {
    let running = topology.launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    // The desk doesn't come back, and what waits for it is left: the end is asked for.
    crate::common::await_that("the desk's end", || {
        monitor.partitions()[1].last_cause.is_some()
    });
    running.stop();
    join(running).unwrap()
}

fn panicked(run: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn the_step_that_fell_is_kept_and_falls_again_until_it_is_mended() {
    let scratch = Scratch::new("panic");
    let bus = bus_name("desk");
    let report = run(&desk(&bus, false, &scratch.0));
    let files = Capsule::list(&scratch.0).unwrap();
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    let capsule = Capsule::open(file).unwrap();
    let Crash::Panic {
        message: Some(message),
    } = &capsule.crash
    else {
        panic!("{capsule}");
    };
    let now = capsule.clock.monotonic_ns.unwrap();
    assert_eq!(*message, format!("order {FALLS_AT} at {now}"));
    assert_eq!(capsule.clock.realtime_ns, None, "it hadn't asked");
    assert_eq!(
        (&*capsule.partition, &*capsule.actor, capsule.incarnation),
        ("desk", "desk", 1)
    );
    assert_eq!(capsule.instance, report.monitor.instance().to_string());
    let input = &capsule.inputs[0];
    let last_in_work = input.received + input.in_work - 1;
    assert_eq!(last_in_work, FALLS_AT, "{capsule}");
    let waiting = input.messages.len() as u64 - input.in_work;
    assert!(waiting <= 16, "{capsule}");
    let text = capsule.to_string();
    let line = format!("in work {FALLS_AT}: id={FALLS_AT} price=1.5 symbol=\"ABC\"");
    assert!(text.contains(&line), "{text}");

    let mended = replays(&capsule, message, LinkOptions::new(64), &scratch);
    let unknown = mended.sent::<u64>("orders").unwrap_err().to_string();
    assert_eq!(
        unknown,
        "actor `desk` has no output `orders`, which the capsule has; it has: fills"
    );
    // And by a topology that sets messages aside since then.
    let since = LinkOptions::new(64).dead_letters(4);
    replays(&capsule, message, since, &scratch);
}

/// The same panic, of the same reading; and what the mended desk does.
fn replays(capsule: &Capsule, message: &str, orders: LinkOptions, scratch: &Scratch) -> Replayed {
    let bus = "replayed";
    let input = &capsule.inputs[0];
    let broken = desk_with(orders, bus, false, &scratch.0);
    let before = panicked(|| drop(replay(capsule, &broken)));
    assert_eq!(before, *message);
    let mended = replay(capsule, &desk_with(orders, bus, true, &scratch.0)).unwrap();
    assert_eq!(mended.result(), Ok(Step::Busy));
    assert!(mended.is_committed());
    let ids: Vec<u64> = (input.received..=FALLS_AT).collect();
    assert_eq!(mended.sent::<u64>("fills").unwrap(), ids);
    assert_eq!(mended.received("orders").unwrap(), ids.len() as u64);
    assert_eq!(
        mended.cell::<f64>("last").unwrap().to_bits(),
        1.5_f64.to_bits()
    );
    mended
}

struct Nothing;

impl Actor for Nothing {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Idle)
    }
}

/// The desk as `change` makes it.
fn other_desk(change: impl FnOnce(&mut airssys_rt::TopologyBuilder)) -> Topology {
    let mut plan = Topology::builder("desk");
    change(&mut plan);
    plan.build().unwrap()
}

#[test]
fn a_topology_that_does_not_fit_is_told_with_both_sides() {
    let scratch = Scratch::new("fit");
    run(&desk(&bus_name("fit"), false, &scratch.0));
    let capsule = Capsule::open(&Capsule::list(&scratch.0).unwrap()[0]).unwrap();
    let refused = |topology: &Topology| replay(&capsule, topology).unwrap_err();
    let error = refused(&other_desk(|plan| {
        plan.partition("p").actor("other", (), |()| Nothing);
    }));
    assert!(matches!(error, ReplayError::NoActor { .. }));
    assert_eq!(
        error.to_string(),
        "the capsule's actor `desk` isn't in topology `desk`, which has: other"
    );
    let error = refused(&other_desk(|plan| {
        let (out, input) = plan.link::<[f64; 2]>("orders", 64);
        let (fill_out, fill_in) = plan.link::<u64>("fills", 64);
        plan.host().sends(out).receives(fill_in);
        plan.partition("p")
            .actor("desk", (input, fill_out, durable::<f64>("last")), |_| {
                Nothing
            });
    }));
    assert!(matches!(error, ReplayError::Schema { .. }));
    assert_eq!(
        error.to_string(),
        "input `orders` of actor `desk`: the message is `[f64; 2]` in this program, `Order` in the capsule"
    );
    let error = refused(&other_desk(|plan| {
        let (out, input) = plan.link::<Order>("orders", 64);
        let (fill_out, fill_in) = plan.link::<u64>("fills", 64);
        plan.host().sends(out).receives(fill_in);
        let cells = (durable::<f64>("last"), durable::<u64>("count"));
        plan.partition("p")
            .actor("desk", (input, fill_out, cells), |_| Nothing);
    }));
    assert!(matches!(error, ReplayError::NoValue { .. }), "{error}");
    let error = refused(&other_desk(|plan| {
        let (out, input) = plan.link::<Order>("orders", 64);
        plan.host().sends(out);
        plan.partition("p")
            .actor("desk", (input, durable::<f64>("last")), |_| Nothing);
    }));
    assert_eq!(
        error.to_string(),
        "actor `desk` has no output `fills`, which the capsule has; it has: none"
    );
}

/// Waits in its step over a number until it may go on.
struct Waiting {
    numbers: Receiver<u64>,
    answers: Sender<u64>,
    may_go_on: Arc<AtomicBool>,
}

const WAITS_AT: u64 = 7;

impl Actor for Waiting {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.numbers.try_recv() else {
            return Ok(Step::Idle);
        };
        self.answers.send(number)?;
        while number == WAITS_AT && !self.may_go_on.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(Step::Busy)
    }
}

/// Its thread lives on: what it waits in is read off the regions all the same.
#[test]
fn a_thread_that_hangs_leaves_a_capsule() {
    let scratch = Scratch::new("hang");
    let bus = bus_name("hang-capsule");
    let may_go_on = Arc::new(AtomicBool::new(false));
    let topology = || {
        let mut plan = Topology::builder("hang");
        plan.bus(&bus).capsules(&scratch.0, 4, 1 << 20);
        let (number_out, number_in) = plan.link::<u64>("numbers", 16);
        let (answer_out, answer_in) = plan.link::<u64>("answers", 16);
        plan.host().sends(number_out).receives(answer_in);
        let may_go_on = Arc::clone(&may_go_on);
        // Never parked: a sleeper owes no heartbeat.
        plan.partition("waiting")
            .wait(Wait::spin_then_yield())
            .hang_after(Duration::from_secs(1))
            .actor(
                "waiting",
                (number_in, answer_out),
                move |(numbers, answers)| {
                    let may_go_on = Arc::clone(&may_go_on);
                    Waiting {
                        numbers,
                        answers,
                        may_go_on,
                    }
                },
            );
        plan.build().unwrap()
    };
    let running = topology().launch(Launch::Threads).unwrap();
    let mut numbers = running.sender::<u64>("numbers").unwrap();
    for number in [1, 2, WAITS_AT, 3] {
        numbers.try_send(number).unwrap();
    }
    let error = join(running).unwrap_err();
    may_go_on.store(true, Ordering::SeqCst);
    remove_bus(bus_path(&bus));
    let RunError::Escalated { report, .. } = error else {
        panic!("{error}");
    };
    let kept = report.monitor.capsules();
    assert_eq!((kept.written, kept.lost), (1, 0));
    let capsule = Capsule::open(kept.newest.unwrap()).unwrap();
    assert_eq!(capsule.crash, Crash::Hang);
    let input = &capsule.inputs[0];
    assert_eq!((input.received, input.in_work), (2, 1), "{capsule}");
    assert_eq!(capsule.outputs[0].sent, 2, "{capsule}");
    let replayed = replay(&capsule, &topology()).unwrap();
    assert!(replayed.is_committed());
    assert_eq!(replayed.sent::<u64>("answers").unwrap(), [WAITS_AT]);
}

#[test]
fn a_directory_that_can_not_be_had_ends_nothing() {
    let scratch = Scratch::new("file");
    fs::write(&scratch.0, "no directory").unwrap();
    let report = run(&desk(&bus_name("file"), false, &scratch.0));
    assert!(report.stopped);
    assert_eq!(fs::read(&scratch.0).unwrap(), b"no directory");
    fs::remove_file(&scratch.0).unwrap();
}
