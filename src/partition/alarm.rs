//! What wakes a host port that sleeps in somebody's event loop: a file descriptor that gets readable.
//!
//! A futex can't be waited for with epoll, and an eventfd can't be had by another process without its help. A FIFO in the
//! bus's directory can be opened by name from every partition, by each of its incarnations. It is made when the port first
//! arms itself, so a port that never does costs nothing. Over heap memory there is no directory and only one process: there
//! it is an eventfd.
//!
//! Both are level-triggered: what was written stays readable until the port reads it, so no alarm is lost between the port's
//! last look and its sleep. A crash leaves the FIFO for whoever removes the bus.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::io::Errno;

use crate::bus::leftover::BELL_SUFFIX;

/// A number to add to an eventfd; to a FIFO it is eight bytes.
const ONE: [u8; 8] = 1_u64.to_ne_bytes();

/// One host port's alarm, for both sides.
#[derive(Clone, Debug)]
pub(crate) enum Alarm {
    Fifo(PathBuf),
    Heap(Arc<OnceLock<OwnedFd>>),
}

impl Alarm {
    /// The alarm of the port of `link` on the bus in `directory`.
    pub(crate) fn in_bus(directory: &Path, link: &str) -> Self {
        Self::Fifo(directory.join(format!("{link}{BELL_SUFFIX}")))
    }

    /// An alarm within this process.
    pub(crate) fn in_heap() -> Self {
        Self::Heap(Arc::default())
    }

    /// Opens it for the port, made if need be.
    pub(crate) fn listen(&self) -> io::Result<Listening> {
        let fd = match self {
            Self::Fifo(path) => {
                let made = mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
                match made {
                    Ok(()) | Err(Errno::EXIST) => open_fifo(path)?,
                    Err(errno) => return Err(errno.into()),
                }
            }
            Self::Heap(fd) => {
                if fd.get().is_none() {
                    let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
                    // Somebody who was faster has made the one that counts.
                    let _ = fd.set(made);
                }
                let made = fd.get().ok_or(Errno::BADF)?;
                made.try_clone()?
            }
        };
        Ok(Listening(File::from(fd)))
    }

    /// Opens it for the waking side; nothing where no port has ever listened.
    fn find(&self) -> io::Result<Option<File>> {
        match self {
            Self::Fifo(path) => match open_fifo(path) {
                Ok(fifo) => Ok(Some(File::from(fifo))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
            Self::Heap(fd) => {
                let fd = fd.get().map(OwnedFd::try_clone).transpose()?;
                Ok(fd.map(File::from))
            }
        }
    }

    /// The waking side: opens the alarm the first time that it is due. It returns whether that could be done: a process out
    /// of descriptors tries again when it has more to show.
    pub(crate) fn bell(&self) -> Box<dyn Fn() -> bool + Send> {
        let alarm = self.clone();
        let opened: OnceLock<File> = OnceLock::new();
        Box::new(move || {
            let file = match opened.get() {
                Some(file) => file,
                None => match alarm.find() {
                    Ok(Some(file)) => opened.get_or_init(|| file),
                    // Nobody has ever slept on it; or the bus is gone, and nobody sleeps any more.
                    Ok(None) => return true,
                    Err(_) => return false,
                },
            };
            // A full pipe is readable already.
            let _ = (&*file).write(&ONE);
            true
        })
    }
}

/// For reading and writing, so that neither side is missed: no writer waits for a reader, and none gets a broken pipe.
fn open_fifo(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(open(path, flags, Mode::empty())?)
}

/// The port's end of its alarm: readable when it has rung.
#[derive(Debug)]
pub(crate) struct Listening(pub(crate) File);

impl Listening {
    /// Reads everything that has rung. A read that came back short has emptied it; what rings meanwhile may stay.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 512];
        while (&self.0)
            .read(&mut bytes)
            .is_ok_and(|count| count == bytes.len())
        {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(listening: &Listening) -> bool {
        let mut watched = [PollFd::new(&listening.0, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default())).unwrap() > 0
    }

    fn rings(alarm: &Alarm) {
        let listening = alarm.listen().unwrap();
        let bell = alarm.bell();
        assert!(!is_readable(&listening));
        for _ in 0..3 {
            bell();
        }
        assert!(is_readable(&listening));
        listening.clear();
        assert!(!is_readable(&listening));
    }

    #[test]
    fn both_kinds_ring_and_are_cleared() {
        rings(&Alarm::in_heap());
        let name = format!("alarm-{}", std::process::id());
        let alarm = Alarm::in_bus(&std::env::temp_dir(), &name);
        rings(&alarm);
        let Alarm::Fifo(path) = alarm else {
            unreachable!("an alarm of a bus")
        };
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_bell_nobody_has_ever_read_fills_up_without_waiting() {
        let alarm = Alarm::in_heap();
        let _listening = alarm.listen().unwrap();
        let bell = alarm.bell();
        for _ in 0..100_000 {
            bell();
        }
    }

    #[test]
    fn a_bell_makes_no_alarm_for_a_port_that_never_sleeps() {
        let name = format!("unheard-{}", std::process::id());
        let alarm = Alarm::in_bus(&std::env::temp_dir(), &name);
        alarm.bell()();
        let Alarm::Fifo(path) = alarm else {
            unreachable!("an alarm of a bus")
        };
        assert!(!path.exists());
    }

    #[test]
    fn a_bell_of_a_bus_that_is_gone_is_silent() {
        assert!(Alarm::in_bus(Path::new("/nowhere"), "ticks").bell()());
    }
}
