//! What the two sides of a measurement do, the same for every subject.
//!
//! | | near side, which measures | far side |
//! |---|---|---|
//! | round trip | sends, waits for the answer | answers |
//! | stream | receives | sends until its time is over |
//!
//! Senders are made at stage 1, receivers at stage 2, and both sides begin together. The first lap of a ring counts for
//! nothing: its pages are touched then. After it everything counts.

use std::hint::black_box;
use std::time::{Duration, Instant};

use airssys_benches::median;

use crate::Result;
use crate::clock::Clock;
use crate::control::{Control, Guard, Side};
use crate::message::{Check, STAMP, STOP, fill};
use crate::subject::{Make, Rx, Tx};
use crate::wait::Wait;

/// Messages between two looks of a sender at the time.
pub(crate) const STRETCH: u64 = 1024;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Messages at once; 1 for singles.
    pub(crate) batch: usize,
    pub(crate) lasts: Duration,
    /// Messages that count for nothing.
    pub(crate) warm: u64,
    /// Each side's own work for a message, in turns of [`work`].
    pub(crate) sender_work: u32,
    pub(crate) receiver_work: u32,
    /// Whether messages carry the time of their send.
    pub(crate) stamped: bool,
}

/// What a stream came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streamed {
    pub(crate) messages: u64,
    pub(crate) units: u64,
    /// One-way times in units of the clock, of stamped messages.
    pub(crate) one_way: Vec<u64>,
    /// What the slower side's own work for a message takes without a ring, where the sides are unequal.
    pub(crate) alone_ns: f64,
}

/// A side's own work: a chain of multiplications that nothing can overlap.
#[inline]
pub(crate) fn work(turns: u32) {
    let mut value = u64::from(turns);
    for _ in 0..turns {
        value = black_box(value.wrapping_mul(0x5851_f42d_4c95_7f2d));
    }
}

/// Nanoseconds of a side's own work for a message, alone: with its reading of the clock, and with the writing of the message
/// where it is the sender's.
fn alone_once_ns<const W: usize>(clock: &Clock, turns: u32, writes: bool) -> f64 {
    const MESSAGES: u32 = 1000;
    let mut words = [0; W];
    let begin = clock.now();
    for number in 0..MESSAGES {
        work(turns);
        let now = clock.now();
        if writes {
            stamp(number.into(), now, black_box(&mut words));
        }
    }
    clock.ns(begin, clock.now()) as f64 / f64::from(MESSAGES)
}

/// The median of some: by the side that works, on its core, right before its stream.
pub(crate) fn alone_ns<const W: usize>(clock: &Clock, job: Job) -> f64 {
    let writes = job.sender_work > 0;
    let turns = job.sender_work.max(job.receiver_work);
    let often: [f64; 7] = std::array::from_fn(|_| alone_once_ns::<W>(clock, turns, writes));
    median(&often)
}

/// The turns of work that a message is to get so that all that a side does for it takes about `target_ns`.
pub(crate) fn turns<const W: usize>(clock: &Clock, target_ns: f64, writes: bool) -> u32 {
    const PROBE: u32 = 256;
    let probe = (0..9).map(|_| {
        let none = alone_once_ns::<W>(clock, 0, writes);
        let all = alone_once_ns::<W>(clock, PROBE, writes);
        (none, (all - none) / f64::from(PROBE))
    });
    let (none, turn): (Vec<f64>, Vec<f64>) = probe.unzip();
    ((target_ns - median(&none)) / median(&turn))
        .round()
        .max(1.0) as u32
}

/// Samples that can be recorded without touching new memory.
pub(crate) fn room_for_samples(lasts: Duration) -> Vec<u64> {
    const FASTEST: Duration = Duration::from_nanos(60);
    let mut samples = vec![1; lasts.div_duration_f64(FASTEST) as usize + 1];
    samples.clear();
    samples
}

