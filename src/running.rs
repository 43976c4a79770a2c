//! A running bus, and its end.

use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Instant;

use airssys_ringbuf::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bus::BusError;
use crate::bus::directory::BusDirectory;
use crate::embed::{
    HostError, HostReceiver, HostSender, HostSide, Hosted, Seats, TurnError, Turned,
};
use crate::monitor::{LinkStatus, Monitor};
use crate::report::{Level, say};
use crate::signals::Signals;
use crate::supervisor::control::Requests;
use crate::supervisor::status::PartitionStatus;
use crate::supervisor::{Command, Outcome};
use crate::topology::model::Plan;

/// How long an inline run that has nothing to do sleeps between its turns.
const INLINE_NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};

/// A topology that runs. Reads like its [`Monitor`].
///
/// Dropping it drains, stops and reaps every partition and removes the bus. Dropped inline, it has run nothing.
#[derive(Debug)]
pub struct Running {
    monitor: Monitor,
    side: HostSide,
    engine: Option<Engine>,
}

/// Who runs the partitions.
enum Engine {
    /// A supervisor, on a thread of its own.
    Supervised {
        supervisor: JoinHandle<Outcome>,
        ended: UnixStream,
        bus: BusDirectory,
    },
    /// Whoever joins.
    Inline(Requests),
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Supervised { .. } => "Supervised",
            Self::Inline(_) => "Inline",
        })
    }
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
    /// A partition of an inline run can't go on.
    #[error(transparent)]
    Turn(#[from] TurnError),
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
    pub(crate) fn supervised(
        monitor: Monitor,
        side: HostSide,
        supervisor: JoinHandle<Outcome>,
        ended: UnixStream,
        bus: BusDirectory,
    ) -> Self {
        Self {
            monitor,
            side,
            engine: Some(Engine::Supervised {
                supervisor,
                ended,
                bus,
            }),
        }
    }

    pub(crate) fn inline(monitor: Monitor, side: HostSide, commands: Requests) -> Self {
        Self {
            monitor,
            side,
            engine: Some(Engine::Inline(commands)),
        }
    }

    /// Takes the host port that sends on `link`.
    ///
    /// # Errors
    ///
    /// [`HostError`]: there is none, it is held already, or it carries another type.
    pub fn sender<T: Message>(&self, link: &str) -> Result<HostSender<T>, HostError> {
        self.side.sender(link)
    }

    /// Takes the host port that receives from `link`.
    ///
    /// # Errors
    ///
    /// [`HostError`]: there is none, it is held already, or it carries another type.
    pub fn receiver<T: Message>(&self, link: &str) -> Result<HostReceiver<T>, HostError> {
        self.side.receiver(link)
    }

    /// Takes a hosted partition, to be driven by the calling thread: begins its next incarnation.
    ///
    /// The bus waits for its hosted partitions: it ends by itself once the actors of all partitions are done. A
    /// [`join`](Self::join) waits only for one that is held and driven, and leaves one that makes no turn for the topology's
    /// drain timeout behind.
    ///
    /// # Errors
    ///
    /// [`HostError`]: there is none, somebody else of this process holds it, it couldn't begin, or the bus is inline.
    pub fn hosted(&self, partition: &str) -> Result<Hosted, HostError> {
        let (partition, hosted) = self.side.hosted(partition)?;
        let status = &self.monitor.status;
        status.update(partition, PartitionStatus::begun);
        Ok(hosted)
    }

    /// A handle for other threads, and for reading after the end.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Waits for the end of every partition, and removes the bus.
    ///
    /// While it waits, the first `SIGINT` or `SIGTERM` drains and stops; a second one stops at once. A handler that the process
    /// had for them is called too. Afterwards both do what they did before.
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
        match self.engine.take() {
            Some(Engine::Inline(commands)) => self.drive(commands, caught),
            Some(Engine::Supervised {
                supervisor,
                ended,
                bus,
            }) => {
                self.command(Command::Join);
                let waited = self.wait(&ended, caught);
                if waited.is_err() {
                    // Nobody can wait for it: it ends now.
                    self.command(Command::Abort);
                }
                let report = self.finish(supervisor, bus);
                match waited {
                    Ok(()) => report,
                    Err(source) => Err(self.not_waited(source)),
                }
            }
            None => Ok(self.report(false)),
        }
    }

    fn abort(mut self, source: std::io::Error) -> RunError {
        self.command(Command::Abort);
        match self.engine.take() {
            Some(Engine::Supervised {
                supervisor, bus, ..
            }) => drop(self.finish(supervisor, bus)),
            Some(Engine::Inline(commands)) => self.end_undriven(commands),
            None => {}
        }
        self.not_waited(source)
    }

    fn not_waited(&self, source: std::io::Error) -> RunError {
        RunError::Wait {
            bus: self.monitor.plan.bus.clone(),
            source,
        }
    }

    fn command(&self, command: Command) {
        self.monitor.commands.send(command);
    }

    /// Waits for the supervisor's end, handing on signals.
    fn wait(&self, ended: &UnixStream, signals: &Signals) -> std::io::Result<()> {
        let mut asked = false;
        loop {
            let mut watched = [
                PollFd::new(ended, PollFlags::IN),
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
            self.hand_on(signals, &mut asked)?;
        }
    }

    fn hand_on(&self, signals: &Signals, asked: &mut bool) -> std::io::Result<()> {
        if !signals.take()? {
            return Ok(());
        }
        let bus = &self.monitor.plan.bus;
        let (command, line) = if *asked {
            (Command::Abort, "a second signal: stops at once")
        } else {
            (
                Command::Stop,
                "drains and stops; a second signal stops at once",
            )
        };
        say(Level::Info, format_args!("{bus}: {line}"));
        self.command(command);
        *asked = true;
        Ok(())
    }

    /// Runs every partition on the calling thread, to its end.
    fn drive(&self, commands: Requests, signals: &Signals) -> Result<Report, RunError> {
        let mut seats = Seats::new(&self.side, &self.monitor, commands, 0);
        let (mut asked, mut draining_since) = (false, None);
        loop {
            if seats.is_stopped() {
                let since: &Instant = draining_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.monitor.plan.drain_timeout {
                    self.command(Command::Abort);
                }
            }
            match seats.turn()? {
                Turned::Ended => break,
                Turned::Busy => {}
                Turned::Idle => {
                    // What a host port may bring rings nobody here: nothing but looking again tells.
                    let mut watched = [PollFd::new(signals, PollFlags::IN)];
                    let _ = poll(&mut watched, Some(&INLINE_NAP));
                }
            }
            self.hand_on(signals, &mut asked)
                .map_err(|source| self.not_waited(source))?;
        }
        let report = self.report(seats.is_stopped());
        self.say_losses(&report);
        Ok(report)
    }

    /// The end of an inline bus that nobody has driven: whoever waits on it is told.
    fn end_undriven(&self, commands: Requests) {
        drop(Seats::new(&self.side, &self.monitor, commands, 0));
    }

    fn report(&self, stopped: bool) -> Report {
        Report {
            stopped,
            partitions: self.monitor.partitions(),
            links: self.monitor.links(),
            monitor: self.monitor(),
        }
    }

    /// Joins the supervisor, removes the bus or leaves it, and reports losses.
    fn finish(
        &self,
        supervisor: JoinHandle<Outcome>,
        bus: BusDirectory,
    ) -> Result<Report, RunError> {
        let bus_name = self.monitor.plan.bus.clone();
        let outcome = supervisor.join();
        let report = self.report(matches!(outcome, Ok(Outcome::Stopped)));
        match outcome {
            Ok(Outcome::Escalated(why)) => Err(RunError::Escalated {
                bus: bus_name,
                why,
                directory: bus.path().display().to_string(),
                report: Box::new(report),
            }),
            Err(_) => Err(RunError::Supervisor { bus: bus_name }),
            Ok(Outcome::Done | Outcome::Stopped) => {
                self.say_losses(&report);
                bus.remove()?;
                Ok(report)
            }
        }
    }
}

