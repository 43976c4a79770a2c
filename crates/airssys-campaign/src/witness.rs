//! What the middle's handler really has in hand, told by itself, and what its region says of that: `in_flight`.
//!
//! The witness is a region of its own, which no step knows. After each instruction both are compared: whoever dies there is
//! blamed for what its region says.

use airssys_ringbuf::blame::{Charges, ChargesView};
use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::progress;

use crate::actors::{MIDDLE, SOURCE};
use crate::bus::Bus;
use crate::failure::{Failure, ensure};
use crate::place::{Place, word_at};

/// What the middle is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between two steps: nothing is in work.
    Idle,
    /// In its handler, which has exactly what is said to be shown.
    Handles,
    /// In a call that receives: some more may be in work, of what was sent and asked for.
    Receives,
    /// Ending a step: what was in work is, or isn't any more.
    Ends,
    /// Beginning an incarnation.
    Begins,
}

const PHASES: [Phase; 5] = [
    Phase::Idle,
    Phase::Handles,
    Phase::Receives,
    Phase::Ends,
    Phase::Begins,
];

/// The middle's hold on its witness. A blame section's words serve: three for each input, stored one at a time.
#[derive(Debug)]
pub(crate) struct Witness {
    words: Charges,
    inputs: usize,
}

impl Witness {
    /// The witness of a judged bus.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn new(bus: &Bus) -> Result<Option<Self>, Failure> {
        let Some(place) = &bus.witness else {
            return Ok(None);
        };
        let section = place.own.section(SectionKind::Blame, MIDDLE)?;
        let inputs = bus.ends().0;
        let words = Charges::new(&place.own, section, inputs + 1);
        Ok(Some(Self {
            words: words.map_err(|error| Failure::broken("opening the witness", error))?,
            inputs,
        }))
    }

    /// An incarnation begins.
    pub(crate) fn begins(&self, incarnation: u64) {
        self.words.suspect(self.inputs, incarnation);
        self.says(Phase::Begins);
    }

    pub(crate) fn says(&self, phase: Phase) {
        self.words.drop_letters(self.inputs, phase as u64);
    }

    /// Up to `want` messages are asked for.
    pub(crate) fn asks(&self, want: u64) {
        self.words.requeue(self.inputs, want);
        self.says(Phase::Receives);
    }

    /// The handler has all below `to` of an input.
    pub(crate) fn shown(&self, input: usize, to: u64) {
        self.words.suspect(input, to);
    }
}

/// What both say after an instruction.
#[derive(Debug)]
pub(crate) struct Looker {
    /// Inputs, of which one may be that of the letters; the notes' is nobody's to blame.
    judged: usize,
    inputs: usize,
    outputs: usize,
    control: usize,
    record: usize,
    in_flight: usize,
    /// What was sent on the inputs from the source.
    sent: Vec<u64>,
    view: ChargesView,
    /// What the handler has of each input, then the life, what it asks for and what it is at.
    told: Vec<u64>,
    now: Vec<u64>,
    /// Words in flight when the incarnation began.
    before: Vec<u64>,
    last: Option<Phase>,
    /// Comparisons.
    pub(crate) looks: usize,
}

impl Looker {
    /// For the bus as it is now; `None` if it has no witness.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't of this harness.
    pub(crate) fn new(bus: &Bus) -> Result<Option<Self>, Failure> {
        let Some(place) = &bus.witness else {
            return Ok(None);
        };
        let (inputs, outputs) = bus.ends();
        let section = place.seen.section(SectionKind::Blame, MIDDLE)?;
        let view = ChargesView::new(&place.seen, section, inputs + 1);
        let declared = bus.shape.inputs.len();
        let control = bus.middle.offset(SectionKind::Actor, MIDDLE)?;
        let record = Place::record_len(inputs, outputs);
        Ok(Some(Self {
            judged: declared + usize::from(inputs > declared),
            inputs,
            outputs,
            control,
            record,
            in_flight: Place::in_flight_at(control, inputs, outputs),
            sent: progress(&bus.source.seen, SOURCE, 0, declared)?.sent,
            view: view.map_err(|error| Failure::broken("opening the witness", error))?,
            told: Vec::new(),
            now: Vec::new(),
            before: Vec::new(),
            last: None,
            looks: 0,
        }))
    }

    /// Compares them, if one of them is another than before: `moved` says so of the image.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if somebody would be blamed wrongly, or nobody.
    pub(crate) fn look(&mut self, image: &[u8], moved: bool) -> Result<(), Failure> {
        // After every instruction: no system call, no allocation.
        let (view, inputs) = (&self.view, self.inputs);
        self.now.clear();
        let shown = (0..=inputs).map(|input| view.suspect_to(input));
        self.now.extend(shown);
        self.now
            .extend([view.requeue_to(inputs), view.drop_to(inputs)]);
        if !moved && self.now == self.told {
            return Ok(());
        }
        std::mem::swap(&mut self.now, &mut self.told);
        self.looks += 1;
        let phase = PHASES[self.told[inputs + 2] as usize];
        let words = (0..=self.inputs).map(|word| word_at(image, self.in_flight + 8 * word));
        let words: Vec<u64> = words.collect();
        if phase == Phase::Begins && self.last != Some(phase) {
            self.before.clone_from(&words);
        }
        self.last = Some(phase);
        let life = self.told[inputs];
        if phase == Phase::Begins && words[0] != life {
            // An older life's work is that life's, all of it, until it is nobody's.
            ensure!(
                words[0] == 0 || words == self.before,
                "what life {} had in work has changed from {:?} to {words:?}",
                words[0],
                self.before
            );
            return Ok(());
        }
        ensure!(
            words[0] == life,
            "what life {life} has in work is said to be that of {}",
            words[0]
        );
        (0..self.judged).try_for_each(|input| self.check(image, input, words[1 + input], phase))
    }

    fn check(&self, image: &[u8], input: usize, to: u64, phase: Phase) -> Result<(), Failure> {
        let active = (word_at(image, self.control) & 1) as usize;
        let record = self.control + Place::LINE_PAIR + active * self.record;
        let from = word_at(image, record + 8 * (2 + input));
        let sent = match self.sent.get(input) {
            Some(sent) => *sent,
            // The first output behind those to the sink is that of the letters.
            None => word_at(
                image,
                record + 8 * (2 + self.inputs) + 16 * (self.outputs - 2) + 8,
            ),
        };
        let to = to.max(from);
        let shown = self.told[input].max(from);
        let want = self.told[self.inputs + 1];
        let exact = match phase {
            Phase::Idle | Phase::Begins => to == from,
            Phase::Handles => to == shown,
            Phase::Receives => (shown..=sent.min(shown + want)).contains(&to),
            Phase::Ends => to == from || to == shown,
        };
        ensure!(
            exact,
            "input {input}: {from}..{to} is said to be in work, the handler has {from}..{shown} ({phase:?}, {sent} sent)"
        );
        Ok(())
    }
}
