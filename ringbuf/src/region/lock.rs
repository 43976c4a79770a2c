//! The lock that says whether a region's owner is alive.
//!
//! It is an exclusive `flock` of the opened file: the kernel frees it when the last reference to that opening is gone,
//! whatever its holder died of. Whoever only asks takes a *shared* lock for an instant; an owner that finds one tells it
//! from another owner by getting a shared one itself, so that an observer is never mistaken for an owner.
//!
//! A mapping refers to the opened file, too. `Drop` therefore unlocks by name: a `Memory` that outlives its region does
//! not keep the lock.
//!
//! A region on the heap has no file to lock and nobody to tell: only what its owner says counts.

use std::io;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::{LockError, OpenReason};
use super::open::{Region, Shared, open_file};
use crate::memory::Access;

/// An observer's probe takes microseconds; this often in a row nobody is that unlucky.
const ATTEMPTS_MAX: u32 = 200;

/// Leaves a probe that was preempted on this core the time to go on.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(1);

impl Region {
    /// Takes the region's lock, which says that its owner lives, and keeps it until the last clone of this `Region` is
    /// dropped or the process ends. Taking it again is no error. A region on the heap is always free to take.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if another opening of the file holds it, in this process or another.
    pub fn lock_for_life(&self) -> Result<(), LockError> {
        let mut locked = self.shared.lock_state();
        let path = || self.path().to_owned();
        for _ in 0..ATTEMPTS_MAX {
            let taken = *locked
                || self
                    .shared
                    .try_lock(FlockOperation::NonBlockingLockExclusive)
                    .map_err(|source| LockError::Io {
                        path: path(),
                        source,
                    })?;
            if taken {
                *locked = true;
                return Ok(());
            }
            let owned = self.shared.is_owned().map_err(|source| LockError::Io {
                path: path(),
                source,
            })?;
            if owned {
                return Err(LockError::Held { path: path() });
            }
            thread::sleep(ATTEMPT_INTERVAL);
        }
        Err(LockError::Contended {
            path: path(),
            attempts: ATTEMPTS_MAX,
        })
    }

    /// Whether a live process, this one included, holds the region's lock.
    ///
    /// # Errors
    ///
    /// What the kernel says to the attempt.
    pub fn is_locked(&self) -> io::Result<bool> {
        let locked = self.shared.lock_state();
        // A shared lock taken through our own opening would replace the exclusive one.
        if *locked {
            Ok(true)
        } else {
            self.shared.is_owned()
        }
    }
}

impl Shared {
    fn lock_state(&self) -> MutexGuard<'_, bool> {
        // The state is one bool, set after the fact: right at every instant, also where a thread panicked.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self, operation: FlockOperation) -> io::Result<bool> {
        self.file
            .as_ref()
            .map_or(Ok(true), |file| try_lock(file, operation))
    }

    /// Must not be called while this opening holds the lock.
    fn is_owned(&self) -> io::Result<bool> {
        self.file.as_ref().map_or(Ok(false), is_owned)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let locked = *self
            .locked
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.file.as_ref().filter(|_| locked) {
            // Unlocking what we hold does not fail; if it did, closing the file frees it.
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

/// Whether a live process holds the lock of the region at `path`.
///
/// # Errors
///
/// What the kernel says; `InvalidInput` if the path does not lead to a regular file of this user.
pub fn is_locked(path: &Path) -> io::Result<bool> {
    let (file, _) = open_file(path, Access::ReadOnly).map_err(|reason| {
        if let OpenReason::Io { source, .. } = reason {
            return source;
        }
        let why = format!("{}: {reason}", path.display());
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })?;
    is_owned(&file)
}

/// Must not be called through an opening that holds the lock.
fn is_owned(file: &std::fs::File) -> io::Result<bool> {
    if try_lock(file, FlockOperation::NonBlockingLockShared)? {
        flock(file, FlockOperation::Unlock)?;
        return Ok(false);
    }
    Ok(true)
}

fn try_lock(file: &std::fs::File, operation: FlockOperation) -> io::Result<bool> {
    match rustix::io::retry_on_intr(|| flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
