//! A spinning step neither allocates nor calls the kernel; and one that does is found.

#![deny(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a test without a harness says what it found"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use airssys_campaign::{Planted, quiet_steps};

/// The system's allocator, with a count of what it was asked for.
struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: everything is the system allocator's own doing; counting changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: what the caller promises here is what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above; `memory` came from there.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let cases = [
        (Planted::Nothing, (false, false)),
        (Planted::SystemCall, (true, false)),
        (Planted::Allocation, (false, true)),
    ];
    for (planted, expected) in cases {
        let found = quiet_steps(planted, || ASKED.load(Ordering::Relaxed));
        println!("planted {planted:?}: (system calls, allocated) {found:?}");
        let seen = found.map(|(calls, allocated)| (calls > 0, allocated));
        if seen != Ok(expected) {
            println!("expected {expected:?}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
