//! A measurement's memory: files without a name. Nothing of them is left however its processes end.
//!
//! The process that measures makes them, and holds them while the measurement lasts. The others reach them by its descriptors
//! in /proc, as any process of the same user may; so does a peer that takes a path and no file.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::Result;

/// What a measurement may need. One that nobody opens takes no memory.
const NAMES: [&str; 6] = ["control", "out", "back", "lines", "result", "alone"];

/// The files of one measurement, until it is over.
#[derive(Debug)]
pub(crate) struct Held(Vec<OwnedFd>);

impl Held {
    pub(crate) fn new() -> Result<Self> {
        let files = NAMES
            .iter()
            .map(|name| memfd_create(*name, MFdFlags::MFD_CLOEXEC));
        Ok(Self(files.collect::<nix::Result<_>>()?))
    }

    pub(crate) fn descriptors(&self) -> Vec<i32> {
        self.0.iter().map(AsRawFd::as_raw_fd).collect()
    }
}

/// Where they are found, by all processes of the measurement.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) holder: i32,
    pub(crate) descriptors: Vec<i32>,
}

impl Files {
    /// # Panics
    ///
    /// If no measurement has such a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let index = NAMES.iter().position(|known| *known == name);
        let descriptor = index.and_then(|index| self.descriptors.get(index));
        let descriptor = descriptor.expect("a file of every measurement");
        PathBuf::from(format!("/proc/{}/fd/{descriptor}", self.holder))
    }
}
