//! What atomicity costs: messages from one actor to another with steps, commits, heartbeat and the supervisor on, by how
//! many messages a step handles, over two threads.

#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "figures with three digits")]

use std::time::{Duration, Instant};

use airssys_rt::prelude::*;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

#[message]
struct Quote {
    seq: u64,
    levels: [u64; 6],
}

struct Source {
    quotes: Sender<Quote>,
    count: u64,
    batch: u64,
}

impl Actor for Source {
    fn step(&mut self) -> Result<Step, Refused> {
        let first = self.quotes.sent();
        if first == self.count {
            return Ok(Step::Done);
        }
        let room = (self.quotes.room() as u64).clamp(1, self.batch);
        for seq in first..self.count.min(first + room) {
            self.quotes.send(Quote {
                seq,
                levels: [seq; 6],
            })?;
        }
        Ok(Step::Busy)
    }
}

struct Sink {
    quotes: Receiver<Quote>,
    sum: Durable<[u64; 8]>,
    batch: usize,
}

impl Actor for Sink {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = self.quotes.drain(self.batch, |quote| {
            let mut sum = self.sum.borrow_mut();
            sum[0] = sum[0].wrapping_add(quote.seq);
        });
        if seen == 0 && self.quotes.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}

/// The time that `count` messages take from the first step to the last, without the bus's start and end.
fn run(count: u64, batch: u64) -> Duration {
    let mut plan = Topology::builder(format!("bench-step-{}", std::process::id()));
    let (out, into) = plan.link::<Quote>("quotes", 1024);
    plan.partition("source")
        .actor("source", out, move |quotes| Source {
            quotes,
            count,
            batch,
        });
    let ends = (into, durable::<[u64; 8]>("sum"));
    plan.partition("sink")
        .actor("sink", ends, move |(quotes, sum)| Sink {
            quotes,
            sum,
            batch: batch as usize,
        });
    let topology = plan.build().expect("a valid plan");
    let running = topology.launch(Launch::Threads).expect("a free bus");
    let start = Instant::now();
    running.join().expect("a clean end");
    start.elapsed()
}

fn step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a link, steps and commits on");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for batch in [1, 8, 64] {
        group.bench_function(BenchmarkId::new("messages a step", batch), |bencher| {
            // At least enough messages that the bus's start and end don't show.
            bencher.iter_custom(|iterations| {
                let count = iterations.max(1_000_000);
                run(count, batch).mul_f64(iterations as f64 / count as f64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
