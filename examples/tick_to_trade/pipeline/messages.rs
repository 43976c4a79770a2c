//! What the stages tell one another. Each message carries the times of the tick that it follows from.

use airssys_rt::prelude::*;

pub(crate) const INSTRUMENTS: usize = 4;

/// Sides are numbers: shared memory holds no enums, of which not every bit pattern is a value.
pub(crate) const BID: u32 = 0;
pub(crate) const ASK: u32 = 1;

/// From the market: the best order on one side of an instrument's book is now this.
#[message]
pub(crate) struct Tick {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
    /// In the instrument's smallest steps.
    pub(crate) price: i64,
    pub(crate) instrument: u32,
    pub(crate) side: u32,
    pub(crate) quantity: u32,
    pub(crate) number: u32,
}

/// From the book: both sides of an instrument after a tick.
#[message]
pub(crate) struct TopOfBook {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) bid_price: i64,
    pub(crate) ask_price: i64,
    pub(crate) bid_quantity: u32,
    pub(crate) ask_quantity: u32,
    pub(crate) instrument: u32,
    pub(crate) tick: u32,
}

/// From the strategy: buy (`BID`) or sell (`ASK`).
#[message]
pub(crate) struct Order {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) price: i64,
    pub(crate) instrument: u32,
    pub(crate) side: u32,
    pub(crate) quantity: u32,
    pub(crate) tick: u32,
}
