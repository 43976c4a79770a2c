//! Beginning a life, as a process or as a thread, and waiting for its end.
//!
//! Processes are spawned, signalled and awaited through `airssys-osl` alone. A life's task owns its handle; whoever wants it
//! killed sends the task a signal number. A thread can't be killed: a request to do so is answered by nothing.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ChildStdin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use airssys_osl::core::context::{ExecutionContext, SecurityContext};
use airssys_osl::core::result::OSError;
use airssys_osl::executors::process::ProcessExecutor;
use airssys_osl::operations::process::ProcessSpawnOperation;
use airssys_osl::supervise::{Child, ExitStatus, SpawnOptions, StdioOption};
use tokio::sync::{mpsc, oneshot};

use crate::enter::Marker;
use crate::local::LocalRings;
use crate::partition::{Ending, Life, PartitionError, Place, live, panic_message};
use crate::report::{Level, say};
use crate::supervisor::cause::Cause;
use crate::topology::model::Plan;

/// How often a child is looked at whose death can't be awaited.
const REAP_INTERVAL: Duration = Duration::from_millis(1);

/// What a partition is to this bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaunchMode {
    Threads,
    Processes,
}

/// How a life ended, as far as its task knows.
#[derive(Debug)]
pub(super) enum End {
    Process(ExitStatus),
    Thread(Cause),
}

/// A life that has begun.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) pid: u32,
    /// `None` for a thread.
    signals: Option<mpsc::UnboundedSender<i32>>,
}

impl Alive {
    /// Has `signal` sent to the process. Returns false for a thread, which can't be signalled.
    pub(super) fn signal(&self, signal: i32) -> bool {
        self.signals
            .as_ref()
            .is_some_and(|signals| signals.send(signal).is_ok())
    }
}

/// A life could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    #[error(transparent)]
    Process(#[from] OSError),
    #[error("no thread for it: {0}")]
    Thread(std::io::Error),
    #[error("it ended before its start gate was opened: {0}")]
    Gate(std::io::Error),
    #[error(
        "argument {index} of this program ({found}) isn't UTF-8; partitions as processes get the same arguments, which have \
         to be"
    )]
    Argument { index: usize, found: String },
}

impl SpawnError {
    /// What a restart's decision makes of it.
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Process(_) | Self::Thread(_) | Self::Gate(_) => {
                Cause::NotSpawned(self.to_string())
            }
            Self::Argument { .. } => Cause::Hopeless(self.to_string()),
        }
    }
}

/// Begins lives and reports their ends.
pub(super) struct Lives {
    plan: Arc<Plan>,
    mode: LaunchMode,
    place: Place,
    locals: LocalRings,
    executor: ProcessExecutor,
    context: ExecutionContext,
    ends: mpsc::UnboundedSender<(usize, u64, End)>,
}

impl Lives {
    pub(super) fn new(
        plan: Arc<Plan>,
        mode: LaunchMode,
        (place, locals): (Place, LocalRings),
        ends: mpsc::UnboundedSender<(usize, u64, End)>,
    ) -> Self {
        let principal = format!("airssys-rt:{}", plan.bus);
        Self {
            plan,
            mode,
            place,
            locals,
            executor: ProcessExecutor::new("airssys-rt"),
            context: ExecutionContext::new(SecurityContext::new(principal)),
            ends,
        }
    }

    /// Begins a life; its end is sent as (partition, incarnation, end).
    pub(super) async fn begin(&self, life: Life) -> Result<Alive, SpawnError> {
        match self.mode {
            LaunchMode::Threads => self.begin_thread(life),
            LaunchMode::Processes => self.begin_process(life).await,
        }
    }

