//! What is judged: lives of the middle that are cut short, in scenarios, and how a bus gets to where each of them starts.

mod letters;

use self::letters::Blame;
use airssys_ringbuf::step::progress;

use crate::actors::{
    Incarnation, MIDDLE, Plan, Receives, Sends, Sink, Source, Style, Turn, attach,
};
use crate::bus::{Bus, Images, Shape, Wire};
use crate::court::{Court, LETTERED, Orders};
use crate::failure::Failure;
use crate::instructions::{marker, skip};
use crate::traffic::LINKS_MAX;

/// Lives that have something in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) what: &'static str,
    pub(crate) lives: &'static [Life],
}

/// One life: what was before, and what the incarnation does that is killed in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    /// Its name, for reports.
    pub(crate) name: &'static str,
    /// The bus it is led on.
    pub(crate) shape: Shape,
    /// By which calls the middle works.
    pub(crate) style: Style,
    /// Messages after which the middle ends.
    pub(crate) limit: u64,
    /// Messages after which the sink ends.
    pub(crate) sink_ends: u64,
    /// The source ends before this life, with what it has sent by then.
    pub(crate) source_ended: bool,
    /// Attaching is judged as well: more instructions than all the rest.
    pub(crate) judges_attaching: bool,
    /// What is held against messages, where they may be set aside.
    blame: Option<Blame>,
    /// Steps of an earlier incarnation; none: there was none.
    before: &'static [Plan],
    /// Steps of the incarnation that is killed.
    steps: &'static [Plan],
}

/// Incarnation of the middle in lives before the one that is killed, and in that.
const BEFORE: u64 = 1;
/// So much more is the number of each life that set a message aside before.
const EARLIER: u64 = 1 << 40;
const KILLED: u64 = 2;

const fn style(receives: Receives, sends: Sends) -> Style {
    Style { receives, sends }
}

const ONES: Style = style(Receives::One, Sends::Claim);

const FIRST: Life = Life {
    name: "first life",
    shape: Shape {
        inputs: &[Wire::sequenced(32), Wire::contiguous(32)],
        outputs: &[Wire::contiguous(8), Wire::sequenced(8)],
    },
    style: ONES,
    limit: 9,
    sink_ends: u64::MAX,
    source_ended: false,
    judges_attaching: false,
    blame: None,
    before: &[],
    steps: &[Plan::Work, Plan::Retry, Plan::Idle, Plan::Work],
};

/// Both layouts on either side.
const MIXED: [Life; 3] = [
    // Nothing was before; credit isn't due before the idle step.
    Life {
        judges_attaching: true,
        ..FIRST
    },
    // Long enough that commits fill records in part, and that steps leave alone what others have used.
    Life {
        name: "long life",
        shape: Shape {
            inputs: &[Wire::contiguous(16), Wire::sequenced(16)],
            outputs: &[Wire::sequenced(16), Wire::contiguous(16)],
        },
        style: style(Receives::Drain, Sends::Value),
        limit: 24,
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        ..FIRST
    },
    // Recovery, then the step that ends the actor; every commit gives back.
    Life {
        name: "last step",
        shape: Shape {
            inputs: &[Wire::sequenced(4), Wire::contiguous(4)],
            outputs: &[Wire::contiguous(8), Wire::sequenced(8)],
        },
        limit: 5,
        before: &[Plan::Work],
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        ..FIRST
    },
];

/// Three ports: all of them opened, and all their words written, with every step.
const FEW: [Life; 2] = [
    Life {
        name: "one input",
        shape: Shape {
            inputs: &[Wire::sequenced(8)],
            outputs: &[Wire::contiguous(8), Wire::sequenced(8)],
        },
        steps: &[Plan::Work, Plan::Retry, Plan::Work],
        ..FIRST
    },
    Life {
        name: "one output",
        shape: Shape {
            inputs: &[Wire::contiguous(8), Wire::sequenced(16)],
            outputs: &[Wire::sequenced(8)],
        },
        style: style(Receives::Drain, Sends::Value),
        limit: 5,
        before: &[Plan::Work],
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        ..FIRST
    },
];

const BATCHED: Life = Life {
    name: "slices in place",
    style: style(Receives::Slices, Sends::Slice),
    limit: 16,
    before: &[Plan::Work],
    steps: &[Plan::Work, Plan::Work],
    ..FIRST
};

/// Messages received and sent as slices.
const BATCHES: [Life; 2] = [
    BATCHED,
    // A lap of the rings: runs are cut at their end.
    Life {
        name: "slices copied",
        shape: Shape {
            inputs: &[Wire::contiguous(8), Wire::sequenced(8)],
            outputs: &[Wire::contiguous(8), Wire::sequenced(4)],
        },
        style: style(Receives::Copies, Sends::Slice),
        limit: 12,
        before: &[Plan::Work, Plan::Work, Plan::Work],
        steps: &[Plan::Work, Plan::Work],
        ..FIRST
    },
];

