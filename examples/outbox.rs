//! An outbox: what is to be done outside of the bus, done effectively once, here into a file.
//!
//!     cargo run --release --example outbox -- --orders 100000 --kills 50
//!
//! The shop changes its durable state and puts an entry on the link `outbox` in one step: both count, or neither. The writer
//! appends a line for each entry. It may be killed after it has written some and before its step commits, and then its next life
//! is shown the same entries again. So each line begins with its entry's key, which is the same whenever the entry is shown,
//! and the writer skips what the file has already. A line that a kill has cut off is no line, and is cut away.
//!
//! With something at the other end of a socket it is the same: send the key along, and let that side remember the last one.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Report, Running};
use clap::Parser;

/// What is ordered.
#[message]
struct Order {
    amount: u64,
}

/// What is to be written.
#[message]
struct Entry {
    amount: u64,
    /// Of all amounts up to this one.
    total: u64,
}

struct Shop {
    orders: Receiver<Order>,
    outbox: Sender<Entry>,
    total: Durable<u64>,
}

impl Actor for Shop {
    fn step(&mut self) -> Result<Step, Refused> {
        let (outbox, total) = (&mut self.outbox, &mut self.total);
        let taken = self.orders.try_drain(16, |order| {
            *total.borrow_mut() += order.amount;
            outbox.send(Entry {
                amount: order.amount,
                total: total.get(),
            })
        })?;
        Ok(if taken == 0 && self.orders.is_closed() {
            Step::Done
        } else {
            taken.into()
        })
    }
}

struct Writer {
    outbox: Receiver<Entry>,
    ledger: Ledger,
    /// Writes again what it is shown again.
    careless: bool,
}

impl Actor for Writer {
    fn step(&mut self) -> Result<Step, Refused> {
        for _ in 0..64 {
            let Some(entry) = self.outbox.try_recv() else {
                break;
            };
            let Some(key) = self.outbox.key() else { break };
            if key.sequence < self.ledger.next && !self.careless {
                continue; // a life that died before its commit has written it
            }
            let line = format!("{key} {} {}\n", entry.amount, entry.total);
            if let Err(error) = self.ledger.append(&line) {
                // A full disk may have room later: the same entries come again.
                eprintln!("outbox: {error}");
                return Ok(Step::Retry);
            }
            self.ledger.next = key.sequence + 1;
        }
        Ok(if self.outbox.is_closed() {
            Step::Done
        } else {
            Step::Idle
        })
    }
}

/// The file, and how far this bus's entries are in it. What an aborted step has appended stays there, so `next` stays, too.
struct Ledger {
    file: File,
    next: u64,
}

impl Ledger {
    /// Opens it, cuts a line without an end away, and finds the last entry whose key begins with `prefix`: entries of an earlier
    /// bus, whose numbers began at zero as well, are none of ours.
    fn open(path: &Path, prefix: &str) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let numbers = text[..whole].lines().filter_map(|line| {
            let number = line.strip_prefix(prefix)?.split(' ').next()?;
            number.parse::<u64>().ok()
        });
        let next = numbers.max().map_or(0, |last| last + 1);
        Ok(Self { file, next })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        self.file.write_all(line.as_bytes()).inspect_err(|_| {
            // What was written of it would be in the way of the next one.
            let _ = self.file.set_len(before);
        })
    }
}

fn topology(arguments: &Arguments) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("outbox");
    plan.bus(&arguments.bus)
        .intensity(100_000, Duration::from_secs(3_600));
    let (order_out, order_in) = plan.link::<Order>("orders", 256);
    let (entry_out, entry_in) = plan.link::<Entry>("outbox", 256);
    plan.host().sends(order_out);
    let ends = (order_in, entry_out, durable("total"));
    plan.partition("shop")
        .actor("shop", ends, |(orders, outbox, total)| Shop {
            orders,
            outbox,
            total,
        });
    let (file, careless) = (arguments.file.clone(), arguments.careless);
    plan.partition("writer")
        .actor("writer", entry_in, move |outbox: Receiver<Entry>| {
            let key = outbox.key_of(0);
            let ledger = Ledger::open(&file, &format!("{}/{}/", key.bus, key.link));
            Writer {
                ledger: ledger.unwrap_or_else(|error| panic!("{}: {error}", file.display())),
                outbox,
                careless,
            }
        });
    plan.build()
}

/// Orders are taken, written to a file, and the processes that do it killed meanwhile.
#[derive(Parser)]
struct Arguments {
    /// How many orders.
    #[arg(long, default_value_t = 20_000)]
    orders: u64,
    /// How many times a process is killed.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Which kills there are.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the lines go.
    #[arg(long, default_value = "outbox.ledger")]
    file: PathBuf,
    /// The bus's name.
    #[arg(long, default_value = "outbox")]
    bus: String,
    /// To see what comes of it: don't ask whether an entry was written already.
    #[arg(long)]
    careless: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    airssys_rt::enter(|| topology(&arguments))?;
    let running = topology(&arguments)?.launch(Launch::Processes)?;
    let instance = running.instance();
    order(&running, &arguments)?;
    let report = running.join()?;
    check(&arguments, &report, &instance.to_string())
}

/// Sends the orders, and kills somebody now and then.
fn order(running: &Running, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut orders = running.sender::<Order>("orders")?;
    let every = arguments.orders / (arguments.kills + 1);
    let mut state = arguments.seed | 1;
    let mut kills = 0;
    for number in 0..arguments.orders {
        orders.send(Order {
            amount: number % 100,
        })?;
        if number % every.max(1) == 0 && kills < arguments.kills {
            kills += 1;
            state = next(state);
            thread::sleep(Duration::from_micros(state % 3_000));
            let victim = if state & (1 << 20) == 0 {
                "shop"
            } else {
                "writer"
            };
            running.kill(victim)?;
        }
    }
    orders.close()?;
    Ok(())
}

/// George Marsaglia's shifts.
fn next(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}

/// Each order has a line, in order, and none has two.
fn check(arguments: &Arguments, report: &Report, instance: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(&arguments.file)?;
    let prefix = format!("{instance}/outbox/");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    let (mut found, mut total) = (0, 0);
    for line in lines {
        let amount = found % 100;
        total += amount;
        let expected = format!("{found} {amount} {total}");
        if line != expected {
            return Err(format!("line {found} is `{line}`, expected `{expected}`").into());
        }
        found += 1;
    }
    let restarts: u64 = report.partitions.iter().map(|life| life.restarts).sum();
    println!(
        "{found} lines for {} orders; {restarts} restarts",
        arguments.orders
    );
    let kept = report.monitor.read::<u64>("shop", "total")?;
    if (found, Some(total)) != (arguments.orders, kept) {
        return Err(format!("the shop has {kept:?}, the file {total}").into());
    }
    println!("each order was written once");
    Ok(())
}
