//! What the launching program asks of the supervisor, from any of its threads.
//!
//! A bounded queue that many push to and the supervisor alone pops from, and a wake-up that is remembered: a command is
//! pushed first and announced then, and the supervisor looks into the queue before it waits for an announcement, so none is
//! slept through. A full queue makes the sender wait for a place, which the supervisor makes soon: it blocks nowhere. Once it
//! has ended there is nobody to command, and what is sent is dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;

use crate::supervisor::supervise::Command;

/// Commands that wait for the supervisor at most: more than anybody gives in one of its turns, few enough to cost nothing.
const CAPACITY: usize = 256;

/// Times that a sender offers its core to others before it sleeps between looks: at a real-time priority an offer alone
/// would never let the supervisor run.
const YIELDS: u32 = 64;
const RETRY_INTERVAL: Duration = Duration::from_micros(100);

struct Shared {
    queue: ArrayQueue<Command>,
    woken: Notify,
    /// The supervisor has ended.
    closed: AtomicBool,
    /// Whether somebody pops while a sender waits. On an inline bus the sender itself may be the one that would.
    is_served: bool,
}

/// Sends commands. A clone sends to the same supervisor.
#[derive(Clone)]
pub(crate) struct Control(Arc<Shared>);

/// The supervisor's end.
pub(crate) struct Requests(Arc<Shared>);

/// Both ends of a new queue.
pub(crate) fn control() -> (Control, Requests) {
    with_capacity(CAPACITY, true)
}

/// The same for an inline bus, whose turns pop: there the oldest command makes room in a full queue.
pub(crate) fn control_inline() -> (Control, Requests) {
    with_capacity(CAPACITY, false)
}

fn with_capacity(capacity: usize, is_served: bool) -> (Control, Requests) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity),
        woken: Notify::new(),
        closed: AtomicBool::new(false),
        is_served,
    });
    (Control(Arc::clone(&shared)), Requests(shared))
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Has the supervisor do it; does nothing if that has ended. Waits for a place while the queue is full.
    pub(crate) fn send(&self, command: Command) {
        let Shared {
            queue,
            woken,
            closed,
            is_served,
        } = &*self.0;
        if !is_served {
            queue.force_push(command);
            return;
        }
        let mut command = command;
        let mut refusals = 0;
        // What slips in beside the closing lies there until the last handle is dropped, like what came just before.
        while !closed.load(Ordering::Acquire) {
            let pushed = queue.push(command);
            woken.notify_one();
            match pushed {
                Ok(()) => return,
                Err(refused) => command = refused,
            }
            refusals += 1;
            if refusals < YIELDS {
                thread::yield_now();
            } else {
                thread::sleep(RETRY_INTERVAL);
            }
        }
    }
}

impl Requests {
    /// The next command, if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<Command> {
        self.0.queue.pop()
    }

    /// The next command. Dropped before it is ready it has taken none.
    pub(super) async fn recv(&mut self) -> Command {
        loop {
            if let Some(command) = self.0.queue.pop() {
                return command;
            }
            // Whoever pushed since then has left its announcement here.
            self.0.woken.notified().await;
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDERS: usize = 8;
    const EACH: usize = 10_000;

    fn block_on<F: Future>(work: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(work)
    }

    /// The partition that a command means.
    fn victim(command: &Command) -> usize {
        match command {
            Command::Kill(partition) => *partition,
            Command::Stop | Command::Join | Command::Abort | Command::Letters { .. } => {
                panic!("nobody sent {command:?}")
            }
        }
    }

    /// Each sender's commands come complete and in its order, whatever the queue holds.
    #[test]
    fn nothing_is_lost_among_many_threads() {
        for capacity in [8, CAPACITY] {
            let (control, mut requests) = with_capacity(capacity, true);
            thread::scope(|scope| {
                for sender in 0..SENDERS {
                    let control = control.clone();
                    scope.spawn(move || {
                        for nth in 0..EACH {
                            control.send(Command::Kill(nth * SENDERS + sender));
                        }
                    });
                }
                block_on(async {
                    let mut next = [0; SENDERS];
                    for _ in 0..SENDERS * EACH {
                        let number = victim(&requests.recv().await);
                        assert_eq!(number / SENDERS, next[number % SENDERS]);
                        next[number % SENDERS] += 1;
                    }
                    assert_eq!(next, [EACH; SENDERS]);
                });
            });
        }
    }

    #[test]
    fn a_wait_that_was_given_up_takes_nothing() {
        let (control, mut requests) = with_capacity(4, true);
        block_on(async {
            for round in 0..100 {
                tokio::select! {
                    biased;
                    _ = requests.recv() => panic!("nobody sent"),
                    () = tokio::task::yield_now() => control.send(Command::Kill(round)),
                }
                assert_eq!(victim(&requests.recv().await), round);
            }
        });
    }

    #[test]
    fn after_the_supervisors_end_nobody_waits() {
        let (control, requests) = with_capacity(1, true);
        control.send(Command::Stop);
        thread::scope(|scope| {
            // Finds it full, and is let go by its end.
            let waiting = scope.spawn(|| control.send(Command::Stop));
            drop(requests);
            waiting.join().expect("it comes back");
        });
        for _ in 0..EACH {
            control.send(Command::Abort);
        }
    }
}
