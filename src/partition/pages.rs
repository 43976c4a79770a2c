//! A region's pages, as whoever owns the region takes them at the beginning of each life: locked, huge or not. Mapping them has
//! made them present already.
//!
//! What came of it is in the pulse for anybody to read. Whether the file lies in huge pages was settled when it was made; a
//! life only finds out whether its own mapping shows them as such.

use airssys_ringbuf::pulse::{Locked, Pages, Pulse};
use airssys_ringbuf::region::Region;

use crate::host::MemoryError;
use crate::host::pages::lock_limit;
use crate::topology::model::{Plan, Want};

/// Takes `own`'s pages as the plan wants them. A region on the heap is left as it is.
///
/// # Errors
///
/// If they can't be locked and the plan requires it.
pub(crate) fn take(plan: &Plan, own: &Region, pulse: &Pulse) -> Result<(), MemoryError> {
    if own.file().is_none() {
        return Ok(());
    }
    let refused = match plan.lock_memory {
        Want::No => None,
        Want::Try | Want::Require => own.memory().lock().err(),
    };
    let locked = match &refused {
        Some(error) => Locked::Refused(error.raw_os_error().unwrap_or(0)),
        None if plan.lock_memory == Want::No => Locked::Untried,
        None => Locked::Yes,
    };
    let huge_bytes = match plan.huge_pages {
        Want::No => 0,
        Want::Try | Want::Require => own.memory().huge_bytes().unwrap_or(0),
    };
    pulse.pages(Pages {
        locked,
        huge_bytes: huge_bytes as u64,
    });
    match refused {
        Some(source) if plan.lock_memory == Want::Require => Err(MemoryError::NotLocked {
            bus: plan.bus.clone(),
            region: own.owner().to_owned(),
            needed: own.memory().len() as u64,
            limit: lock_limit(),
            source,
        }),
        Some(_) | None => Ok(()),
    }
}
