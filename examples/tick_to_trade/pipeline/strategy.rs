//! Decides: goes with the side that has more than twice the quantity of the other, up to a position. It's no way to get rich.

use airssys_rt::prelude::*;

use super::messages::{ASK, BID, Order, TopOfBook};

const POSITION_MAX: i64 = 10_000;

pub(crate) struct Strategy {
    pub(crate) tops: Receiver<TopOfBook>,
    pub(crate) orders: Sender<Order>,
    /// Changes together with the order that changes it, whatever happens.
    pub(crate) position: Durable<i64>,
}

impl Actor for Strategy {
    fn step(&mut self) -> Result<Step, Refused> {
        let most = self.orders.room().clamp(1, 64);
        let seen = self.tops.try_drain(most, |top| {
            let Some((order, position)) = decide(top, self.position.get()) else {
                return Ok(());
            };
            self.position.set(position);
            self.orders.send(order)
        })?;
        let done = seen == 0 && self.tops.is_closed();
        Ok(if done { Step::Done } else { seen.into() })
    }
}

/// An order, if there is to be one, and the position with it.
fn decide(top: &TopOfBook, position: i64) -> Option<(Order, i64)> {
    let (side, price, change) = if top.bid_quantity > 2 * top.ask_quantity {
        (BID, top.ask_price, 1)
    } else if top.ask_quantity > 2 * top.bid_quantity {
        (ASK, top.bid_price, -1)
    } else {
        return None;
    };
    let position = position + change;
    let order = Order {
        due_ns: top.due_ns,
        sent_ns: top.sent_ns,
        price,
        instrument: top.instrument,
        side,
        quantity: 1,
        tick: top.tick,
    };
    (position.abs() <= POSITION_MAX).then_some((order, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(bid_quantity: u32, ask_quantity: u32) -> TopOfBook {
        TopOfBook {
            due_ns: 1,
            sent_ns: 2,
            bid_price: 99,
            ask_price: 101,
            bid_quantity,
            ask_quantity,
            instrument: 3,
            tick: 4,
        }
    }

    #[test]
    fn it_takes_the_price_of_the_weak_side_within_its_limit() {
        let (order, position) = decide(&top(21, 10), 5).expect("more than twice as many bid");
        assert_eq!((order.side, order.price, position), (BID, 101, 6));
        let (order, position) = decide(&top(10, 21), 5).expect("more than twice as many ask");
        assert_eq!((order.side, order.price, position), (ASK, 99, 4));
        assert!(decide(&top(20, 10), 5).is_none());
        assert!(decide(&top(21, 10), POSITION_MAX).is_none());
    }
}
