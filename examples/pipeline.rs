//! Three stages, each a process or a thread, with stamped links: prints how long messages take from stage to stage.
//!
//! ```text
//! cargo run --release --example pipeline                    # processes, 100,000 messages a second
//! cargo run --release --example pipeline -- --threads --rate 20000 --count 100000
//! ```
//!
//! A link's time runs from the moment a stage has written a message to the moment the next one gets it: the ring, the
//! wait for the step's commit, and waking up. The first stage sends by the clock, whether the others keep up or not; so
//! they wait in the link, and are counted, while a stage has no core. With fewer cores than stages that is most of it.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use airssys_rt::monotonic_ns;
use airssys_rt::prelude::*;
use clap::Parser;

/// Prints the latencies of a pipeline's links
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Runs the stages as threads of this process
    #[arg(long, conflicts_with = "processes")]
    threads: bool,
    /// Runs each stage as a process of its own, which is the default
    #[arg(long)]
    processes: bool,
    /// Messages a second; 0 for as many as the links take
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Messages in all
    #[arg(long, default_value_t = 200_000)]
    count: u64,
}

#[message]
struct Sample {
    number: u64,
    value: f64,
}

struct Source {
    samples: Sender<Sample>,
    began_ns: Durable<u64>,
    count: u64,
    rate: u64,
}

impl Actor for Source {
    fn step(&mut self) -> Result<Step, Refused> {
        if self.began_ns.get() == 0 {
            self.began_ns.set(monotonic_ns());
        }
        let number = self.samples.sent();
        if number == self.count {
            return Ok(Step::Done);
        }
        let elapsed_ns = monotonic_ns() - self.began_ns.get();
        let is_due = elapsed_ns.saturating_mul(self.rate) >= number.saturating_mul(1_000_000_000);
        if is_due || self.rate == 0 {
            let value = f64::from(number as u32).sin();
            self.samples.send(Sample { number, value })?;
        }
        Ok(Step::Busy) // a schedule to keep: it doesn't sleep
    }
}

struct Smooth {
    samples: Receiver<Sample>,
    smoothed: Sender<Sample>,
    mean: Durable<f64>,
}

impl Actor for Smooth {
    fn step(&mut self) -> Result<Step, Refused> {
        let most = self.smoothed.room().clamp(1, 64);
        let seen = self.samples.try_drain(most, |sample| {
            let value = 0.9 * self.mean.get() + 0.1 * sample.value;
            self.mean.set(value);
            self.smoothed.send(Sample { value, ..*sample })
        })?;
        let done = seen == 0 && self.samples.is_closed();
        Ok(if done { Step::Done } else { seen.into() })
    }
}

struct Sink {
    smoothed: Receiver<Sample>,
    sum: Durable<f64>,
}

impl Actor for Sink {
    fn step(&mut self) -> Result<Step, Refused> {
        let seen = self
            .smoothed
            .drain(64, |sample| *self.sum.borrow_mut() += sample.value);
        let done = seen == 0 && self.smoothed.is_closed();
        Ok(if done { Step::Done } else { seen.into() })
    }
}

fn pipeline(arguments: &Arguments) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("pipeline");
    plan.leftover(Leftover::Discard); // of a run that was killed
    let stamped = LinkOptions::new(1024).stamped();
    let (samples_out, samples_in) = plan.link_with::<Sample>("samples", stamped);
    let (smoothed_out, smoothed_in) = plan.link_with::<Sample>("smoothed", stamped);
    let &Arguments { count, rate, .. } = arguments;
    let ends = (samples_out, durable::<u64>("began_ns"));
    plan.partition("source")
        .actor("source", ends, move |(samples, began_ns)| Source {
            samples,
            began_ns,
            count,
            rate,
        });
    let ends = (samples_in, smoothed_out, durable::<f64>("mean"));
    plan.partition("smooth")
        .actor("smooth", ends, |(samples, smoothed, mean)| Smooth {
            samples,
            smoothed,
            mean,
        });
    let ends = (smoothed_in, durable::<f64>("sum"));
    plan.partition("sink")
        .actor("sink", ends, |(smoothed, sum)| Sink { smoothed, sum });
    plan.build()
}

fn main() -> ExitCode {
    if let Err(error) = run() {
        let _ = writeln!(std::io::stderr(), "pipeline: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    airssys_rt::enter(|| pipeline(&arguments))?; // in a partition's process: runs it and never returns

    let launch = if arguments.threads {
        Launch::Threads
    } else {
        Launch::Processes
    };
    let report = pipeline(&arguments)?.run(launch, |_| ())?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "latency in us     p50      p90      p99    p99.9      max   messages"
    )?;
    for link in &report.links {
        let latencies = report.monitor.latency(&link.name)?;
        write!(out, "{:<12}", link.name)?;
        for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
            let latency = Duration::from_nanos(latencies.value_at_quantile(quantile));
            write!(out, " {:>8.1}", latency.as_secs_f64() * 1e6)?;
        }
        writeln!(out, " {:>10}", link.received)?;
    }
    Ok(())
}
