//! The subjects, and what each of them can do.

use clap::ValueEnum;

use crate::Result;
use crate::cell::{Cell, Metric, Mode, Sample};
use crate::ours::{Contiguous, Sequenced};
use crate::peers::crossbeam::Crossbeam;
use crate::peers::disruptor::Disruptor;
use crate::peers::iceoryx2::Iceoryx2;
use crate::peers::nexus::Nexus;
use crate::peers::ringbuf::Ringbuf;
use crate::peers::ringfire::Ringfire;
use crate::peers::rtrb::Rtrb;
use crate::peers::shaq::Shaq;
use crate::peers::std_mpsc::StdMpsc;
use crate::raw::{Bounce, Stream};
use crate::{link, processes, threads};

/// Messages of a batch.
pub(crate) const BATCH: usize = 32;

/// The most messages that a linked actor's step handles where it handles many.
pub(crate) const STEP: usize = 64;

/// The payloads of a whole run, and of a quick one.
pub(crate) const PAYLOADS: [usize; 12] =
    [8, 32, 56, 64, 120, 128, 248, 256, 1016, 1024, 4088, 4096];
pub(crate) const QUICK_PAYLOADS: [usize; 4] = [8, 56, 248, 1024];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Which {
    /// The limit: a bouncing line, and streamed lines with a word in each.
    Raw,
    /// The limit of streaming whole lines.
    RawLine,
    Sequenced,
    Contiguous,
    Link,
    Rtrb,
    Crossbeam,
    Ringbuf,
    Nexus,
    Shaq,
    Disruptor,
    Iceoryx2,
    Ringfire,
    StdMpsc,
}

impl Which {
    /// As the output calls it.
    pub(crate) fn name(self, metric: Metric) -> &'static str {
        match self {
            Self::Raw if metric == Metric::Stream => "raw-word",
            Self::Raw => "raw",
            Self::RawLine => "raw-line",
            Self::Sequenced => "airssys-sequenced",
            Self::Contiguous => "airssys-contiguous",
            Self::Link => "airssys-link",
            Self::Rtrb => "rtrb",
            Self::Crossbeam => "crossbeam-queue",
            Self::Ringbuf => "ringbuf",
            Self::Nexus => "nexus-queue",
            Self::Shaq => "shaq",
            Self::Disruptor => "disruptor",
            Self::Iceoryx2 => "iceoryx2",
            Self::Ringfire => "ringfire",
            Self::StdMpsc => "std-mpsc",
        }
    }

    pub(crate) fn is_peer(self) -> bool {
        !self.is_raw() && !self.is_ours()
    }

    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Self::Raw | Self::RawLine)
    }

    /// Our bare rings and links.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Sequenced | Self::Contiguous | Self::Link)
    }

    /// Whether it can connect two processes, by functions that this can call.
    fn connects_processes(self) -> bool {
        !matches!(
            self,
            Self::Rtrb
                | Self::Crossbeam
                | Self::Ringbuf
                | Self::Nexus
                | Self::Disruptor
                | Self::StdMpsc
        )
    }

    fn has_batches(self) -> bool {
        !matches!(
            self,
            Self::Crossbeam | Self::Nexus | Self::Iceoryx2 | Self::StdMpsc
        )
    }

    /// Whether it takes part.
    pub(crate) fn can(self, metric: Metric, mode: Mode, batch: usize) -> bool {
        if mode == Mode::Processes && !self.connects_processes() {
            return false;
        }
        if self == Self::RawLine {
            return metric != Metric::Rtt;
        }
        batch == 1 || (self != Self::Raw && self.has_batches())
    }
}

/// What a peer is left out of, and what isn't as its line says.
pub(crate) const LEFT_OUT: [&str; 5] = [
    "two processes: rtrb, crossbeam-queue, ringbuf, nexus-queue, disruptor and std mpsc live in one process's heap",
    "batches: crossbeam-queue, nexus-queue, iceoryx2 and std mpsc have none",
    "shaq is measured at 4.3.0: 4.4.0 and all later releases use a function of the standard library that Rust 1.95 has not \
     stabilised",
    "disruptor's poller has no receive of one message: where others receive one by one it takes all that is there",
    "batches of the airssys rings above 2 KiB a message are claimed, written in place and published one by one",
];

/// Calls a function of a subject and a number of words by a payload in bytes.
macro_rules! by_payload {
    ($cell:expr, [$($function:ident)::+], $subject:ty) => {
        match $cell.payload {
            8 => $($function)::+::<$subject, 1>($cell),
            32 => $($function)::+::<$subject, 4>($cell),
            56 => $($function)::+::<$subject, 7>($cell),
            64 => $($function)::+::<$subject, 8>($cell),
            120 => $($function)::+::<$subject, 15>($cell),
            128 => $($function)::+::<$subject, 16>($cell),
            248 => $($function)::+::<$subject, 31>($cell),
            256 => $($function)::+::<$subject, 32>($cell),
            1016 => $($function)::+::<$subject, 127>($cell),
            1024 => $($function)::+::<$subject, 128>($cell),
            4088 => $($function)::+::<$subject, 511>($cell),
            4096 => $($function)::+::<$subject, 512>($cell),
            other => Err(format!("no payload of {other} bytes is measured").into()),
        }
    };
}
pub(crate) use by_payload;

/// Measures.
pub(crate) fn measure(cell: &Cell) -> Result<Sample> {
    let measured = match (cell.subject, cell.mode) {
        (Which::Link, _) => link::measure(cell),
        (_, Mode::Threads) => between_threads(cell),
        (_, Mode::Processes) => processes::near_side(cell, near_side),
    };
    measured.map_err(|error| format!("{cell}: {error}").into())
}

macro_rules! call {
    ([$($function:ident)::+], $subject:ty, $words:literal, $cell:expr) => {
        $($function)::+::<$subject, $words>($cell)
    };
}

macro_rules! by_subject {
    ($cell:expr, $function:tt, [$($subject:ident)*]) => {
        match ($cell.subject, $cell.metric) {
            (Which::Raw, Metric::Rtt | Metric::Unequal) => call!($function, Bounce, 1, $cell),
            (Which::Raw, Metric::Stream) => call!($function, Stream, 1, $cell),
            (Which::RawLine, _) => call!($function, Stream, 7, $cell),
            $((Which::$subject, _) => by_payload!($cell, $function, $subject),)*
            (other, _) => Err(format!("{other:?} does not do that").into()),
        }
    };
}

fn between_threads(cell: &Cell) -> Result<Sample> {
    by_subject!(
        cell,
        [threads::measure],
        [Sequenced Contiguous Shaq Iceoryx2 Ringfire Rtrb Crossbeam Ringbuf Nexus Disruptor StdMpsc]
    )
}

fn near_side(cell: &Cell) -> Result<Sample> {
    by_subject!(cell, [processes::near], [Sequenced Contiguous Shaq Iceoryx2 Ringfire])
}

/// What the other process of a measurement does.
pub(crate) fn far_side(cell: &Cell) -> Result<()> {
    by_subject!(cell, [processes::far], [Sequenced Contiguous Shaq Iceoryx2 Ringfire])
}
