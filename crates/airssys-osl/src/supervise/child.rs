//! The handle on a child that was spawned.

use std::os::fd::{AsFd, BorrowedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use super::exit::ExitStatus;
use super::setup::named;
use super::state::ChildState;
use crate::audit::Author;
use crate::core::operation::Operation;
use crate::core::result::{OSError, OSResult};
use crate::operations::ProcessSignalOperation;

/// How long [`Child::wait_blocking`] waits before it asks again about a child that is dead but held by a debugger: the
/// pidfd is readable then, but the kernel shows the end to the tracer first.
const TRACED_PAUSE: Duration = Duration::from_millis(1);

/// A child of this process. Dropping the handle neither kills the child nor leaves a zombie: the executors reap it when
/// it has died.
#[derive(Debug)]
pub struct Child {
    state: Arc<ChildState>,
    author: Author,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Child {
    pub(crate) fn new(
        state: Arc<ChildState>,
        author: Author,
        spawned: std::process::Child,
    ) -> Self {
        let std::process::Child {
            stdin,
            stdout,
            stderr,
            ..
        } = spawned;
        Self {
            state,
            author,
            stdin,
            stdout,
            stderr,
        }
    }

    /// Its pid. Someone else may have it once the child is reaped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.state.pid()
    }

    /// When it started, in clock ticks since the machine booted: field 22 of `/proc/PID/stat`. Together with the pid
    /// and the boot id it names this process and never another.
    #[must_use]
    pub fn start_time(&self) -> u64 {
        self.state.start_time()
    }

    /// Its pidfd, which is readable from its death on, also after the reap.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.state.pidfd()
    }

    /// The pipe to its standard input, the first time, if that was [`Piped`](super::StdioOption::Piped).
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// The pipe from its standard output, the first time, if that was [`Piped`](super::StdioOption::Piped).
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The pipe from its standard error, the first time, if that was [`Piped`](super::StdioOption::Piped).
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.stderr.take()
    }

    /// Sends it a signal, 1 to 31, through its pidfd. The attempt is recorded in the name of the child's author.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError): it has been reaped, it became another user's, or there is no such
    /// signal. To one that is dead but not reaped a signal can be sent, without effect.
    pub fn signal(&self, signal: i32) -> OSResult<()> {
        let operation = ProcessSignalOperation::new(self.pid(), signal);
        let target = format!("signal {}", self.pid());
        let outcome = named(&target, signal).and_then(|signal| self.state.signal(signal));
        self.author
            .record(&operation, &operation.operation_id(), self.pid(), &outcome);
        outcome
    }

    /// Sends it SIGKILL through its pidfd.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub fn kill(&self) -> OSResult<()> {
        self.signal(9)
    }

    /// Waits until it is dead, every thread of it, and reaps it. Every later call gives the same status at once.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError): there is no Tokio runtime here (see
    /// [`wait_blocking`](Self::wait_blocking)), or the kernel refused to watch the pidfd.
    ///
    /// # Panics
    /// In a Tokio runtime without `enable_io`.
    pub async fn wait(&mut self) -> OSResult<ExitStatus> {
        if let Some(status) = self.state.try_reap()? {
            return Ok(status);
        }
        let no_runtime = |_| self.failed("there is no Tokio runtime here; use wait_blocking");
        Handle::try_current().map_err(no_runtime)?;
        let not_watched = |error| self.failed(&format!("its pidfd can not be watched: {error}"));
        let pidfd = self.state.pidfd();
        #[expect(
            deprecated,
            reason = "its successor is unsafe because a type may lie about its \
            descriptor; this one borrows the pidfd, so it stays the same and open"
        )]
        let watch = AsyncFd::with_interest(pidfd, Interest::READABLE).map_err(not_watched)?;
        loop {
            let mut ready = watch.readable().await.map_err(not_watched)?;
            if let Some(status) = self.state.try_reap()? {
                return Ok(status);
            }
            // Dead but held by a debugger: the kernel wakes the pidfd again when that lets go.
            ready.clear_ready();
        }
    }

    /// Reaps it if it is dead, and tells how it ended; `None` while it lives.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError) when the kernel refuses to tell.
    pub fn try_wait(&mut self) -> OSResult<Option<ExitStatus>> {
        self.state.try_reap()
    }

    /// [`wait`](Self::wait) for a caller without a runtime: blocks the thread. `None` when `timeout` is over first; a
    /// `timeout` of `None` is for ever.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError) when the kernel refuses to tell.
    pub fn wait_blocking(&mut self, timeout: Option<Duration>) -> OSResult<Option<ExitStatus>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(status) = self.state.try_reap()? {
                return Ok(Some(status));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            if self.await_readable(left)? && self.state.try_reap()?.is_none() {
                thread::sleep(left.map_or(TRACED_PAUSE, |left| left.min(TRACED_PAUSE)));
            }
        }
    }

    /// Whether the pidfd became readable within this time. A signal that this thread handles ends it early.
    fn await_readable(&self, timeout: Option<Duration>) -> OSResult<bool> {
        // More seconds than the kernel can count are for ever.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::from_borrowed_fd(self.state.pidfd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(self.failed(&format!("its pidfd can not be polled: {error}"))),
        }
    }

    fn failed(&self, reason: &str) -> OSError {
        OSError::process_error(format!("wait for {}", self.pid()), reason)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd()
    }
}
