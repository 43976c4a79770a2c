//! Who may be linked to whom, and that everything arrives once and in order.

use airssys_rt::prelude::*;

use crate::common::{
    Item, Seen, Sink, Source, assert_no_trace, bus_name, join, sink, source, three_stages,
};

/// Runs three stages and checks what remains of them.
fn run_three_stages(tag: &str, capacity: u64, total: u64, batch: u64) {
    let bus = bus_name(tag);
    let mut plan = Topology::builder(&bus);
    three_stages(&mut plan, capacity, total, batch);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    for actor in ["relay", "sink"] {
        let seen = monitor.read::<Seen>(actor, "seen").unwrap();
        assert_eq!(seen, Some(Seen::of(total)), "{actor}");
    }
    assert!(!report.stopped);
    for link in &report.links {
        assert_eq!((link.sent, link.received), (total, total), "{}", link.name);
    }
    assert_no_trace(&bus);
}

#[test]
fn two_actors_in_two_partitions() {
    let bus = bus_name("two");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", 64);
    source(&mut plan, out, 10_000, 1);
    sink(&mut plan, input, 64);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    assert_eq!(
        monitor.read("sink", "seen").unwrap(),
        Some(Seen::of(10_000))
    );
    assert_no_trace(&bus);
}

#[test]
fn three_stages_with_batches() {
    run_three_stages("three", 256, 100_000, 32);
}

#[test]
fn rings_of_one_two_and_four_messages_wrap_around() {
    for capacity in [1, 2, 4] {
        run_three_stages(&format!("wrap-{capacity}"), capacity, 10_000, 1);
    }
}

#[test]
fn batches_of_three_through_rings_of_four() {
    run_three_stages("three-in-four", 4, 10_000, 3);
}

#[test]
fn two_buses_at_once_leave_each_other_alone() {
    std::thread::scope(|scope| {
        for tag in ["beside-a", "beside-b"] {
            scope.spawn(move || run_three_stages(tag, 8, 20_000, 4));
        }
    });
}

/// Counts to `last` by sending itself the next number.
struct Myself {
    out: Sender<u64>,
    input: Receiver<u64>,
    last: u64,
}

impl Actor for Myself {
    fn step(&mut self) -> Result<Step, Refused> {
        let next = match self.input.try_recv() {
            Some(number) if number == self.last => return Ok(Step::Done),
            Some(number) => number + 1,
            None if self.out.sent() == 0 => 0,
            None => return Ok(Step::Idle),
        };
        self.out.send(next)?;
        Ok(Step::Busy)
    }
}

#[test]
fn an_actor_linked_to_itself() {
    let bus = bus_name("self");
    let mut plan = Topology::builder(&bus);
    // Two slots: the one that is being received is given back only after the commit that sends the next.
    let ends = plan.link::<u64>("numbers", 2);
    plan.partition("loop")
        .actor("myself", ends, |(out, input)| Myself {
            out,
            input,
            last: 5_000,
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let report = join(running).unwrap();
    assert_eq!(
        (report.links[0].sent, report.links[0].received),
        (5_001, 5_001)
    );
    assert_no_trace(&bus);
}

/// Returns what it gets to where it came from, one more; the one with `serves` begins.
struct Player {
    input: Receiver<u64>,
    out: Sender<u64>,
    serves: bool,
    last: u64,
}

impl Actor for Player {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.serves && self.out.sent() == 0 {
            self.out.send(1)?;
            return Ok(Step::Busy);
        }
        let Some(number) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        if number == self.last {
            return Ok(Step::Done);
        }
        self.out.send(number + 1)?;
        Ok(Step::Busy)
    }
}

#[test]
fn a_circle_of_two_partitions_with_rings_of_one() {
    let bus = bus_name("circle");
    let mut plan = Topology::builder(&bus);
    let (there_out, there_in) = plan.link::<u64>("there", 1);
    let (back_out, back_in) = plan.link::<u64>("back", 1);
    let player = |serves| {
        move |(input, out)| Player {
            input,
            out,
            serves,
            last: 10_000,
        }
    };
    plan.partition("a")
        .actor("a", (back_in, there_out), player(true));
    plan.partition("b")
        .actor("b", (there_in, back_out), player(false));
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let report = join(running).unwrap();
    let sent: u64 = report.links.iter().map(|link| link.sent).sum();
    let received: u64 = report.links.iter().map(|link| link.received).sum();
    assert_eq!((sent, received), (10_000, 10_000));
    assert_no_trace(&bus);
}

const LANES: usize = 3;

/// Deals items out to the lanes in turn.
struct Deal {
    input: Receiver<Item>,
    lanes: Vec<Sender<Item>>,
}

impl Actor for Deal {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        self.lanes[item.seq as usize % LANES].send(item)?;
        Ok(Step::Busy)
    }
}

