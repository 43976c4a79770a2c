//! What a turn that showed something pays for its peers' sleep, while they are awake: by how they and the waker agree on an
//! order, and beside a partition whose peers never park.

#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use airssys_ringbuf::layout::{doorbells_section, pulse_section};
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::region::{Access, Expected, Region, RegionPlan, SectionKind, boot_id};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn region(directory: &Path) -> Region {
    const BUS: &str = "bench-wake";
    let owner = "partition";
    let boot_id = boot_id().expect("a boot id");
    RegionPlan::new(BUS, owner, 0)
        .add(pulse_section())
        .add(doorbells_section(1))
        .create(directory, owner, boot_id)
        .expect("room for a region");
    let expected = Expected {
        bus: BUS,
        owner,
        digest: 0,
        boot_id,
    };
    Region::open(&directory.join(owner), Access::ReadWrite, &expected).expect("a new region")
}

/// A waker with this many peers, all of them awake. One region is everybody's: who wrote a word doesn't matter here.
fn waker(region: &Region, peers: usize, barrier: Barrier) -> Waker {
    let section = |kind, name| region.section(kind, name).expect("a planned section");
    let bells = section(SectionKind::Doorbells, "doorbells");
    let mut waker = Waker::new(region, bells, barrier).expect("doorbells");
    for _ in 0..peers {
        waker
            .add(region, section(SectionKind::Pulse, "pulse"), 0)
            .expect("a pulse");
    }
    waker
}

/// What a turn shows, on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Shown(AtomicU64);

fn cases(criterion: &mut Criterion, region: &Region, name: &str, shown: &Shown) {
    let mut group = criterion.benchmark_group(name);
    let cases = [
        ("no peers", 0, Barrier::Fences),
        ("fences", 1, Barrier::Fences),
        ("this machine's barrier", 1, Barrier::of_this_machine()),
    ];
    for (name, peers, barrier) in cases {
        let waker = waker(region, peers, barrier);
        group.bench_function(BenchmarkId::new(name, peers), |bencher| {
            let mut turn = 0;
            bencher.iter(|| {
                turn += 1;
                shown.0.store(turn, Ordering::Release);
                waker.wake();
            });
        });
    }
    group.finish();
}

/// What the other side pays: up to the second look, without the sleep.
fn sleeps(criterion: &mut Criterion, region: &Region) {
    let pulse = region
        .section(SectionKind::Pulse, "pulse")
        .expect("a planned section");
    let mut group = criterion.benchmark_group("begin to sleep");
    for barrier in [Barrier::Fences, Barrier::of_this_machine()] {
        let sleeper = Sleeper::new(region, pulse, barrier).expect("a pulse");
        group.bench_function(format!("{barrier:?}"), |bencher| {
            bencher.iter(|| sleeper.arm(|| true));
        });
    }
    group.finish();
}

fn wake(criterion: &mut Criterion) {
    let directory = std::env::temp_dir().join(format!("bench-wake-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("a new directory");
    let region = region(&directory);
    let shown = Shown::default();
    cases(criterion, &region, "store and wake, nobody looks", &shown);
    // A fence waits until the store is through, and that takes until the peer has lost the line.
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                std::hint::black_box(shown.0.load(Ordering::Acquire));
            }
        });
        cases(criterion, &region, "store and wake, a peer looks", &shown);
        sleeps(criterion, &region);
        ended.store(true, Ordering::Relaxed);
    });
    let _ = std::fs::remove_dir_all(&directory);
}

criterion_group!(benches, wake);
criterion_main!(benches);
