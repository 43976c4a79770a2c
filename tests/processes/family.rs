//! Who is whose child, and what that means: names, groups, deaths, other processes on the same bus.

use std::fs;

use airssys_rt::prelude::*;
use airssys_rt::{BusError, LaunchError};
use rustix::process::{Signal, getpgid, getpid};

use crate::child::{Helper, await_end, pid};
use crate::common::{PATIENCE, Seen, await_that, bus_path, join};
use crate::topologies::{parent, traffic, traffic_with, unentered};

/// The pids of the partitions.
fn pids(running: &airssys_rt::Running) -> Vec<u32> {
    let partitions = running.partitions();
    partitions.iter().map(|life| life.pid.unwrap()).collect()
}

pub(crate) fn names_and_groups() {
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let own_group = getpgid(None).unwrap();
    for partition in running.partitions() {
        let process = pid(partition.pid.unwrap());
        let comm = fs::read_to_string(format!("/proc/{}/comm", process.as_raw_nonzero())).unwrap();
        assert_eq!(comm.trim_end(), partition.name);
        let group = getpgid(Some(process)).unwrap();
        assert_eq!(group, process);
        assert_ne!(group, own_group);
    }
    drop(running);
}

pub(crate) fn grandchild() {
    let running = parent().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    join(running).unwrap();
    let code = monitor.read::<i64>("parent", "exit-code").unwrap();
    assert_eq!(code, Some(GRANDCHILD.into()));
}

const GRANDCHILD: i32 = 42;

/// Gets here only if none of the `enter` before took it for a partition.
pub(crate) fn be_a_grandchild() {
    std::process::exit(GRANDCHILD);
}

/// Launches, says who its partitions are, and waits for an end that doesn't come by itself.
pub(crate) fn launch_traffic() {
    match traffic().unwrap().launch(Launch::Processes) {
        Ok(running) => {
            let pids: Vec<String> = pids(&running).iter().map(u32::to_string).collect();
            println!("{}", pids.join(" "));
            running.join().unwrap();
        }
        Err(error) => println!("{error}"),
    }
}

pub(crate) fn dies_with_supervisor() {
    let mut supervisor = Helper::start("launch-traffic");
    let line = supervisor.line();
    let partitions: Vec<_> = line.split(' ').map(|id| pid(id.parse().unwrap())).collect();
    assert_eq!(partitions.len(), 3, "{line}");
    supervisor.signal(Signal::KILL);
    supervisor.wait();
    for partition in partitions {
        assert!(await_end(partition, PATIENCE), "{partition:?} lives on");
    }
    let bus = bus_path(traffic().unwrap().bus());
    assert!(bus.exists());

    let error = traffic_with(Leftover::Refuse)
        .unwrap()
        .launch(Launch::Processes)
        .unwrap_err();
    assert!(
        matches!(error, LaunchError::Bus(BusError::Leftover { .. })),
        "{error}"
    );
    assert!(bus.exists());

    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let monitor = running.monitor();
    await_that("traffic", || monitor.links()[1].received >= 100);
    running.stop();
    let report = join(running).unwrap();
    // A new bus: it begins at the first message.
    let sent = report.links[0].sent;
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(sent)));
    assert!(!bus.exists());
}

pub(crate) fn taken() {
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let mut other = Helper::start("launch-traffic");
    let line = other.line();
    let holder = getpid().as_raw_nonzero();
    let expected = format!(
        "bus `{}` is taken by pid {holder};",
        traffic().unwrap().bus()
    );
    assert!(line.starts_with(&expected), "{line}");
    assert!(other.wait().success());
    let report = {
        let monitor = running.monitor();
        await_that("traffic all the same", || {
            monitor.links()[1].received >= 100
        });
        running.stop();
        join(running).unwrap()
    };
    assert!(report.links.iter().all(|link| link.depth() == 0));
}

/// In its partition's process this runs again, as nobody entered there.
pub(crate) fn unentered_case() {
    let error = unentered().unwrap().launch(Launch::Processes).unwrap_err();
    if let LaunchError::NotEntered { .. } = error {
        std::process::exit(9);
    }
    let LaunchError::Start { cause, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(cause, "exited with code 9");
}
