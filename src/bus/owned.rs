//! Directories that are this user's alone: made with mode 0700, opened without following a symlink, then checked.
//!
//! `/dev/shm` is open to everyone, so what already has our name there may be anybody's. What is checked is the opened
//! directory, not its path, and everything below is reached through it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, chmodat, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::error::BusError;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Where the buses of this user lie.
pub(crate) fn default_root() -> PathBuf {
    PathBuf::from(format!("/dev/shm/airssys-{}", geteuid().as_raw()))
}

/// Makes the directory `name` in `parent` (or the working directory, for an absolute path) if need be, and opens it.
/// `None` if the parent or the directory itself was removed meanwhile.
///
/// `path` is the full path, for errors.
pub(super) fn make_and_open(
    parent: Option<&OwnedFd>,
    name: &Path,
    bus: &str,
    path: &Path,
) -> Result<Option<OwnedFd>, BusError> {
    let failed = |doing: &'static str, errno: Errno| BusError::Io {
        bus: bus.to_owned(),
        doing,
        path: path.to_owned(),
        source: errno.into(),
    };
    let parent_dir = parent.map_or(CWD, OwnedFd::as_fd);
    match mkdirat(parent_dir, name, Mode::RWXU) {
        // What the umask took away is ours to give back: the directory is a moment old.
        Ok(()) => match chmodat(parent_dir, name, Mode::RWXU, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed("setting the mode of", errno)),
        },
        Err(Errno::EXIST) => {}
        Err(Errno::NOENT) if parent.is_some() => return Ok(None),
        Err(errno) => return Err(failed("making the directory", errno)),
    }
    let dir = match openat(parent_dir, name, DIRECTORY, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(BusError::Unsafe {
                bus: bus.to_owned(),
                path: path.to_owned(),
                found: "is a symlink or a file".to_owned(),
                expected: "a directory".to_owned(),
            });
        }
        Err(errno) => return Err(failed("opening the directory", errno)),
    };
    let stat = fstat(&dir).map_err(|errno| failed("reading the owner of", errno))?;
    check(stat.st_uid, stat.st_mode).map_err(|(found, expected)| BusError::Unsafe {
        bus: bus.to_owned(),
        path: path.to_owned(),
        found,
        expected,
    })?;
    Ok(Some(dir))
}

/// Whether a directory with this owner and mode is this user's alone; what was found and expected if it isn't.
fn check(owner: u32, mode: u32) -> Result<(), (String, String)> {
    let user = geteuid().as_raw();
    if owner != user {
        return Err((format!("belongs to user {owner}"), format!("user {user}")));
    }
    let mode = Mode::from_raw_mode(mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
    if mode != Mode::RWXU {
        return Err((
            format!("has mode {:04o}", mode.as_raw_mode()),
            "0700".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_0700_passes() {
        let user = geteuid().as_raw();
        assert_eq!(check(user, 0o040_700), Ok(()));
        assert_eq!(
            check(user, 0o040_750),
            Err(("has mode 0750".to_owned(), "0700".to_owned()))
        );
        assert_eq!(
            check(user + 1, 0o040_700),
            Err((
                format!("belongs to user {}", user + 1),
                format!("user {user}")
            ))
        );
    }
}
