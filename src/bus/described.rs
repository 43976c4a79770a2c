//! The launched topology's canonical text, as a file of the bus: for those who come to another one, to name the difference.
//!
//! Written by the supervisor's process under a temporary name before any region exists, renamed, and never written again.
//! Nobody decides by it: regions carry the digest.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use airssys_ringbuf::fnv1a64;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, fchmod, openat, renameat, unlinkat};

/// The file's name in the bus's directory.
pub(super) const TOPOLOGY_FILE: &str = "topology";

/// The longest text that is read back: more than any topology's whose regions the layout allows.
const LEN_MAX: u64 = 64 << 20;

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Writes the text, complete or not at all.
pub(super) fn write(dir: &OwnedFd, text: &str) -> io::Result<()> {
    let temporary = format!(".{TOPOLOGY_FILE}.{}", std::process::id());
    let written = write_as(dir, &temporary, text);
    if written.is_err() {
        // The error is on its way already; a name that could not be removed starts with a dot.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
    }
    written
}

fn write_as(dir: &OwnedFd, temporary: &str, text: &str) -> io::Result<()> {
    let flags =
        OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(dir, temporary, flags, MODE)?);
    // Whatever the umask says.
    fchmod(&file, MODE)?;
    file.write_all(text.as_bytes())?;
    Ok(renameat(dir, temporary, dir, TOPOLOGY_FILE)?)
}

/// The text in the bus directory `dir`, if it is the one of that digest. Its bytes may be anybody's: quote them with care.
pub(crate) fn read(dir: &Path, digest: u64) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, dir.join(TOPOLOGY_FILE), flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    File::from(file)
        .take(LEN_MAX)
        .read_to_end(&mut bytes)
        .ok()?;
    let is_it = fnv1a64(&bytes) == digest;
    String::from_utf8(bytes).ok().filter(|_| is_it)
}
