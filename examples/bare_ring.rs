//! The ring alone, between two threads: no actor, no region, no supervisor.
//!
//! ```text
//! cargo run --release --example bare_ring
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::thread;
use std::time::Instant;

use airssys_rt::ringbuf::{Producer, Ring};

const NUMBERS: u32 = 20_000_000;

/// Sends 0, 1, 2 and so on, in place.
fn produce(mut numbers: Producer<u64>) {
    let mut fruitless = 0;
    loop {
        let number = numbers.sent();
        if number == u64::from(NUMBERS) {
            return; // the producer is dropped, which closes the ring
        }
        if let Some(mut slot) = numbers.claim() {
            *slot = number;
            slot.publish(); // the consumer sees it from here on
            fruitless = 0;
        } else {
            fruitless += 1;
            wait(fruitless);
        }
    }
}

/// Waiting is the caller's choice: here it spins for some microseconds, then lets others have the core.
fn wait(fruitless: u32) {
    if fruitless < 200 {
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (tx, mut rx) = Ring::<u64>::heap(1024)?;
    let began = Instant::now();
    let producer = thread::spawn(move || produce(tx));

    let (mut sum, mut fruitless) = (0_u64, 0);
    while !rx.is_closed() {
        if rx.drain(64, |number| sum += number) > 0 {
            fruitless = 0;
        } else {
            fruitless += 1;
            wait(fruitless);
        }
    }
    let took = began.elapsed();
    producer
        .join()
        .expect("the producer has no reason to panic");

    let count = u64::from(NUMBERS);
    assert_eq!((rx.received(), sum), (count, count * (count - 1) / 2));
    let rate = f64::from(NUMBERS) / took.as_secs_f64() / 1e6;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{NUMBERS} numbers, the sum is right: {rate:.1} million a second"
    )?;
    Ok(())
}
