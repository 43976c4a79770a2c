//! One actor's step: begin, and commit or abort.

use std::rc::Rc;

use crate::layout::cell_buffer_words;
use crate::memory::Words;
use crate::step::cell::{AnyCell, Buffer};
use crate::step::claims::Claimed;
use crate::step::delta::Delta;
use crate::step::gate::Gate;
use crate::step::hints::{HintReader, Hints};
use crate::step::mistake;
use crate::step::ports::{InPort, OutPort};
use crate::step::record::{Control, Records};
use crate::word::{Ordering, fence};

/// How the author ended a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Commit, if the step touched anything.
    Keep,
    /// Leave everything as it was.
    Abort,
    /// Commit, and end the actor with it.
    Done,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "peers may have to be woken"]
pub struct Outcome {
    /// The step committed.
    pub committed: bool,
    /// Something that peers wait for was stored: messages, credit or a close. Their doorbells are due.
    pub visible: bool,
    /// A claim on a blocking link was refused: the output's index. Run it again when that link has news.
    pub refused: Option<usize>,
    /// A receiver met the limit given to [`StepCore::begin`].
    pub limited: bool,
}

/// A step that cannot be ended: the partition has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A peer wrote a position that cannot be.
    #[error(
        "link `{link}`: the position of its peer `{peer}` is {found}, impossible after {known} with capacity {capacity}; that \
         region is corrupt: stop the bus and start it anew"
    )]
    ImpossiblePosition {
        /// The link.
        link: String,
        /// The partition at its other end.
        peer: String,
        /// The word that was read.
        found: u64,
        /// This end's own position.
        known: u64,
        /// The link's capacity.
        capacity: u64,
    },
    /// One step needs more room than its link has.
    #[error(
        "link `{link}`: one step sends more than the link's capacity of {capacity} messages, which can never commit; raise \
         the capacity or send less in a step"
    )]
    Oversized {
        /// The link.
        link: String,
        /// Its capacity.
        capacity: u64,
    },
    /// A borrow or a claimed slot outlived the step.
    #[error(
        "`{port}`: a claimed slot or a borrow of it outlived its step; publish or drop it before the step returns"
    )]
    Leaked {
        /// The link or the cell.
        port: String,
    },
}

/// What a look at the used ports and cells of a step has found.
struct Found {
    /// Nothing forbids a commit.
    sound: bool,
    /// There is something to commit.
    touched: bool,
    /// A receiver met the step's limit.
    limited: bool,
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
    pub(crate) done: bool,
    pub(crate) gate: Rc<Gate>,
    pub(crate) inputs: Vec<Rc<InPort>>,
    pub(crate) outputs: Vec<Rc<OutPort>>,
    pub(crate) cells: Vec<CellPort>,
    pub(crate) delta: Delta,
    /// The places of the inputs that may have consumed more than they gave back.
    pub(crate) owing: Vec<u32>,
    /// Why no step of this incarnation can be ended any more.
    pub(crate) failed: Option<StepError>,
    /// Those that its outputs write, each once.
    pub(crate) hints: Vec<Rc<Hints>>,
    /// Those that its inputs read.
    pub(crate) hint_readers: Vec<Rc<HintReader>>,
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

    /// Begins a step, in which each receiver gets at most `most` messages. A port opens when the step first uses it.
    #[inline]
    pub fn begin(&mut self, most: u64) {
        self.gate.open(most);
    }

    /// Ends the step: commits or aborts, publishes, and gives back what is due. Costs what the step has used.
    ///
    /// # Errors
    ///
    /// [`StepError`]; then nothing was committed, nothing will be, and the incarnation has to end.
    #[inline]
    pub fn finish(&mut self, verdict: Verdict) -> Result<Outcome, StepError> {
        self.gate.shut();
        let refused = self.gate.refused();
        let found = self.survey();
        if !found.sound || refused.is_some() || self.failed.is_some() {
            self.check(refused)?;
        }
        let commit = match verdict {
            // A refused claim aborts the step whatever it returned: a part of its work is missing.
            Verdict::Done => refused.is_none(),
            Verdict::Keep => refused.is_none() && found.touched,
            Verdict::Abort => false,
        };
        let visible = if commit {
            self.commit(verdict == Verdict::Done)
        } else {
            self.abort();
            let visible = self.settle();
            self.shut();
            visible
        };
        Ok(Outcome {
            committed: commit,
            visible,
            refused,
            limited: found.limited,
        })
    }

