//! One actor's step: begin, and commit or abort.

use std::rc::Rc;

use crate::layout::cell_buffer_words;
use crate::memory::Words;
use crate::step::cell::{AnyCell, Buffer};
use crate::step::claims::Claimed;
use crate::step::collections::UndoLog;
use crate::step::delta::Delta;
use crate::step::gate::Gate;
use crate::step::hints::{HintReader, Hints};
use crate::step::in_flight::InFlight;
use crate::step::mistake;
use crate::step::outcome::{Outcome, StepError, Verdict};
use crate::step::ports::{InPort, OutPort};
use crate::step::record::{Control, Records};
use crate::word::Ordering;

/// What a look at the used ports and cells of a step has found.
struct Found {
    /// There is something to commit.
    touched: bool,
    /// A slot or a cell is still in somebody's hands.
    held: bool,
    /// A link may have something to be given back that doesn't wait for more.
    owing: bool,
}

/// A cell and where its buffers lie.
pub(crate) struct CellPort {
    pub(crate) cell: Rc<dyn AnyCell>,
    pub(crate) words: Words,
    pub(crate) size: usize,
}

impl CellPort {
    pub(crate) fn buffer(&self, which: u64) -> Buffer<'_> {
        Buffer {
            words: &self.words,
            first: (which & 1) as usize * cell_buffer_words(self.size),
        }
    }
}

/// The commit machinery of one actor in one incarnation.
///
/// `MISTAKE` is [`mistake::NONE`] but in the kill harness.
pub struct StepCore<const MISTAKE: u8 = { mistake::NONE }> {
    pub(crate) records: Records,
    pub(crate) control: Control,
    pub(crate) in_flight: InFlight,
    pub(crate) done: bool,
    pub(crate) gate: Rc<Gate>,
    pub(crate) inputs: Vec<Rc<InPort>>,
    pub(crate) outputs: Vec<Rc<OutPort>>,
    pub(crate) cells: Vec<CellPort>,
    /// Of the durable collections, if there are any.
    pub(crate) undo: Option<Rc<UndoLog<MISTAKE>>>,
    pub(crate) delta: Delta,
    /// The places of the inputs that may have consumed more than they gave back.
    pub(crate) owing: Vec<u32>,
    /// Why no step of this incarnation can be ended any more.
    pub(crate) failed: Option<StepError>,
    /// Those that its outputs write, each once.
    pub(crate) hints: Vec<Rc<Hints>>,
    /// Those that its inputs read.
    pub(crate) hint_readers: Vec<Rc<HintReader>>,
    /// The inputs that nobody hints at.
    pub(crate) watched: Vec<Rc<InPort>>,
    /// What no other core of this process may attach while this one lives.
    pub(crate) claims: Vec<Claimed>,
}

