//! The actor: what it is told, what it is asked, what it answers.

use std::time::Duration;

use airssys_rt::prelude::*;

/// A new price, from the thread.
#[message]
pub(crate) struct Tick {
    seq: u64,
    cents: u64,
}

impl Tick {
    /// A price that its number gives away.
    pub(crate) fn numbered(seq: u64) -> Self {
        Self {
            seq,
            cents: 10_000 + seq % 500,
        }
    }
}

/// A question, from the desk.
#[message]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) quantity: u64,
}

/// The answer to it.
#[message]
pub(crate) struct Quote {
    pub(crate) id: u64,
    pub(crate) quantity: u64,
    /// Price of one, in cents.
    pub(crate) cents: u64,
    /// Ticks seen until then.
    pub(crate) ticks: u64,
}

/// What survives the pricer's death.
#[message]
pub(crate) struct Book {
    cents: u64,
    pub(crate) ticks: u64,
    pub(crate) quotes: u64,
}

struct Pricer {
    ticks: Receiver<Tick>,
    asks: Receiver<Ask>,
    quotes: Sender<Quote>,
    book: Durable<Book>,
}

impl Actor for Pricer {
    fn step(&mut self) -> Result<Step, Refused> {
        let mut book = self.book.get();
        let mut seen = self.ticks.drain(64, |tick| {
            book.cents = tick.cents;
            book.ticks = tick.seq + 1;
        });
        while seen < 128
            && let Some(Ask { id, quantity }) = self.asks.try_recv()
        {
            let Book { cents, ticks, .. } = book;
            self.quotes.send(Quote {
                id,
                quantity,
                cents,
                ticks,
            })?; // no room: the whole step is run again when there is
            book.quotes += 1;
            seen += 1;
        }
        if seen > 0 {
            self.book.set(book);
        } else if self.asks.is_closed() && self.ticks.is_closed() {
            return Ok(Step::Done);
        }
        Ok(seen.into())
    }
}

/// The pricer on its CPU, its three links, and the launching program at the other ends.
pub(crate) fn topology(
    bus: &str,
    cpu: Option<usize>,
    kills: u32,
) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("embed");
    plan.bus(bus);
    plan.leftover(Leftover::Discard); // of a run that was killed
    plan.intensity(10 + kills, Duration::from_secs(10));
    let (tick_out, tick_in) = plan.link::<Tick>("ticks", 1024);
    let (ask_out, ask_in) = plan.link::<Ask>("asks", 256);
    let (quote_out, quote_in) = plan.link::<Quote>("quotes", 256);
    plan.host()
        .sends(tick_out)
        .sends(ask_out)
        .receives(quote_in);

    let mut partition = plan.partition("pricer");
    partition.wait(Wait::spin_then_park()); // the CPU is the service's, too
    if let Some(cpu) = cpu {
        partition.core(cpu);
    }
    let ends = (tick_in, ask_in, quote_out, durable::<Book>("book"));
    partition.actor("pricer", ends, |(ticks, asks, quotes, book)| Pricer {
        ticks,
        asks,
        quotes,
        book,
    });
    plan.build()
}