    async fn begin_process(&self, life: Life) -> Result<Alive, SpawnError> {
        let marker = Marker::of(&self.plan, &life);
        // The program on disk may have been replaced: this is the one that runs.
        let mut operation =
            ProcessSpawnOperation::new("/proc/self/exe").env(Marker::VARIABLE, marker.to_string());
        for (index, argument) in std::env::args_os().enumerate().skip(1) {
            operation =
                operation.arg(argument.into_string().map_err(|raw| SpawnError::Argument {
                    index,
                    found: raw.to_string_lossy().into_owned(),
                })?);
        }
        let name = std::env::args_os().next().unwrap_or_default();
        let options = SpawnOptions::new()
            .arg0(name)
            .process_group(true)
            .stdin(StdioOption::Piped)
            .stdout(StdioOption::Inherit)
            .stderr(StdioOption::Inherit);
        let mut child = self
            .executor
            .spawn(operation, &options, &self.context)
            .await?;
        let gate = open_gate(&mut child).map_err(SpawnError::Gate)?;
        let pid = child.pid();
        let (signals, requests) = mpsc::unbounded_channel();
        tokio::task::spawn_local(await_process(
            child,
            gate,
            requests,
            self.ends.clone(),
            (life.partition, life.incarnation),
        ));
        Ok(Alive {
            pid,
            signals: Some(signals),
        })
    }

    fn begin_thread(&self, life: Life) -> Result<Alive, SpawnError> {
        let (plan, ends) = (Arc::clone(&self.plan), self.ends.clone());
        let (place, locals) = (self.place.clone(), self.locals.clone());
        let (partition, incarnation) = (life.partition, life.incarnation);
        let (send_end, end) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(plan.partitions[partition].name.clone())
            .spawn(move || {
                let lived = catch_unwind(AssertUnwindSafe(|| live(&plan, &place, &life, &locals)));
                // The receiver waits until this is sent: it is dropped only with the whole supervisor.
                let _ = send_end.send(cause_of(lived));
            })
            .map_err(SpawnError::Thread)?;
        tokio::task::spawn_local(async move {
            let cause = end.await.unwrap_or(Cause::Unknown);
            // What is left of the thread is its return: its ports were dropped inside.
            let _ = thread.join();
            let _ = ends.send((partition, incarnation, End::Thread(cause)));
        });
        Ok(Alive {
            pid: std::process::id(),
            signals: None,
        })
    }
}

/// Lets the child begin: it waits for one byte on its standard input before it touches a region, and takes the end of the
/// file for the supervisor's death.
fn open_gate(child: &mut Child) -> std::io::Result<Option<ChildStdin>> {
    let mut gate = child.take_stdin();
    if let Some(gate) = &mut gate {
        match gate.write_all(b"!") {
            // Killed that early: its end is a death like any other.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    Ok(gate)
}

async fn await_process(
    mut child: Child,
    gate: Option<ChildStdin>,
    mut requests: mpsc::UnboundedReceiver<i32>,
    ends: mpsc::UnboundedSender<(usize, u64, End)>,
    (partition, incarnation): (usize, u64),
) {
    let status = loop {
        let signal = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => break status,
                Err(error) => break end_unwatched(&mut child, &error).await,
            },
            Some(signal) = requests.recv() => signal,
        };
        // Refused only when it is dead, which the wait above tells.
        let _ = child.signal(signal);
    };
    drop(gate);
    let _ = ends.send((partition, incarnation, End::Process(status)));
}

/// The death of this child can't be awaited: it is brought about. Nobody takes its place before it is reaped.
async fn end_unwatched(child: &mut Child, error: &OSError) -> ExitStatus {
    say(
        Level::Error,
        format_args!(
            "pid {} can't be watched and is killed: {error}",
            child.pid()
        ),
    );
    loop {
        let _ = child.kill();
        if let Ok(Some(status)) = child.try_wait() {
            return status;
        }
        tokio::time::sleep(REAP_INTERVAL).await;
    }
}

fn cause_of(lived: Result<Result<Ending, PartitionError>, Box<dyn Any + Send>>) -> Cause {
    match lived {
        Ok(Ok(Ending::Done)) => Cause::Done,
        Ok(Ok(Ending::Stopped)) => Cause::Stopped,
        Ok(Err(error)) => Cause::Hopeless(error.to_string()),
        Err(panic) => Cause::Panic(panic_message(&*panic)),
    }
}
