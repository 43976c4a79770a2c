//! The commit of a step, and what follows it.

use crate::layout::record_word;
use crate::slots::Storage as _;
use crate::step::core::{StepCore, bits_of};
use crate::step::mistake;
use crate::step::ports::{InPort, OutPort};
use crate::step::record::{Control, Records};
use crate::word::{Ordering, fence};

impl<const MISTAKE: u8> StepCore<MISTAKE> {
    /// Steps 3 to 6 of the protocol. Returns whether peers were shown anything.
    #[inline]
    pub(crate) fn commit(&mut self, done: bool) -> bool {
        let next = if MISTAKE == mistake::RECORD_IN_PLACE {
            self.control.active
        } else {
            1 - self.control.active
        };
        let bits = self.store_cells();
        let selected = if MISTAKE == mistake::CELL_BITS_LATE {
            self.cell_bits()
        } else {
            bits
        };
        self.fill(next, selected, done);
        self.show_early(done);
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
        if let Some(undo) = &self.undo {
            undo.committed(control.steps);
        }
        self.fill_late(next, bits);
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
        let dirty = self.gate.dirty.get();
        if dirty == 0 && MISTAKE != mistake::UNTOUCHED_CELL_FLIPPED {
            return bits;
        }
        self.gate.dirty.set(0);
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
        if self.gate.opens_all() {
            self.fill_whole(record, bits, done);
            return;
        }
        self.fill_head(record, bits, done);
        self.note_moved(record);
        if self.delta.take_whole() && MISTAKE != mistake::INACTIVE_TRUSTED {
            self.fill_whole(record, bits, done);
        }
        if MISTAKE != mistake::TWO_WORD_COMMIT {
            self.fill_inputs(record);
        }
        if MISTAKE != mistake::RANGES_LATE {
            self.fill_outputs(record);
        }
    }

    #[inline]
    fn fill_head(&self, record: usize, bits: u64, done: bool) {
        let (head, _, _) = self.records.parts(record);
        head[record_word::CELL_BITS].store(bits, Ordering::Relaxed);
        let done = done && MISTAKE != mistake::DONE_OUTSIDE_RECORD;
        head[record_word::DONE].store(u64::from(done), Ordering::Relaxed);
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
    fn fill_whole(&self, record: usize, bits: u64, done: bool) {
        self.fill_head(record, bits, done);
        let (_, positions, ranges) = self.records.parts(record);
        if MISTAKE != mistake::TWO_WORD_COMMIT {
            for (position, port) in positions.iter().zip(&self.inputs) {
                position.store(port.inlet.cursor(), Ordering::Relaxed);
            }
        }
        if MISTAKE != mistake::RANGES_LATE {
            for ([from, to], port) in ranges.iter().zip(&self.outputs) {
                from.store(port.outlet.published(), Ordering::Relaxed);
                to.store(port.outlet.cursor(), Ordering::Relaxed);
            }
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

    /// What follows a commit: messages, closes, credit.
    #[inline]
    fn show(&mut self, done: bool) -> bool {
        let mut visible = self.publish();
        visible |= if self.gate.opens_all() {
            self.settle_each()
        } else if MISTAKE == mistake::CREDIT_PER_ACTOR {
            self.settle_moved()
        } else {
            self.settle_owing() | self.settle_moved()
        };
        if done {
            self.close();
        }
        visible | done
    }

    /// Makes what was received count as consumed, if anything was, and gives back what is due: of an actor with few ports.
    #[inline]
    pub(super) fn settle_each(&self) -> bool {
        let mut visible = false;
        for port in &self.inputs {
            let moved = port.inlet.has_moved();
            port.inlet.commit();
            visible |= port.inlet.settle(moved);
        }
        visible
    }

    /// Makes what was received count as consumed, and gives back what is due of that.
    #[inline]
    fn settle_moved(&mut self) -> bool {
        let mut visible = false;
        for index in self.gate.inputs.iter() {
            let port = &self.inputs[index];
            if port.inlet.has_moved() {
                port.inlet.commit();
                visible |= port.inlet.settle(true);
                if !port.owes.get() && port.inlet.owes() {
                    port.owes.set(true);
                    // Within the capacity: a port is there once.
                    self.owing.push(index as u32);
                }
            }
        }
        visible
    }

    #[inline]
    fn publish(&self) -> bool {
        let mut visible = false;
        self.each_output(|port| {
            if port.outlet.has_moved() {
                visible = true;
                if MISTAKE == mistake::BATCH_SHOWN_IN_PART {
                    port.outlet.publish_last();
                } else {
                    port.outlet.publish();
                }
                if let Some(hinting) = &port.hinting {
                    hinting.push();
                }
            }
        });
        visible
    }

    /// What mistakes show before the commit.
    #[inline]
    fn show_early(&self, done: bool) {
        match MISTAKE {
            mistake::PUBLISH_BEFORE_COMMIT => _ = self.publish(),
            mistake::TAIL_BEFORE_COMMIT => self.publish_tails(),
            mistake::CREDIT_BEFORE_COMMIT => self.give_back_taken(),
            mistake::CLOSE_BEFORE_COMMIT if done => self.close(),
            mistake::MARKED_LATE => {
                for (index, port) in self.inputs.iter().enumerate() {
                    self.in_flight.mark(index).raise(port.inlet.cursor());
                }
            }
            mistake::UNDO_EMPTIED_EARLY => {
                if let Some(undo) = &self.undo {
                    undo.empty();
                }
            }
            _ => {}
        }
    }

    /// What mistakes write into the record after the commit.
    #[inline]
    fn fill_late(&mut self, record: usize, bits: u64) {
        match MISTAKE {
            mistake::TWO_WORD_COMMIT => {
                self.fill_inputs(record);
                // Those that `fill_whole` would have written.
                for (index, port) in self.inputs.iter().enumerate() {
                    fill_input(&self.records, record, index, port);
                }
            }
            mistake::RANGES_LATE => {
                self.fill_outputs(record);
                for (index, port) in self.outputs.iter().enumerate() {
                    fill_output(&self.records, record, index, port);
                }
            }
            mistake::CELL_BITS_LATE => {
                let selects = self.records.cell_bits(record);
                selects.store(bits, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn publish_tails(&self) {
        for port in self.used_outputs() {
            if port.outlet.storage.is_contiguous() {
                port.outlet.publish_staged();
            }
        }
    }

    pub(super) fn give_back_taken(&self) {
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
