//! A measurement between two threads, each pinned to a core of its own.

use std::any::Any;
use std::thread;

use crate::Result;
use crate::cell::{Cell, Metric, Sample};
use crate::clock::Clock;
use crate::control::{Control, Side};
use crate::cores::pin;
use crate::sides::{echo, ping, sink, source};
use crate::subject::Subject;

pub(crate) fn measure<S: Subject<W>, const W: usize>(cell: &Cell) -> Result<Sample> {
    let control = Control::heap()?;
    let clock = Clock::new();
    let job = cell.job();
    let (tx, rx) = S::channel(&cell.place("out"))?;
    if cell.metric == Metric::Rtt {
        let (answer_tx, answer_rx) = S::channel(&cell.place("back"))?;
        let far = on_core(cell, Side::Far, &control, |control| {
            echo(control, (answer_tx, rx))
        });
        let near = on_core(cell, Side::Near, &control, |control| {
            ping(job, control, &clock, (tx, answer_rx))
        });
        return both(near, far).map(Sample::Trips);
    }
    let far = on_core(cell, Side::Far, &control, |control| {
        source(job, control, &clock, tx)
    });
    let near = on_core(cell, Side::Near, &control, |control| {
        sink(job, control, &clock, rx)
    });
    both(near, far).map(Sample::Streamed)
}

/// What a side does on a core of its own.
fn on_core<'a, T: Send>(
    cell: &'a Cell,
    side: Side,
    control: &'a Control,
    side_work: impl FnOnce(&Control) -> Result<T> + Send + 'a,
) -> impl FnOnce() -> Result<T> + Send + 'a {
    move || {
        let pinned = pin(&cell.cores, side);
        if let Err(error) = pinned {
            control.give_up();
            return Err(error);
        }
        side_work(control)
    }
}

/// Runs both sides to their ends.
fn both<T: Send>(
    near: impl FnOnce() -> Result<T> + Send,
    far: impl FnOnce() -> Result<()> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let far = scope.spawn(far);
        let near = scope.spawn(near);
        let near = near.join().unwrap_or_else(|panic| Err(said(&*panic)));
        let far = far.join().unwrap_or_else(|panic| Err(said(&*panic)));
        agree(near, far)
    })
}

/// What both sides came to: of two errors both, as one is often only that the other side gave up.
pub(crate) fn agree<T>(near: Result<T>, far: Result<()>) -> Result<T> {
    match (near, far) {
        (near, Ok(())) => near,
        (Ok(_), Err(far)) => Err(far),
        (Err(near), Err(far)) => Err(format!("{near}; and on the other side: {far}").into()),
    }
}

/// A panic's message.
pub(crate) fn said(panic: &(dyn Any + Send)) -> crate::Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").into()
}
