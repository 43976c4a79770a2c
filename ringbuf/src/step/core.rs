//! One actor's step: begin, and commit or abort.

use std::cell::Cell;
use std::rc::Rc;

use crate::layout::cell_buffer_words;
use crate::memory::Words;
use crate::step::cell::{AnyCell, Buffer};
use crate::step::claims::Claimed;
use crate::step::mistake;
use crate::step::ports::{InPort, OutPort};
use crate::step::record::{Control, Records};
use crate::word::{Ordering, fence};

/// Whether the actor is inside a step, and what a port met there. Shared by an actor's ports.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: Cell<bool>,
    refused: Cell<Option<usize>>,
}

impl Gate {
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Notes that the claim of output `index` was refused, which aborts the step.
    pub(crate) fn refuse(&self, index: usize) {
        self.refused.set(Some(index));
    }
}

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

    /// Opens the ports for one step, each receiver for at most `most` messages.
    #[inline]
    pub fn begin(&mut self, most: u64) {
        self.gate.refused.set(None);
        self.gate.open.set(true);
        for port in &self.inputs {
            port.inlet.open(most);
            port.note_close();
        }
        for port in &self.outputs {
            port.outlet.open();
        }
    }

    /// Ends the step: commits or aborts, publishes, and gives back what is due.
    ///
    /// # Errors
    ///
    /// [`StepError`]; then nothing was committed, and the incarnation has to end.
    #[inline]
    pub fn finish(&mut self, verdict: Verdict) -> Result<Outcome, StepError> {
        self.gate.open.set(false);
        let refused = self.gate.refused.get();
        let commit = match verdict {
            // A refused claim aborts the step whatever it returned: a part of its work is missing.
            Verdict::Done => refused.is_none(),
            Verdict::Keep => refused.is_none() && self.is_touched(),
            Verdict::Abort => false,
        };
        let checked = self.check(refused);
        if let Err(error) = checked {
            self.abort();
            self.shut();
            return Err(error);
        }
        if !commit {
            self.abort();
        }
        let mut outcome = Outcome {
            committed: commit,
            visible: false,
            refused,
            limited: self.inputs.iter().any(|port| port.inlet.was_limited()),
        };
        if commit {
            outcome.visible = self.commit(verdict == Verdict::Done);
        } else {
            outcome.visible = self.settle_unmoved();
        }
        self.shut();
        Ok(outcome)
    }

    /// Runs a step that counts in no way: it sees what a step would see, and nothing that it sends, receives or changes, no
    /// latency either, is ever seen. At most credit shows that was due before.
    ///
    /// # Errors
    ///
    /// [`StepError`], as from [`finish`](Self::finish).
    pub fn rehearse(&mut self, most: u64, step: impl FnOnce()) -> Result<Outcome, StepError> {
        self.rehearsing(true);
        self.begin(most);
        step();
        let ended = self.finish(Verdict::Abort);
        self.rehearsing(false);
        ended
    }

    fn rehearsing(&self, rehearses: bool) {
        for port in &self.inputs {
            port.rehearses.set(rehearses);
        }
    }

    /// Ends a step whose handler unwound: nothing of it remains.
    pub fn abandon(&mut self) {
        self.gate.open.set(false);
        self.abort();
        self.shut();
    }

    fn shut(&self) {
        for port in &self.inputs {
            port.inlet.shut();
        }
        for port in &self.outputs {
            port.outlet.shut();
        }
    }

    fn is_touched(&self) -> bool {
        self.inputs
            .iter()
            .any(|port| port.inlet.cursor() != port.inlet.committed())
            || self
                .outputs
                .iter()
                .any(|port| port.outlet.cursor() != port.outlet.published())
            || self.cells.iter().any(|port| port.cell.is_dirty())
    }

    /// What forbids a commit whatever the author says.
    #[inline]
    fn check(&self, refused: Option<usize>) -> Result<(), StepError> {
        for port in &self.inputs {
            if let Some(found) = port.inlet.fault() {
                return Err(port.impossible(found));
            }
        }
        for port in &self.outputs {
            if let Some(found) = port.outlet.fault() {
                return Err(port.impossible(found));
            }
            if port.held.get() {
                return Err(StepError::Leaked {
                    port: port.name.clone(),
                });
            }
        }
        for port in &self.cells {
            if port.cell.is_dirty() && port.cell.is_borrowed() {
                return Err(StepError::Leaked {
                    port: port.cell.name().to_owned(),
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
            .inputs
            .iter()
            .all(|port| port.inlet.cursor() - port.inlet.committed() <= 1);
        if staged == port.capacity() && smallest {
            return Err(StepError::Oversized {
                link: port.name.clone(),
                capacity: port.capacity(),
            });
        }
        Ok(())
    }

    fn abort(&self) {
        for port in &self.inputs {
            port.inlet.rewind();
        }
        for port in &self.outputs {
            port.outlet.rewind();
        }
        let bits = self.cell_bits();
        for (index, port) in self.cells.iter().enumerate() {
            if port.cell.is_dirty() && !port.cell.is_borrowed() {
                port.cell.load(&port.buffer(bits >> index));
                port.cell.clean();
            }
        }
    }

    /// The active record's cell bits: ours to read at any time, nobody else writes them.
    fn cell_bits(&self) -> u64 {
        self.records
            .cell_bits(self.control.active)
            .load(Ordering::Relaxed)
    }

    fn settle_unmoved(&self) -> bool {
        self.inputs
            .iter()
            .fold(false, |given, port| port.inlet.settle(false) | given)
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
            self.fill_positions(next);
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
        for (index, port) in self.cells.iter().enumerate() {
            if port.cell.is_dirty() {
                let other = !(bits >> index);
                if MISTAKE == mistake::CELL_IN_PLACE {
                    port.cell.store(&port.buffer(!other));
                } else {
                    port.cell.store(&port.buffer(other));
                }
                port.cell.clean();
                if MISTAKE != mistake::STALE_CELL && MISTAKE != mistake::CELL_IN_PLACE {
                    bits ^= 1 << index;
                }
            } else if MISTAKE == mistake::UNTOUCHED_CELL_FLIPPED {
                bits ^= 1 << index;
            }
        }
        bits
    }

    /// Fills a record; every word of it.
    #[inline]
    fn fill(&self, record: usize, bits: u64, done: bool) {
        let records = &self.records;
        records.cell_bits(record).store(bits, Ordering::Relaxed);
        let done = done && MISTAKE != mistake::DONE_OUTSIDE_RECORD;
        records
            .done(record)
            .store(u64::from(done), Ordering::Relaxed);
        if MISTAKE != mistake::TWO_WORD_COMMIT {
            self.fill_positions(record);
        }
        for (index, port) in self.outputs.iter().enumerate() {
            records
                .out_from(record, index)
                .store(port.outlet.published(), Ordering::Relaxed);
            records
                .out_to(record, index)
                .store(port.outlet.cursor(), Ordering::Relaxed);
        }
    }

    #[inline]
    fn fill_positions(&self, record: usize) {
        for (index, port) in self.inputs.iter().enumerate() {
            self.records
                .in_position(record, index)
                .store(port.inlet.cursor(), Ordering::Relaxed);
        }
    }

    /// What follows a commit: messages, closes, credit.
    #[inline]
    fn show(&self, done: bool) -> bool {
        let mut visible = self.publish();
        for port in &self.inputs {
            let moved = port.inlet.cursor() != port.inlet.committed();
            port.inlet.commit();
            visible |= port.inlet.settle(moved);
        }
        if done {
            self.close();
        }
        visible | done
    }

    #[inline]
    fn publish(&self) -> bool {
        let mut visible = false;
        for port in &self.outputs {
            visible |= port.outlet.cursor() != port.outlet.published();
            port.outlet.publish();
        }
        visible
    }

    fn give_back_early(&self) {
        for port in &self.inputs {
            port.inlet.commit();
            port.inlet.give_back();
        }
    }

    /// Tells every peer of a done actor; after its last messages.
    pub(crate) fn close(&self) {
        for port in &self.outputs {
            port.outlet.close();
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
                self.inputs.iter().any(|port| port.has_news())
                    || self.outputs.iter().any(|port| port.outlet.has_room_again())
            }
        }
    }
}
