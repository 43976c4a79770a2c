//! The thread that writes files for the supervisor, which waits for no disk: capsules, and state that is to start anew.
//!
//! It comes through a bounded queue. A capsule is bytes that were read off the regions already; one that finds no place is lost,
//! counted and told. A state is read where it lies, since its partition's next life waits for the answer; it always finds a place, as
//! a partition has one at most.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::UnboundedSender;

use crate::capsule::{Capsule, store};
use crate::report::{Level, say};
use crate::supervisor::kept::KeptState;
use crate::supervisor::status::StatusBoard;
use crate::topology::model::Plan;

/// Capsules that wait to be written: as many as a topology's default intensity lets happen in a while.
const CAPSULES: usize = 16;

/// A life, by its partition and its number.
pub(super) type LifeId = (usize, u64);

/// How the state of a life was kept.
pub(super) type Kept = (LifeId, io::Result<PathBuf>);

enum Job {
    Capsule(Box<Capsule>),
    State(LifeId, Arc<KeptState>),
}

/// Has files written, in the order in which they come; no thread before the first.
pub(super) struct Writer {
    plan: Arc<Plan>,
    status: Arc<StatusBoard>,
    kept: UnboundedSender<Kept>,
    thread: Option<Thread>,
}

struct Thread {
    jobs: SyncSender<Job>,
    /// Its sender is dropped when the thread has written everything.
    done: Receiver<()>,
    handle: JoinHandle<()>,
}

impl Writer {
    /// The answers about states go to `kept`.
    pub(super) fn new(
        plan: Arc<Plan>,
        status: Arc<StatusBoard>,
        kept: UnboundedSender<Kept>,
    ) -> Self {
        Self {
            plan,
            status,
            kept,
            thread: None,
        }
    }

    /// Has a capsule written, if the disk keeps up.
    pub(super) fn capsule(&mut self, capsule: Capsule) {
        let life = (capsule.partition.clone(), capsule.incarnation);
        let is_taken = self.status.capsules_change(|counts| {
            let has_place = counts.waiting < CAPSULES as u64;
            counts.waiting += u64::from(has_place);
            has_place
        });
        let sent = if is_taken {
            let sent = self.send(Job::Capsule(Box::new(capsule)));
            if sent.is_err() {
                self.status.capsules_change(|counts| counts.waiting -= 1);
            }
            sent
        } else {
            Err(format!("the disk is {CAPSULES} capsules behind"))
        };
        if let Err(why) = sent {
            lost(&self.plan, &self.status, (&life.0, life.1), &why);
        }
    }

    /// Has a state written; the answer comes as a [`Kept`] of this life, unless there can be none.
    pub(super) fn state(&mut self, life: LifeId, state: Arc<KeptState>) -> Result<(), String> {
        self.send(Job::State(life, state))
    }

    fn send(&mut self, job: Job) -> Result<(), String> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => {
                let started = start(&self.plan, &self.status, &self.kept);
                none.insert(started.map_err(|error| format!("no thread to write it: {error}"))?)
            }
        };
        thread.jobs.try_send(job).map_err(|refused| {
            let why = match refused {
                TrySendError::Full(_) => "too much waits for the disk",
                TrySendError::Disconnected(_) => "the thread that writes files has ended",
            };
            why.to_owned()
        })
    }
}

fn start(
    plan: &Arc<Plan>,
    status: &Arc<StatusBoard>,
    kept: &UnboundedSender<Kept>,
) -> io::Result<Thread> {
    let (send, jobs) = sync_channel::<Job>(CAPSULES + plan.partitions.len());
    let (is_done, done) = channel();
    let (plan, status, kept) = (Arc::clone(plan), Arc::clone(status), kept.clone());
    let thread = thread::Builder::new().name("airssys-writer".to_owned());
    let handle = thread.spawn(move || {
        let _is_done: Sender<()> = is_done;
        for job in jobs {
            match job {
                Job::Capsule(capsule) => write_capsule(&plan, &status, &capsule),
                // A supervisor that has ended asks for no answer.
                Job::State(life, state) => drop(kept.send((life, state.write(&plan)))),
            }
        }
    })?;
    Ok(Thread {
        jobs: send,
        done,
        handle,
    })
}

fn write_capsule(plan: &Plan, status: &StatusBoard, capsule: &Capsule) {
    let Some(bounds) = &plan.capsules else { return };
    let (partition, incarnation) = (&capsule.partition, capsule.incarnation);
    let written = store::write(bounds, capsule);
    status.capsules_change(|counts| counts.waiting -= 1);
    match written {
        Ok(path) => {
            say(
                Level::Info,
                format_args!(
                    "{}/{partition} #{incarnation}: its last step is kept in {}",
                    plan.bus,
                    path.display()
                ),
            );
            status.capsules_change(|counts| {
                counts.written += 1;
                counts.newest = Some(path);
            });
        }
        Err(error) => lost(plan, status, (partition, incarnation), &error.to_string()),
    }
}

/// Counts and tells a capsule that there will not be.
pub(super) fn lost(
    plan: &Plan,
    status: &StatusBoard,
    (partition, incarnation): (&str, u64),
    why: &str,
) {
    say(
        Level::Warn,
        format_args!(
            "{}/{partition} #{incarnation}: its capsule is lost: {why}",
            plan.bus
        ),
    );
    status.capsules_change(|counts| counts.lost += 1);
}

/// Waits until everything is written.
impl Drop for Writer {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        drop(thread.jobs);
        let patience = self.plan.disk_patience;
        if thread.done.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            let waiting = self.status.capsules().waiting;
            say(
                Level::Warn,
                format_args!(
                    "{}: files are still being written after {patience:?}, {waiting} capsules among them; nobody waits for them any \
                     longer",
                    self.plan.bus
                ),
            );
        } else {
            // What is left of it is its return.
            let _ = thread.handle.join();
        }
    }
}

#[cfg(test)]
mod tests;
