//! A measurement between two processes: this one measures, and this program once more is the other side.
//!
//! Both map the same files, which have no names. The other process dies with this one.

use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::Result;
use crate::cell::{Cell, Metric, Sample};
use crate::clock::Clock;
use crate::control::{Control, Side};
use crate::cores::pin;
use crate::sides::{echo, ping, sink, source};
use crate::subject::{Mapped, attached};
use crate::threads::{agree, said};

fn control(cell: &Cell) -> Result<Control> {
    Control::file(&cell.files().path("control"))
}

/// Starts the other side, measures, and waits for it.
pub(crate) fn near_side(cell: &Cell, near: fn(&Cell) -> Result<Sample>) -> Result<Sample> {
    let control = control(cell)?;
    let child = start("far", cell)?;
    thread::scope(|scope| {
        let near = scope.spawn(|| {
            pin(&cell.cores, Side::Near)
                .and_then(|()| near(cell))
                .inspect_err(|_| control.give_up())
        });
        let far = end(child).inspect_err(|_| control.give_up());
        let near = near.join().unwrap_or_else(|panic| Err(said(&*panic)));
        agree(near, far)
    })
}

/// This side.
pub(crate) fn near<S: Mapped<W> + 'static, const W: usize>(cell: &Cell) -> Result<Sample> {
    let (control, clock, job) = (control(cell)?, Clock::new(), cell.job());
    let (tx, rx) = attached::<S, W>(&cell.place("out"));
    if cell.metric == Metric::Rtt {
        let (_, answers) = attached::<S, W>(&cell.place("back"));
        return ping(job, &control, &clock, (tx, answers)).map(Sample::Trips);
    }
    sink(job, &control, &clock, rx).map(Sample::Streamed)
}

/// The other side.
pub(crate) fn far<S: Mapped<W> + 'static, const W: usize>(cell: &Cell) -> Result<()> {
    let (control, job) = (control(cell)?, cell.job());
    pin(&cell.cores, Side::Far).inspect_err(|_| control.give_up())?;
    let (tx, rx) = attached::<S, W>(&cell.place("out"));
    if cell.metric == Metric::Rtt {
        let (answers, _) = attached::<S, W>(&cell.place("back"));
        return echo(&control, (answers, rx));
    }
    source(job, &control, &Clock::new(), tx)
}

/// Starts this program again, for a part in a measurement.
pub(crate) fn start(part: &str, cell: &Cell) -> Result<Child> {
    let program = std::env::current_exe()?;
    let child = Command::new(program)
        .arg(part)
        .args(cell.arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// Waits for its end, and hands on what it said if that was no good one.
pub(crate) fn end(child: Child) -> Result<()> {
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", output.status, said.trim()).into())
}

/// Has this process get a signal when the one that started it ends.
pub(crate) fn end_with(parent: i32, signal: Signal) -> Result<()> {
    set_pdeathsig(signal)?;
    if getppid().as_raw() != parent {
        return Err("the process that started this one is gone".into());
    }
    Ok(())
}
