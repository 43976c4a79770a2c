//! Lives of the owner, each killed in every place.

use super::owner::{Bus, Owner, Plan};
use crate::failure::Failure;
use crate::instructions::marker;

/// One life: steps before it, by an earlier incarnation, and its own.
pub(crate) struct Life {
    /// Its name, for reports.
    pub(crate) name: &'static str,
    before: &'static [Plan],
    pub(crate) does: Does,
}

/// What a life does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// These steps.
    Steps(&'static [Plan]),
    /// It has the state start anew, before its only step.
    Reset,
}

/// The marker after attaching: from here on a first life is looked at.
pub(crate) const RECOVERY: usize = 1;

pub(crate) const LIVES: [Life; 3] = [
    Life {
        name: "first life",
        before: &[],
        does: Does::Steps(&[Plan::Work, Plan::Work]),
    },
    Life {
        name: "full collections",
        before: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        does: Does::Steps(&[Plan::Work, Plan::Abort, Plan::Work]),
    },
    // The step before is an aborted one of the same number.
    Life {
        name: "too many changes",
        before: &[Plan::Work, Plan::Work, Plan::Abort],
        does: Does::Steps(&[Plan::Exceed, Plan::Work]),
    },
];

/// The step before is an aborted one, of the number that the reset takes.
pub(crate) const RESET: Life = Life {
    name: "state starts anew",
    before: &[
        Plan::Work,
        Plan::Work,
        Plan::Work,
        Plan::Work,
        Plan::Work,
        Plan::Abort,
    ],
    does: Does::Reset,
};

impl Life {
    /// Steps that are committed before it.
    pub(crate) fn committed(&self) -> u64 {
        let commits = self.before.iter().filter(|plan| **plan == Plan::Work);
        commits.count() as u64
    }

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

/// The life after one that was killed: it does nothing but what that one was told to.
pub(crate) fn resumed(life: &Life) -> Life {
    Life {
        does: match life.does {
            Does::Steps(_) => Does::Steps(&[]),
            Does::Reset => Does::Reset,
        },
        ..*life
    }
}

/// What a traced child does: attach, then the steps.
pub(crate) fn body<const MISTAKE: u8>(bus: &Bus, life: &Life) -> impl Fn() -> i32 {
    let (does, committed) = (life.does, life.committed());
    move || {
        marker();
        let (steps, begun): (&[Plan], _) = match does {
            Does::Steps(steps) => (steps, Ok(())),
            Does::Reset => (&[Plan::Work], bus.reset::<MISTAKE>(committed)),
        };
        if begun.is_err() {
            return 2;
        }
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
