//! An actor that panics, wherever it does, is made anew and nothing shows that it fell.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Cause, LaunchError};

use crate::common::{Item, Seen, Source, assert_no_trace, bus_name, join, sink, source};

/// Where a relay may fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Factory,
    BeforeReceive,
    AfterReceive,
    AfterSend,
    InDrain,
    AfterDrain,
}

/// Makes whoever passes the point fall at every `every`-th pass, `falls` times in all.
struct Trap {
    point: Point,
    every: u64,
    falls: u64,
    passes: AtomicU64,
}

impl Trap {
    fn pass(&self, point: Point) {
        if point != self.point {
            return;
        }
        let pass = self.passes.fetch_add(1, Ordering::SeqCst) + 1;
        let falls = pass.is_multiple_of(self.every) && pass / self.every <= self.falls;
        assert!(!falls, "fell at {point:?}");
    }
}

struct Clumsy {
    input: Receiver<Item>,
    out: Sender<Item>,
    seen: Durable<Seen>,
    trap: Arc<Trap>,
}

impl Clumsy {
    fn one_by_one(&mut self) -> Result<usize, Refused> {
        self.trap.pass(Point::BeforeReceive);
        let Some(item) = self.input.try_recv() else {
            return Ok(0);
        };
        self.trap.pass(Point::AfterReceive);
        self.seen.borrow_mut().note(&item);
        self.out.send(item)?;
        self.trap.pass(Point::AfterSend);
        Ok(1)
    }

    fn in_batches(&mut self) -> Result<usize, Refused> {
        let (out, seen, trap) = (&mut self.out, &mut self.seen, &self.trap);
        let handed_on = self.input.try_drain(8, |item| {
            seen.borrow_mut().note(item);
            out.send(*item)?;
            trap.pass(Point::InDrain);
            Ok(())
        })?;
        trap.pass(Point::AfterDrain);
        Ok(handed_on)
    }
}

impl Actor for Clumsy {
    fn step(&mut self) -> Result<Step, Refused> {
        let drains = matches!(self.trap.point, Point::InDrain | Point::AfterDrain);
        let handed_on = if drains {
            self.in_batches()?
        } else {
            self.one_by_one()?
        };
        if handed_on == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(handed_on.into())
    }
}

fn fall_and_rise(point: Point, every: u64, falls: u64) {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        fall_and_rise_in(layout, point, (every, falls));
    }
}

fn fall_and_rise_in(layout: Layout, point: Point, (every, falls): (u64, u64)) {
    const TOTAL: u64 = 2_000;
    let bus = bus_name(&format!("fall-{}-{every}-{}", point as u8, layout as u8));
    let trap = Arc::new(Trap {
        point,
        every,
        falls,
        passes: AtomicU64::new(0),
    });
    let mut plan = Topology::builder(&bus);
    plan.intensity(1_000, Duration::from_secs(60));
    let options = LinkOptions::new(16).layout(layout);
    let (first_out, first_in) = plan.link_with::<Item>("first", options);
    let (second_out, second_in) = plan.link_with::<Item>("second", options);
    source(&mut plan, first_out, TOTAL, 3);
    plan.partition("clumsy").actor(
        "clumsy",
        (first_in, second_out, durable("seen")),
        move |(input, out, seen)| {
            trap.pass(Point::Factory);
            Clumsy {
                input,
                out,
                seen,
                trap: Arc::clone(&trap),
            }
        },
    );
    sink(&mut plan, second_in, 16);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    for actor in ["clumsy", "sink"] {
        let seen = monitor.read::<Seen>(actor, "seen").unwrap();
        assert_eq!(seen, Some(Seen::of(TOTAL)), "{actor} of {point:?}");
    }
    let restarts: Vec<u64> = report.partitions.iter().map(|life| life.restarts).collect();
    assert_eq!(restarts, [0, falls, 0], "{point:?}");
    let clumsy = &report.partitions[1];
    assert_eq!(
        (clumsy.incarnations, &clumsy.last_cause),
        (falls + 1, &Some(Cause::Done))
    );
    assert!(!clumsy.recoveries.is_empty() && clumsy.recoveries.len() as u64 <= falls);
    assert_no_trace(&bus);
}

