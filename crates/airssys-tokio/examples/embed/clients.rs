//! The test: clients that ask and check, and somebody who kills the pricer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use airssys_rt::Monitor;
use hdrhistogram::Histogram;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;

/// Longer ones count as this: a minute.
const LONGEST_NS: u64 = 60_000_000_000;

/// What to do to the service.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) clients: usize,
    pub(crate) questions: u64,
    pub(crate) kills: u32,
}

/// What came of it.
pub(crate) struct Outcome {
    expected: u64,
    elapsed: Duration,
    kills: u32,
    latencies_ns: Histogram<u64>,
}

impl Load {
    pub(crate) async fn run(&self, bus: Monitor) -> Result<Outcome, Failure> {
        let expected = self.clients as u64 * self.questions;
        let began = Instant::now();
        let (answered, progress) = watch::channel(0);
        let killer = tokio::spawn(kill(bus, progress, self.kills, expected));
        let mut clients = JoinSet::new();
        for client in 0..self.clients as u64 {
            let first = client * self.questions;
            let asked = first..first + self.questions;
            clients.spawn(ask(self.address, asked, answered.clone()));
        }
        let mut latencies_ns = Histogram::new_with_bounds(1, LONGEST_NS, 3)?;
        while let Some(client) = clients.join_next().await {
            latencies_ns.add(client??)?;
        }
        let elapsed = began.elapsed();
        drop(answered);
        Ok(Outcome {
            expected,
            elapsed,
            kills: killer.await??,
            latencies_ns,
        })
    }
}

/// One client: asks for each quantity, checks each answer, and times them.
async fn ask(
    address: SocketAddr,
    quantities: std::ops::Range<u64>,
    answered: watch::Sender<u64>,
) -> Result<Histogram<u64>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let mut latencies_ns = Histogram::new_with_bounds(1, LONGEST_NS, 3)?;
    for quantity in quantities {
        let began = Instant::now();
        write.write_all(format!("{quantity}\n").as_bytes()).await?;
        let line = lines.next_line().await?.ok_or("the service hung up")?;
        latencies_ns.saturating_record(began.elapsed().as_nanos() as u64);
        if line.split(' ').next() != Some(quantity.to_string().as_str()) {
            return Err(format!("the answer to {quantity} was `{line}`").into());
        }
        answered.send_modify(|count| *count += 1);
    }
    Ok(latencies_ns)
}

/// Kills the pricer each time that another part of all the answers is there; returns how often.
async fn kill(
    bus: Monitor,
    mut answered: watch::Receiver<u64>,
    kills: u32,
    of: u64,
) -> Result<u32, Failure> {
    let mut killed = 0;
    for part in 1..=u64::from(kills) {
        let due = of * part / (u64::from(kills) + 1);
        if answered.wait_for(|count| *count >= due).await.is_err() {
            break; // nobody asks any more
        }
        bus.kill("pricer")?;
        killed += 1;
    }
    Ok(killed)
}

impl Outcome {
    /// Whether every question had its answer.
    pub(crate) fn is_right(&self) -> bool {
        self.latencies_ns.len() == self.expected
    }

    pub(crate) fn print(&self) {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for a reader's eye")]
        let rate = self.expected as f64 / seconds;
        println!("rate        {rate:.0} questions per second, for {seconds:.2} s, over TCP");
        let at = |quantile| Duration::from_nanos(self.latencies_ns.value_at_quantile(quantile));
        println!(
            "latency     p50 {:.0?}, p90 {:.0?}, p99 {:.0?}, p99.9 {:.1?}, max {:.1?}",
            at(0.5),
            at(0.9),
            at(0.99),
            at(0.999),
            at(1.0)
        );
        println!("kills       {}", self.kills);
    }
}