/// Steps that come to nothing, between steps that count.
const RETRIES: [Life; 4] = [
    Life {
        name: "retry",
        steps: &[Plan::Work, Plan::Retry, Plan::Retry, Plan::Work],
        ..FIRST
    },
    Life {
        name: "panic",
        style: style(Receives::Drain, Sends::Slice),
        before: &[Plan::Work],
        steps: &[Plan::Panic, Plan::Work],
        ..FIRST
    },
    Life {
        name: "panic, another incarnation",
        before: &[Plan::Work],
        steps: &[Plan::Work, Plan::Unwind, Plan::Work],
        ..FIRST
    },
    Life {
        name: "rehearsal",
        style: style(Receives::Slices, Sends::Value),
        steps: &[Plan::Rehearse, Plan::Work, Plan::Rehearse, Plan::Work],
        ..FIRST
    },
];

const FULL: Life = Life {
    name: "full, in place",
    shape: Shape {
        inputs: &[Wire::sequenced(8), Wire::contiguous(8)],
        outputs: &[Wire::contiguous(2), Wire::sequenced(2)],
    },
    limit: 12,
    before: &[Plan::Work, Plan::Work, Plan::Work],
    steps: &[Plan::Work, Plan::Work, Plan::Work],
    ..FIRST
};

/// Outputs that have no room for all that a step sends.
const FULLS: [Life; 3] = [
    FULL,
    // The first step goes through.
    Life {
        name: "full, by value",
        shape: Shape {
            outputs: &[Wire::sequenced(4), Wire::contiguous(4)],
            ..FULL.shape
        },
        before: &[Plan::Work],
        style: style(Receives::One, Sends::Value),
        ..FULL
    },
    Life {
        name: "full, by slice",
        shape: Shape {
            outputs: &[Wire::contiguous(4), Wire::sequenced(2)],
            ..FULL.shape
        },
        style: style(Receives::Slices, Sends::Slice),
        ..FULL
    },
];

/// Links closed by `Step::Done` at their other end.
const CLOSED: [Life; 3] = [
    Life {
        name: "no more input",
        shape: Shape {
            inputs: &[Wire::sequenced(4), Wire::contiguous(2)],
            outputs: &[Wire::contiguous(8), Wire::sequenced(8)],
        },
        limit: u64::MAX,
        source_ended: true,
        steps: &[Plan::Work, Plan::Work, Plan::Work, Plan::Work],
        ..FIRST
    },
    Life {
        name: "no receiver",
        sink_ends: 1,
        limit: u64::MAX,
        before: &[Plan::Work],
        steps: &[Plan::Retry, Plan::Work],
        ..FIRST
    },
    Life {
        name: "no receiver for a slice",
        style: style(Receives::Drain, Sends::Slice),
        sink_ends: 1,
        limit: u64::MAX,
        before: &[Plan::Work, Plan::Work],
        steps: &[Plan::Work],
        ..FIRST
    },
];

/// More links than are scanned, in both layouts.
const MANY: [Wire; LINKS_MAX] = {
    let mut wires = [Wire::sequenced(4); LINKS_MAX];
    let mut index = 0;
    while index < LINKS_MAX {
        wires[index] = Wire::contiguous(4);
        index += 3;
    }
    wires
};

/// Links that are hinted at.
const HINTED: [Life; 3] = [
    Life {
        name: "many outputs",
        shape: Shape {
            inputs: &[Wire::sequenced(8), Wire::contiguous(8)],
            outputs: &MANY,
        },
        style: style(Receives::Drain, Sends::Value),
        limit: 12,
        before: &[Plan::Work],
        steps: &[Plan::Work, Plan::Work],
        ..FIRST
    },
    Life {
        name: "many inputs",
        shape: Shape {
            inputs: &MANY,
            outputs: &[Wire::sequenced(8), Wire::contiguous(8)],
        },
        limit: 12,
        before: &[Plan::Work],
        steps: &[Plan::Work, Plan::Retry, Plan::Work],
        ..FIRST
    },
    Life {
        name: "many inputs, drained",
        shape: Shape {
            inputs: &MANY,
            outputs: &[Wire::contiguous(8), Wire::sequenced(8)],
        },
        style: style(Receives::Drain, Sends::Slice),
        limit: 4,
        steps: &[Plan::Work, Plan::Work, Plan::Work],
        ..FIRST
    },
];

/// Every scenario: together they reach every line of attach, step, commit, abort, settle and recovery.
pub(crate) const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "mixed",
        what: "two links of both layouts on either side, one message at a time",
        lives: &MIXED,
    },
    Scenario {
        name: "few",
        what: "an actor with three ports",
        lives: &FEW,
    },
    Scenario {
        name: "batches",
        what: "slices received and sent",
        lives: &BATCHES,
    },
    Scenario {
        name: "retries",
        what: "Step::Retry, panics and rehearsals between steps",
        lives: &RETRIES,
    },
    Scenario {
        name: "full",
        what: "outputs found full in the middle of a step",
        lives: &FULLS,
    },
    Scenario {
        name: "closed",
        what: "peers that have ended",
        lives: &CLOSED,
    },
    Scenario {
        name: "hinted",
        what: "17 links on one side, hinted at",
        lives: &HINTED,
    },
    Scenario {
        name: "letters",
        what: "messages set aside, dropped and handled again",
        lives: &letters::LETTERS,
    },
];

