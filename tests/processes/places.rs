//! What lies in /dev/shm, under limits and masks that a test can set for a process of its own alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use airssys_rt::prelude::*;
use rustix::fs::Mode;
use rustix::process::umask;

use crate::child::Helper;
use crate::common::{assert_no_trace, bus_path, join};
use crate::topologies::{finite, traffic};

pub(crate) fn masked() {
    umask(Mode::RWXU | Mode::RWXG | Mode::RWXO);
    let running = traffic().unwrap().launch(Launch::Processes).unwrap();
    let path = bus_path(traffic().unwrap().bus());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for directory in [path.parent().unwrap(), &path] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    let files = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.collect();
    assert_eq!(files.len(), 6, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    running.stop();
    join(running).unwrap();
    assert_no_trace(traffic().unwrap().bus());
}

/// No file may be longer than nothing: the first that is written to is the lock file.
pub(crate) fn unwritable() {
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\""];
    let mut helper = Helper::start_through(&limited, "launch-traffic", &[]);
    let line = helper.line();
    assert!(helper.wait().success());
    let bus = traffic().unwrap().bus().to_owned();
    let expected = format!(
        "bus `{bus}`: writing the lock file of {} failed: ",
        bus_path(&bus).display()
    );
    assert!(line.starts_with(&expected), "{line}");
    assert_no_trace(&bus);
    // Nothing of the attempt is in the way of another.
    join(finite().unwrap().launch(Launch::Processes).unwrap()).unwrap();
}
