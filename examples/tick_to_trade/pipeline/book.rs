//! Keeps both sides of every instrument and tells what they are after each tick.

use airssys_rt::prelude::*;

use super::messages::{BID, INSTRUMENTS, Tick, TopOfBook};

/// The best order on each side of one instrument.
#[message]
#[derive(Default)]
pub(crate) struct Quote {
    bid_price: i64,
    ask_price: i64,
    bid_quantity: u32,
    ask_quantity: u32,
}

pub(crate) struct Book {
    pub(crate) ticks: Receiver<Tick>,
    pub(crate) tops: Sender<TopOfBook>,
    pub(crate) quotes: Durable<[Quote; INSTRUMENTS]>,
}

impl Actor for Book {
    fn step(&mut self) -> Result<Step, Refused> {
        let most = self.tops.room().clamp(1, 64);
        let seen = self.ticks.try_drain(most, |tick| {
            let mut quotes = self.quotes.borrow_mut();
            let quote = &mut quotes[tick.instrument as usize];
            if tick.side == BID {
                (quote.bid_price, quote.bid_quantity) = (tick.price, tick.quantity);
            } else {
                (quote.ask_price, quote.ask_quantity) = (tick.price, tick.quantity);
            }
            self.tops.send(TopOfBook {
                due_ns: tick.due_ns,
                sent_ns: tick.sent_ns,
                bid_price: quote.bid_price,
                ask_price: quote.ask_price,
                bid_quantity: quote.bid_quantity,
                ask_quantity: quote.ask_quantity,
                instrument: tick.instrument,
                tick: tick.number,
            })
        })?;
        let done = seen == 0 && self.ticks.is_closed();
        Ok(if done { Step::Done } else { seen.into() })
    }
}
