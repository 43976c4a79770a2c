//! Which messages an actor has in work, for those who look when it has died.
//!
//! ```text
//! life begins: incarnation = 0; to[i] = in_position[i]; incarnation = its number
//! receive:     to[i] = position + 1, before the handler gets the message
//! commit:      in_position catches up with to
//! abort:       to[i] = in_position[i]
//! ```
//!
//! In work is `in_position[i]..to[i]`, by the active record. It blames only if `incarnation` is the life that died: what an
//! earlier one left says nothing about this one.
//!
//! One core writes all of it, so nothing but the compiler could reorder it against the handler: a death is an event on that
//! core, and what came before it in the program has been stored.

use std::ops::Range;
use std::sync::Arc;

use crate::layout::{in_flight_at, in_flight_word, in_flight_words};
use crate::memory::{Memory, PeerWords, RangeError, Words};
use crate::region::{Region, SectionKind};
use crate::step::mistake;
use crate::step::observe::{ObserveError, records_of, stable};
use crate::step::record::Records;
use crate::word::{Ordering, compiler_fence};

/// The words in flight of one actor.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    words: Words,
    inputs: usize,
}

impl InFlight {
    /// Those of the actor section at byte `offset`.
    pub(crate) fn new(
        memory: &Arc<Memory>,
        offset: usize,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, RangeError> {
        let first = offset + 8 * in_flight_at(inputs, outputs);
        let words = Words::new(memory, first, in_flight_words(inputs))?;
        Ok(Self { words, inputs })
    }

    /// Begins an incarnation, with nothing in work.
    pub(crate) fn begin<const MISTAKE: u8>(
        &self,
        records: &Records,
        active: usize,
        incarnation: u64,
    ) {
        let owner = self.words.at(in_flight_word::INCARNATION);
        let nobody = if MISTAKE == mistake::LIFE_NAMED_FIRST {
            incarnation
        } else {
            0
        };
        owner.store(nobody, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        for input in 0..self.inputs {
            let received = records.in_position(active, input).load(Ordering::Relaxed);
            self.mark(input).raise(received);
        }
        owner.store(incarnation, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }

    /// A mark that nobody reads: the last word, which is beyond all inputs of whoever plants a mistake.
    pub(crate) fn no_mark(&self) -> Mark {
        Mark {
            words: self.words.clone(),
            place: in_flight_words(self.inputs) - 1,
        }
    }

    /// The mark of one input.
    pub(crate) fn mark(&self, input: usize) -> Mark {
        Mark {
            words: self.words.clone(),
            place: in_flight_word::TO + input,
        }
    }
}

/// How far one input's messages have been shown to the handler.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    words: Words,
    place: usize,
}

impl Mark {
    /// Says so, before anything that follows.
    #[inline]
    pub(crate) fn raise(&self, to: u64) {
        self.words.at(self.place).store(to, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

/// What an actor has in work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InWork {
    /// Whose work it is: the life of the partition. 0 if no life's: one has just begun, or nobody is to be blamed.
    pub incarnation: u64,
    /// By input: the positions that its handler has been shown and no commit counts. Numbers that a peer wrote: any two, in
    /// order.
    pub inputs: Vec<Range<u64>>,
}

/// What `actor`, which has so many inputs and outputs, has in work. Exact once the life that it names is over; of one that
/// goes on it is as old as the look.
///
/// # Errors
///
/// [`ObserveError`].
pub fn in_work(
    region: &Region,
    actor: &str,
    inputs: usize,
    outputs: usize,
) -> Result<InWork, ObserveError> {
    let records = records_of(region, actor, inputs, outputs)?;
    let entry = region.section(SectionKind::Actor, actor)?;
    let first = entry.offset + 8 * in_flight_at(inputs, outputs);
    let words = PeerWords::new(region.memory(), first, in_flight_words(inputs));
    let words = words.map_err(|problem| ObserveError::Section {
        region: region.owner().to_owned(),
        problem,
    })?;
    stable(&records, actor, |control| {
        let range = |input| {
            let from = records
                .in_position(control.active, input)
                .load(Ordering::Relaxed);
            let to = words.load(in_flight_word::TO + input, Ordering::Relaxed);
            // A commit may come between the two, and then `to` may be the older one.
            from..to.max(from)
        };
        InWork {
            incarnation: words.load(in_flight_word::INCARNATION, Ordering::Relaxed),
            inputs: (0..inputs).map(range).collect(),
        }
    })
}
