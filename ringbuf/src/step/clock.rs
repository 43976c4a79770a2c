//! The clock as an actor reads it: once a step, and where it can be found again.
//!
//! The first look of a step reads the kernel's clock, every later one of that step gives the same. What was read lies in the
//! actor's own region before the handler has it: of a step that dies it tells what the step had read, so that it can be run
//! again with the same. A step that is tried again, after a refused send or in the next life, reads anew: it counts as if it
//! had never run, and nobody wants the time at which it didn't.
//!
//! | word | writer | pairs |
//! |---|---|---|
//! | monotonic, realtime | the owner, Relaxed | |
//! | monotonic step, realtime step | the owner, Relaxed, after the reading | read once the owner is dead, and reaped |

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{monotonic_ns, nanos, realtime_ns};
use crate::layout::clock_word;
use crate::memory::{PeerWords, Words};
use crate::region::{Region, SectionKind};
use crate::step::gate::Gate;
use crate::step::record::Records;
use crate::word::{AtomicU64, Ordering, compiler_fence};

/// Where clocks of a bus take their readings from.
#[derive(Clone, Debug, Default)]
pub enum ClockSource {
    /// The kernel's clocks.
    #[default]
    System,
    /// A clock that somebody sets.
    Manual(ManualClock),
}

/// A clock that stands still but for being set: virtual time, for tests and simulations. Clones are the same clock. Both readings
/// are 0 at first. Set it between steps: a step that has read it already keeps its reading.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<[AtomicU64; 2]>);

impl ManualClock {
    /// Sets both readings, in nanoseconds, to anything: also back.
    pub fn set(&self, monotonic_ns: u64, realtime_ns: u64) {
        // Relaxed: set between turns, by the thread that runs them.
        self.0[0].store(monotonic_ns, Ordering::Relaxed);
        self.0[1].store(realtime_ns, Ordering::Relaxed);
    }

    /// Lets both go on by `span`; beyond 2^64 - 1 ns they stay there.
    pub fn advance(&self, span: Duration) {
        let [monotonic, realtime] = [0, 1].map(|index| self.read(index));
        let span = nanos(span);
        self.set(
            monotonic.saturating_add(span),
            realtime.saturating_add(span),
        );
    }

    fn read(&self, index: usize) -> u64 {
        self.0[index].load(Ordering::Relaxed)
    }
}

/// One of the two readings: the step of this incarnation that it is of, and what it was.
type Reading = Cell<(u64, u64)>;

/// The clock of one actor: one reading a step.
///
/// A reading is in the actor's region before the step has it; of a step that was killed it says what the step had read. The next
/// try reads anew. The first reading of a step costs one of the kernel's clock, by the vDSO, and two stores. All readings of a
/// bus are of one machine's clocks, so those of different partitions may be compared.
#[derive(Clone)]
pub struct Clock {
    state: Rc<State>,
}

struct State {
    words: Words,
    records: Records,
    gate: Rc<Gate>,
    source: ClockSource,
    monotonic: Reading,
    realtime: Reading,
}

impl Clock {
    pub(super) fn new(words: Words, records: Records, gate: Rc<Gate>, source: ClockSource) -> Self {
        let state = State {
            words,
            records,
            gate,
            source,
            // No step has number 0.
            monotonic: Cell::new((0, 0)),
            realtime: Cell::new((0, 0)),
        };
        Self {
            state: Rc::new(state),
        }
    }

    /// Nanoseconds of `CLOCK_MONOTONIC`, the same throughout a step: for spans and deadlines. It never goes back, and starts
    /// somewhere at each boot.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    #[must_use]
    pub fn now(&self) -> u64 {
        let (step, reading) = self.state.monotonic.get();
        if self.state.is_of_this_step(step) {
            return reading;
        }
        self.state.read_monotonic()
    }

    /// Nanoseconds of `CLOCK_REALTIME` since 1970, the same throughout a step: for what a calendar says. It may be set, and go
    /// back.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    #[must_use]
    pub fn realtime(&self) -> u64 {
        let (step, reading) = self.state.realtime.get();
        if self.state.is_of_this_step(step) {
            return reading;
        }
        self.state.read_realtime()
    }
}

impl State {
    #[inline]
    fn is_of_this_step(&self, step: u64) -> bool {
        step == self.gate.step() && self.gate.is_open()
    }

    fn read_monotonic(&self) -> u64 {
        self.assert_open();
        let reading = match &self.source {
            ClockSource::System => monotonic_ns(),
            ClockSource::Manual(clock) => clock.read(0),
        };
        self.monotonic.set((self.gate.step(), reading));
        self.keep(clock_word::MONOTONIC, clock_word::MONOTONIC_STEP, reading);
        reading
    }

    fn read_realtime(&self) -> u64 {
        self.assert_open();
        let reading = match &self.source {
            ClockSource::System => realtime_ns(),
            ClockSource::Manual(clock) => clock.read(1),
        };
        self.realtime.set((self.gate.step(), reading));
        self.keep(clock_word::REALTIME, clock_word::REALTIME_STEP, reading);
        reading
    }

    fn assert_open(&self) {
        assert!(
            self.gate.is_open(),
            "the clock was read outside of a step: only of a step can the reading be kept"
        );
    }

    /// Keeps a reading where it outlives this process.
    fn keep(&self, word: usize, step_word: usize, reading: u64) {
        let step = self.records.load_control().steps + 1;
        self.words.at(word).store(reading, Ordering::Relaxed);
        // A kill stops between two instructions of one thread: that the compiler keeps their order is enough.
        compiler_fence(Ordering::SeqCst);
        self.words.at(step_word).store(step, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("source", &self.state.source)
            .finish_non_exhaustive()
    }
}

/// What an actor's last look at the clock gave, by the region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockReading {
    /// Nanoseconds of `CLOCK_MONOTONIC`, if step `steps + 1` has read it.
    pub monotonic_ns: Option<u64>,
    /// Nanoseconds of `CLOCK_REALTIME` since 1970, likewise.
    pub realtime_ns: Option<u64>,
}

/// What the step after `steps` committed ones has read of its clock, once its life is over. An earlier try of the same step
/// may have read it, if the last one didn't.
#[must_use]
pub fn read_clock(region: &Region, actor: &str, steps: u64) -> ClockReading {
    let words = region
        .section(SectionKind::Clock, actor)
        .ok()
        .and_then(|entry| PeerWords::new(region.memory(), entry.offset, clock_word::COUNT).ok());
    let Some(words) = words else {
        return ClockReading::default();
    };
    let load = |word| words.load(word, Ordering::Acquire);
    let reading = |step_word, word| (load(step_word) == steps + 1).then(|| load(word));
    ClockReading {
        monotonic_ns: reading(clock_word::MONOTONIC_STEP, clock_word::MONOTONIC),
        realtime_ns: reading(clock_word::REALTIME_STEP, clock_word::REALTIME),
    }
}
