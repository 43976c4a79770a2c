//! The actor that is killed: the shipped step, or one with a mistake planted in it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use airssys_ringbuf::Message;
use airssys_ringbuf::layout::SCANNED_LINKS_MAX;
use airssys_ringbuf::step::{Attach, Refused, SetAside, StepCore, Verdict, read_cell};

use super::desk::Desk;
use super::hands::{BATCH, Hands, Inputs, Mail, Requeued, Style};
use super::{AGAIN, FIXED, FIXED_VALUE, LOG, Log, MIDDLE, Plan, SENT, TAKEN, Turn, cell_name, end};
use crate::bus::Bus;
use crate::failure::Failure;
use crate::seed::Seed;
use crate::traffic::Flow;
use crate::witness::{Phase, Witness};

/// One life of the middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incarnation {
    /// What its messages carry.
    pub(crate) nonce: u64,
    /// Messages after which the middle ends, whoever received them.
    pub(crate) limit: u64,
    /// By which calls it works.
    pub(crate) style: Style,
    /// What its draws follow from, besides the nonce.
    pub(crate) seed: u64,
    /// Called before recovery, before each step, and before the end of each step.
    pub(crate) pause: fn(),
    /// Called before a panic.
    pub(crate) skip: fn(),
}

impl Incarnation {
    /// The next one in the same process.
    pub(crate) fn reborn(self) -> Self {
        Self {
            nonce: self.nonce + (1 << 32),
            ..self
        }
    }
}

/// What the middle keeps, from all its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What it received, by input.
    pub(crate) taken: Vec<Flow>,
    /// What it sent, by output.
    pub(crate) sent: Vec<Flow>,
    /// What else there is to know.
    pub(crate) log: Log,
    /// What no step touches.
    pub(crate) fixed: u64,
    /// Letters that were handled again, where messages may be set aside.
    pub(crate) again: Option<Flow>,
}

/// A middle, whatever mistake is planted in its step.
pub(crate) trait Subject: std::fmt::Debug {
    /// One step.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if the step meets an error.
    fn step(&mut self, plan: Plan) -> Result<Turn, Failure>;
    /// What it keeps.
    fn kept(&self) -> Kept;
    /// Whether it has ended.
    fn is_done(&self) -> bool;
}

/// The next incarnation, with mistake number `mistake`. It ends at its limit, when its input is closed, or with the sink.
///
/// # Errors
///
/// [`Failure::Broken`] if the regions aren't a bus of this harness, or there is no such mistake.
pub(crate) fn attach(
    mistake: u8,
    bus: &Bus,
    life: Incarnation,
) -> Result<Box<dyn Subject>, Failure> {
    macro_rules! by_number {
        ($($number:literal)+) => {
            match mistake {
                $($number => Ok(Box::new(Middle::<$number>::attach(bus, life)?)),)+
                _ => Err(Failure::broken("planting a mistake", format!("there is no number {mistake}"))),
            }
        };
    }
    by_number!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39)
}

#[derive(Debug)]
struct Middle<const MISTAKE: u8> {
    core: StepCore<MISTAKE>,
    hands: Hands,
    desk: Option<Desk>,
    /// This step has had its marker before its end: every step has two, however much it tries.
    marked: bool,
}

