//! `SIGINT` and `SIGTERM` while a bus is waited for.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Catches both signals while it lives.
pub(crate) struct Signals {
    arrived: UnixStream,
    ids: Vec<SigId>,
    _join: Join,
}

impl Signals {
    pub(crate) fn catch() -> std::io::Result<Self> {
        let (arrived, write) = UnixStream::pair()?;
        arrived.set_nonblocking(true)?;
        let mut signals = Self {
            arrived,
            ids: Vec::new(),
            _join: Join::new()?,
        };
        for signal in SIGNALS {
            let id = signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
            signals.ids.push(id);
        }
        Ok(signals)
    }

    /// Whether a signal has arrived since the last call.
    pub(crate) fn take(&self) -> std::io::Result<bool> {
        let mut bytes = [0; 1];
        match (&self.arrived).read(&mut bytes) {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Readable when a signal has arrived.
impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// The joins that wait in this process, and what the signals do while none does.
static JOINS: Mutex<Joins> = Mutex::new(Joins {
    waiting: 0,
    idle: None,
});

struct Joins {
    waiting: usize,
    /// True while no join waits: then a signal that nobody handled before the first join does what it does by default.
    /// Registered once: a handler can't be taken back, and without any action it would swallow the signal.
    idle: Option<Arc<AtomicBool>>,
}

impl Joins {
    fn update(&mut self, waiting: usize) {
        self.waiting = waiting;
        if let Some(idle) = &self.idle {
            idle.store(waiting == 0, Ordering::SeqCst);
        }
    }
}

/// One join that waits.
struct Join;

impl Join {
    fn new() -> std::io::Result<Self> {
        let mut joins = JOINS.lock().unwrap_or_else(PoisonError::into_inner);
        if joins.idle.is_none() {
            let idle = Arc::new(AtomicBool::new(false));
            for signal in SIGNALS
                .into_iter()
                .filter(|&signal| does_its_default(signal))
            {
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle))?;
            }
            joins.idle = Some(idle);
        }
        let waiting = joins.waiting + 1;
        joins.update(waiting);
        Ok(Self)
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        let mut joins = JOINS.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = joins.waiting - 1;
        joins.update(waiting);
    }
}

/// Whether the signal is neither handled nor ignored by somebody else; yes where `/proc` doesn't say.
fn does_its_default(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    };
    !has("SigCgt:") && !has("SigIgn:")
}
