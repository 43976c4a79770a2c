//! Files that are kept for this user alone: whole, or not there.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Writes `bytes` into the file `name` of `directory`, which is made if there is none, in place of one of that name. A draft that
/// begins with a dot is renamed when it is on the disk; one that a killed program left is written over.
pub(crate) fn write_whole(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    write_whole_by(directory, name, |file| file.write_all(bytes))
}

/// The same of what `write` writes.
pub(crate) fn write_whole_by(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<PathBuf> {
    #[cfg(test)]
    held::wait(directory);
    let named = |doing: &str, path: &Path, error: &io::Error| {
        io::Error::new(error.kind(), format!("{doing} {}: {error}", path.display()))
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| named("making", directory, &error))?;
    let (path, draft) = (directory.join(name), directory.join(format!(".{name}")));
    write_new(&draft, write).map_err(|error| {
        let _ = fs::remove_file(&draft);
        named("writing", &draft, &error)
    })?;
    fs::rename(&draft, &path).map_err(|error| {
        let _ = fs::remove_file(&draft);
        named("renaming", &draft, &error)
    })?;
    Ok(path)
}

fn write_new(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> io::Result<()> {
    // What a killed supervisor left under this name.
    let _ = fs::remove_file(path);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let mut file = io::BufWriter::new(file);
    write(&mut file)?;
    file.into_inner()?.sync_all()
}

/// A disk that takes its time, for tests: what is written into a directory that is held waits until it is let go.
#[cfg(test)]
pub(crate) mod held {
    use std::path::{Path, PathBuf};
    use std::sync::{Condvar, Mutex, PoisonError};

    static HELD: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    static LET_GO: Condvar = Condvar::new();

    /// A directory that is held as long as this lives.
    pub(crate) struct Held(PathBuf);

    pub(crate) fn hold(directory: &Path) -> Held {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(directory.to_owned());
        Held(directory.to_owned())
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
            held.retain(|directory| *directory != self.0);
            LET_GO.notify_all();
        }
    }

    pub(super) fn wait(directory: &Path) {
        let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = |held: &mut Vec<PathBuf>| held.iter().any(|one| one == directory);
        drop(LET_GO.wait_while(held, is_held));
    }
}
