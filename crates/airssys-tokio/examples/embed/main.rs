//! A service that was there already, with one actor embedded: Tokio tasks ask it, a plain thread feeds it, and it may die.
//!
//! ```text
//! cargo run --release -p airssys-tokio --example embed                             # a test of itself, some seconds
//! cargo run --release -p airssys-tokio --example embed -- --clients 50 --kills 5   # the same, harder
//! cargo run --release -p airssys-tokio --example embed -- --serve 127.0.0.1:7000   # until Ctrl-C
//! ```
//!
//! The actor `pricer` is a process of its own, pinned to a CPU; it is this program, executed again. A thread pushes ticks
//! into it. TCP clients send a quantity in a line and get the quote for it in a line; with `--serve` try `nc 127.0.0.1 7000`
//! and type numbers. A handler hands its question to the *desk*, the one task that owns the two ports, and awaits the answer
//! with its number:
//!
//! ```text
//! client --TCP--> handler --mpsc--> desk --link asks----> pricer <--link ticks-- thread
//!        <-------         <-oneshot-     <-link quotes--
//! ```
//!
//! By default it is its own client, kills the pricer on the way, and checks that every question got one answer and none got
//! two: questions and answers that the pricer has not dealt with are in the links, which outlive it.
//!
//! Exit codes: 0; 1, something was not answered or answered twice, or the bus gave up; 130, the test was interrupted.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "what the example has to say")]

mod clients;
mod desk;
mod pricer;
mod service;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{HostSender, Running};
use airssys_tokio::{AsyncReceiver, AsyncSender};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::clients::{Load, Outcome};
use crate::desk::{Desk, Tally};
use crate::pricer::{Book, Tick};

const INTERRUPTED: u8 = 130;

type Failure = Box<dyn Error + Send + Sync>;

/// A Tokio service with one embedded actor
#[derive(Debug, Parser)]
struct Arguments {
    /// Serves at this address until Ctrl-C, in place of the test
    #[arg(long, value_name = "ADDRESS")]
    serve: Option<SocketAddr>,
    /// The test's connections
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Questions of each connection
    #[arg(long, default_value_t = 2000)]
    questions: u64,
    /// How often the test kills the pricer
    #[arg(long, default_value_t = 3)]
    kills: u32,
    /// The bus's name: two runs at once need two
    #[arg(long, default_value = "embed")]
    bus: String,
    /// The CPU that the pricer is pinned to; by default the last one that may be used
    #[arg(long)]
    core: Option<usize>,
}

impl Arguments {
    fn cpu(&self) -> Option<usize> {
        let last = || Some(core_affinity::get_core_ids()?.last()?.id);
        self.core.or_else(last)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|error| {
        // Where nobody listens the exit code says it.
        let _ = writeln!(io::stderr(), "embed: {error}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let topology = || pricer::topology(&arguments.bus, arguments.cpu(), arguments.kills);
    airssys_rt::enter(topology)?; // in the pricer's process: runs it and never returns

    let running = topology()?.launch(Launch::Processes)?;
    let stop = Arc::new(AtomicBool::new(false));
    let ticks = running.sender("ticks")?;
    let until = Arc::clone(&stop);
    let ticker = thread::spawn(move || push(ticks, &until));

    let served = Runtime::new()?.block_on(serve(arguments, &running, &stop));
    stop.store(true, Ordering::Relaxed);
    let sent = ticker.join().map_err(|_| "the ticks' thread panicked")?;
    let (outcome, tally) = match served {
        Ok(served) => served,
        Err(error) => {
            running.stop();
            running.join()?;
            return Err(error);
        }
    };
    let report = running.join()?; // both ports are closed, so the pricer is done
    let book = report.monitor.read::<Book>("pricer", "book")?;
    let book = book.ok_or("the pricer never began")?;
    println!("ticks       {} sent, {} seen", sent, book.ticks);
    println!(
        "questions   {} asked, {} answered, {} answered twice; the pricer counts {}; {} restarts",
        tally.asked, tally.answered, tally.unasked, book.quotes, report.partitions[0].restarts
    );
    if let Some(outcome) = &outcome {
        outcome.print();
    }
    let once = tally.asked == tally.answered && tally.unasked == 0 && tally.asked == book.quotes;
    if !once || book.ticks != sent || outcome.as_ref().is_some_and(|one| !one.is_right()) {
        return Err("not every message had exactly one effect".into());
    }
    println!("all answered, each once");
    Ok(if outcome.is_none() && arguments.serve.is_none() {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The thread that was there before: one tick after the other, until it is told to stop. Returns how many.
fn push(mut ticks: HostSender<Tick>, stop: &AtomicBool) -> u64 {
    while !stop.load(Ordering::Relaxed) {
        let seq = ticks.sent();
        if ticks.send(Tick::numbered(seq)).is_err() {
            break; // the bus has ended
        }
        thread::sleep(Duration::from_micros(200));
    }
    if let Err(error) = ticks.close() {
        let _ = writeln!(io::stderr(), "embed: {error}");
    }
    ticks.sent()
}

/// Everything that happens in the runtime. No outcome where it was interrupted.
async fn serve(
    arguments: &Arguments,
    running: &Running,
    stop: &AtomicBool,
) -> Result<(Option<Outcome>, Tally), Failure> {
    let asks = AsyncSender::new(running.sender("asks")?)?;
    let quotes = AsyncReceiver::new(running.receiver("quotes")?)?;
    let (desk, incoming) = Desk::open();
    let working = tokio::spawn(desk::work(incoming, asks, quotes));

    let address = arguments.serve.unwrap_or(([127, 0, 0, 1], 0).into());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let pid = running.partitions()[0].pid.unwrap_or_default();
    let pinned = arguments.cpu().map(|cpu| format!(", pinned to CPU {cpu}"));
    println!(
        "the pricer is process {pid}{}; quotes at {address}",
        pinned.unwrap_or_default()
    );
    let outcome = if arguments.serve.is_some() {
        service::run(&listener, &desk, tokio::signal::ctrl_c()).await?;
        println!();
        None
    } else {
        let load = Load {
            address,
            clients: arguments.clients,
            questions: arguments.questions,
            kills: arguments.kills,
        };
        println!(
            "{} clients ask {} times each, and the pricer is killed {} times on the way",
            load.clients, load.questions, load.kills
        );
        tokio::select! {
            outcome = load.run(running.monitor()) => Some(outcome?),
            served = service::run(&listener, &desk, tokio::signal::ctrl_c()) => {
                served?;
                None
            }
        }
    };
    // Nobody asks any more, and no tick comes: the pricer answers what it has and is done, and so is the desk.
    drop(desk);
    stop.store(true, Ordering::Relaxed);
    Ok((outcome, working.await??))
}
