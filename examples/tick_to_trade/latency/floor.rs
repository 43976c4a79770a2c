//! The machine's own jitter: what becomes of a thread that has nothing to do but to keep the schedule.
//!
//! One thread on each core, all at once, since a pipeline is held up by any of them. Each spins on the clock, and for each
//! message that is due it takes down how late it saw that. No pipeline on this machine can do better than this at any
//! percentile: interrupts, other programs and a hypervisor take the core away from whoever runs there.

use std::sync::{Barrier, OnceLock};
use std::thread;

use airssys_rt::monotonic_ns;
use core_affinity::CoreId;

use crate::pipeline::schedule::Schedule;
use crate::pipeline::times::Times;

/// A time for each message of the schedule and each core.
pub(crate) fn measure(cores: &[usize], schedule: Schedule) -> Result<Vec<Times>, String> {
    let (ready, began_ns) = (Barrier::new(cores.len()), OnceLock::new());
    thread::scope(|scope| {
        let threads: Vec<_> = cores
            .iter()
            .map(|&core| {
                let began_ns = || {
                    ready.wait();
                    *began_ns.get_or_init(monotonic_ns)
                };
                (core, scope.spawn(move || keep(core, schedule, began_ns)))
            })
            .collect();
        let mut together = Vec::new();
        for (core, thread) in threads {
            let times = thread.join().map_err(|_| "a floor's thread panicked")?;
            together.extend(times.ok_or_else(|| format!("core {core} can't be pinned to"))?);
        }
        Ok(together)
    })
}

fn keep(core: usize, schedule: Schedule, begin: impl Fn() -> u64) -> Option<Vec<Times>> {
    let pinned = core_affinity::set_for_current(CoreId { id: core });
    let unknown = Times {
        due_ns: 1,
        sent_ns: 1,
        done_ns: 1,
    };
    let mut times = vec![unknown; schedule.count() as usize];
    let began_ns = begin(); // pinned or not: the others wait for it
    for (number, times) in (0..).zip(&mut times) {
        let due_ns = schedule.due_ns(began_ns, number);
        let mut now_ns = monotonic_ns();
        while now_ns < due_ns {
            std::hint::spin_loop();
            now_ns = monotonic_ns();
        }
        *times = Times {
            due_ns,
            sent_ns: now_ns,
            done_ns: now_ns,
        };
    }
    times.retain(|times| schedule.counts(began_ns, times.due_ns));
    pinned.then_some(times)
}
