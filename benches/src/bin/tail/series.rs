//! What is measured: which topology, as threads or as processes, at which rate.

use std::fmt;
use std::time::Duration;

use airssys_rt::{Launch, Topology, TopologyError, enter};

use crate::Result;
use crate::link;
use crate::pipeline::cores::Placement;
use crate::pipeline::schedule::Schedule;
use crate::pipeline::{self, PARTITIONS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Threads that only keep the schedule.
    Floor,
    /// From one partition to another.
    OneWay,
    /// And back.
    RoundTrip,
    /// The four partitions of the example.
    TickToTrade,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Floor,
        Self::OneWay,
        Self::RoundTrip,
        Self::TickToTrade,
    ];

    fn partitions(self) -> usize {
        match self {
            Self::OneWay | Self::RoundTrip => 2,
            Self::Floor | Self::TickToTrade => PARTITIONS.len(),
        }
    }

    /// The actor that keeps the schedule.
    pub(crate) fn sender(self) -> &'static str {
        match self {
            Self::TickToTrade => "feed",
            Self::OneWay | Self::RoundTrip | Self::Floor => link::SENDER,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::OneWay => "one-way",
            Self::RoundTrip => "round-trip",
            Self::TickToTrade => "tick-to-trade",
        })
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    /// None for the floor.
    pub(crate) launch: Option<Launch>,
    pub(crate) schedule: Schedule,
    pub(crate) placement: Placement,
}

impl Series {
    /// The floor first, then every kind, as threads and as processes.
    pub(crate) fn all_of(
        rate: u64,
        warm_up: Duration,
        lasts: Duration,
        cores: &[usize],
    ) -> Vec<Self> {
        let schedule = Schedule {
            rate,
            warm_up,
            lasts,
        };
        let series = |kind: Kind, launch| Self {
            kind,
            launch,
            schedule,
            placement: Placement::new(kind.partitions(), cores),
        };
        let mut floor = series(Kind::Floor, None);
        floor.placement.cores = floor.placement.distinct(); // a thread on each
        let mut all = vec![floor];
        for kind in [Kind::OneWay, Kind::RoundTrip, Kind::TickToTrade] {
            all.push(series(kind, Some(Launch::Threads)));
            all.push(series(kind, Some(Launch::Processes)));
        }
        all
    }

    /// Threads or processes.
    pub(crate) fn mode(&self) -> Option<&'static str> {
        let launch = self.launch?;
        Some(if launch == Launch::Processes {
            "processes"
        } else {
            "threads"
        })
    }

    pub(crate) fn name(&self) -> String {
        let rate = self.schedule.rate;
        match self.mode() {
            Some(mode) => format!("{}-{mode}-{rate}", self.kind),
            None => format!("{}-{rate}", self.kind),
        }
    }

    pub(crate) fn topology(&self) -> std::result::Result<Topology, TopologyError> {
        let name = format!("tail-{}", self.name());
        let (schedule, placement) = (self.schedule, &self.placement);
        match self.kind {
            Kind::TickToTrade => pipeline::topology(&name, schedule, placement),
            Kind::RoundTrip => link::round_trip(&name, schedule, placement),
            Kind::OneWay | Kind::Floor => link::one_way(&name, schedule, placement),
        }
    }

    /// Whether this machine can run it at all.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(launch) = self.launch {
            self.topology()?.check(launch)?;
        }
        Ok(())
    }

    /// In a process of this series': runs it and never returns.
    pub(crate) fn enter(&self) -> Result<()> {
        if self.launch == Some(Launch::Processes) {
            enter(|| self.topology())?;
        }
        Ok(())
    }
}