impl<const MISTAKE: u8> Middle<MISTAKE> {
    fn attach(bus: &Bus, life: Incarnation) -> Result<Self, Failure> {
        let (ins, outs) = (bus.shape.ins(), bus.shape.outs());
        let (inputs, outputs) = bus.ends();
        let witness = Witness::new(bus)?;
        if let Some(witness) = &witness {
            witness.begins(life.nonce);
        }
        let mut attach = Attach::<MISTAKE>::new(&bus.middle.own, MIDDLE, inputs, outputs)?;
        attach.incarnation(life.nonce);
        let sources = ins.iter().map(|link| (link.name, &bus.source.seen));
        let inputs = if ins.len() > SCANNED_LINKS_MAX {
            let sources: Vec<_> = sources.collect();
            Inputs::Joined(attach.receivers(&sources)?)
        } else {
            let each = sources.map(|(link, source)| attach.receiver(link, source));
            Inputs::Each(each.collect::<Result<_, _>>()?)
        };
        let outputs = outs
            .iter()
            .map(|link| attach.sender(link.name, &bus.sink.seen));
        let outputs = outputs.collect::<Result<_, _>>()?;
        let mut flows = |kind: &str, count: usize| {
            (0..count)
                .map(|index| attach.durable(&cell_name(kind, index), Flow::NONE))
                .collect::<Result<_, _>>()
        };
        let (taken, sent) = (flows(TAKEN, ins.len())?, flows(SENT, outs.len())?);
        let mut hands = Hands {
            inputs,
            outputs,
            taken,
            sent,
            log: attach.durable(LOG, Log::NONE)?,
            fixed: attach.durable(FIXED, FIXED_VALUE)?,
            draws: Seed::new(life.seed ^ life.nonce.rotate_left(24)),
            life,
            narrow: false,
            mail: None,
            witness,
        };
        let mut desk = None;
        if let Some(court) = &bus.court {
            hands.mail = Some(Mail {
                again: attach.durable(AGAIN, Flow::NONE)?,
                requeues: None,
            });
            desk = Some(Desk::attach(&mut attach, court)?);
        }
        (life.pause)();
        let core = attach.finish();
        hands.says(Phase::Idle);
        Ok(Self {
            core,
            hands,
            desk,
            marked: false,
        })
    }

    /// What is due about letters, as airssys-rt's runner has it; `None` if that is nothing, or came to nothing.
    fn look(&mut self, plan: Plan) -> Result<Option<Turn>, Failure> {
        let Self {
            core,
            hands,
            desk,
            marked,
        } = self;
        let Some(desk) = desk else {
            return Ok(None);
        };
        if desk.has_drop() {
            hands.says(Phase::Ends);
            mark_end(marked, hands);
            let _ = core.drop_letter(&mut desk.letters)?;
            hands.says(Phase::Idle);
            return Ok(Some(Turn::Busy));
        }
        if let Some(aside) = desk.aside {
            hands.says(Phase::Ends);
            mark_end(marked, hands);
            let done = core.set_aside(&mut desk.letters, &aside, desk.drops)?;
            hands.says(Phase::Idle);
            if !matches!(done, SetAside::Full(_)) {
                desk.aside = None;
            }
            if matches!(done, SetAside::Kept(_) | SetAside::Dropped(_)) {
                return Ok(Some(Turn::Busy));
            }
        }
        let waits = desk.aside.map(|_| Turn::Idle);
        if desk.has_requeue()
            && let Some(turn) = self.requeue(plan)?
        {
            return Ok(Some(turn));
        }
        Ok(waits)
    }

    /// A step that gets the oldest letter; `None` if it came to nothing.
    fn requeue(&mut self, plan: Plan) -> Result<Option<Turn>, Failure> {
        let Some(desk) = &self.desk else {
            return Ok(None);
        };
        let letter = Requeued {
            place: desk.letters.oldest(),
            last: desk.is_last(),
        };
        self.hands.requeue(Some(letter));
        self.hands.begins();
        self.core.begin_requeue(&desk.letters);
        if plan != Plan::Work {
            let turn = self.panics(plan);
            self.hands.requeue(None);
            return Ok(Some(turn));
        }
        let worked = self.verdict();
        mark_end(&mut self.marked, &self.hands);
        self.hands.says(Phase::Ends);
        self.hands.requeue(None);
        self.hands.narrow = worked == Err(Refused::Full);
        let verdict = worked.unwrap_or(Verdict::Abort);
        let Self {
            core, hands, desk, ..
        } = self;
        let Some(desk) = desk else {
            return Ok(None);
        };
        let (outcome, _) = core.finish_requeue(&mut desk.letters, verdict)?;
        hands.says(Phase::Idle);
        Ok(match outcome.committed {
            _ if core.is_done() => Some(Turn::Done),
            true => Some(Turn::Busy),
            false => None,
        })
    }

    /// Its work, and how that ends the step.
    fn verdict(&mut self) -> Result<Verdict, Refused> {
        Ok(if self.hands.work()? {
            Verdict::Done
        } else {
            Verdict::Keep
        })
    }

