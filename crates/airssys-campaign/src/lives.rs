//! Lives of the middle that are cut short, and how a bus gets to where each of them starts.

use crate::actors::{Incarnation, Middle, Plan, Source};
use crate::bus::{Bus, Capacities, Images};
use crate::failure::Failure;
use crate::instructions::marker;

/// One life: what was before, and what the incarnation does that is killed in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Its name, for reports.
    pub(crate) name: &'static str,
    /// The bus it is led on.
    pub(crate) capacities: Capacities,
    /// Messages after which the middle ends.
    pub(crate) limit: u64,
    /// Steps of an earlier incarnation; none: there was none.
    before: &'static [Plan],
    /// Steps of the incarnation that is killed.
    steps: &'static [Plan],
}

/// The lives that are judged: together they reach every line of attach, step, commit, abort, settle and recovery.
pub(crate) const LIVES: [Life; 4] = [
    // Nothing was before; credit isn't due before the idle step.
    Life {
        name: "first life",
        capacities: Capacities {
            input: 32,
            outputs: 8,
        },
        limit: 6,
        before: &[],
        steps: &[Plan::Work, Plan::Abort, Plan::Idle, Plan::Work],
    },
    // Long enough that commits fill records in part; its third step leaves alone what the first has used.
    Life {
        name: "long life",
        capacities: Capacities {
            input: 16,
            outputs: 16,
        },
        limit: 12,
        before: &[],
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work],
    },
    // Recovery, then the step that ends the actor; every commit gives back.
    Life {
        name: "last step",
        capacities: Capacities {
            input: 4,
            outputs: 8,
        },
        limit: 4,
        before: &[Plan::Work],
        steps: &[Plan::Work],
    },
    // Both steps before have filled `a`: the next is refused.
    Life {
        name: "full link",
        capacities: Capacities {
            input: 4,
            outputs: 4,
        },
        limit: 8,
        before: &[Plan::Work, Plan::Work],
        steps: &[Plan::Work],
    },
];

/// Markers of a life: one at its start, one before recovery, then one before each step and one before that step's end.
pub(crate) const RECOVERY: usize = 1;

impl Life {
    /// Leads a fresh bus to where this life starts, and returns what lies in it then.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a step fails on the way.
    pub(crate) fn prepare<const MISTAKE: u8>(&self, bus: &Bus) -> Result<Images, Failure> {
        let mut source = Source::attach(bus, 0)?;
        source.step(u64::MAX, false)?;
        if !self.before.is_empty() {
            let mut middle = Middle::<MISTAKE>::attach(bus, Incarnation::new(1, self.limit))?;
            for plan in self.before {
                middle.step(*plan)?;
                source.step(u64::MAX, false)?;
            }
        }
        bus.images()
    }

    /// This life's incarnation, from attaching to its last step.
    pub(crate) fn body<'a, const MISTAKE: u8>(
        &self,
        bus: &'a Bus,
    ) -> impl Fn() -> i32 + use<'a, MISTAKE> {
        body::<MISTAKE>(bus, Incarnation::new(2, self.limit), self.steps)
    }
}

/// What a traced child does: attach and recover, then the steps.
pub(crate) fn body<const MISTAKE: u8>(
    bus: &Bus,
    life: Incarnation,
    steps: &'static [Plan],
) -> impl Fn() -> i32 {
    let pause = marker;
    move || {
        marker();
        let lived = Middle::<MISTAKE>::attach(bus, Incarnation { pause, ..life });
        let lived = lived.and_then(|mut middle| {
            let stepped = steps
                .iter()
                .try_for_each(|plan| middle.step(*plan).map(drop));
            // Dropping it changes no shared memory, and is not worth thousands of instructions.
            std::mem::forget(middle);
            stepped
        });
        i32::from(lived.is_err())
    }
}
