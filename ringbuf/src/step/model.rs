//! The step under loom: commits, kills at every point of them, recovery, and an observer of the records meanwhile.
//!
//! One actor receives from a ring and sends to another; a cell counts what it has done. Its peers run on a thread of their own,
//! an observer on another. A kill is a life that ends where it stands; the next one begins on the same thread, as the
//! supervisor's wait for the dead orders it. What runs are the ends of `ring/`, the records of `record.rs` and the look of
//! `observe.rs`; the order of a commit and of recovery is written down here once more, as in `core.rs` and `attach.rs`, with
//! a [`Point`] between any two of its parts. The kill harness of airssys-campaign runs those files themselves, on one thread.
//!
//! Rings have one slot where the peers have a thread, so that a slot given back too early is written at once. Executions have at most so many preemptions
//! as each test says, one more where the environment says `AIRSSYS_LOOM=deep`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod scenes;

use loom::sync::Arc;
use loom::thread;

use self::scenes::{Scene, Where};
use crate::memory::LINE_PAIR;
use crate::ring::inlet::{Inlet, Peek};
use crate::ring::model::{LoomWord, Mistake as Storage, Modelled, ring, stage, take};
use crate::ring::outlet::{Outlet, Refusal};
use crate::slots::Storage as _;
use crate::step::observe::attempt;
use crate::step::record::{Control, Records};
use crate::word::{Ordering, Run, Word};

/// Where a life may end: after this part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    Received,
    Staged,
    CellStored,
    HalfFilled,
    Filled,
    Committed,
    Published,
    Closed,
    GivenBack,
}

const POINTS: [Point; 9] = [
    Point::Received,
    Point::Staged,
    Point::CellStored,
    Point::HalfFilled,
    Point::Filled,
    Point::Committed,
    Point::Published,
    Point::Closed,
    Point::GivenBack,
];

/// What is wrong with a step, with recovery or with an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    Nothing,
    /// The control word is stored with no release.
    RelaxedControl,
    /// No fence at the end of a step.
    NoStepFence,
    /// The active record is filled, not the other.
    RecordInPlace,
    /// The cell's selected buffer is written, not the other.
    CellInPlace,
    /// Messages show before the commit.
    PublishBeforeCommit,
    /// Input is given back before the commit.
    CreditBeforeCommit,
    /// The next life reads the other record.
    RecoverInactive,
    /// The next life doesn't publish again.
    NoRepublish,
    /// The next life doesn't close again.
    NoClose,
    /// The observer looks at the control word once.
    OneLook,
}

/// The words of an actor section that aren't padding: the first few of each line pair.
#[derive(Clone)]
struct Section(Arc<Vec<LoomWord>>);

/// Cell bits, done, one input's position and the two of one output.
const USED: usize = 5;

impl Run for Section {
    type Word = LoomWord;

    fn at(&self, index: usize) -> &LoomWord {
        let pair = LINE_PAIR / 8;
        assert!(index % pair < USED, "a word of padding");
        &self.0[index / pair * USED + index % pair]
    }
}

/// Everything of the actor's partition that outlives it.
#[derive(Clone)]
struct Region {
    records: Records<Section>,
    /// Of the cell, one word each.
    buffers: Arc<[LoomWord; 2]>,
    input: Modelled,
    output: Modelled,
    messages: u64,
    mistake: Mistake,
}

/// A life was ended.
struct Killed;

/// When: in which step of the first life, after what.
type Kill = Option<(u64, Point)>;

/// One incarnation.
struct Life<'a> {
    region: &'a Region,
    control: Control,
    inlet: Inlet<Modelled>,
    outlet: Outlet<Modelled>,
    kill: Kill,
}

