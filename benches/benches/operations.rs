//! One operation at a time: a message into a ring and out of it again, on one thread, beside the named peers.
//!
//! This shows instructions, not the way between two cores.

#![forbid(unsafe_code)]

use std::hint::black_box;

use airssys_ringbuf::Ring;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const CAPACITY: usize = 1024;

fn bench_size<const N: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send and receive, one thread");
    let message = [7u64; N];
    let bytes = N * 8;
    let (mut tx, mut rx) = Ring::<[u64; N]>::heap(CAPACITY).expect("a shape in range");
    group.bench_function(BenchmarkId::new("airssys", bytes), |bencher| {
        bencher.iter(|| {
            let _ = tx.try_send(black_box(message));
            black_box(rx.try_recv())
        });
    });
    let (mut tx, mut rx) = rtrb::RingBuffer::<[u64; N]>::new(CAPACITY);
    group.bench_function(BenchmarkId::new("rtrb", bytes), |bencher| {
        bencher.iter(|| {
            let _ = tx.push(black_box(message));
            black_box(rx.pop().ok())
        });
    });
    let queue = crossbeam_queue::ArrayQueue::<[u64; N]>::new(CAPACITY);
    group.bench_function(BenchmarkId::new("crossbeam-queue", bytes), |bencher| {
        bencher.iter(|| {
            let _ = queue.push(black_box(message));
            black_box(queue.pop())
        });
    });
    group.finish();
}

fn operations(criterion: &mut Criterion) {
    bench_size::<1>(criterion);
    bench_size::<7>(criterion);
    bench_size::<31>(criterion);
}

criterion_group!(benches, operations);
criterion_main!(benches);
