//! Lives of the owner, each killed in every place.

use super::owner::{Bus, Owner, Plan};
use crate::failure::Failure;
use crate::instructions::marker;

/// One life: steps before it, by an earlier incarnation, and its own.
pub(crate) struct Life {
    /// Its name, for reports.
    pub(crate) name: &'static str,
    before: &'static [Plan],
    pub(crate) steps: &'static [Plan],
}

/// The marker after attaching: from here on a first life is looked at.
pub(crate) const RECOVERY: usize = 1;

pub(crate) const LIVES: [Life; 3] = [
    Life {
        name: "first life",
        before: &[],
        steps: &[Plan::Work, Plan::Work],
    },
    Life {
        name: "full collections",
        before: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        steps: &[Plan::Work, Plan::Abort, Plan::Work],
    },
    // The step before is an aborted one of the same number.
    Life {
        name: "too many changes",
        before: &[Plan::Work, Plan::Work, Plan::Abort],
        steps: &[Plan::Exceed, Plan::Work],
    },
];

impl Life {
    /// Leads a fresh bus to where this life starts.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a step fails on the way.
    pub(crate) fn prepare<const MISTAKE: u8>(&self, bus: &Bus) -> Result<(), Failure> {
        let mut owner = Owner::<MISTAKE>::attach(bus)?;
        self.before.iter().try_for_each(|plan| owner.step(*plan))
    }
}

/// What a traced child does: attach, then the steps.
pub(crate) fn body<const MISTAKE: u8>(bus: &Bus, steps: &'static [Plan]) -> impl Fn() -> i32 {
    move || {
        marker();
        let lived = Owner::<MISTAKE>::attach(bus).and_then(|owner| {
            let mut owner = owner.pausing();
            marker();
            let stepped = steps.iter().try_for_each(|plan| owner.step(*plan));
            // Dropping it changes no shared memory, and is not worth thousands of instructions.
            std::mem::forget(owner);
            stepped
        });
        i32::from(lived.is_err())
    }
}