impl Region {
    fn new(scene: Scene) -> (Self, Outlet<Modelled>, Inlet<Modelled>) {
        let Scene {
            messages,
            mistake,
            peers,
            ..
        } = scene;
        // With room for all, neither ring passes a fence in a step, which would stand for the step's own.
        let capacity = if peers == Where::Aside { 16 } else { 1 };
        let (to, input) = ring(capacity, Storage::Nothing);
        let (output, from) = ring(capacity, Storage::Nothing);
        let control = LoomWord::weak(false, mistake == Mistake::RelaxedControl);
        let words = std::iter::once(control)
            .chain((1..3 * USED).map(|_| LoomWord::new()))
            .collect();
        let region = Self {
            records: Records::over(Section(Arc::new(words)), 1, 1),
            buffers: Arc::new([LoomWord::new(), LoomWord::new()]),
            input: input.storage,
            output: output.storage,
            messages,
            mistake,
        };
        (region, to, from)
    }

    /// One life after the other, until one has come to its end. `idle` is what they do when there is nothing to do.
    fn live(&self, kill: Kill, idle: impl Fn()) {
        if self.life(kill, &idle).is_err() {
            assert!(
                self.life(None, &idle).is_ok(),
                "nobody kills the second life"
            );
        }
    }

    fn life(&self, kill: Kill, idle: &impl Fn()) -> Result<(), Killed> {
        let mut life = Life::recovered(self, kill);
        while !life.is_done() {
            if !life.step()? {
                idle();
            }
        }
        Ok(())
    }

    fn cell(&self, record: usize) -> u64 {
        let bits = self.records.cell_bits(record).load(Ordering::Relaxed);
        self.buffers[(bits & 1) as usize].load(Ordering::Relaxed)
    }

    /// Looks once; what is seen is what one commit left.
    fn observe(&self) {
        let mistake = self.mistake;
        let copy = |control: Control| {
            let record = control.active;
            let words = [
                self.records.in_position(record, 0),
                self.records.out_to(record, 0),
            ];
            let [received, sent] = words.map(|word| word.load(Ordering::Relaxed));
            (control.steps, [received, sent, self.cell(record)])
        };
        let seen = if mistake == Mistake::OneLook {
            Some(copy(self.records.load_control()))
        } else {
            attempt(&self.records, copy)
        };
        if let Some((steps, state)) = seen {
            assert_eq!(state, [steps; 3], "what step {steps} committed");
        }
    }
}

impl<'a> Life<'a> {
    fn recovered(region: &'a Region, kill: Kill) -> Self {
        let records = &region.records;
        let mut control = records.load_control();
        if region.mistake == Mistake::RecoverInactive {
            control.active = 1 - control.active;
        }
        let active = control.active;
        let received = records.in_position(active, 0).load(Ordering::Relaxed);
        let [from, sent] = [records.out_from(active, 0), records.out_to(active, 0)]
            .map(|word| word.load(Ordering::Relaxed));
        let life = Self {
            region,
            control,
            inlet: Inlet::new(region.input.clone(), received, received),
            outlet: Outlet::new(
                region.output.clone(),
                sent,
                sent.saturating_sub(region.output.capacity()),
            ),
            kill,
        };
        if region.mistake != Mistake::NoRepublish {
            life.outlet.publish_range(from, sent);
        }
        life.inlet.give_back();
        if life.is_done() && region.mistake != Mistake::NoClose {
            life.close();
        }
        life
    }

    fn is_done(&self) -> bool {
        let done = self.region.records.done(self.control.active);
        done.load(Ordering::Relaxed) != 0
    }

    fn close(&self) {
        self.outlet.close();
        self.inlet.close();
    }

    fn reaches(&self, point: Point) -> Result<(), Killed> {
        if self.kill == Some((self.control.steps, point)) {
            return Err(Killed);
        }
        Ok(())
    }