    /// Ends a step by what its work returned, as the runner of airssys-rt does.
    fn end(&mut self, worked: Result<Verdict, Refused>) -> Result<Turn, Failure> {
        self.hands.narrow = worked == Err(Refused::Full);
        match worked {
            Ok(verdict) => end(&mut self.core, verdict),
            Err(Refused::Full) => end(&mut self.core, Verdict::Abort),
            Err(Refused::Closed) => {
                end(&mut self.core, Verdict::Abort)?;
                self.core.begin(0);
                self.hands.note_end();
                end(&mut self.core, Verdict::Done)
            }
        }
    }

    /// What comes of a step that panics.
    fn panics(&mut self, plan: Plan) -> Turn {
        self.panic();
        if plan == Plan::Unwind {
            return Turn::Unwound;
        }
        mark_end(&mut self.marked, &self.hands);
        self.hands.says(Phase::Ends);
        self.core.abandon();
        self.hands.says(Phase::Idle);
        Turn::Idle
    }

    /// A step that panics after its work.
    fn panic(&mut self) {
        // What is raised this way no hook hears of.
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _ = self.hands.work();
            (self.hands.life.skip)();
            resume_unwind(Box::new("planted"));
        }));
        debug_assert!(unwound.is_err());
    }
}

/// The marker before the end of a step.
fn mark_end(marked: &mut bool, hands: &Hands) {
    if !std::mem::replace(marked, true) {
        (hands.life.pause)();
    }
}

impl<const MISTAKE: u8> Subject for Middle<MISTAKE> {
    fn step(&mut self, plan: Plan) -> Result<Turn, Failure> {
        if self.core.is_done() {
            return Ok(Turn::Done);
        }
        let pause = self.hands.life.pause;
        pause();
        self.marked = false;
        if matches!(plan, Plan::Work | Plan::Panic | Plan::Unwind)
            && let Some(turn) = self.look(plan)?
        {
            return Ok(turn);
        }
        self.hands.begins();
        if plan == Plan::Rehearse {
            let Self { core, hands, .. } = self;
            let _ = core.rehearse(BATCH as u64, || {
                let _ = hands.work();
                pause();
                hands.says(Phase::Ends);
            })?;
            self.hands.says(Phase::Idle);
            return Ok(Turn::Idle);
        }
        self.core.begin(BATCH as u64);
        let worked = match plan {
            Plan::Work => self.verdict(),
            Plan::Retry => self.verdict().map(|_| Verdict::Abort),
            Plan::Idle | Plan::Rehearse => Ok(Verdict::Keep),
            Plan::Panic | Plan::Unwind => return Ok(self.panics(plan)),
        };
        mark_end(&mut self.marked, &self.hands);
        self.hands.says(Phase::Ends);
        let turn = self.end(worked);
        self.hands.says(Phase::Idle);
        turn
    }

    fn kept(&self) -> Kept {
        self.hands.kept()
    }

    fn is_done(&self) -> bool {
        self.core.is_done()
    }
}

/// What a middle without letters has committed, read as an observer.
///
/// # Errors
///
/// [`Failure::Violated`] if a cell was never committed.
pub(crate) fn kept(bus: &Bus) -> Result<Kept, Failure> {
    let (ins, outs) = (bus.shape.ins().len(), bus.shape.outs().len());
    let ends = (ins, outs);
    // In the order in which they are attached.
    let flow = |kind, index, place| cell::<Flow>(bus, ends, &cell_name(kind, index), place);
    Ok(Kept {
        taken: (0..ins)
            .map(|index| flow(TAKEN, index, index))
            .collect::<Result<_, _>>()?,
        sent: (0..outs)
            .map(|index| flow(SENT, index, ins + index))
            .collect::<Result<_, _>>()?,
        log: cell(bus, ends, LOG, ins + outs)?,
        fixed: cell(bus, ends, FIXED, ins + outs + 1)?,
        again: None,
    })
}

fn cell<S: Message>(
    bus: &Bus,
    ends: (usize, usize),
    name: &str,
    place: usize,
) -> Result<S, Failure> {
    read_cell(&bus.middle.seen, MIDDLE, ends, (name, place))?
        .ok_or_else(|| Failure::Violated(format!("{MIDDLE}: cell `{name}` was never committed")))
}
