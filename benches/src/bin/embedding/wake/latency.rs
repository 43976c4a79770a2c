//! From a send to the continuation of the task that awaits it: a partition's, and two that Tokio has of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream as Socket;
use std::sync::mpsc as orders;
use std::thread::{self, JoinHandle};

use airssys_benches::report::{micros, quantiles_ns};
use airssys_rt::{Launch, monotonic_ns};
use airssys_tokio::{AsyncReceiver, AsyncSender};
use core_affinity::CoreId;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::carry;
use crate::part::{Part, Result, Settings};
use crate::wake::stamper::{GOES, INTERVAL_NS, Place, STAMPS, stamp, topology};

/// Stamps of one sender before it is the next one's turn.
const TURN: u64 = 250;

/// A thread that stamps into something of Tokio's or the kernel's, whenever it is told to.
struct Stamping {
    orders: orders::Sender<u64>,
    thread: JoinHandle<()>,
}

impl Stamping {
    fn start(place: Place, mut send: impl FnMut(u64) + Send + 'static) -> Self {
        let (orders, taken) = orders::channel();
        let thread = thread::spawn(move || {
            if let Some(id) = place.cpu() {
                core_affinity::set_for_current(CoreId { id });
            }
            for count in taken {
                stamp(count, &mut send);
            }
        });
        Self { orders, thread }
    }

    fn end(self) -> Result<()> {
        drop(self.orders);
        self.thread
            .join()
            .map_err(|_| "a stamping thread panicked".into())
    }
}

/// What was measured of one kind of sender in one place.
struct Row {
    sender: &'static str,
    place: Place,
    late_ns: Histogram<u64>,
}

impl Row {
    fn new(sender: &'static str, place: Place) -> Self {
        Self {
            sender,
            place,
            late_ns: carry::empty(),
        }
    }

    fn note(&mut self, stamp_ns: u64) {
        self.late_ns.saturating_record(monotonic_ns() - stamp_ns);
    }

    fn figures(&self) -> Value {
        json!({
            "sender": self.sender, "place": self.place.name(), "late_ns": quantiles_ns(&self.late_ns),
        })
    }
}

async fn wakes(place: Place, turns: u64) -> Result<[Row; 3]> {
    let bus = topology(place)?.launch(Launch::Processes)?;
    let mut goes = AsyncSender::<u64>::new(bus.sender(GOES)?)?;
    let mut stamps = AsyncReceiver::<u64>::new(bus.receiver(STAMPS)?)?;

    let (channel, mut received) = mpsc::channel(1024);
    let by_channel = Stamping::start(place, move |at_ns| {
        let _ = channel.blocking_send(at_ns); // nobody waits for it any more
    });
    let (mut socket, ours) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    let mut ours = UnixStream::from_std(ours)?;
    let by_socket = Stamping::start(place, move |at_ns| {
        let _ = socket.write_all(&at_ns.to_ne_bytes());
    });

    let mut port = Row::new("a partition's process", place);
    let mut queue = Row::new("a thread, tokio::sync::mpsc", place);
    let mut pair = Row::new("a thread, Unix socket pair", place);
    for _ in 0..turns {
        goes.send(TURN).await?;
        for _ in 0..TURN {
            port.note(stamps.recv().await?.ok_or("the stamper has ended")?);
        }
        by_channel.orders.send(TURN)?;
        for _ in 0..TURN {
            queue.note(received.recv().await.ok_or("the thread has ended")?);
        }
        by_socket.orders.send(TURN)?;
        for _ in 0..TURN {
            let mut bytes = [0; 8];
            ours.read_exact(&mut bytes).await?;
            pair.note(u64::from_ne_bytes(bytes));
        }
    }
    by_channel.end()?;
    by_socket.end()?;
    goes.close()?;
    bus.join()?;
    Ok([port, queue, pair])
}

pub(super) fn measure(settings: &Settings) -> Result<Part> {
    let turns = if settings.short { 4 } else { 60 };
    let mut rows = Vec::new();
    for place in Place::ALL {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        rows.extend(runtime.block_on(wakes(place, turns))?);
    }
    Ok(Part {
        figures: rows.iter().map(Row::figures).collect(),
        text: render(&rows)?,
    })
}

fn render(rows: &[Row]) -> Result<String> {
    let mut text = format!(
        "From the clock reading that a message carries to the continuation of the task that awaits it, in microseconds. A \
         message every {} us, spun for; the task sleeps in a runtime of one thread, which isn't pinned. The senders take turns \
         of {TURN} messages.\n\n",
        INTERVAL_NS / 1000
    );
    text += "| sender | runs | messages | median | p90 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        let (sender, place) = (row.sender, row.place.name());
        write!(text, "| {sender} | {place} | {} |", row.late_ns.len())?;
        for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
            write!(
                text,
                " {} |",
                micros(row.late_ns.value_at_quantile(quantile))
            )?;
        }
        text += "\n";
    }
    Ok(text)
}
