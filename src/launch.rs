//! From a topology to a running bus.
//!
//! Everything that can be refused is refused before anything is created: cores, memory, the bus's name. What is created is
//! removed again if a partition fails to start.

mod regions;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use airssys_ringbuf::Instance;
use airssys_ringbuf::clock::monotonic_ns;
use airssys_ringbuf::park::Barrier;
use airssys_ringbuf::pulse::{Phase, Pulse, PulseView};
use airssys_ringbuf::region::{CreateError, OpenError, boot_id};
use airssys_ringbuf::step::ClockSource;

use crate::Error;
use crate::bus::BusError;
use crate::bus::directory::BusDirectory;
use crate::earlier::say_fate;
use crate::embed::{HostError, HostSide, in_heap};
use crate::host::cores::usable_cores;
use crate::host::process::identity;
use crate::host::{CoreError, MemoryError};
use crate::machine;
use crate::mode::Launch;
use crate::monitor::Monitor;
use crate::partition::bells::Waiting;
use crate::partition::pages;
use crate::partition::view::{BusView, Party, pulse};
use crate::partition::{PartitionError, Place};
use crate::report::{Level, say};
use crate::running::{Report, Running};
use crate::signals::Signals;
use crate::supervisor::control::control;
use crate::supervisor::status::StatusBoard;
use crate::supervisor::{Charge, LaunchMode, Outcome, StartFailure, Supervisor};
use crate::topology::model::{Plan, Restart, WaitKind};
use crate::topology::validate;
use crate::topology::{Topology, TopologyError};
use crate::unwinding::{PANIC_ABORTS, check_panics};

/// A topology could not be launched. Nothing was left behind, but for a bus that was to be resumed: that stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Cores.
    #[error(transparent)]
    Cores(#[from] CoreError),
    /// Memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A region could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A region could not be mapped.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// This program is a partition's process and did not call `enter` before it launched.
    #[error(
        "topology `{topology}`: this process is a partition of bus `{bus}` already; call `airssys_rt::enter` before `launch`"
    )]
    NotEntered {
        /// The topology.
        topology: String,
        /// The bus that the marker names.
        bus: String,
    },
    /// A panic ends this program, and partitions are to be restarted after one, as threads.
    #[error(
        "topology `{topology}`, partition `{partition}` is {restart}, and this program is built with panic = \"abort\": as a \
         thread it can't be restarted, since its first panic ends the process; build with panic = \"unwind\", declare it with \
         `.restart(Restart::temporary())`, or launch with Launch::Processes"
    )]
    PanicAborts {
        /// The topology.
        topology: String,
        /// The first such partition.
        partition: String,
        /// When it is to be restarted.
        restart: Restart,
    },
    /// A partition failed before its loop began.
    #[error("topology `{topology}`, partition `{partition}` did not start: {cause}")]
    Start {
        /// The topology.
        topology: String,
        /// The partition.
        partition: String,
        /// Why.
        cause: String,
    },
    /// It can't be launched that way.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A host port's doorbells, or a part of the host's region.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The kernel refused something else.
    #[error("topology `{topology}`: {doing}: {source}")]
    Io {
        /// The topology.
        topology: String,
        /// What was tried.
        doing: &'static str,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The supervisor could not be set up.
    #[error("topology `{topology}`: the supervisor: {why}")]
    Supervisor {
        /// The topology.
        topology: String,
        /// Why.
        why: String,
    },
}

