//! What a runtime's thread does while a task of it waits for a partition that sends nothing.

use std::thread;
use std::time::Duration;

use airssys_benches::cpu;
use airssys_rt::Launch;
use airssys_tokio::AsyncReceiver;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::part::{Part, Result, Settings};
use crate::wake::stamper::{GOES, Place, STAMPS, topology};

const THREAD: &str = "wake-quiet";

/// A runtime on a thread of its own, in which `wait` waits, for `time`: how often its thread was woken meanwhile. `end` ends
/// the wait.
fn wakes<W, E>(time: Duration, wait: W, end: E) -> Result<u64>
where
    W: AsyncFnOnce() -> Result<()> + Send,
    E: FnOnce() -> Result<()>,
{
    thread::scope(|scope| {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let waiting = thread::Builder::new().name(THREAD.to_owned());
        let waiting = waiting.spawn_scoped(scope, move || {
            runtime.block_on(wait()).map_err(|error| error.to_string())
        })?;
        thread::sleep(Duration::from_millis(100));
        let sleeps = || cpu::own_thread(THREAD).map(|spent| spent.sleeps);
        let before = sleeps();
        thread::sleep(time);
        let after = sleeps();
        end()?;
        waiting.join().map_err(|_| "the runtime panicked")??;
        let (before, after) = before.zip(after).ok_or("the runtime has ended early")?;
        Ok(after - before)
    })
}

pub(super) fn measure(settings: &Settings) -> Result<Part> {
    let time = settings.time(Duration::from_secs(2), Duration::from_millis(500));
    let (send, receive) = oneshot::channel();
    let without = wakes(
        time,
        async || Ok(receive.await?),
        || send.send(()).map_err(|()| "nobody waits".into()),
    )?;

    let bus = topology(Place::Anywhere)?.launch(Launch::Processes)?;
    let mut goes = bus.sender::<u64>(GOES)?;
    let stamps = bus.receiver::<u64>(STAMPS)?;
    let with = wakes(
        time,
        async || {
            let mut stamps = AsyncReceiver::new(stamps)?;
            stamps.recv().await?.ok_or("the stamper has ended")?;
            Ok(())
        },
        || Ok(goes.send(1)?),
    )?;
    goes.close()?;
    bus.join()?;
    Ok(Part {
        figures: json!({
            "time_s": time.as_secs_f64(), "wakes_with_a_port": with, "wakes_without": without,
        }),
        text: format!(
            "Over {time:?} in which nothing was sent the runtime's thread was woken {with} times with a task that waits for a \
             partition, and {without} times with one that waits for a channel.\n"
        ),
    })
}