/// Sends, waits for the answer, and returns the times of all round trips in units of the clock.
pub(crate) fn ping<const W: usize, T: Tx<W>, R: Rx<W>>(
    job: Job,
    control: &Control,
    clock: &Clock,
    (tx, rx): (Make<T>, Make<R>),
) -> Result<Vec<u64>> {
    let guard = Guard::new(control);
    let mut trips = room_for_samples(job.lasts);
    let mut tx = tx()?;
    control.meet(Side::Near, 1)?;
    let mut rx = rx()?;
    control.meet(Side::Near, 2)?;
    let mut check = Check::default();
    let lasts = clock.units(job.lasts);
    let mut number = 0;
    let mut begin = clock.now();
    loop {
        let from = clock.now();
        let mut wait = Wait::new(control);
        while !tx.try_send(|words| fill(number, words)) {
            wait.again()?;
        }
        let mut wait = Wait::new(control);
        while rx.try_recv(|words| check.see(words)) == 0 {
            wait.again()?;
        }
        let to = clock.now();
        number += 1;
        if check.seen() != number {
            check.finish(number)?;
            return Err("an answer too many".into());
        }
        if number <= job.warm {
            begin = to;
            continue;
        }
        trips.push(to.saturating_sub(from));
        if to.saturating_sub(begin) >= lasts || trips.len() == trips.capacity() {
            break;
        }
    }
    let mut wait = Wait::new(control);
    while !tx.try_send(|words| fill(STOP, words)) {
        wait.again()?;
    }
    control.meet(Side::Near, 3)?; // the ends live until both are done
    check.finish(number)?;
    guard.well();
    Ok(trips)
}

/// Answers until it is told to stop.
pub(crate) fn echo<const W: usize, T: Tx<W>, R: Rx<W>>(
    control: &Control,
    (tx, rx): (Make<T>, Make<R>),
) -> Result<()> {
    let guard = Guard::new(control);
    let mut tx = tx()?;
    control.meet(Side::Far, 1)?;
    let mut rx = rx()?;
    control.meet(Side::Far, 2)?;
    let mut check = Check::default();
    loop {
        let mut wait = Wait::new(control);
        while rx.try_recv(|words| check.see(words)) == 0 {
            wait.again()?;
        }
        if check.stopped() {
            break;
        }
        let number = check.seen() - 1;
        let mut wait = Wait::new(control);
        while !tx.try_send(|words| fill(number, words)) {
            wait.again()?;
        }
    }
    let seen = check.seen();
    check.finish(seen)?;
    control.meet(Side::Far, 3)?;
    guard.well();
    Ok(())
}

/// Sends until its time is over.
pub(crate) fn source<const W: usize, T: Tx<W>>(
    job: Job,
    control: &Control,
    clock: &Clock,
    tx: Make<T>,
) -> Result<()> {
    let guard = Guard::new(control);
    let mut tx = tx()?;
    control.meet(Side::Far, 1)?;
    if job.sender_work > 0 {
        control.tell_alone(alone_ns::<W>(clock, job));
    }
    control.meet(Side::Far, 2)?;
    let begin = Instant::now();
    let mut number = 0;
    while number < 2 * job.warm || begin.elapsed() < job.lasts {
        let end = number + STRETCH;
        if job.batch > 1 {
            send_batches(job.batch, control, &mut tx, number..end)?;
        } else if job.stamped {
            for number in number..end {
                work(job.sender_work);
                send_stamped(number, control, clock, &mut tx)?;
            }
        } else {
            for number in number..end {
                let mut wait = Wait::new(control);
                while !tx.try_send(|words| fill(number, words)) {
                    wait.again()?;
                }
            }
        }
        number = end;
    }
    control.tell_sent(number);
    let mut wait = Wait::new(control);
    while !tx.try_send(|words| fill(STOP, words)) {
        wait.again()?;
    }
    control.meet(Side::Far, 3)?;
    guard.well();
    Ok(())
}