impl Topology {
    /// Runs the topology.
    ///
    /// On return every partition's loop runs, started in order of declaration. Dropping the [`Running`] stops them and waits
    /// for their ends.
    ///
    /// A signal that ends this process between here and [`Running::join`] leaves the bus to the next start; [`run`](Self::run)
    /// has no such gap.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]; nothing is left behind then, but for a bus that was to be resumed.
    pub fn launch(&self, launch: Launch) -> Result<Running, LaunchError> {
        let plan = self.plan();
        validate::launch(plan, launch)?;
        let mode = match launch {
            Launch::Threads => LaunchMode::Threads,
            Launch::Processes => LaunchMode::Processes,
            Launch::Inline => {
                let (monitor, side, commands) = in_heap(plan, ClockSource::System)?;
                return Ok(Running::inline(monitor, side, commands));
            }
        };
        refuse_inside_a_partition(plan)?;
        check_panics(plan, mode, PANIC_ABORTS)?;
        machine::check(plan, launch)?;
        let bus = BusDirectory::acquire(None, plan, |fate, directory, files| {
            say_fate(plan, fate, directory, files);
        })?;
        match start(plan, mode, &bus) {
            Ok(started) => Ok(started.into_running(bus)),
            // What it was to go on with is as it was, for the next start.
            Err(error) if bus.is_resumed() => Err(error),
            Err(error) => {
                if let Err(left) = bus.remove() {
                    say(Level::Error, format_args!("{left}"));
                }
                Err(error)
            }
        }
    }
}

impl Topology {
    /// Launches and joins in one: what most programs do.
    ///
    /// `SIGINT` and `SIGTERM` are caught from before the first file is made until after the last is removed, and do what
    /// [`Running::join`] says. `started` is called once every partition runs, with the handle that is then joined: to take
    /// its [`Monitor`], or to start threads that use one.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`] or [`Error::Run`].
    pub fn run(&self, launch: Launch, started: impl FnOnce(&Running)) -> Result<Report, Error> {
        let caught = Signals::catch().map_err(|source| LaunchError::Io {
            topology: self.name().to_owned(),
            doing: "catching signals",
            source,
        })?;
        let running = self.launch(launch)?;
        started(&running);
        Ok(running.join_catching(&caught)?)
    }
}

/// A process with a partition's marker that comes here would launch the topology again, and its partitions again.
fn refuse_inside_a_partition(plan: &Plan) -> Result<(), LaunchError> {
    match crate::enter::marked_bus() {
        None => Ok(()),
        Some(bus) => Err(LaunchError::NotEntered {
            topology: plan.name.clone(),
            bus,
        }),
    }
}

/// How this bus waits. Spinning takes a core for each partition; and where they spin, whoever sleeps at times pays for the
/// barrier, while where all of them park for every other message, each pays its own.
fn settle_waiting(plan: &Plan) -> Waiting {
    if plan.partitions.len() <= usable_cores(plan) {
        Waiting {
            auto: WaitKind::SpinThenYield,
            barrier: Barrier::of_this_machine(),
        }
    } else {
        Waiting {
            auto: WaitKind::SpinThenPark,
            barrier: Barrier::Fences,
        }
    }
}

/// A bus whose partitions all run.
struct Started {
    monitor: Monitor,
    side: HostSide,
    supervisor: thread::JoinHandle<Outcome>,
    ended: UnixStream,
}

impl Started {
    fn into_running(self, bus: BusDirectory) -> Running {
        Running::supervised(self.monitor, self.side, self.supervisor, self.ended, bus)
    }
}

/// Once they are where they stay.
fn take_host_pages(plan: &Plan, view: &BusView) -> Result<(), LaunchError> {
    if plan.host.is_empty() {
        return Ok(());
    }
    let own = view.partition(plan.host_index());
    let heart = Pulse::new(own, pulse(own)?).map_err(HostError::from)?;
    Ok(pages::take(plan, own, &heart)?)
}