    /// Looks once at everything that the step has used.
    #[inline]
    fn survey(&self) -> Found {
        let dirty = self.gate.dirty.get();
        let mut found = Found {
            sound: bits_of(dirty).all(|index| !self.cells[index].cell.is_borrowed()),
            touched: dirty != 0,
            limited: false,
        };
        for port in self.used_inputs() {
            found.sound &= port.inlet.fault().is_none();
            found.touched |= port.inlet.has_moved();
            found.limited |= port.inlet.was_limited();
        }
        for port in self.used_outputs() {
            found.sound &= port.outlet.fault().is_none() && !port.held.get();
            found.touched |= port.outlet.has_moved();
        }
        found
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
        self.abort();
        self.shut();
    }

    #[inline]
    fn used_inputs(&self) -> impl Iterator<Item = &InPort> {
        self.gate.inputs.iter().map(|index| &*self.inputs[index])
    }

    #[inline]
    fn used_outputs(&self) -> impl Iterator<Item = &OutPort> {
        self.gate.outputs.iter().map(|index| &*self.outputs[index])
    }

    #[inline]
    fn shut(&self) {
        for port in self.used_inputs() {
            port.inlet.shut();
        }
        for port in self.used_outputs() {
            port.outlet.shut();
        }
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
        self.shut();
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

    #[inline]
    fn abort(&self) {
        for port in self.used_inputs() {
            port.inlet.rewind();
        }
        for port in self.used_outputs() {
            port.outlet.rewind();
        }
        let dirty = self.gate.dirty.get();
        if dirty != 0 {
            self.restore_cells(dirty);
        }
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
    fn cell_bits(&self) -> u64 {
        self.records
            .cell_bits(self.control.active)
            .load(Ordering::Relaxed)
    }

    /// Gives back what inputs owe that did not move in this step; whether any did.
    #[inline]
    fn settle(&mut self) -> bool {
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

    /// Steps 3 to 6 of the protocol. Returns whether peers were shown anything.
    #[inline]
    pub(crate) fn commit(&mut self, done: bool) -> bool {
        let next = if MISTAKE == mistake::RECORD_IN_PLACE {
            self.control.active
        } else {
            1 - self.control.active
        };
        let bits = self.store_cells();
        self.fill(next, bits, done);
        if MISTAKE == mistake::PUBLISH_BEFORE_COMMIT {
            self.publish();
        }
        if MISTAKE == mistake::CREDIT_BEFORE_COMMIT {
            self.give_back_early();
        }
        let control = Control {
            steps: self.control.steps + 1,
            active: next,
        };
        // The commit. Release: the record, the buffers and the payloads are complete before it (pairs with
        // Records::load_control of the next incarnation and of observers).
        self.records
            .control()
            .store(control.to_word(), Ordering::Release);
        self.control = control;
        self.done = done;
        if MISTAKE == mistake::TWO_WORD_COMMIT {
            self.fill_inputs(next);
        }
        let visible = self.show(done);
        // Release: the next step's writes to the other record, the other buffers and the slots after these come after what
        // was just published.
        fence(Ordering::Release);
        visible
    }

    /// Writes changed cells into their other buffers and returns the bits that select the newest of each.
    #[inline]
    fn store_cells(&self) -> u64 {
        let mut bits = self.cell_bits();
        let dirty = self.gate.dirty.replace(0);
        for index in bits_of(dirty) {
            let port = &self.cells[index];
            let other = !(bits >> index);
            if MISTAKE == mistake::CELL_IN_PLACE {
                port.cell.store(&port.buffer(!other));
            } else {
                port.cell.store(&port.buffer(other));
            }
            if MISTAKE != mistake::STALE_CELL && MISTAKE != mistake::CELL_IN_PLACE {
                bits ^= 1 << index;
            }
        }
        if MISTAKE == mistake::UNTOUCHED_CELL_FLIPPED {
            for index in 0..self.cells.len() {
                bits ^= !dirty & (1 << index);
            }
        }
        bits
    }

    /// Brings a record up to date: all of it, or what this commit and the one before have moved.
    #[inline]
    fn fill(&mut self, record: usize, bits: u64, done: bool) {
        let records = &self.records;
        records.cell_bits(record).store(bits, Ordering::Relaxed);
        let done = done && MISTAKE != mistake::DONE_OUTSIDE_RECORD;
        records
            .done(record)
            .store(u64::from(done), Ordering::Relaxed);
        if self.delta.few {
            self.fill_whole(record);
            return;
        }
        self.note_moved(record);
        if self.delta.take_whole() && MISTAKE != mistake::INACTIVE_TRUSTED {
            self.fill_whole(record);
        }
        if MISTAKE != mistake::TWO_WORD_COMMIT {
            self.fill_inputs(record);
        }
        self.fill_outputs(record);
    }

    /// Marks what this step has moved: in this record, and in the other, which the next commit fills.
    #[inline]
    fn note_moved(&mut self, record: usize) {
        let Self {
            gate,
            inputs,
            outputs,
            delta,
            ..
        } = self;
        for index in gate.inputs.iter() {
            if inputs[index].inlet.has_moved() {
                delta.inputs.mark(record, index);
                if MISTAKE != mistake::LAST_COMMIT_FORGOTTEN {
                    delta.inputs.mark(1 - record, index);
                }
            }
        }
        for index in gate.outputs.iter() {
            if outputs[index].outlet.has_moved() {
                delta.outputs.mark(record, index);
                if MISTAKE != mistake::LAST_COMMIT_FORGOTTEN {
                    delta.outputs.mark(1 - record, index);
                }
            }
        }
    }

    #[inline]
    fn fill_whole(&self, record: usize) {
        if MISTAKE != mistake::TWO_WORD_COMMIT {
            for (index, port) in self.inputs.iter().enumerate() {
                fill_input(&self.records, record, index, port);
            }
        }
        for (index, port) in self.outputs.iter().enumerate() {
            fill_output(&self.records, record, index, port);
        }
    }

    #[inline]
    fn fill_inputs(&mut self, record: usize) {
        let (records, inputs) = (&self.records, &self.inputs);
        self.delta.inputs.settle(record, |index| {
            fill_input(records, record, index, &inputs[index]);
            false
        });
    }

    #[inline]
    fn fill_outputs(&mut self, record: usize) {
        let (records, outputs) = (&self.records, &self.outputs);
        self.delta.outputs.settle(record, |index| {
            let port = &outputs[index];
            fill_output(records, record, index, port);
            // What this commit publishes, the next one that fills this record must not.
            port.outlet.has_moved() && MISTAKE != mistake::RANGE_KEPT
        });
    }

    /// What follows a commit: messages, closes, credit. The used ports are shut on the way.
    #[inline]
    fn show(&mut self, done: bool) -> bool {
        let mut visible = self.publish();
        if !self.owing.is_empty() {
            visible |= self.settle();
        }
        let Self {
            gate,
            inputs,
            owing,
            ..
        } = self;
        for index in gate.inputs.iter() {
            let port = &inputs[index];
            if port.inlet.has_moved() {
                port.inlet.commit();
                visible |= port.inlet.settle(true);
                if !port.owes.get() && port.inlet.owes() {
                    port.owes.set(true);
                    // Within the capacity: a port is there once.
                    owing.push(index as u32);
                }
            }
            port.inlet.shut();
        }
        if done {
            self.close();
        }
        visible | done
    }

    #[inline]
    fn publish(&self) -> bool {
        let mut visible = false;
        for port in self.used_outputs() {
            let moved = port.outlet.has_moved();
            visible |= moved;
            port.outlet.publish();
            if moved && let Some(hinting) = &port.hinting {
                hinting.push();
            }
            port.outlet.shut();
        }
        visible
    }

    fn give_back_early(&self) {
        for port in self.used_inputs() {
            port.inlet.commit();
            port.inlet.give_back();
        }
    }

    /// Tells every peer of a done actor; after its last messages.
    pub(crate) fn close(&self) {
        for port in &self.outputs {
            port.outlet.close();
        }
        // Every link has news for its receiver.
        for hints in &self.hints {
            hints.overflow();
        }
        for port in &self.inputs {
            port.inlet.close();
        }
    }

    /// Whether a step could do more than the last one could: a message, a close that no step has seen, or news of the link
    /// that refused. Reads the shared words; for a partition about to park.
    #[must_use]
    pub fn has_news(&self, refused: Option<usize>) -> bool {
        match refused {
            Some(index) => self.outputs[index].outlet.has_news(),
            None => {
                self.hint_readers.iter().any(|hints| hints.has_unseen())
                    || self.inputs.iter().any(|port| port.has_news())
                    || self.used_outputs().any(|port| port.outlet.has_room_again())
            }
        }
    }
}

/// The places of a word's set bits.
#[inline]
fn bits_of(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            index
        })
    })
}

#[inline]
fn fill_input(records: &Records, record: usize, index: usize, port: &InPort) {
    records
        .in_position(record, index)
        .store(port.inlet.cursor(), Ordering::Relaxed);
}

#[inline]
fn fill_output(records: &Records, record: usize, index: usize, port: &OutPort) {
    records
        .out_from(record, index)
        .store(port.outlet.published(), Ordering::Relaxed);
    records
        .out_to(record, index)
        .store(port.outlet.cursor(), Ordering::Relaxed);
}