#[test]
fn before_a_receive() {
    fall_and_rise(Point::BeforeReceive, 100, 7);
}

#[test]
fn at_the_very_first_step() {
    fall_and_rise(Point::BeforeReceive, 1, 3);
}

#[test]
fn after_a_receive() {
    fall_and_rise(Point::AfterReceive, 100, 7);
}

#[test]
fn after_a_send() {
    fall_and_rise(Point::AfterSend, 100, 7);
}

#[test]
fn amidst_a_drain() {
    fall_and_rise(Point::InDrain, 100, 7);
}

#[test]
fn after_a_drain() {
    fall_and_rise(Point::AfterDrain, 20, 4);
}

/// Falls in its first step; its factory falls in the second life, and no more.
struct Twice {
    out: Sender<u64>,
    lives: Arc<AtomicU64>,
}

impl Actor for Twice {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.lives.load(Ordering::SeqCst) == 1 {
            panic_any(17_u64);
        }
        self.out.send(self.lives.load(Ordering::SeqCst))?;
        Ok(Step::Done)
    }
}

struct Last {
    input: Receiver<u64>,
    last: Durable<u64>,
}

impl Actor for Last {
    fn step(&mut self) -> Result<Step, Refused> {
        while let Some(number) = self.input.try_recv() {
            self.last.set(number);
        }
        Ok(if self.input.is_closed() {
            Step::Done
        } else {
            Step::Idle
        })
    }
}

#[test]
fn in_a_later_lifes_factory_and_without_a_message() {
    let bus = bus_name("fall-factory");
    let lives = Arc::new(AtomicU64::new(0));
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<u64>("numbers", 1);
    plan.partition("twice").actor("twice", out, move |out| {
        let life = lives.fetch_add(1, Ordering::SeqCst) + 1;
        assert_ne!(life, 2, "fell in the factory");
        Twice {
            out,
            lives: Arc::clone(&lives),
        }
    });
    plan.partition("last")
        .actor("last", (input, durable("last")), |(input, last)| Last {
            input,
            last,
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!(monitor.read("last", "last").unwrap(), Some(3_u64));
    assert_eq!(report.partitions[0].restarts, 2);
    assert_no_trace(&bus);
}

#[test]
fn in_the_first_lifes_factory_is_a_failed_launch() {
    let bus = bus_name("fall-launch");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 16);
    sink(&mut plan, input, 1);
    plan.partition("clumsy")
        .actor("clumsy", out, |_| -> Source {
            panic!("no such file: prices.csv");
        });
    let error = plan.build().unwrap().launch(Launch::Threads).unwrap_err();
    let LaunchError::Start {
        partition, cause, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(partition, "clumsy");
    assert_eq!(cause, "an actor panicked: no such file: prices.csv");
    assert_no_trace(&bus);
}

type Make = fn(Receiver<u64>, Durable<u64>) -> Last;

#[test]
fn a_port_used_outside_of_a_step_names_its_link() {
    let uses: [(&str, Make); 2] = [
        ("link `numbers`", |mut input, last| {
            let _ = input.try_recv();
            Last { input, last }
        }),
        ("durable cell `last/last`", |input, mut last| {
            last.set(1);
            Last { input, last }
        }),
    ];
    for (place, (named, make)) in uses.into_iter().enumerate() {
        let bus = bus_name(&format!("outside-{place}"));
        let mut plan = Topology::builder(&bus);
        let (out, input) = plan.link::<u64>("numbers", 1);
        plan.partition("last")
            .actor("last", (input, durable("last")), move |(input, last)| {
                make(input, last)
            });
        plan.partition("twice").actor("twice", out, |out| Twice {
            out,
            lives: Arc::default(),
        });
        let error = plan.build().unwrap().launch(Launch::Threads).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(named) && text.contains("outside of a step"),
            "{text}"
        );
        assert_no_trace(&bus);
    }
}