/// Takes from the lanes in turn: what was dealt comes together in the old order.
struct Gather {
    lanes: [Receiver<Item>; LANES],
    seen: Durable<Seen>,
}

impl Actor for Gather {
    fn step(&mut self) -> Result<Step, Refused> {
        let turn = self.seen.get().next as usize % LANES;
        let Some(item) = self.lanes[turn].try_recv() else {
            let ended = self.lanes.iter().all(Receiver::is_closed);
            return Ok(if ended { Step::Done } else { Step::Idle });
        };
        self.seen.borrow_mut().note(&item);
        Ok(Step::Busy)
    }
}

/// Hands on what it gets.
struct Lane {
    input: Receiver<Item>,
    out: Sender<Item>,
}

impl Actor for Lane {
    fn step(&mut self) -> Result<Step, Refused> {
        let out = &mut self.out;
        let handed_on = self.input.try_drain(4, |item| out.send(*item))?;
        if handed_on == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(handed_on.into())
    }
}

#[test]
fn fan_out_and_fan_in_with_several_actors_in_a_partition() {
    let bus = bus_name("fan");
    let mut plan = Topology::builder(&bus);
    let (source_out, deal_in) = plan.link::<Item>("items", 8);
    let (mut dealt, mut gathered, mut lanes) = (Vec::new(), Vec::new(), Vec::new());
    for lane in 0..LANES {
        let (out, lane_in) = plan.link::<Item>(format!("to-{lane}"), 4);
        let (lane_out, input) = plan.link::<Item>(format!("from-{lane}"), 4);
        dealt.push(out);
        gathered.push(input);
        lanes.push((lane_in, lane_out));
    }
    plan.partition("front")
        .actor("source", source_out, |out| Source {
            out,
            total: 9_000,
            batch: 5,
        })
        .actor("deal", (deal_in, dealt), |(input, lanes)| Deal {
            input,
            lanes,
        });
    let lane = |(input, out)| Lane { input, out };
    let mut back = plan.partition("back");
    back.actor("lane-0", lanes.remove(0), lane)
        .actor("lane-1", lanes.remove(0), lane);
    let gathered: [_; LANES] = gathered.try_into().unwrap();
    plan.partition("aside")
        .actor("lane-2", lanes.remove(0), lane)
        .actor("gather", (gathered, durable("seen")), |(lanes, seen)| {
            Gather { lanes, seen }
        });
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!(
        monitor.read("gather", "seen").unwrap(),
        Some(Seen::of(9_000))
    );
    assert!(report.links.iter().all(|link| link.depth() == 0));
    assert_no_trace(&bus);
}

#[test]
fn twelve_partitions_get_on_wherever_they_have_to_share_cores() {
    let bus = bus_name("twelve");
    let mut plan = Topology::builder(&bus);
    let (first_out, mut last_in) = plan.link::<Item>("link-0", 16);
    source(&mut plan, first_out, 3_000, 4);
    for stage in 1..=10 {
        let (out, input) = plan.link::<Item>(format!("link-{stage}"), 16);
        let ends = (std::mem::replace(&mut last_in, input), out);
        plan.partition(format!("stage-{stage}")).actor(
            format!("stage-{stage}"),
            ends,
            |(input, out)| Lane { input, out },
        );
    }
    sink(&mut plan, last_in, 16);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    assert_eq!(running.partitions().len(), 12);
    join(running).unwrap();
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(3_000)));
    assert_no_trace(&bus);
}

#[test]
fn every_wait_strategy_brings_everything_through() {
    let waits = [
        ("auto", Wait::auto()),
        ("yield", Wait::spin_then_yield()),
        ("park", Wait::spin_then_park()),
        ("spin", Wait::spin()),
    ];
    for (tag, wait) in waits {
        let bus = bus_name(&format!("wait-{tag}"));
        let mut plan = Topology::builder(&bus);
        let (out, input) = plan.link::<Item>("items", 2);
        plan.partition("source")
            .wait(wait)
            .actor("source", out, |out| Source {
                out,
                total: 2_000,
                batch: 1,
            });
        plan.partition("sink").wait(wait).actor(
            "sink",
            (input, durable("seen")),
            |(input, seen)| Sink {
                input,
                seen,
                batch: 2,
            },
        );
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        join(running).unwrap();
        assert_eq!(
            monitor.read("sink", "seen").unwrap(),
            Some(Seen::of(2_000)),
            "{tag}"
        );
        assert_no_trace(&bus);
    }
}
