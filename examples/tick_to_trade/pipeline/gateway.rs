//! The last stage: an order goes out here, and the clock is stopped.

use airssys_rt::monotonic_ns;
use airssys_rt::prelude::*;

use super::messages::Order;
use super::times::{Logbook, Times};

pub(crate) struct Gateway {
    pub(crate) orders: Receiver<Order>,
    pub(crate) log: Logbook,
}

impl Actor for Gateway {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = self.orders.drain(64, |order| {
            // Where a real one writes to its session with the exchange.
            self.log.keep(Times {
                due_ns: order.due_ns,
                sent_ns: order.sent_ns,
                done_ns: monotonic_ns(),
            });
        });
        if seen == 0 && self.orders.is_closed() {
            return self.log.hand_over();
        }
        Ok(seen.into())
    }
}
