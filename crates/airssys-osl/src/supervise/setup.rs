//! What of a child `posix_spawn` can't set up: the child does it, as the first thing in its `main`.
//!
//! Between its start and this call a child is without it. A parent that dies in between would not be noticed by the
//! parent-death signal alone, which the kernel sends only for deaths that come later: so the parent is compared after
//! the signal is set.

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::exit::signal_name;
use crate::core::result::{OSError, OSResult};

const OPERATION: &str = "child setup";

/// What a child sets up for itself. Whatever is not named stays as it was inherited.
///
/// ```
/// use airssys_osl::supervise::ChildSetup;
///
/// # fn main() -> airssys_osl::core::result::OSResult<()> {
/// ChildSetup::new().core_limit(false).apply()?;
///
/// let mistaken = ChildSetup::new().expected_parent(u32::MAX).apply();
/// assert!(mistaken.is_err_and(|error| error.to_string().contains("4294967295")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ChildSetup {
    parent_death_signal: Option<i32>,
    expected_parent: Option<u32>,
    core_limit: Option<bool>,
    open_files_limit: Option<u64>,
    locked_memory_limit: Option<u64>,
    cpus: Option<Vec<usize>>,
}

impl ChildSetup {
    /// Sets up nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The signal that the kernel sends to this process when the *thread* that spawned it ends. It survives neither an
    /// exec of a set-user-id program nor a fork.
    #[must_use]
    pub fn parent_death_signal(mut self, signal: i32) -> Self {
        self.parent_death_signal = Some(signal);
        self
    }

    /// The pid of the process that spawned this one, as that process sees itself. Another parent means that it has
    /// died already, and the parent-death signal will never come.
    #[must_use]
    pub fn expected_parent(mut self, pid: u32) -> Self {
        self.expected_parent = Some(pid);
        self
    }

    /// Whether a crash may leave a core: `true` raises the limit as far as it goes, `false` sets it to 0.
    #[must_use]
    pub fn core_limit(mut self, allowed: bool) -> Self {
        self.core_limit = Some(allowed);
        self
    }

    /// How many files may be open.
    #[must_use]
    pub fn open_files_limit(mut self, files: u64) -> Self {
        self.open_files_limit = Some(files);
        self
    }

    /// How many bytes may be locked in memory.
    #[must_use]
    pub fn locked_memory_limit(mut self, bytes: u64) -> Self {
        self.locked_memory_limit = Some(bytes);
        self
    }

    /// The CPUs on which the calling thread, and every thread it starts from then on, may run.
    #[must_use]
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Does all of it. Call it in the child, on its first thread, before there are others.
    ///
    /// # Errors
    /// A [`ProcessError`](OSError::ProcessError): the parent is not the expected one (both pids are named; the child
    /// should end then), a limit is above what the kernel allows, no CPU of the set can be used, or the signal has no
    /// name. What was set up before the error stays.
    pub fn apply(&self) -> OSResult<()> {
        if let Some(signal) = self.parent_death_signal {
            set_parent_process_death_signal(Some(named(OPERATION, signal)?))
                .map_err(|error| failed("setting the parent-death signal", error))?;
        }
        if let Some(expected) = self.expected_parent {
            compare_parent(expected, Pid::as_raw(getppid()))?;
        }
        if let Some(allowed) = self.core_limit {
            let hard = getrlimit(Resource::Core).maximum;
            set_soft(Resource::Core, if allowed { hard } else { Some(0) })
                .map_err(|error| failed("setting the limit of cores", error))?;
        }
        if let Some(files) = self.open_files_limit {
            set_limit(Resource::Nofile, "open files", files)?;
        }
        if let Some(bytes) = self.locked_memory_limit {
            set_limit(Resource::Memlock, "locked bytes", bytes)?;
        }
        self.cpus.as_deref().map_or(Ok(()), pin)
    }
}

/// The signal with this number, if it is one of the 31 that have names.
pub(crate) fn named(operation: &str, signal: i32) -> OSResult<Signal> {
    Signal::from_named_raw(signal).ok_or_else(|| {
        let name = signal_name(signal);
        let reason =
            format!("signal {signal} ({name}) can not be used: it must be between 1 and 31");
        OSError::process_error(operation, reason)
    })
}

fn compare_parent(expected: u32, found: i32) -> OSResult<()> {
    if u32::try_from(found) == Ok(expected) {
        return Ok(());
    }
    let reason = format!(
        "the parent of this process is {found}, expected {expected}: the process that started it has died, or sees \
         other pids because it is in another pid namespace"
    );
    Err(OSError::process_error(OPERATION, reason))
}

fn set_limit(resource: Resource, what: &str, wanted: u64) -> OSResult<()> {
    let hard = getrlimit(resource).maximum;
    if let Some(hard) = hard.filter(|&hard| wanted > hard) {
        let reason =
            format!("limit of {what}: {wanted} is above the hard limit {hard}; raise that first");
        return Err(OSError::process_error(OPERATION, reason));
    }
    let error = |error| failed(&format!("setting the limit of {what} to {wanted}"), error);
    set_soft(resource, Some(wanted)).map_err(error)
}

fn set_soft(resource: Resource, current: Option<u64>) -> Result<(), Errno> {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current, maximum })
}

fn pin(cpus: &[usize]) -> OSResult<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            let reason = format!(
                "CPU {cpu} can not be named: the largest is {}",
                CpuSet::MAX_CPU - 1
            );
            return Err(OSError::process_error(OPERATION, reason));
        }
        set.set(cpu);
    }
    sched_setaffinity(None, &set).map_err(|error| {
        failed(
            &format!("pinning to the CPUs {cpus:?} (does this machine, or its cpuset, have them?)"),
            error,
        )
    })
}

fn failed(what: &str, error: Errno) -> OSError {
    OSError::process_error(OPERATION, format!("{what}: {error}"))
}