impl Running {
    /// A message that nobody received is named, never dropped in silence.
    fn say_losses(&self, report: &Report) {
        let Plan {
            bus, links, locals, ..
        } = &*self.monitor.plan;
        let host = self.monitor.plan.host_index();
        for (link, plan) in report.links.iter().zip(links) {
            let (level, left) = if plan.to.partition == host {
                (Level::Info, "left for the host to receive")
            } else {
                UNDELIVERED
            };
            say_left(level, bus, &link.name, (link.depth(), link.sent), left);
            if let Some(letters) = &link.dead_letters {
                say_left(
                    UNDELIVERED.0,
                    bus,
                    &link.name,
                    (letters.waiting, link.sent),
                    "left among its dead letters",
                );
            }
        }
        let of_locals = &self.side.locals;
        for (index, plan) in locals.iter().enumerate() {
            let counts = (of_locals.depth(index), of_locals.sent(index));
            say_left(UNDELIVERED.0, bus, &plan.name, counts, UNDELIVERED.1);
        }
    }
}

const UNDELIVERED: (Level, &str) = (Level::Warn, "not delivered: its receiver ended before");

fn say_left(level: Level, bus: &str, link: &str, (depth, sent): (u64, u64), left: &str) {
    if depth == 0 {
        return;
    }
    say(
        level,
        format_args!("{bus}: link `{link}`: {depth} of {sent} messages were {left}"),
    );
}

impl Drop for Running {
    fn drop(&mut self) {
        match self.engine.take() {
            Some(Engine::Supervised {
                supervisor, bus, ..
            }) => {
                self.command(Command::Stop);
                if let Err(error) = self.finish(supervisor, bus) {
                    say(Level::Error, format_args!("{error}"));
                }
            }
            Some(Engine::Inline(commands)) => self.end_undriven(commands),
            None => {}
        }
    }
}
