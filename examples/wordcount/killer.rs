//! Kills a random partition at random instants.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use airssys_rt::Monitor;

/// A thread that kills until it is dropped.
pub(crate) struct Killer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Killer {
    /// Kills every `mean` on average: each pause is anything from nothing to twice as long.
    pub(crate) fn start(monitor: &Monitor, mean: Duration, seed: u64) -> Self {
        let (stop, stopped) = mpsc::channel();
        let monitor = monitor.clone();
        let thread = thread::spawn(move || {
            let partitions = monitor.partitions();
            let mut random = Random(seed);
            loop {
                let pause = mean.mul_f64(2.0 * random.fraction());
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let victim = random.next() % partitions.len() as u64;
                // One that is being restarted just now has nothing to kill.
                monitor
                    .kill(&partitions[victim as usize].name)
                    .expect("the name is the bus's own");
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed; here is nothing to add.
            let _ = thread.join();
        }
    }
}

/// `SplitMix64`: small, and good enough to choose victims.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In `0.0..1.0`.
    fn fraction(&mut self) -> f64 {
        f64::from((self.next() >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }
}
