//! The two cores.

use core_affinity::CoreId;

use crate::Result;
use crate::control::Side;

/// The cores to pin to: the first and the last that may be used, or none if there is but one.
pub(crate) fn two() -> Result<Vec<usize>> {
    let cores = core_affinity::get_core_ids()
        .ok_or("the kernel doesn't say which cores it lets this run on")?;
    Ok(match cores[..] {
        [first, .., last] => vec![first.id, last.id],
        _ => Vec::new(),
    })
}

/// Pins this thread to its side's core, if there are two.
pub(crate) fn pin(cores: &[usize], side: Side) -> Result<()> {
    let [near, far] = *cores else {
        return Ok(());
    };
    let id = match side {
        Side::Near => near,
        Side::Far => far,
    };
    if core_affinity::set_for_current(CoreId { id }) {
        Ok(())
    } else {
        Err(format!("core {id} can't be had: {side:?} side is not pinned").into())
    }
}
