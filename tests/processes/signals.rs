//! Signals of a host that has joins of its own doing, or handlers.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use airssys_rt::Report;
use airssys_rt::prelude::*;
use rustix::process::{Pid, Signal, getpid, kill_process};
use rustix::thread::gettid;

use crate::child::Helper;
use crate::common::{assert_no_trace, await_that, patiently};
use crate::endings::await_sleep;
use crate::topologies::{other, traffic};

/// Joins on a thread of its own. Returns when that waits.
fn start_join(topology: &Topology) -> thread::JoinHandle<Report> {
    let running = topology.launch(Launch::Threads).unwrap();
    let (send, joining) = std::sync::mpsc::channel::<Pid>();
    let thread = thread::spawn(move || {
        send.send(gettid()).unwrap();
        running.join().unwrap()
    });
    await_sleep(joining.recv().unwrap());
    thread
}

/// Joins two buses at once, and goes on for ever.
pub(crate) fn join_two() {
    let joins = [traffic(), other()].map(|topology| start_join(&topology.unwrap()));
    println!("joins");
    for join in joins {
        println!("{}", join.join().unwrap().stopped);
    }
    println!("waits");
    loop {
        thread::park();
    }
}

pub(crate) fn two_joins() {
    let mut joining = Helper::start("join-two");
    assert_eq!(joining.line(), "joins");
    joining.signal(Signal::INT);
    for line in ["true", "true", "waits"] {
        assert_eq!(joining.line(), line);
    }
    for topology in [traffic(), other()] {
        assert_no_trace(topology.unwrap().bus());
    }
    joining.signal(Signal::TERM);
    assert_eq!(joining.wait().signal(), Some(Signal::TERM.as_raw()));
}

pub(crate) fn hosts_handler() {
    let handled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::TERM.as_raw(), Arc::clone(&handled)).unwrap();
    let terminate = || {
        kill_process(getpid(), Signal::TERM).unwrap();
        await_that("the host's handler", || {
            handled.swap(false, Ordering::SeqCst)
        });
    };
    let join = start_join(&traffic().unwrap());
    terminate();
    assert!(patiently("the join", move || join.join().unwrap()).stopped);
    terminate();
}