#[inline]
fn send_stamped<const W: usize, T: Tx<W>>(
    number: u64,
    control: &Control,
    clock: &Clock,
    tx: &mut T,
) -> Result<()> {
    let now = clock.now();
    let mut wait = Wait::new(control);
    while !tx.try_send(|words| stamp(number, now, words)) {
        wait.again()?;
    }
    Ok(())
}

/// Message `number` with the time of its send.
#[inline]
pub(crate) fn stamp<const W: usize>(number: u64, now: u64, words: &mut [u64; W]) {
    fill(number, words);
    if let Some(place) = words.get_mut(STAMP) {
        *place = now;
    }
}

fn send_batches<const W: usize, T: Tx<W>>(
    batch: usize,
    control: &Control,
    tx: &mut T,
    numbers: std::ops::Range<u64>,
) -> Result<()> {
    let mut number = numbers.start;
    while number < numbers.end {
        let end = numbers.end.min(number + batch as u64);
        let mut wait = Wait::new(control);
        while number < end {
            let sent = tx.try_send_batch((end - number) as usize, |index, words| {
                fill(number + index as u64, words);
            });
            if sent == 0 {
                wait.again()?;
            }
            number += sent as u64;
        }
    }
    Ok(())
}

/// Receives until told to stop, and says how many messages took how long.
pub(crate) fn sink<const W: usize, R: Rx<W>>(
    job: Job,
    control: &Control,
    clock: &Clock,
    rx: Make<R>,
) -> Result<Streamed> {
    let guard = Guard::new(control);
    let mut one_way = Vec::new();
    if job.stamped {
        one_way = room_for_samples(job.lasts);
    }
    control.meet(Side::Near, 1)?;
    let mut rx = rx()?;
    if job.receiver_work > 0 {
        control.tell_alone(alone_ns::<W>(clock, job));
    }
    control.meet(Side::Near, 2)?;
    let mut check = Check::default();
    let mut see = |check: &mut Check, words: &[u64; W]| {
        check.see(words);
        if job.stamped {
            see_stamped(job, clock, words, &mut one_way);
        }
    };
    let batch = job.batch;
    receive(batch, control, &mut rx, &mut check, &mut see, |check| {
        check.seen() >= job.warm
    })?;
    let (before, begin) = (check.seen(), clock.now());
    receive(batch, control, &mut rx, &mut check, &mut see, |_| false)?;
    let units = clock.now().saturating_sub(begin);
    let messages = check.seen() - before;
    check.finish(control.sent())?;
    control.meet(Side::Near, 3)?;
    guard.well();
    let warm = one_way.len() - (messages as usize).min(one_way.len());
    one_way.drain(..warm);
    Ok(Streamed {
        messages,
        units,
        one_way,
        alone_ns: control.alone_ns(),
    })
}

#[inline]
pub(crate) fn see_stamped<const W: usize>(
    job: Job,
    clock: &Clock,
    words: &[u64; W],
    one_way: &mut Vec<u64>,
) {
    let now = clock.now();
    let sent = words[STAMP % W];
    if sent != STOP && one_way.len() < one_way.capacity() {
        one_way.push(now.saturating_sub(sent));
    }
    work(job.receiver_work);
}

/// Receives until `done`, or the last message.
#[inline]
fn receive<const W: usize, R: Rx<W>>(
    batch: usize,
    control: &Control,
    rx: &mut R,
    check: &mut Check,
    see: &mut impl FnMut(&mut Check, &[u64; W]),
    mut done: impl FnMut(&Check) -> bool,
) -> Result<()> {
    loop {
        let mut wait = Wait::new(control);
        loop {
            let shown = if batch > 1 {
                rx.try_recv_batch(batch, |words| see(check, words))
            } else {
                rx.try_recv(|words| see(check, words))
            };
            if shown > 0 {
                break;
            }
            wait.again()?;
        }
        if check.stopped() || done(check) {
            return Ok(());
        }
    }
}
