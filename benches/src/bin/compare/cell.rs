//! One measurement: a subject, what is asked of it, and what came of it.

use std::fmt;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::catalog::Which;
use crate::nameless::Files;
use crate::sides::{Job, Streamed};
use crate::subject::{Place, ring_bytes};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Metric {
    Rtt,
    Stream,
    Unequal,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rtt => "rtt",
            Self::Stream => "stream",
            Self::Unequal => "unequal",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Mode {
    Threads,
    Processes,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => "threads",
            Self::Processes => "processes",
        })
    }
}

/// As arguments, a process that takes part in a measurement gets it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cell {
    #[arg(long)]
    pub(crate) subject: Which,
    #[arg(long)]
    pub(crate) metric: Metric,
    #[arg(long)]
    pub(crate) mode: Mode,
    #[arg(long)]
    pub(crate) payload: usize,
    #[arg(long)]
    pub(crate) batch: usize,
    #[arg(long)]
    pub(crate) lasts_us: u64,
    /// Turns of each side's own work.
    #[arg(long, default_value_t = 0)]
    pub(crate) sender_work: u32,
    #[arg(long, default_value_t = 0)]
    pub(crate) receiver_work: u32,
    /// The two cores; none where there is but one.
    #[arg(long, value_delimiter = ',')]
    pub(crate) cores: Vec<usize>,
    /// What the measurement is called.
    #[arg(long)]
    pub(crate) name: String,
    /// Its files: descriptors of the process that measures.
    #[arg(long, value_delimiter = ',')]
    pub(crate) files: Vec<i32>,
    /// The process that measures.
    #[arg(long)]
    pub(crate) parent: i32,
}

impl Cell {
    /// The arguments that say the same.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let named = |value: Option<clap::builder::PossibleValue>| {
            value.map_or_else(String::new, |value| value.get_name().to_owned())
        };
        let mut arguments = vec![
            format!("--subject={}", named(self.subject.to_possible_value())),
            format!("--metric={}", self.metric),
            format!("--mode={}", self.mode),
            format!("--payload={}", self.payload),
            format!("--batch={}", self.batch),
            format!("--lasts-us={}", self.lasts_us),
            format!("--sender-work={}", self.sender_work),
            format!("--receiver-work={}", self.receiver_work),
            format!("--name={}", self.name),
            format!(
                "--files={}",
                self.files
                    .iter()
                    .map(i32::to_string)
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            format!("--parent={}", self.parent),
        ];
        if let [near, far] = self.cores[..] {
            arguments.push(format!("--cores={near},{far}"));
        }
        arguments
    }

    pub(crate) fn files(&self) -> Files {
        Files {
            holder: self.parent,
            descriptors: self.files.clone(),
        }
    }

    pub(crate) fn place(&self, name: &'static str) -> Place {
        Place {
            files: self.files(),
            measurement: self.name.clone(),
            name,
            bytes: ring_bytes(self.payload),
        }
    }

    pub(crate) fn job(&self) -> Job {
        Job {
            batch: self.batch,
            lasts: Duration::from_micros(self.lasts_us),
            warm: self.place("out").slots(self.payload) as u64,
            sender_work: self.sender_work,
            receiver_work: self.receiver_work,
            stamped: self.metric == Metric::Unequal,
        }
    }
}

/// Says what failed.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            metric,
            mode,
            payload,
            batch,
            ..
        } = self;
        let subject = subject.name(*metric);
        write!(
            f,
            "{subject}, {metric} between {mode}, {payload} B, batches of {batch}"
        )
    }
}

/// What came of a measurement, in units of the clock.
#[derive(Clone, Debug)]
pub(crate) enum Sample {
    Trips(Vec<u64>),
    Streamed(Streamed),
}
