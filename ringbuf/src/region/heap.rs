//! A region without a file, on this process's heap: for a bus whose partitions all live on one thread.
//!
//! It is laid out as its file would be, so that every offset is the same; header and directory are known from the plan and
//! aren't written. All sides hold clones of the one [`Region`], all of them writable: which word is whose is kept by the
//! ends alone, and no wild write faults. It is gone, with what lay in it, when the last clone and the last view of it is.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::error::CreateError;
use super::open::{Region, Shared};
use super::plan::RegionPlan;
use crate::memory::Memory;

/// No boot is told from another by a region that doesn't outlive its process.
const NO_BOOT: [u8; 16] = [0; 16];

impl Region {
    /// A region of that plan on the heap, zeroed, for reading and writing. Its boot id is zero.
    ///
    /// # Errors
    ///
    /// Those of [`RegionPlan::create`] that concern the plan.
    ///
    /// # Panics
    ///
    /// Never; where there is no memory, the process is aborted as by any allocation.
    pub fn heap(plan: &RegionPlan) -> Result<Self, CreateError> {
        let layout = plan.layout()?;
        let inspection = plan.inspection(layout, NO_BOOT);
        let shared = Shared {
            path: PathBuf::from(format!("memory:{}/{}", inspection.bus, inspection.owner)),
            file: None,
            locked: Mutex::new(false),
            memory: Arc::new(Memory::heap(inspection.len)),
            inspection,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}
