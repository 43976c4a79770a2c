//! What has a name in `/dev/shm` all the same: the buses of linked actors, and iceoryx2's segments and files. It is removed by a
//! process that outlives this one however it ends, SIGKILL included, and does nothing else.
//!
//! A bus has a name since it is to be read after a crash; iceoryx2 has no way to be given memory instead of a name. Both stay if
//! somebody kills that process as well.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

const PLACE: &str = "/dev/shm";

/// Between two looks of who removes: the topologies of a killed run are ending, and may make something yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks in a row that find nothing, after which nothing comes any more.
const QUIET: u32 = 5;

/// When it gives up.
const AT_MOST: Duration = Duration::from_secs(20);

/// What all names of this run begin with.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: String,
    sweeper: Child,
}

impl Names {
    /// Starts who removes them.
    pub(crate) fn new() -> Result<Self> {
        let prefix = format!("compare-{}-", std::process::id());
        let sweeper = Command::new(std::env::current_exe()?)
            .arg("sweep")
            .arg(&prefix)
            .stdin(Stdio::piped()) // ends with this process
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // a Ctrl-C is not for it
            .spawn()?;
        Ok(Self { prefix, sweeper })
    }

    /// The name of a measurement.
    pub(crate) fn of(&self, number: usize) -> String {
        format!("{}{number}", self.prefix)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        clear(&self.prefix);
        // Nothing is left to come: the topologies have ended.
        let _ = self.sweeper.kill();
        let _ = self.sweeper.wait();
    }
}

/// Waits until the run has ended, and removes what it has left.
pub(crate) fn sweep(prefix: &str) -> Result<()> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let since = Instant::now();
    let mut quiet = 0;
    while quiet < QUIET && since.elapsed() < AT_MOST {
        quiet = if clear(prefix) { 0 } else { quiet + 1 };
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Where iceoryx2 keeps the files of a measurement.
pub(crate) fn root_of_iceoryx2(name: &str) -> std::path::PathBuf {
    Path::new(PLACE).join(format!("{name}-iceoryx2"))
}

/// Whether there was anything.
fn clear(prefix: &str) -> bool {
    let mut found = false;
    let buses = Path::new(PLACE).join(format!("airssys-{}", nix::unistd::getuid()));
    for place in [Path::new(PLACE), &buses] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found = true;
                let _ = fs::remove_file(entry.path());
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
    // Empty, if that was the last bus.
    let _ = fs::remove_dir(&buses);
    found
}
