//! The four actors. They do what the sides of every other subject do, a step at a time.

use std::path::PathBuf;
use std::time::Instant;

use airssys_rt::prelude::*;

use crate::clock::Clock;
use crate::link::{Plan, outcome};
use crate::message::{Check, fill};
use crate::sides::{Job, STRETCH, alone_ns, room_for_samples, see_stamped, stamp, work};

type Stepped = std::result::Result<Step, Refused>;

/// A message that isn't what has to come ends the partition, and so the measurement.
fn insist(check: Check, sent: u64) {
    if let Err(wrong) = check.finish(sent) {
        panic!("{wrong}");
    }
}

/// Sends, waits for the answer, and records how long that took.
pub(super) struct Ping<const W: usize> {
    plan: Plan,
    clock: Clock,
    to: Sender<[u64; W]>,
    from: Receiver<[u64; W]>,
    check: Check,
    trips: Vec<u64>,
    lasts: u64,
    begun: u64,
    sent: u64,
}

impl<const W: usize> Ping<W> {
    pub(super) fn new(plan: Plan, to: Sender<[u64; W]>, from: Receiver<[u64; W]>) -> Self {
        let clock = Clock::new();
        Self {
            lasts: clock.units(plan.job.lasts),
            trips: room_for_samples(plan.job.lasts),
            clock,
            to,
            from,
            check: Check::default(),
            begun: 0,
            sent: 0,
            plan,
        }
    }

    fn receive(&mut self) -> bool {
        let check = &mut self.check;
        if self.from.drain(1, |words| check.see(words)) == 0 {
            return false;
        }
        let now = self.clock.now();
        let number = self.to.sent();
        if self.check.stopped() || self.check.seen() != number {
            insist(std::mem::take(&mut self.check), number);
        }
        if number <= self.plan.job.warm {
            self.begun = now;
        } else {
            self.trips.push(now.saturating_sub(self.sent));
        }
        true
    }

    fn is_over(&self) -> bool {
        let recorded = self.trips.last().copied().unwrap_or(0);
        self.trips.len() == self.trips.capacity()
            || (!self.trips.is_empty()
                && (self.sent + recorded).saturating_sub(self.begun) >= self.lasts)
    }
}

impl<const W: usize> Actor for Ping<W> {
    fn step(&mut self) -> Stepped {
        let number = self.to.sent();
        if number > 0 && !self.receive() {
            return Ok(Step::Idle);
        }
        if self.is_over() {
            outcome::write(&self.plan.result, number, 0, &self.trips);
            return Ok(Step::Done);
        }
        self.sent = self.clock.now();
        let mut slot = self.to.claim()?;
        fill(number, &mut slot);
        slot.publish();
        Ok(Step::Busy)
    }
}

/// Answers.
pub(super) struct Echo<const W: usize> {
    from: Receiver<[u64; W]>,
    to: Sender<[u64; W]>,
    check: Check,
}

impl<const W: usize> Echo<W> {
    pub(super) fn new(from: Receiver<[u64; W]>, to: Sender<[u64; W]>) -> Self {
        Self {
            from,
            to,
            check: Check::default(),
        }
    }
}

impl<const W: usize> Actor for Echo<W> {
    fn step(&mut self) -> Stepped {
        let check = &mut self.check;
        if self.from.drain(1, |words| check.see(words)) == 0 {
            let ended = self.from.is_closed();
            return Ok(if ended { Step::Done } else { Step::Idle });
        }
        let number = self.to.sent();
        if self.check.seen() != number + 1 {
            insist(std::mem::take(&mut self.check), number + 1);
        }
        let mut slot = self.to.claim()?;
        fill(number, &mut slot);
        slot.publish();
        Ok(Step::Busy)
    }
}

/// Sends until its time is over, one message a step or as many as there is room for.
pub(super) struct Source<const W: usize> {
    job: Job,
    clock: Clock,
    to: Sender<[u64; W]>,
    begin: Instant,
    looked: u64,
}

impl<const W: usize> Source<W> {
    pub(super) fn new(plan: &Plan, to: Sender<[u64; W]>) -> Self {
        let (job, clock) = (plan.job, Clock::new());
        if job.sender_work > 0 {
            outcome::write_alone(&plan.alone, alone_ns::<W>(&clock, job));
        }
        Self {
            job,
            clock,
            to,
            begin: Instant::now(),
            looked: 0,
        }
    }

    fn is_over(&mut self, number: u64) -> bool {
        if number < 2 * self.job.warm || number < self.looked + STRETCH {
            return false;
        }
        self.looked = number;
        self.begin.elapsed() >= self.job.lasts
    }
}

impl<const W: usize> Actor for Source<W> {
    fn step(&mut self) -> Stepped {
        let number = self.to.sent();
        if self.is_over(number) {
            return Ok(Step::Done);
        }
        if self.job.stamped {
            work(self.job.sender_work);
            let now = self.clock.now();
            let mut slot = self.to.claim()?;
            stamp(number, now, &mut slot);
            slot.publish();
            return Ok(Step::Busy);
        }
        let mut slot = self.to.claim()?;
        fill(number, &mut slot);
        slot.publish();
        for number in number + 1..number + self.job.batch as u64 {
            let Ok(mut slot) = self.to.try_claim() else {
                break;
            };
            fill(number, &mut slot);
            slot.publish();
        }
        Ok(Step::Busy)
    }
}

/// Receives until the link is closed.
pub(super) struct Sink<const W: usize> {
    job: Job,
    result: PathBuf,
    clock: Clock,
    from: Receiver<[u64; W]>,
    check: Check,
    one_way: Vec<u64>,
    /// Messages before those that count, and when they began; zero until then.
    before: u64,
    begun: u64,
}

impl<const W: usize> Sink<W> {
    pub(super) fn new(plan: Plan, from: Receiver<[u64; W]>) -> Self {
        let one_way = if plan.job.stamped {
            room_for_samples(plan.job.lasts)
        } else {
            Vec::new()
        };
        let clock = Clock::new();
        if plan.job.receiver_work > 0 {
            outcome::write_alone(&plan.alone, alone_ns::<W>(&clock, plan.job));
        }
        Self {
            job: plan.job,
            result: plan.result,
            clock,
            from,
            check: Check::default(),
            one_way,
            before: 0,
            begun: 0,
        }
    }

    fn finish(&mut self) -> Step {
        let units = self.clock.now().saturating_sub(self.begun);
        let messages = self.check.seen() - self.before;
        insist(std::mem::take(&mut self.check), self.from.received());
        outcome::write(&self.result, messages, units, &self.one_way);
        Step::Done
    }
}

impl<const W: usize> Actor for Sink<W> {
    fn step(&mut self) -> Stepped {
        let Self {
            job,
            clock,
            from,
            check,
            one_way,
            ..
        } = self;
        let seen = from.drain(job.batch, |words| {
            check.see(words);
            if job.stamped {
                see_stamped(*job, clock, words, one_way);
            }
        });
        if seen == 0 {
            let ended = self.from.is_closed();
            return Ok(if ended { self.finish() } else { Step::Idle });
        }
        if self.begun == 0 && self.check.seen() >= self.job.warm {
            self.before = self.check.seen();
            self.begun = self.clock.now();
            self.one_way.clear();
        }
        Ok(seen.into())
    }
}
