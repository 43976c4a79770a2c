//! From a SIGSEGV in an actor to a unit test.
//!
//!     cargo run --example crash_capsule
//!
//! A decoder in a process of its own hands each packet to a library in C, which believes the packet's length and reads beyond
//! its end: one packet kills the process. Its supervisor keeps the step that died as a capsule. The same program, run on that
//! capsule, dies by the same signal, as it would under a debugger; the mended one decodes the packet, which the unit test at
//! the end of `decoder.rs` asserts from now on:
//!
//!     cargo test --example crash_capsule

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "an example talks to its user")]

mod decoder;

use std::env;
use std::error::Error;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airssys_rt::prelude::Launch;
use airssys_rt::{Capsule, replay};
use rustix::process::Signal;

use decoder::{Version, topology};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    // A partition's process gets the same arguments, and has to come to the same topology.
    let (command, what) = (arguments.next(), arguments.next());
    match (command.as_deref(), what) {
        (Some("replay"), Some(capsule)) => replay_broken(Path::new(&capsule)),
        (Some(bus), None) => story(bus),
        (None, None) => story("crash-capsule"),
        _ => Err("usage: crash_capsule [BUS], or crash_capsule replay CAPSULE".into()),
    }
}

fn directory(bus: &str) -> PathBuf {
    env::temp_dir().join(format!("airssys-{bus}"))
}

fn story(bus: &str) -> Result<(), Box<dyn Error>> {
    let directory = directory(bus);
    let build = || topology(bus, Version::Broken, &directory);
    airssys_rt::enter(build)?;
    build()?.run(Launch::Processes, |_| ())?;
    let file = Capsule::list(&directory)?.pop().ok_or("no capsule")?;
    let capsule = Capsule::open(&file)?;
    println!("the decoder's process: {}", capsule.crash);
    println!("\n{}:\n{capsule}", file.display());

    let again = Command::new(env::current_exe()?)
        .arg("replay")
        .arg(&file)
        .status()?;
    match again.signal() {
        Some(signal) if signal == Signal::SEGV.as_raw() => {
            println!("run again, the broken program dies by SIGSEGV as it did then");
        }
        _ => return Err(format!("run again, the broken program ended with {again}").into()),
    }
    let mended = replay(&capsule, &topology(bus, Version::Mended, &directory)?)?;
    let sums = mended.sent::<u64>("sums")?;
    println!("run again, the mended program sends {sums:?}");
    println!(
        "\nunder a debugger: gdb --args {} replay {}",
        env::current_exe()?.display(),
        file.display()
    );
    Ok(())
}

/// Dies.
fn replay_broken(capsule: &Path) -> Result<(), Box<dyn Error>> {
    let capsule = Capsule::open(capsule)?;
    replay(
        &capsule,
        &topology(&capsule.bus, Version::Broken, &directory(&capsule.bus))?,
    )?;
    println!("it did not crash");
    Ok(())
}