    /// One message from the input to the output; false if there was none, or no room.
    fn step(&mut self) -> Result<bool, Killed> {
        self.inlet.open(u64::MAX);
        self.outlet.open();
        let count = self.region.cell(self.control.active);
        match take(&self.inlet) {
            Peek::Ready(at) => assert_eq!(at, count, "as many as were received"),
            Peek::Empty => {
                self.inlet.settle(false);
                return Ok(false);
            }
            other @ (Peek::Limited | Peek::Shut | Peek::Fault(_)) => panic!("{other:?}"),
        }
        self.reaches(Point::Received)?;
        match stage(&self.outlet) {
            Ok(()) => assert_eq!(self.outlet.cursor(), count + 1, "as many as were sent"),
            Err(Refusal::Full) => {
                self.inlet.rewind();
                self.inlet.settle(false);
                return Ok(false);
            }
            Err(other) => panic!("{other:?}"),
        }
        self.reaches(Point::Staged)?;
        self.commit(count + 1)?;
        Ok(true)
    }

    fn commit(&mut self, count: u64) -> Result<(), Killed> {
        let mistake = self.region.mistake;
        let next = if mistake == Mistake::RecordInPlace {
            self.control.active
        } else {
            1 - self.control.active
        };
        self.fill(next, count)?;
        if mistake == Mistake::PublishBeforeCommit {
            self.outlet.publish_range(count - 1, count);
            self.reaches(Point::Published)?;
        }
        if mistake == Mistake::CreditBeforeCommit {
            self.inlet.storage.credit().store(count, Ordering::Release);
            self.reaches(Point::GivenBack)?;
        }
        let control = Control {
            steps: count,
            active: next,
        };
        let word = control.to_word();
        self.region.records.control().store(word, Ordering::Release);
        let step = std::mem::replace(&mut self.control, control);
        self.show(step)
    }

    fn fill(&self, record: usize, count: u64) -> Result<(), Killed> {
        let records = &self.region.records;
        let mut bits = records
            .cell_bits(self.control.active)
            .load(Ordering::Relaxed);
        if self.region.mistake != Mistake::CellInPlace {
            bits ^= 1;
        }
        self.region.buffers[(bits & 1) as usize].store(count, Ordering::Relaxed);
        self.reaches(Point::CellStored)?;
        let done = u64::from(count == self.region.messages);
        records.cell_bits(record).store(bits, Ordering::Relaxed);
        records.done(record).store(done, Ordering::Relaxed);
        let received = self.inlet.cursor();
        records
            .in_position(record, 0)
            .store(received, Ordering::Relaxed);
        self.reaches(Point::HalfFilled)?;
        let [from, to] = [self.outlet.published(), self.outlet.cursor()];
        records.out_from(record, 0).store(from, Ordering::Relaxed);
        records.out_to(record, 0).store(to, Ordering::Relaxed);
        self.reaches(Point::Filled)
    }

    /// What follows the commit; `step` is what the control word said before, by which kills are named.
    fn show(&mut self, step: Control) -> Result<(), Killed> {
        let reaches = |point| match self.kill {
            Some(kill) if kill == (step.steps, point) => Err(Killed),
            _ => Ok(()),
        };
        reaches(Point::Committed)?;
        self.outlet.publish();
        reaches(Point::Published)?;
        self.inlet.commit();
        if self.is_done() {
            self.close();
        }
        reaches(Point::Closed)?;
        self.inlet.settle(true);
        reaches(Point::GivenBack)?;
        if self.region.mistake != Mistake::NoStepFence {
            LoomWord::fence(Ordering::Release);
        }
        Ok(())
    }
}

/// Both peers.
struct Peers {
    to: Outlet<Modelled>,
    from: Inlet<Modelled>,
    messages: u64,
}

impl Peers {
    /// Sends a message if there is room, and takes one if there is one; false if neither.
    fn turn(&self) -> bool {
        let mut moved = false;
        if self.to.published() < self.messages && stage(&self.to).is_ok() {
            self.to.publish();
            moved = true;
        }
        if let Peek::Ready(_) = take(&self.from) {
            self.from.commit();
            self.from.settle(true);
            moved = true;
        }
        moved
    }

    /// Turns until the actor's end shows.
    fn run(&self) {
        while !self.from.is_closed() {
            if !self.turn() {
                thread::yield_now();
            }
        }
        assert_eq!(
            self.from.cursor(),
            self.messages,
            "closed after the last message"
        );
    }
}