fn start(plan: &Arc<Plan>, mode: LaunchMode, bus: &BusDirectory) -> Result<Started, LaunchError> {
    let io = |doing| {
        move |source| LaunchError::Io {
            topology: plan.name.clone(),
            doing,
            source,
        }
    };
    let boot_id = boot_id().map_err(io("reading the boot id"))?;
    bus.write_topology(plan)?;
    if !bus.is_resumed() {
        regions::create(plan, bus.path(), boot_id)?;
    }
    let place = Place {
        directory: bus.path().to_owned(),
        boot_id,
    };
    let waiting = settle_waiting(plan);
    let mut view = BusView::open(bus.path(), plan, Party::Supervisor, boot_id)?;
    view.sign(Instance::random)
        .map_err(io("making the bus's instance number"))?;
    let side = HostSide::of_bus(plan, &place, waiting)?;
    // Of a resumed bus, too: what it was made with was another start's wish, or was cut short.
    regions::make_huge(plan, &side.view)?;
    take_host_pages(plan, &side.view)?;
    let names = plan
        .partitions
        .iter()
        .map(|partition| partition.name.clone());
    let status = Arc::new(StatusBoard::new(names));
    let (commands, requests) = control();
    // Not the runtime's own channel: a launch may come from inside of another runtime.
    let (send_started, started) = std::sync::mpsc::channel();
    let (ended, send_ended) = UnixStream::pair().map_err(io("a socket pair"))?;
    let charge = Charge {
        plan: Arc::clone(plan),
        mode,
        view,
        status: Arc::clone(&status),
        place,
        locals: side.locals.clone(),
        waiting: side.waiting,
        started: send_started,
        commands: requests,
    };
    // Not the host's own view, whose lock says that it lives: a monitor may be kept for long. Before anything runs: from then on
    // nothing may fail here.
    let view = BusView::open(bus.path(), plan, Party::Observer, boot_id)?;
    let supervisor = run_supervisor(charge, &started, send_ended)?;
    let monitor = Monitor {
        plan: Arc::clone(plan),
        view,
        status,
        commands,
    };
    Ok(Started {
        monitor,
        side,
        supervisor,
        ended,
    })
}

/// Starts the supervisor's thread, and waits until every partition runs.
fn run_supervisor(
    charge: Charge,
    started: &std::sync::mpsc::Receiver<Result<(), StartFailure>>,
    send_ended: UnixStream,
) -> Result<thread::JoinHandle<Outcome>, LaunchError> {
    let topology = charge.plan.name.clone();
    let (send_setup, setup) = std::sync::mpsc::channel();
    let supervisor = thread::Builder::new()
        .name("airssys-super".to_owned())
        .spawn(move || {
            let outcome = supervise(charge, &send_setup);
            // The end of the stream is what `join` waits for.
            drop(send_ended);
            outcome
        })
        .map_err(|source| LaunchError::Io {
            topology: topology.clone(),
            doing: "a thread for the supervisor",
            source,
        })?;
    let failed = |why: String| LaunchError::Supervisor {
        topology: topology.clone(),
        why,
    };
    if let Ok(Err(why)) = setup.recv() {
        let _ = supervisor.join();
        return Err(failed(why));
    }
    match started.recv() {
        Ok(Ok(())) => Ok(supervisor),
        Ok(Err(StartFailure { partition, cause })) => {
            let _ = supervisor.join();
            Err(LaunchError::Start {
                topology,
                partition,
                cause,
            })
        }
        Err(_) => {
            let _ = supervisor.join();
            Err(failed(
                "it ended before the partitions were started".to_owned(),
            ))
        }
    }
}

/// The supervisor's thread.
fn supervise(charge: Charge, setup: &std::sync::mpsc::Sender<Result<(), String>>) -> Outcome {
    let prepared = prepare(charge);
    let (runtime, supervisor) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            let _ = setup.send(Err(why));
            return Outcome::Stopped;
        }
    };
    let _ = setup.send(Ok(()));
    tokio::task::LocalSet::new().block_on(&runtime, supervisor.run())
}

fn prepare(charge: Charge) -> Result<(tokio::runtime::Runtime, Supervisor), String> {
    let region = charge.view.supervisor().clone();
    region.lock_for_life().map_err(|error| error.to_string())?;
    let heart = pulse(&region)
        .map_err(PartitionError::from)
        .and_then(|section| Ok(Pulse::new(&region, section)?))
        .map_err(|error| error.to_string())?;
    let before = PulseView::new(&region, pulse(&region).map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?
        .vitals()
        .identity;
    heart.begin(identity(before.incarnation.wrapping_add(1)));
    pages::take(&charge.plan, &region, &heart).map_err(|error| error.to_string())?;
    heart.phase(Phase::Running);
    heart.beat(monotonic_ns(), 0, 0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| error.to_string())?;
    let supervisor = Supervisor::new(charge, &before).map_err(|error| error.to_string())?;
    Ok((runtime, supervisor))
}
