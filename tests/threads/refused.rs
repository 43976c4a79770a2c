//! What `launch` refuses, with nothing left behind.

use airssys_rt::prelude::*;
use airssys_rt::{BusError, CoreError, LaunchError, MemoryError, PartitionBuilder};

use crate::common::{Seen, assert_no_trace, bus_name, join, three_stages};

#[test]
fn the_same_bus_twice_names_who_holds_it() {
    let bus = bus_name("taken");
    let topology = || {
        let mut plan = Topology::builder(&bus);
        three_stages(&mut plan, 16, 20_000, 4);
        plan.build().unwrap()
    };
    let running = topology().launch(Launch::Threads).unwrap();
    let error = topology().launch(Launch::Threads).unwrap_err();
    let LaunchError::Bus(BusError::Taken { holder, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(holder.pid, Some(std::process::id()));
    let expected = format!(
        "bus `{bus}` is taken by this process (pid {})",
        std::process::id()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    // The one that runs hasn't noticed.
    let monitor = running.monitor();
    join(running).unwrap();
    assert_eq!(
        monitor.read("sink", "seen").unwrap(),
        Some(Seen::of(20_000))
    );
    assert_no_trace(&bus);
    join(topology().launch(Launch::Threads).unwrap()).unwrap();
    assert_no_trace(&bus);
}

#[message]
struct Huge {
    bytes: [[u8; 1024]; 1024],
}

struct Nothing;

impl Actor for Nothing {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Done)
    }
}

#[test]
fn more_memory_than_there_is_is_refused_before_anything_is_made() {
    let bus = bus_name("huge");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Huge>("huge", 1 << 24);
    plan.partition("a").actor("a", out, |_| Nothing);
    plan.partition("b").actor("b", input, |_| Nothing);
    let error = plan.build().unwrap().launch(Launch::Threads).unwrap_err();
    let LaunchError::Memory(
        MemoryError::FileSystem { needed, free, .. } | MemoryError::Cgroup { needed, free, .. },
    ) = &error
    else {
        panic!("{error}");
    };
    assert!(*needed > 1 << 44 && free < needed, "{needed} of {free}");
    let text = error.to_string();
    assert!(
        text.contains("needs 16") && text.contains("in a container"),
        "{text}"
    );
    assert_no_trace(&bus);
}

fn first_core() -> usize {
    let mask = rustix::thread::sched_getaffinity(None).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU)
        .find(|&core| mask.is_set(core))
        .unwrap()
}

fn pinned(bus: &str, pin: impl Fn(&mut PartitionBuilder<'_>)) -> Topology {
    let mut plan = Topology::builder(bus);
    for name in ["a", "b"] {
        let mut partition = plan.partition(name);
        partition.actor(name, (), |()| Nothing);
        pin(&mut partition);
    }
    plan.build().unwrap()
}

#[test]
fn two_partitions_share_a_core_only_if_both_say_so() {
    let bus = bus_name("cores");
    let core = first_core();
    let error = pinned(&bus, |partition| {
        partition.core(core);
    })
    .launch(Launch::Threads)
    .unwrap_err();
    let LaunchError::Cores(CoreError::Shared {
        first,
        second,
        core: shared,
        ..
    }) = &error
    else {
        panic!("{error}");
    };
    assert_eq!((first.as_str(), second.as_str(), *shared), ("a", "b", core));
    let text = error.to_string();
    // The map, and what may be had instead.
    assert!(
        text.contains("partition  CPU") && text.contains("CPUs: allowed "),
        "{text}"
    );
    assert_eq!(text.matches("topology `").count(), 1, "{text}");
    assert_no_trace(&bus);

    let sharing = pinned(&bus, |partition| {
        partition.core(core).share_core();
    });
    join(sharing.launch(Launch::Threads).unwrap()).unwrap();
    assert_no_trace(&bus);
}

#[test]
fn a_core_that_is_not_there_is_refused() {
    let bus = bus_name("no-core");
    let topology = pinned(&bus, |partition| {
        partition.core(1_000);
    });
    let error = topology.launch(Launch::Threads).unwrap_err();
    let LaunchError::Cores(CoreError::NotAllowed { partition, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(partition, "a");
    assert!(
        error.to_string().contains("CPU 1000 is not among those"),
        "{error}"
    );
    assert_no_trace(&bus);
}

#[test]
fn affinity_of_the_launching_thread_stays_as_it_was() {
    let before = rustix::thread::sched_getaffinity(None).unwrap();
    let bus = bus_name("affinity");
    let core = first_core();
    let sharing = pinned(&bus, |partition| {
        partition.core(core).share_core();
    });
    join(sharing.launch(Launch::Threads).unwrap()).unwrap();
    assert!(rustix::thread::sched_getaffinity(None).unwrap() == before);
    assert_no_trace(&bus);
}
