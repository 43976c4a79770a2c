//! Which actors, links and cells of which regions are attached in this process.
//!
//! Two sets of ports over the same words would be two producers of one ring: a data race, from safe code. Within a process
//! this file refuses the second; between processes the region's lock and the supervisor's order of reap and restart do.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::fstat;

use crate::region::{Region, SectionKind};

/// One section of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    device: u64,
    inode: u64,
    kind: u32,
    name: String,
}

static CLAIMS: Mutex<BTreeSet<Claim>> = Mutex::new(BTreeSet::new());

fn claims() -> MutexGuard<'static, BTreeSet<Claim>> {
    // The set is right after each single insert or remove.
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A section that is this process's alone to attach, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claimed(Claim);

impl Claimed {
    /// Claims a section; `None` if it is attached already.
    pub(crate) fn new(region: &Region, kind: SectionKind, name: &str) -> io::Result<Option<Self>> {
        let stat = fstat(region.file())?;
        let claim = Claim {
            device: stat.st_dev,
            inode: stat.st_ino,
            kind: kind as u32,
            name: name.to_owned(),
        };
        let fresh = claims().insert(claim.clone());
        // Made only now, and only if it is ours: its drop takes the lock and gives the claim up.
        Ok(fresh.then(|| Self(claim)))
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        claims().remove(&self.0);
    }
}
