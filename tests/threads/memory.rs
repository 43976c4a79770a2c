//! What a bus has of the machine's memory, predicted and found, and steps before the first.

use std::sync::atomic::{AtomicUsize, Ordering};

use airssys_rt::prelude::*;
use airssys_rt::{Had, LaunchError, Want};

use crate::common::{Item, Seen, Sink, Source, assert_no_trace, bus_name, join, patiently};

const TOTAL: u64 = 20_000;

/// A source and a sink around a link of 4 MiB.
fn large(tag: &str) -> Topology {
    let mut plan = Topology::builder(tag);
    plan.bus(bus_name(tag));
    let (out, input) = plan.link::<Item>("items", 1 << 17);
    plan.partition("source")
        .warm_up(10)
        .actor("source", out, |out| Source {
            out,
            total: TOTAL,
            batch: 4,
        });
    plan.partition("sink")
        .warm_up(10)
        .actor("sink", (input, durable("seen")), |(input, seen)| Sink {
            input,
            seen,
            batch: 8,
        });
    plan.build().unwrap()
}

#[test]
fn what_a_launch_finds_is_what_was_predicted() {
    let topology = large("predicted");
    let predicted = topology.check(Launch::Threads).unwrap();
    let running = topology.launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let found = monitor.memory();
    let names: Vec<&str> = found.regions.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["source", "sink", "supervisor"]);
    for (found, predicted) in found.regions.iter().zip(&predicted.memory.regions) {
        assert_eq!(found.name, predicted.name);
        assert_eq!(found.bytes, predicted.bytes);
        // Other tests lock memory of this process meanwhile, and take huge pages of this machine.
        if predicted.locked == Had::Yes && found.locked != Had::Yes {
            assert!(predicted.bytes < 8 << 20, "{found:?}");
        }
        if found.huge == Had::Yes {
            assert_eq!(found.huge_bytes, predicted.huge_bytes);
        }
    }
    assert!(found.regions[0].bytes > 4 << 20);
    let small = Had::No("smaller than one".to_owned());
    assert_eq!(found.regions[1].huge, small);
    assert_eq!(found.regions[2].huge, small);
    let table = found.to_string();
    assert!(
        table.starts_with("region      memory   locked"),
        "\n{table}"
    );
    let text = predicted.to_string();
    for part in [
        "\nmemory: needs 4",
        "free in /dev/shm: ",
        "\nCPUs: allowed ",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    join(running).unwrap();
    assert_eq!(
        monitor.read("sink", "seen").unwrap(),
        Some(Seen::of(TOTAL)),
        "no warm-up step counts"
    );
    assert_no_trace(topology.bus());
}

#[test]
fn what_is_not_asked_for_is_not_had() {
    let mut plan = Topology::builder("plain");
    plan.bus(bus_name("plain"));
    plan.lock_memory(Want::No).huge_pages(Want::No);
    let (out, input) = plan.link::<Item>("items", 1 << 17);
    plan.partition("both").actor("source", out, |out| Source {
        out,
        total: 100,
        batch: 4,
    });
    plan.partition("sink")
        .actor("sink", (input, durable("seen")), |(input, seen)| Sink {
            input,
            seen,
            batch: 8,
        });
    let topology = plan.build().unwrap();
    let running = topology.launch(Launch::Threads).unwrap();
    for region in running.memory().regions {
        assert!(matches!(region.locked, Had::No(_)), "{region:?}");
        assert!(matches!(region.huge, Had::No(_)), "{region:?}");
    }
    join(running).unwrap();
}

#[test]
fn heap_memory_is_neither_locked_nor_huge() {
    let topology = large("heap");
    let predicted = topology.check(Launch::Inline).unwrap();
    let bus = topology.inline(0).unwrap();
    for region in bus
        .memory()
        .regions
        .into_iter()
        .chain(predicted.memory.regions)
    {
        let heap = Had::No("memory of this process alone".to_owned());
        assert_eq!((region.locked, region.huge), (heap.clone(), heap));
    }
}

/// Counts its steps in a plain field, which nothing undoes, and commits what it finds there in the first step that counts.
struct Counting {
    steps: u64,
    first: Durable<u64>,
    falls_at: Option<u64>,
}

impl Actor for Counting {
    fn step(&mut self) -> Result<Step, Refused> {
        self.steps += 1;
        assert_ne!(Some(self.steps), self.falls_at, "a planned panic");
        self.first.set(self.steps);
        Ok(Step::Done)
    }
}

/// Warms up with 50 steps; its first lives fall at these steps, warm-up included.
fn counting(tag: &str, falls_at: &'static [u64]) -> Topology {
    let lives = AtomicUsize::new(0);
    let mut plan = Topology::builder(tag);
    plan.bus(bus_name(tag));
    plan.partition("counting")
        .warm_up(50)
        .actor("counting", durable("first"), move |first| {
            let life = lives.fetch_add(1, Ordering::SeqCst);
            Counting {
                steps: 0,
                first,
                falls_at: falls_at.get(life).copied(),
            }
        });
    plan.build().unwrap()
}

#[test]
fn each_life_is_warmed_up_before_its_first_step() {
    // In the first step that counts; in a warm-up step.
    for (tag, falls_at) in [("warm", &[51][..]), ("warmer", &[51, 7])] {
        let running = counting(tag, falls_at).launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        let report = join(running).unwrap();
        assert_eq!(monitor.read::<u64>("counting", "first").unwrap(), Some(51));
        assert_eq!(report.partitions[0].restarts, falls_at.len() as u64);
    }
}

#[test]
fn a_panic_while_the_first_life_warms_up_refuses_the_launch() {
    let topology = counting("cold", &[7]);
    let bus = topology.bus().to_owned();
    let launched = patiently("the launch", move || topology.launch(Launch::Threads));
    let error = launched.map(|_| ()).unwrap_err();
    let LaunchError::Start { cause, .. } = error else {
        panic!("{error}");
    };
    assert!(cause.contains("panicked"), "{cause}");
    assert_no_trace(&bus);
}
