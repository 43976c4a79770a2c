//! What of a child is set up by the spawn itself: only what `posix_spawn` can do.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// How to start a child. By default it shares standard input, output and error with this process and is in its group.
///
/// All else the child does for itself, with [`ChildSetup`](super::ChildSetup).
#[derive(Debug, Clone, Default)]
pub struct SpawnOptions {
    arg0: Option<OsString>,
    process_group: bool,
    stdin: StdioOption,
    stdout: StdioOption,
    stderr: StdioOption,
}

/// What a child gets as one of its three standard streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StdioOption {
    /// The one of this process.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe, whose other end is taken from the [`Child`](super::Child). It closes with the handle.
    Piped,
}

impl SpawnOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the child finds in `argv[0]`, and what `ps` shows; by default the command.
    #[must_use]
    pub fn arg0(mut self, arg0: impl Into<OsString>) -> Self {
        self.arg0 = Some(arg0.into());
        self
    }

    /// Whether the child leads a process group of its own, so that it does not get the terminal's Ctrl-C.
    #[must_use]
    pub fn process_group(mut self, own: bool) -> Self {
        self.process_group = own;
        self
    }

    /// Standard input.
    #[must_use]
    pub fn stdin(mut self, option: StdioOption) -> Self {
        self.stdin = option;
        self
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(mut self, option: StdioOption) -> Self {
        self.stdout = option;
        self
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(mut self, option: StdioOption) -> Self {
        self.stderr = option;
        self
    }

    /// Nothing here may be a thing for which the standard library forks: no `pre_exec`, no user or group.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(arg0) = &self.arg0 {
            command.arg0(arg0);
        }
        if self.process_group {
            command.process_group(0);
        }
        command
            .stdin(self.stdin.to_stdio())
            .stdout(self.stdout.to_stdio())
            .stderr(self.stderr.to_stdio());
    }
}

impl StdioOption {
    fn to_stdio(self) -> Stdio {
        match self {
            Self::Inherit => Stdio::inherit(),
            Self::Null => Stdio::null(),
            Self::Piped => Stdio::piped(),
        }
    }
}
