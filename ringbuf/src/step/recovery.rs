//! Recovery: what follows the last commit, done again.

use crate::layout::CELLS_MAX;
use crate::region::Region;
use crate::step::attach::Attach;
use crate::step::core::StepCore;
use crate::step::mistake;
use crate::step::sections::{AttachError, ring_between};
use crate::word::Ordering;

/// One end of a link, for [`recover`]: the link, the region at its other end, and the size of its messages.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The link.
    pub link: &'a str,
    /// The region of the partition at the other end.
    pub peer: &'a Region,
    /// Bytes of a message.
    pub payload: usize,
}

/// Does again what follows an actor's last commit, without the actor: nobody's code runs. Returns whether it is done.
///
/// Every incarnation begins with this, before it makes its actors; a partition that will not live again gets one that does
/// nothing else. Idempotent.
///
/// # Errors
///
/// [`AttachError`] if the regions don't hold what the ends say.
pub fn recover(
    own: &Region,
    actor: &str,
    inputs: &[End<'_>],
    outputs: &[End<'_>],
) -> Result<bool, AttachError> {
    let attach = Attach::<{ mistake::NONE }>::new(own, actor, inputs.len(), outputs.len())?;
    Ok(attach.untyped(inputs, outputs)?.finish().is_done())
}

/// Gives the first cells of an actor these values, as bytes, and empties its collections, all in one step, if its last committed one
/// is number `after`; whether it was. Nobody's code runs. An interrupted one never happened, or is completed by whoever attaches the
/// actor next.
///
/// # Errors
///
/// [`AttachError`] if the regions don't hold what the ends and cells say.
///
/// `MISTAKE` as for [`StepCore`].
pub fn reset<const MISTAKE: u8>(
    own: &Region,
    actor: &str,
    (inputs, outputs): (&[End<'_>], &[End<'_>]),
    cells: &[(&str, &[u8])],
    after: u64,
) -> Result<bool, AttachError> {
    let attach = Attach::<MISTAKE>::new(own, actor, inputs.len(), outputs.len())?;
    let mut attach = attach.untyped(inputs, outputs)?;
    if attach.core.control.steps != after {
        return Ok(false);
    }
    for (cell, value) in cells {
        attach.cell_to_set(cell, value)?;
    }
    attach.finish().reset();
    Ok(true)
}

impl<const MISTAKE: u8> Attach<'_, MISTAKE> {
    /// With the ends of an actor whose message types nobody here knows.
    fn untyped(mut self, inputs: &[End<'_>], outputs: &[End<'_>]) -> Result<Self, AttachError> {
        let own = self.own();
        for end in inputs {
            let ring = ring_between(end.peer, own, end.link, end.payload)?;
            self.add_input(end.link, end.peer.owner(), ring)?;
        }
        for end in outputs {
            let ring = ring_between(own, end.peer, end.link, end.payload)?;
            self.add_output(end.link, end.peer, ring)?;
        }
        Ok(self)
    }
}

impl<const MISTAKE: u8> StepCore<MISTAKE> {
    /// One step that sets all cells that are attached to what their copies hold, and empties all collections.
    fn reset(&mut self) {
        self.all_dirty();
        if let Some(undo) = &self.undo {
            undo.announce_reset();
        }
        let _ = self.commit(false);
        if let Some(undo) = &self.undo {
            undo.finish_reset(self.control.steps);
        }
    }

    fn all_dirty(&self) {
        let cells = self.cells.len();
        let dirty = u64::MAX.checked_shr((CELLS_MAX - cells) as u32);
        self.gate.dirty.set(dirty.unwrap_or(0));
    }

    /// Step 5 of the protocol over the active record. Idempotent: a kill in here leaves it to the next incarnation.
    pub(super) fn recover(&mut self) {
        let active = self.control.active;
        if MISTAKE == mistake::DONE_EXITS_FIRST && self.done {
            return;
        }
        if MISTAKE != mistake::NO_REPUBLISH {
            for (index, port) in self.outputs.iter().enumerate() {
                let mut from = self.records.out_from(active, index).load(Ordering::Relaxed);
                let to = port.outlet.published();
                if MISTAKE == mistake::LAST_REPUBLISHED {
                    from = from.max(to.saturating_sub(1));
                }
                port.outlet.publish_range(from, to);
            }
        }
        // The life before may have been killed before it hinted at what it had published.
        if MISTAKE != mistake::HINTS_FORGOTTEN {
            for hints in &self.hints {
                hints.overflow();
            }
        }
        if MISTAKE != mistake::CREDIT_FORGOTTEN {
            for port in &self.inputs {
                port.inlet.give_back();
            }
        }
        if self.done && MISTAKE != mistake::CLOSE_FORGOTTEN {
            self.close();
        }
        if self.control.steps == 0 && !self.cells.is_empty() {
            self.all_dirty();
            let _ = self.commit(false);
        }
    }
}