/// Markers of a life until the first step: one at its start, one before recovery. Then come one before each step
/// and one before that step's end.
pub(crate) const RECOVERY: usize = 1;

impl Life {
    /// Incarnation number `nonce` of this life's middle. Other lives draw otherwise.
    pub(crate) fn incarnation(&self, nonce: u64, seed: u64) -> Incarnation {
        let mix = |seed: u64, byte: u8| seed.rotate_left(5) ^ u64::from(byte);
        let seed = self.name.bytes().fold(seed, mix);
        Incarnation {
            nonce,
            limit: self.limit,
            style: self.style,
            seed,
            pause: || {},
            skip: || {},
        }
    }

    /// The bus of this life.
    ///
    /// # Errors
    ///
    /// As [`Bus::create`].
    pub(crate) fn bus(&self) -> Result<Bus, Failure> {
        Bus::judged(self.shape, self.blame.map_or(0, |blame| blame.capacity))
    }

    /// Leads a fresh bus to where this life starts, and returns what lies in it then.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a step fails on the way.
    pub(crate) fn prepare(&self, mistake: u8, bus: &Bus, seed: u64) -> Result<Images, Failure> {
        let mut source = Source::attach(bus, 0)?;
        source.step(u64::MAX, false)?;
        if !self.before.is_empty() {
            let mut middle = attach(mistake, bus, self.incarnation(BEFORE, seed))?;
            for plan in self.before {
                middle.step(*plan)?;
                source.step(u64::MAX, false)?;
            }
        }
        if let (Some(blame), Some(court)) = (self.blame, &bus.court) {
            self.accuse(mistake, bus, seed, (blame, court), &mut source)?;
        }
        if self.source_ended {
            source.step(0, true)?;
        }
        if self.sink_ends < u64::MAX {
            Sink::attach(bus, self.sink_ends)?.drain()?;
        }
        bus.images()
    }

    /// Has messages set aside by earlier lives, and leaves the next order to this one.
    fn accuse(
        &self,
        mistake: u8,
        bus: &Bus,
        seed: u64,
        (blame, court): (Blame, &Court),
        source: &mut Source,
    ) -> Result<(), Failure> {
        let (inputs, outputs) = bus.ends();
        let received = || progress(&bus.middle.seen, MIDDLE, inputs, outputs);
        for life in 1..=blame.earlier {
            court.order(received()?.received[LETTERED], &Orders::default())?;
            let life = self.incarnation(BEFORE + life * EARLIER, seed);
            attach(mistake, bus, life)?.step(Plan::Work)?;
            source.step(u64::MAX, false)?;
        }
        let order = Orders {
            drop_to: blame.drop_to,
            requeue_to: blame.requeue_to,
            drops: blame.drops,
            ..Orders::default()
        };
        court.order(received()?.received[LETTERED], &order)
    }

    /// This life's incarnation, from attaching to its last step.
    pub(crate) fn body<'a>(
        &self,
        mistake: u8,
        bus: &'a Bus,
        seed: u64,
    ) -> impl Fn() -> i32 + use<'a> {
        body(mistake, bus, self.incarnation(KILLED, seed), self.steps)
    }
}

/// What a traced child does: attach and recover, then the steps.
pub(crate) fn body(
    mistake: u8,
    bus: &Bus,
    life: Incarnation,
    steps: &'static [Plan],
) -> impl Fn() -> i32 {
    move || {
        marker();
        i32::from(live(mistake, bus, life, steps).is_err())
    }
}

fn live(mistake: u8, bus: &Bus, life: Incarnation, steps: &[Plan]) -> Result<(), Failure> {
    let marked = Incarnation {
        pause: marker,
        skip,
        ..life
    };
    let mut middle = attach(mistake, bus, marked)?;
    for plan in steps {
        let turn = middle.step(*plan)?;
        let panicked = matches!(plan, Plan::Panic | Plan::Unwind);
        if let (true, Some(court)) = (panicked, &bus.court) {
            // One store, to a region of its own: killed before the next marker is killed before it, or after.
            skip();
            court.withdraw(bus, turn == Turn::Unwound)?;
        }
        if turn == Turn::Unwound {
            drop(middle);
            // The marker before its recovery stands for that before the end of the step.
            middle = attach(mistake, bus, marked.reborn())?;
        }
    }
    // Dropping it changes no shared memory, and is not worth thousands of instructions.
    std::mem::forget(middle);
    Ok(())
}
