//! An actor that sends to itself and sets messages aside: its region, and its ends on any region.

use airssys_ringbuf::Message;
use airssys_ringbuf::blame::{Aside, Charges};
use airssys_ringbuf::layout::{
    Layout, RingShape, actor_section, blame_section, cell_section, credit_section, ring_section,
};
use airssys_ringbuf::region::{Region, Section, SectionKind};
use airssys_ringbuf::step::{
    Attach, LetterNames, Letters, Note, Receiver, Sender, StepCore, Tally, Verdict, mistake,
};

use super::shapes::{ACTOR, LINK};
use crate::failure::Failure;
use crate::traffic::{IN, Item};

const NAMES: LetterNames<'_> = LetterNames {
    letters: "loop/letters",
    notes: "loop/notes",
    tally: "loop/letters",
    payload: size_of::<Item>(),
};

const CAPACITY: u64 = 4;

/// Rounds that an actor on any region takes.
const ROUNDS: u64 = 4;

/// Its sections, and what a supervisor would hold against its messages.
pub(super) fn sections() -> Result<Vec<Section>, Failure> {
    let ring = |name, size, schema: String| {
        let shape = RingShape::with_layout(size, CAPACITY, false, Layout::of(size));
        let shape = shape.ok_or_else(|| Failure::broken("a ring's shape", CAPACITY))?;
        Ok::<_, Failure>([ring_section(name, &schema, &shape), credit_section(name)])
    };
    let item = || Item::SCHEMA.to_text();
    let mut sections = vec![
        actor_section(ACTOR, 3, 3),
        cell_section(
            &format!("{ACTOR}/{}", NAMES.tally),
            &Tally::SCHEMA.to_text(),
            size_of::<Tally>(),
        ),
        blame_section(ACTOR, 1),
    ];
    sections.extend(ring(LINK, size_of::<Item>(), item())?);
    sections.extend(ring(NAMES.letters, size_of::<Item>(), item())?);
    sections.extend(ring(
        NAMES.notes,
        size_of::<Note>(),
        Note::SCHEMA.to_text(),
    )?);
    Ok(sections)
}

/// Sets two messages aside and drops one of them.
pub(super) fn fill(own: &Region) -> Result<(), Failure> {
    let mut live = Live::attach(own, ACTOR)?;
    for seq in 0..2 {
        live.send(seq)?;
    }
    for _ in 0..2 {
        live.set_aside()?;
    }
    let _ = live.core.drop_letter(&mut live.letters)?;
    accuse(own)
}

/// Holds something against a message of each input.
pub(super) fn accuse(own: &Region) -> Result<(), Failure> {
    let section = own.section(SectionKind::Blame, ACTOR)?;
    let inputs = section.count as usize;
    let held = Charges::new(own, section, inputs);
    let held = held.map_err(|error| Failure::broken("opening charges", error))?;
    for input in 0..inputs {
        held.suspect(input, 3);
        held.set_aside(input, aside(1));
        held.requeue(input, 2);
        held.drop_letters(input, 1);
    }
    Ok(())
}

fn aside(position: u64) -> Aside {
    Aside {
        position,
        attempts: 3,
        cause: 6,
    }
}

/// Every step there is about letters, on whatever region that opens as one of such an actor.
///
/// # Errors
///
/// The first error: then nothing more is to be had from it.
pub(super) fn use_letters(own: &Region, name: &str) -> Result<(), Failure> {
    let mut live = Live::attach(own, name)?;
    for seq in 0..ROUNDS {
        live.send(seq)?;
        live.set_aside()?;
        let oldest = live.letters.oldest();
        if live.letters.has_letter() && oldest < live.letters.end() {
            live.requeue(seq)?;
        }
        let _ = live.core.drop_letter(&mut live.letters)?;
    }
    Ok(())
}

struct Live {
    core: StepCore,
    input: Receiver<Item>,
    output: Sender<Item>,
    letters: Letters,
}

impl Live {
    fn attach(own: &Region, name: &str) -> Result<Self, Failure> {
        let mut attach = Attach::<{ mistake::NONE }>::new(own, name, 3, 3)?;
        Ok(Self {
            input: attach.receiver(LINK, own)?,
            output: attach.sender(LINK, own)?,
            letters: attach.letters(0, &NAMES)?,
            core: attach.finish(),
        })
    }

    fn send(&mut self, seq: u64) -> Result<(), Failure> {
        self.core.begin(0);
        // A full link takes no more.
        let _ = self.output.send(Item::new(IN[0], seq, 0));
        let _ = self.core.finish(Verdict::Keep)?;
        Ok(())
    }

    fn set_aside(&mut self) -> Result<(), Failure> {
        let aside = aside(self.letters.received());
        let drops = aside.position.is_multiple_of(2);
        let _ = self.core.set_aside(&mut self.letters, &aside, drops)?;
        Ok(())
    }

    fn requeue(&mut self, seq: u64) -> Result<(), Failure> {
        self.core.begin_requeue(&self.letters);
        if seq.is_multiple_of(2) {
            let _ = (self.input.try_recv(), self.input.key().is_some());
        }
        let _ = self.core.finish_requeue(&mut self.letters, Verdict::Keep)?;
        Ok(())
    }
}
