//! Capsules of steps that had more in work than messages: a dead letter, a collection that was half changed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use airssys_rt::prelude::*;
use airssys_rt::{Capsule, Monitor, replay};

use crate::common::{await_that, bus_name, join};

/// Remembers each number, and then falls over a bad one.
struct Keeper {
    numbers: Receiver<u64>,
    answers: Sender<[u64; 3]>,
    seen: DurableVec<u64>,
    is_mended: bool,
}

const BAD: u64 = 7;

impl Actor for Keeper {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.numbers.try_recv() else {
            return Ok(if self.numbers.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        assert!(self.seen.push(number).is_ok(), "there is room");
        assert!(self.is_mended || number != BAD, "{number} is bad");
        let sequence = self.numbers.key().map_or(u64::MAX, |key| key.sequence);
        self.answers
            .send([number, sequence, self.seen.len() as u64])?;
        Ok(Step::Busy)
    }
}

fn keeper(bus: &str, is_mended: bool, capsules: &Path) -> Topology {
    let mut plan = Topology::builder("keeper");
    plan.bus(bus).capsules(capsules, 4, 1 << 20);
    let options = LinkOptions::new(16).dead_letters(4).max_attempts(1);
    let (number_out, number_in) = plan.link_with::<u64>("numbers", options);
    let (answer_out, answer_in) = plan.link::<[u64; 3]>("answers", 16);
    plan.host().sends(number_out).receives(answer_in);
    let ends = (number_in, answer_out, durable::vector::<u64>("seen", 16));
    plan.partition("keeper")
        .actor("keeper", ends, move |(numbers, answers, seen)| Keeper {
            numbers,
            answers,
            seen,
            is_mended,
        });
    plan.build().unwrap()
}

/// A directory of this test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("airssys-capsule-state-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Its capsules, the oldest first, once there are so many.
    fn capsules(&self, count: usize) -> Vec<Capsule> {
        let list = || Capsule::list(&self.0).unwrap_or_default();
        await_that("the capsules", || list().len() >= count);
        list()
            .iter()
            .map(|file| Capsule::open(file).unwrap())
            .collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn requeue(monitor: &Monitor) {
    let letters = monitor.dead_letters("numbers").unwrap();
    await_that("the letter", || letters.len() == 1);
    letters.requeue(1);
}

/// Replays the broken step, then the mended one, which answers with the number, its sequence, and how many it has seen.
fn check(capsule: &Capsule, scratch: &Scratch, answer: [u64; 3]) {
    let broken = keeper("replayed", false, &scratch.0);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(replay(capsule, &broken)))).unwrap_err();
    assert_eq!(*panic.downcast_ref::<String>().unwrap(), "7 is bad");
    let mended = replay(capsule, &keeper("replayed", true, &scratch.0)).unwrap();
    assert!(mended.is_committed());
    assert_eq!(mended.sent::<[u64; 3]>("answers").unwrap(), [answer]);
    let seen = mended.collection("seen").unwrap().vector::<u64>().unwrap();
    let [number, _, count] = answer;
    assert_eq!((seen.last(), seen.len() as u64), (Some(&number), count));
    assert!(mended.collection("numbers").is_err());
}

#[test]
fn what_the_step_had_changed_is_undone_and_a_letter_comes_with_its_key() {
    let scratch = Scratch::new();
    let running = keeper(&bus_name("capsule-state"), false, &scratch.0)
        .launch(Launch::Threads)
        .unwrap();
    let mut numbers = running.sender::<u64>("numbers").unwrap();
    let mut answers = running.receiver::<[u64; 3]>("answers").unwrap();
    for number in [1, BAD, 2, 3] {
        numbers.try_send(number).unwrap();
    }
    let expected = [[1, 0, 1], [2, 2, 2], [3, 3, 3]];
    for answer in expected {
        assert_eq!(answers.recv().unwrap(), Some(answer));
    }
    // The message as it came: one number had been remembered before it.
    check(&scratch.capsules(1)[0], &scratch, [BAD, 1, 2]);
    requeue(&running.monitor());
    // The letter: three were, and it is the link's second message still.
    check(&scratch.capsules(2)[1], &scratch, [BAD, 1, 4]);
    running.stop();
    drop((numbers, answers));
    join(running).unwrap();
}
