//! Which actors, links and cells of which regions are attached in this process.
//!
//! Two sets of ports over the same words would be two producers of one ring: a data race, from safe code. Within a process
//! this file refuses the second; between processes the region's lock and the supervisor's order of reap and restart do.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::fstat;

use crate::memory::Memory;
use crate::region::{Region, SectionKind};

/// What tells one region from another, however often it is opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Span {
    File { device: u64, inode: u64 },
    Heap { address: usize },
}

impl Span {
    fn of(region: &Region) -> io::Result<Self> {
        let Some(file) = region.file() else {
            let address = region.memory().address();
            return Ok(Self::Heap { address });
        };
        let stat = fstat(file)?;
        Ok(Self::File {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// One section of one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    span: Span,
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
pub(crate) struct Claimed {
    claim: Claim,
    /// Kept until the claim is given up: a span that took its place before would find itself attached.
    _memory: Arc<Memory>,
}

impl Claimed {
    /// Claims a section; `None` if it is attached already.
    pub(crate) fn new(region: &Region, kind: SectionKind, name: &str) -> io::Result<Option<Self>> {
        let claim = Claim {
            span: Span::of(region)?,
            kind: kind as u32,
            name: name.to_owned(),
        };
        let fresh = claims().insert(claim.clone());
        // Made only now, and only if it is ours: its drop takes the lock and gives the claim up.
        Ok(fresh.then(|| Self {
            claim,
            _memory: Arc::clone(region.memory()),
        }))
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        claims().remove(&self.claim);
    }
}
