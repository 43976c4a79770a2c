//! Lives in which messages are set aside, dropped on command and handled again.

use super::{FIRST, Life, ONES, style};
use crate::actors::{Plan, Receives, Sends};
use crate::bus::{Shape, Wire};

/// What is held against the messages of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blame {
    /// Room for letters.
    pub(crate) capacity: u64,
    /// Messages that were set aside in lives before.
    pub(crate) earlier: u64,
    /// Letters that this life drops, and those below which it handles them again.
    pub(crate) drop_to: u64,
    pub(crate) requeue_to: u64,
    /// The message that this life sets aside is dropped if there is no room.
    pub(crate) drops: bool,
}

const BLAME: Blame = Blame {
    capacity: 4,
    earlier: 0,
    drop_to: 0,
    requeue_to: 1,
    drops: false,
};

const ASIDE: Life = Life {
    name: "set aside, handled again",
    shape: Shape {
        inputs: &[Wire::sequenced(8), Wire::contiguous(8)],
        outputs: &[Wire::contiguous(8)],
    },
    style: ONES,
    limit: 8,
    before: &[Plan::Work],
    steps: &[Plan::Work, Plan::Work, Plan::Work],
    blame: Some(BLAME),
    ..FIRST
};

/// Each life sets a message aside, by its first step that isn't about what was ordered otherwise.
pub(super) const LETTERS: [Life; 8] = [
    ASIDE,
    // Both orders, over a lap of the letters' ring.
    Life {
        name: "dropped, set aside, handled again",
        style: style(Receives::Drain, Sends::Value),
        blame: Some(Blame {
            capacity: 2,
            earlier: 2,
            drop_to: 1,
            requeue_to: 3,
            ..BLAME
        }),
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work, Plan::Retry],
        ..ASIDE
    },
    // The letter is handled first, at the second try: its answers find no room at the first.
    Life {
        name: "no room, waits",
        shape: Shape {
            inputs: &[Wire::contiguous(8), Wire::sequenced(8)],
            outputs: &[Wire::sequenced(2)],
        },
        style: style(Receives::Slices, Sends::Slice),
        blame: Some(Blame {
            capacity: 1,
            earlier: 1,
            ..BLAME
        }),
        steps: &[Plan::Work, Plan::Work],
        ..ASIDE
    },
    Life {
        name: "no room, dropped",
        shape: Shape {
            inputs: &[Wire::contiguous(8), Wire::sequenced(8)],
            ..ASIDE.shape
        },
        style: style(Receives::Copies, Sends::Claim),
        blame: Some(Blame {
            capacity: 1,
            earlier: 1,
            requeue_to: 0,
            drops: true,
            ..BLAME
        }),
        steps: &[Plan::Work, Plan::Work],
        ..ASIDE
    },
    // The link has been emptied by the next step: it asks for what isn't there.
    Life {
        name: "handled again, panics",
        shape: Shape {
            inputs: &[Wire::sequenced(8), Wire::contiguous(1)],
            ..ASIDE.shape
        },
        limit: 16,
        blame: Some(Blame {
            earlier: 1,
            ..BLAME
        }),
        steps: &[Plan::Work, Plan::Panic, Plan::Work],
        ..ASIDE
    },
    // The one behind it stays, too.
    Life {
        name: "handled again, panics, another incarnation",
        limit: 16,
        style: style(Receives::Drain, Sends::Value),
        blame: Some(Blame {
            earlier: 1,
            requeue_to: 2,
            ..BLAME
        }),
        steps: &[Plan::Work, Plan::Unwind, Plan::Work],
        ..ASIDE
    },
    // The letter stays, and the actor goes on: what ends it is a message of the link that it can't answer.
    Life {
        name: "handled again, no receiver",
        sink_ends: 1,
        limit: u64::MAX,
        steps: &[Plan::Work, Plan::Work],
        ..ASIDE
    },
    // Nothing is left on the link of the letters.
    Life {
        name: "handled again, no more input",
        shape: Shape {
            inputs: &[Wire::contiguous(2), Wire::sequenced(1)],
            ..ASIDE.shape
        },
        style: style(Receives::Copies, Sends::Slice),
        limit: u64::MAX,
        source_ended: true,
        blame: Some(Blame {
            earlier: 1,
            requeue_to: 2,
            ..BLAME
        }),
        ..ASIDE
    },
];
