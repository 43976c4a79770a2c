//! A message that kills whoever handles it is set aside, and everything else goes on.
//!
//! ```text
//! cargo run --release --example poison
//! ```
//!
//! Three of a thousand orders have a lot size of zero, which the desk divides by: a panic in the middle of a batch of 64. The
//! lives after it receive that batch one order at a time, and an order that ends two lives goes to the link's dead letters.
//! [`DeadLetters::requeue`](airssys_rt::DeadLetters::requeue) would hand them to a mended desk,
//! [`drop`](airssys_rt::DeadLetters::drop) would have them gone.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use airssys_rt::DeadLetter;
use airssys_rt::prelude::*;

const ORDERS: u64 = 1_000;

#[message]
#[derive(Debug, PartialEq, Eq)]
struct Order {
    id: u64,
    quantity: u64,
    lot_size: u64,
}

struct Entry {
    orders: Sender<Order>,
}

impl Actor for Entry {
    fn step(&mut self) -> Result<Step, Refused> {
        let id = self.orders.sent();
        if id == ORDERS {
            return Ok(Step::Done);
        }
        self.orders.send(Order {
            id,
            quantity: 100,
            lot_size: u64::from(!matches!(id, 7 | 421 | 999)) * 10, // somebody's mistake
        })?;
        Ok(Step::Busy)
    }
}

struct Desk {
    orders: Receiver<Order>,
    lots: Durable<u64>,
}

impl Actor for Desk {
    fn step(&mut self) -> Result<Step, Refused> {
        let lots = &mut self.lots;
        let handled = self.orders.drain(64, |order| {
            *lots.borrow_mut() += order.quantity / order.lot_size;
        });
        if handled == 0 && self.orders.is_closed() {
            return Ok(Step::Done);
        }
        Ok(handled.into())
    }
}

fn desk() -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("poison");
    plan.leftover(Leftover::Discard); // of a run that was killed
    let options = LinkOptions::new(256).dead_letters(16).max_attempts(2);
    let (order_out, order_in) = plan.link_with::<Order>("orders", options);
    plan.partition("entry")
        .actor("entry", order_out, |orders| Entry { orders });
    plan.partition("desk").actor(
        "desk",
        (order_in, durable::<u64>("lots")),
        |(orders, lots)| Desk { orders, lots },
    );
    plan.build()
}

/// What the desk has handled, in lots, and the orders that it hasn't.
fn run(launch: Launch) -> Result<(u64, Vec<DeadLetter<Order>>), airssys_rt::Error> {
    let report = desk()?.run(launch, |_| ())?;
    let lots = report.monitor.read::<u64>("desk", "lots")?;
    let letters = report.monitor.dead_letters("orders")?;
    Ok((lots.unwrap_or(0), letters.read()?))
}

fn main() -> ExitCode {
    if let Err(error) = enter_and_run() {
        let _ = writeln!(std::io::stderr(), "poison: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn enter_and_run() -> Result<(), Box<dyn Error>> {
    airssys_rt::enter(desk)?; // in a partition's process: runs it and never returns

    let (lots, letters) = run(Launch::Processes)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{lots} lots; not handled:")?;
    for letter in letters {
        let DeadLetter {
            message,
            attempts,
            cause,
            ..
        } = letter;
        writeln!(out, "order {}: {attempts} times {cause}", message.id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_orders_are_left_and_all_others_handled_once() {
        let (lots, letters) = run(Launch::Threads).expect("it runs to its end");
        assert_eq!(lots, (ORDERS - 3) * 10);
        let left: Vec<u64> = letters.iter().map(|letter| letter.message.id).collect();
        assert_eq!(left, [7, 421, 999]);
    }
}
