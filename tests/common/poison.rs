//! An actor that some messages kill, in every way there is.

use std::fs;
use std::path::Path;

use airssys_rt::prelude::*;
use airssys_rt::{LinkIn, PartitionBuilder};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process};

use super::{Item, await_that};

/// How a message ends the life that handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Panic,
    Abort,
    Fault,
    Exit,
    Hang,
    /// A panic, once, of which the launching process sees nothing: it is stopped before. Which process that is tells [`UNSEEN`].
    UnseenPanic,
    /// The launching process is killed, and this one with it, by the kernel.
    Orphan,
    /// It tells by a file that it is in work, and goes on once there is the file [`MENDED`].
    Wait,
}

/// With a file of this name in the working directory no message kills any more.
pub(crate) const MENDED: &str = "mended";

/// The file that holds the id of a process whose panic nobody sees.
pub(crate) const UNSEEN: &str = "unseen";

/// Messages that kill, by their numbers.
pub(crate) type Bad = &'static [(u64, Kind)];

/// What was handled, committed with each step.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handled {
    pub(crate) count: u64,
    /// Sums of the numbers and of their squares: with the count they tell whether one was lost, or handled twice.
    pub(crate) sum: u64,
    pub(crate) squares: u64,
}

impl Handled {
    pub(crate) fn of(numbers: impl Iterator<Item = u64>) -> Self {
        let mut handled = Self {
            count: 0,
            sum: 0,
            squares: 0,
        };
        numbers.for_each(|seq| handled.note(seq));
        handled
    }

    pub(crate) fn note(&mut self, seq: u64) {
        self.count += 1;
        self.sum += seq;
        self.squares += seq * seq;
    }

    /// All of `0..total` but these.
    pub(crate) fn all_but(total: u64, left: &[u64]) -> Self {
        Self::of((0..total).filter(|seq| !left.contains(seq)))
    }
}

/// The file by which a life tells that message `seq` is in work.
pub(crate) fn in_work(seq: u64, pid: u32) -> String {
    format!("in-work-{seq}-{pid}")
}

/// Ends this life, if the message is a bad one.
pub(crate) fn handle(seq: u64, bad: Bad) {
    let Some(&(_, kind)) = bad.iter().find(|(number, _)| *number == seq) else {
        return;
    };
    let is_mended = || Path::new(MENDED).exists();
    if is_mended() {
        return;
    }
    match kind {
        Kind::Panic => panic!("message {seq} is a bad one"),
        Kind::Abort => std::process::abort(),
        // The runtime's own handler takes the first one for a stray and steps aside.
        Kind::Fault => loop {
            kill_process(getpid(), Signal::SEGV).unwrap();
        },
        Kind::Exit => std::process::exit(3),
        Kind::Hang => loop {
            std::hint::spin_loop();
        },
        Kind::UnseenPanic => {
            if !Path::new(UNSEEN).exists() {
                stop(getppid().unwrap());
                fs::write(UNSEEN, std::process::id().to_string()).unwrap();
                panic!("message {seq} is a bad one");
            }
        }
        Kind::Orphan => {
            kill_process(getppid().unwrap(), Signal::KILL).unwrap();
            loop {
                std::thread::park();
            }
        }
        Kind::Wait => {
            fs::write(in_work(seq, std::process::id()), "").unwrap();
            while !is_mended() {
                std::thread::yield_now();
            }
        }
    }
}

/// Stops a process, and comes back when none of its threads does anything any more.
fn stop(process: Pid) {
    kill_process(process, Signal::STOP).unwrap();
    let threads = format!("/proc/{}/task", process.as_raw_nonzero());
    let is_stopped = |thread: std::io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        let (_, state) = stat.rsplit_once(") ")?;
        Some(state.starts_with('T'))
    };
    await_that("a stop", || {
        let mut threads = fs::read_dir(&threads).unwrap();
        threads.all(|thread| is_stopped(thread) == Some(true))
    });
}

/// Handles up to `batch` items in a step, if they let it.
pub(crate) struct Picky {
    pub(crate) input: Receiver<Item>,
    pub(crate) handled: Durable<Handled>,
    pub(crate) batch: usize,
    pub(crate) bad: Bad,
}

impl Actor for Picky {
    fn step(&mut self) -> Result<Step, Refused> {
        let (handled, bad) = (&mut self.handled, self.bad);
        let received = self.input.drain(self.batch, |item| {
            handle(item.seq, bad);
            handled.borrow_mut().note(item.seq);
        });
        if received == 0 && self.input.is_closed() {
            return Ok(Step::Done);
        }
        Ok(received.into())
    }
}

/// The actor `picky` in a partition of one's own making.
pub(crate) fn picky_in(
    partition: &mut PartitionBuilder<'_>,
    input: LinkIn<Item>,
    (batch, bad): (usize, Bad),
) {
    let ends = (input, durable::<Handled>("handled"));
    partition.actor("picky", ends, move |(input, handled)| Picky {
        input,
        handled,
        batch,
        bad,
    });
}
