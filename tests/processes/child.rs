//! Processes that a case starts, and waiting for the ends of others.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::CASE;

pub(crate) fn pid_of(child: &Child) -> Pid {
    pid(child.id())
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// Waits until the process is dead, reaped or not; false if that takes longer.
pub(crate) fn await_end(process: Pid, timeout: Duration) -> bool {
    let pidfd = match pidfd_open(process, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return true,
        Err(errno) => panic!("{errno}"),
    };
    let timeout = Timespec::try_from(timeout).unwrap();
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    retry_on_intr(|| poll(&mut fds, Some(&timeout))).unwrap() > 0
}

/// A process that runs a helper, and what it says.
pub(crate) struct Helper {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Helper {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    pub(crate) fn start_with(name: &str, environment: &[(&str, String)]) -> Self {
        Self::start_through(&[], name, environment)
    }

    /// Starts it by way of a command that executes its last arguments.
    pub(crate) fn start_through(
        command: &[&str],
        name: &str,
        environment: &[(&str, String)],
    ) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut words = command.iter().map(OsStr::new).chain([own.as_os_str()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .env(CASE, name)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()).lines(),
            stderr: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid_of(&self.child), signal).unwrap();
    }

    /// The next line on its stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.next() {
            Some(line) => line.unwrap(),
            None => panic!("it ended:\n{}", self.rest_of_stderr()),
        }
    }

    /// Reads its stderr up to a line with this in it.
    pub(crate) fn await_warning(&mut self, text: &str) {
        let found = self
            .stderr
            .by_ref()
            .any(|line| line.unwrap().contains(text));
        assert!(found, "it ended without having said `{text}`");
    }

    pub(crate) fn rest_of_stderr(&mut self) -> String {
        let lines: Vec<String> = self.stderr.by_ref().map(Result::unwrap).collect();
        lines.join("\n")
    }

    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