impl<const MISTAKE: u8> std::fmt::Debug for StepCore<MISTAKE> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepCore")
            .field("control", &self.control)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl<const MISTAKE: u8> StepCore<MISTAKE> {
    /// Steps committed since the bus was made, over all incarnations.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.control.steps
    }

    /// Whether a step has committed the actor's end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The link behind output `index`.
    #[must_use]
    pub fn output_name(&self, index: usize) -> &str {
        &self.outputs[index].name
    }

    /// Begins a step, in which each receiver gets at most `most` messages. A port of many opens when the step first uses it.
    #[inline]
    pub fn begin(&mut self, most: u64) {
        self.gate.open(most);
        if self.gate.opens_all() {
            for port in &self.inputs {
                port.inlet.open(most);
            }
            for port in &self.outputs {
                port.outlet.open();
            }
        }
    }

    /// Begins a step in which one receiver, whichever asks first, gets one message.
    pub fn begin_single(&mut self) {
        self.gate.grant_one();
        self.begin(0);
    }

    /// Messages that a commit has received on input `index`.
    #[must_use]
    pub fn received(&self, index: usize) -> u64 {
        self.inputs[index].inlet.committed()
    }

    /// Ends the step: commits or aborts, publishes, and gives back what is due. Costs what the step has used.
    ///
    /// # Errors
    ///
    /// [`StepError`]; then nothing was committed, nothing will be, and the incarnation has to end.
    #[inline]
    pub fn finish(&mut self, verdict: Verdict) -> Result<Outcome, StepError> {
        match self.end(verdict) {
            Ok(outcome) => Ok(outcome),
            Err(found) => self.finish_marked(verdict, &found),
        }
    }

    /// Ends a step as [`finish`](Self::finish) with [`Verdict::Keep`] does, if it is one like most; if something was met that most
    /// steps don't meet, `finish` has to.
    #[inline]
    pub fn keep(&mut self) -> Option<Outcome> {
        self.end(Verdict::Keep).ok()
    }

    #[inline]
    fn end(&mut self, verdict: Verdict) -> Result<Outcome, Found> {
        let marked = self.gate.shut();
        let found = self.survey();
        if marked || found.held || self.failed.is_some() {
            return Err(found);
        }
        Ok(self.settle_as(verdict, &found))
    }

    /// Ends a step in which something was met that most steps don't meet.
    #[cold]
    #[inline(never)]
    fn finish_marked(&mut self, verdict: Verdict, found: &Found) -> Result<Outcome, StepError> {
        let refused = self.gate.refused();
        self.check(refused)?;
        // A refused claim aborts the step whatever it returned: a part of its work is missing.
        let verdict = refused.map_or(verdict, |_| Verdict::Abort);
        let outcome = self.settle_as(verdict, found);
        if self.gate.take_left() {
            self.put_back();
        }
        Ok(Outcome {
            refused,
            limited: self.gate.limited(),
            ..outcome
        })
    }

    /// Commits or aborts, publishes, and gives back what is due.
    #[inline]
    fn settle_as(&mut self, verdict: Verdict, found: &Found) -> Outcome {
        let committed = verdict == Verdict::Done || found.touched && verdict == Verdict::Keep;
        let visible = if committed {
            self.commit(verdict == Verdict::Done)
        } else {
            if MISTAKE == mistake::CREDIT_OF_ABORTED {
                self.give_back_taken();
            }
            if found.touched {
                self.abort();
            }
            MISTAKE != mistake::CREDIT_AFTER_COMMITS && found.owing && self.settle()
        };
        Outcome {
            committed,
            visible,
            ..Outcome::default()
        }
    }

    /// Looks once at everything that the step has used, and shuts it.
    #[inline]
    fn survey(&self) -> Found {
        let dirty = self.gate.dirty.get();
        let mut touched = dirty != 0 || self.has_changed_collections();
        let mut held = dirty != 0 && self.holds_cells(dirty);
        let mut owing = !self.owing.is_empty();
        self.each_input(|port| {
            touched |= port.inlet.has_moved();
            owing |= port.inlet.owes();
            port.inlet.shut();
        });
        self.each_output(|port| {
            touched |= port.outlet.has_moved();
            held |= port.held.get();
            port.outlet.shut();
        });
        Found {
            touched,
            held,
            owing,
        }
    }

    fn holds_cells(&self, dirty: u64) -> bool {
        bits_of(dirty).any(|index| self.cells[index].cell.is_borrowed())
    }

    /// Calls `each` with what [`used_inputs`](Self::used_inputs) gives; where all ports count as used, without asking for the place
    /// of each: it's a part of every turn.
    #[inline]
    fn each_input(&self, each: impl FnMut(&InPort)) {
        if self.gate.opens_all() {
            self.inputs.iter().map(|port| &**port).for_each(each);
        } else {
            self.used_inputs().for_each(each);
        }
    }

    /// The same of [`used_outputs`](Self::used_outputs).
    #[inline]
    pub(super) fn each_output(&self, each: impl FnMut(&OutPort)) {
        if self.gate.opens_all() {
            self.outputs.iter().map(|port| &**port).for_each(each);
        } else {
            self.used_outputs().for_each(each);
        }
    }

    /// Runs a step that counts in no way: it sees what a step would see, and nothing that it sends, receives or changes, no
    /// latency either, is ever seen. At most credit shows that was due before.
    ///
    /// # Errors
    ///
    /// [`StepError`], as from [`finish`](Self::finish).
    pub fn rehearse(&mut self, most: u64, step: impl FnOnce()) -> Result<Outcome, StepError> {
        self.gate.set_rehearses(true);
        self.begin(most);
        step();
        let ended = self.finish(Verdict::Abort);
        self.gate.set_rehearses(false);
        ended
    }

    /// Ends a step whose handler unwound: nothing of it remains.
    pub fn abandon(&mut self) {
        self.gate.shut();
        if MISTAKE != mistake::REQUEUE_KEPT {
            self.gate.requeue(None);
        }
        let _ = self.survey();
        self.abort();
    }

    #[inline]
    pub(super) fn used_inputs(&self) -> impl Iterator<Item = &InPort> {
        self.gate.inputs.iter().map(|index| &*self.inputs[index])
    }

    #[inline]
    pub(super) fn used_outputs(&self) -> impl Iterator<Item = &OutPort> {
        self.gate.outputs.iter().map(|index| &*self.outputs[index])
    }

    /// What forbids a commit whatever the author says. It stays: a peer's word that was impossible once, or a slot that
    /// somebody may still write to, makes no later step sound.
    #[cold]
    #[inline(never)]
    fn check(&mut self, refused: Option<usize>) -> Result<(), StepError> {
        let met = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.check_used(refused),
        };
        met.map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: StepError) -> StepError {
        self.abort();
        self.failed = Some(error.clone());
        error
    }

    fn check_used(&self, refused: Option<usize>) -> Result<(), StepError> {
        for port in self.used_inputs() {
            if let Some(found) = port.inlet.fault() {
                return Err(port.impossible(found));
            }
        }
        for port in self.used_outputs() {
            if let Some(found) = port.outlet.fault() {
                return Err(port.impossible(found));
            }
            if port.held.get() {
                return Err(StepError::Leaked {
                    port: port.name.clone(),
                });
            }
        }
        for index in bits_of(self.gate.dirty.get()) {
            let cell = &self.cells[index].cell;
            if cell.is_borrowed() {
                return Err(StepError::Leaked {
                    port: cell.name().to_owned(),
                });
            }
        }
        refused.map_or(Ok(()), |index| self.check_refused(index))
    }

    /// A refused claim is hopeless if the step alone filled the whole ring, with one message of each input or none.
    fn check_refused(&self, index: usize) -> Result<(), StepError> {
        let port = &self.outputs[index];
        let staged = port.outlet.cursor() - port.outlet.published();
        let smallest = self
            .used_inputs()
            .all(|port| port.inlet.cursor() - port.inlet.committed() <= 1);
        if staged == port.capacity() && smallest {
            return Err(StepError::Oversized {
                link: port.name.clone(),
                capacity: port.capacity(),
            });
        }
        Ok(())
    }

    /// What was shown to the handler and neither received nor undone is in work no longer.
    #[cold]
    fn put_back(&self) {
        for port in self.used_inputs() {
            port.put_back();
        }
    }

    #[inline]
    pub(super) fn abort(&self) {
        for port in self.used_inputs() {
            port.inlet.rewind();
            if MISTAKE != mistake::MARK_KEPT {
                port.put_back();
            }
        }
        for port in self.used_outputs() {
            port.outlet.rewind();
        }
        let dirty = self.gate.dirty.get();
        if MISTAKE == mistake::CELLS_NOT_RESTORED {
            self.gate.dirty.set(0);
        } else if dirty != 0 {
            self.restore_cells(dirty);
        }
        if let Some(undo) = &self.undo {
            undo.undo();
        }
    }

    #[inline]
    fn has_changed_collections(&self) -> bool {
        self.undo.as_ref().is_some_and(|undo| undo.count() > 0)
    }

    /// Fills changed copies anew, but for those that somebody still holds.
    fn restore_cells(&self, dirty: u64) {
        let bits = self.cell_bits();
        let mut left = dirty;
        for index in bits_of(dirty) {
            let port = &self.cells[index];
            if !port.cell.is_borrowed() {
                port.cell.load(&port.buffer(bits >> index));
                left ^= 1 << index;
            }
        }
        self.gate.dirty.set(left);
    }

    /// The active record's cell bits: ours to read at any time, nobody else writes them.
    pub(super) fn cell_bits(&self) -> u64 {
        self.records
            .cell_bits(self.control.active)
            .load(Ordering::Relaxed)
    }

    /// Gives back what inputs owe that did not move in this step; whether any did.
    #[inline]
    fn settle(&mut self) -> bool {
        if self.gate.opens_all() {
            self.settle_each()
        } else {
            self.settle_owing()
        }
    }

    pub(super) fn settle_owing(&mut self) -> bool {
        let mut visible = false;
        let mut stay = 0;
        for read in 0..self.owing.len() {
            let place = self.owing[read];
            let port = &self.inputs[place as usize];
            if port.inlet.has_moved() {
                self.owing[stay] = place;
                stay += 1;
            } else {
                visible |= port.inlet.settle(false);
                port.owes.set(false);
            }
        }
        self.owing.truncate(stay);
        visible
    }

    /// Whether a step could do more than the last one could: a message, a close that no step has seen, or news of the link
    /// that refused. Reads the shared words, and takes each message and close for news once.
    #[inline]
    #[must_use]
    pub fn has_news(&self, refused: Option<usize>) -> bool {
        match refused {
            Some(index) => self.outputs[index].outlet.has_news(),
            None => {
                self.hint_readers.iter().any(|hints| hints.has_unseen())
                    || self.watched.iter().any(|port| port.has_news())
                    || self.used_outputs().any(|port| port.outlet.has_room_again())
            }
        }
    }
}

/// The places of a word's set bits.
#[inline]
pub(super) fn bits_of(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            index
        })
    })
}
