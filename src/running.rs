//! A running bus, and its end.

use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};

use crate::bus::BusError;
use crate::bus::directory::BusDirectory;
use crate::monitor::{LinkStatus, Monitor};
use crate::report::{Level, say};
use crate::signals::Signals;
use crate::supervisor::status::PartitionStatus;
use crate::supervisor::{Command, Outcome};

/// A topology that runs. Reads like its [`Monitor`].
///
/// Dropping it drains, stops and reaps every partition and removes the bus.
#[derive(Debug)]
pub struct Running {
    monitor: Monitor,
    supervisor: Option<JoinHandle<Outcome>>,
    ended: UnixStream,
    bus: Option<BusDirectory>,
}

/// What a bus came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Whether it was asked to end, by a signal or by [`Monitor::stop`], before all of its actors were done.
    pub stopped: bool,
    /// Every partition's lives.
    pub partitions: Vec<PartitionStatus>,
    /// Every link's counts; what a link still holds was never delivered.
    pub links: Vec<LinkStatus>,
    /// For reading what the actors left: durable cells, latencies.
    pub monitor: Monitor,
}

/// A bus did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It gave up. Its regions are left for a look; the next start does what the topology says about them.
    #[error("bus `{bus}` gave up: {why}; its regions are left in {directory}")]
    Escalated {
        /// The bus.
        bus: String,
        /// The partition and its last cause.
        why: String,
        /// Where the regions are.
        directory: String,
        /// What it came to until then.
        report: Box<Report>,
    },
    /// It ended, and its directory could not be removed.
    #[error(transparent)]
    Remove(#[from] BusError),
    /// The kernel refused the wait or the signal handlers.
    #[error("bus `{bus}`: waiting for its end: {source}")]
    Wait {
        /// The bus.
        bus: String,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The supervisor panicked.
    #[error("bus `{bus}`: its supervisor panicked; its partitions were killed")]
    Supervisor {
        /// The bus.
        bus: String,
    },
}

impl Deref for Running {
    type Target = Monitor;
    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}

impl Running {
    pub(crate) fn new(
        monitor: Monitor,
        supervisor: JoinHandle<Outcome>,
        ended: UnixStream,
        bus: BusDirectory,
    ) -> Self {
        Self {
            monitor,
            supervisor: Some(supervisor),
            ended,
            bus: Some(bus),
        }
    }

    /// A handle for other threads, and for reading after the end.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Waits for the end of every partition, and removes the bus.
    ///
    /// While it waits, the first `SIGINT` or `SIGTERM` drains and stops; a second one stops at once. Afterwards both do what
    /// they do by default.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub fn join(self) -> Result<Report, RunError> {
        match Signals::catch() {
            Ok(caught) => self.join_catching(&caught),
            Err(source) => Err(self.abort(source)),
        }
    }

    /// Joins with signals that are caught already, and still are when the bus is gone.
    pub(crate) fn join_catching(mut self, caught: &Signals) -> Result<Report, RunError> {
        match self.wait(caught) {
            Ok(()) => self.finish(),
            Err(source) => Err(self.abort(source)),
        }
    }

    /// Nobody can wait for it: it ends now.
    fn abort(mut self, source: std::io::Error) -> RunError {
        self.command(Command::Abort);
        let _ = self.finish();
        RunError::Wait {
            bus: self.monitor.plan.bus.clone(),
            source,
        }
    }

    fn command(&self, command: Command) {
        self.monitor.commands.send(command);
    }

    /// Waits for the supervisor's end, handing on signals.
    fn wait(&self, signals: &Signals) -> std::io::Result<()> {
        let mut asked = false;
        loop {
            let mut watched = [
                PollFd::new(&self.ended, PollFlags::IN),
                PollFd::new(signals, PollFlags::IN),
            ];
            match poll(&mut watched, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            if !watched[0].revents().is_empty() {
                return Ok(());
            }
            if signals.take()? {
                let bus = &self.monitor.plan.bus;
                let (command, line) = if asked {
                    (Command::Abort, "a second signal: stops at once")
                } else {
                    (
                        Command::Stop,
                        "drains and stops; a second signal stops at once",
                    )
                };
                say(Level::Info, format_args!("{bus}: {line}"));
                self.command(command);
                asked = true;
            }
        }
    }

    /// Joins the supervisor, removes the bus or leaves it, and reports losses.
    fn finish(&mut self) -> Result<Report, RunError> {
        let bus_name = self.monitor.plan.bus.clone();
        let outcome = self.supervisor.take().map(JoinHandle::join);
        let report = Report {
            stopped: matches!(outcome, Some(Ok(Outcome::Stopped))),
            partitions: self.monitor.partitions(),
            links: self.monitor.links(),
            monitor: self.monitor(),
        };
        let Some(bus) = self.bus.take() else {
            return Ok(report);
        };
        match outcome {
            Some(Ok(Outcome::Escalated(why))) => Err(RunError::Escalated {
                bus: bus_name,
                why,
                directory: bus.path().display().to_string(),
                report: Box::new(report),
            }),
            Some(Err(_)) => Err(RunError::Supervisor { bus: bus_name }),
            Some(Ok(Outcome::Done | Outcome::Stopped)) | None => {
                report_losses(&bus_name, &report);
                bus.remove()?;
                Ok(report)
            }
        }
    }
}

/// A message that nobody received is named, never dropped in silence.
fn report_losses(bus: &str, report: &Report) {
    for link in report.links.iter().filter(|link| link.depth() > 0) {
        say(
            Level::Warn,
            format_args!(
                "{bus}: link `{}`: {} of {} messages were not delivered: its receiver ended before",
                link.name,
                link.depth(),
                link.sent
            ),
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            self.command(Command::Stop);
            if let Err(error) = self.finish() {
                say(Level::Error, format_args!("{error}"));
            }
        }
    }
}
