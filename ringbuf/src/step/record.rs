//! The commit records of one actor, as words.

use std::sync::Arc;

use crate::layout::{CONTROL_WORDS, in_flight_at, record_word, record_words};
use crate::memory::{Memory, RangeError, Words};
use crate::word::{Ordering, Run, Word as _};

/// The control word's two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) steps: u64,
    pub(crate) active: usize,
}

impl Control {
    #[inline]
    pub(crate) fn from_word(word: u64) -> Self {
        Self {
            steps: word >> 1,
            active: (word & 1) as usize,
        }
    }

    #[inline]
    pub(crate) fn to_word(self) -> u64 {
        (self.steps << 1) | self.active as u64
    }
}

/// A position that no link reaches in a lifetime: sums with a capacity stay in a word below it.
const POSITION_MAX: u64 = 1 << 62;

/// Control word and both records of an actor section, over mapped words or modelled ones.
#[derive(Clone, Debug)]
pub(crate) struct Records<R = Words> {
    words: R,
    inputs: usize,
    outputs: usize,
}

impl Records {
    /// The records at byte `offset` of a span that may be read-only: then only loads are made.
    pub(crate) fn new(
        memory: &Arc<Memory>,
        offset: usize,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, RangeError> {
        let words = Words::any(memory, offset, in_flight_at(inputs, outputs))?;
        Ok(Self::over(words, inputs, outputs))
    }
}

impl<R: Run> Records<R> {
    /// The records in a run of as many words as lie before those [in flight](in_flight_at).
    pub(crate) fn over(words: R, inputs: usize, outputs: usize) -> Self {
        Self {
            words,
            inputs,
            outputs,
        }
    }

    #[inline]
    pub(crate) fn control(&self) -> &R::Word {
        self.words.at(0)
    }

    /// Loads the control word and everything that was stored before it.
    #[inline]
    pub(crate) fn load_control(&self) -> Control {
        Control::from_word(self.control().load(Ordering::Acquire))
    }

    #[inline]
    fn word(&self, record: usize, index: usize) -> &R::Word {
        let first = CONTROL_WORDS + record * record_words(self.inputs, self.outputs);
        self.words.at(first + index)
    }

    #[inline]
    pub(crate) fn cell_bits(&self, record: usize) -> &R::Word {
        self.word(record, record_word::CELL_BITS)
    }

    #[inline]
    pub(crate) fn done(&self, record: usize) -> &R::Word {
        self.word(record, record_word::DONE)
    }

    #[inline]
    pub(crate) fn in_position(&self, record: usize, input: usize) -> &R::Word {
        debug_assert!(input < self.inputs);
        self.word(record, record_word::POSITIONS + input)
    }

    #[inline]
    pub(crate) fn out_from(&self, record: usize, output: usize) -> &R::Word {
        debug_assert!(output < self.outputs);
        self.word(record, record_word::POSITIONS + self.inputs + 2 * output)
    }

    #[inline]
    pub(crate) fn out_to(&self, record: usize, output: usize) -> &R::Word {
        debug_assert!(output < self.outputs);
        self.word(
            record,
            record_word::POSITIONS + self.inputs + 2 * output + 1,
        )
    }

    /// How far the output has come, or what can't be about it: recovery publishes a record's range again, which has to have an
    /// end.
    pub(crate) fn sent(
        &self,
        record: usize,
        output: usize,
        (link, capacity): (&str, u64),
    ) -> Result<u64, String> {
        let from = self.out_from(record, output).load(Ordering::Relaxed);
        let to = self.out_to(record, output).load(Ordering::Relaxed);
        let possible = to.checked_sub(from).is_some_and(|sent| sent <= capacity);
        if possible && to <= POSITION_MAX {
            Ok(to)
        } else {
            Err(format!(
                "by its record one step sent messages {from} to {to} of `{link}`, which holds {capacity}"
            ))
        }
    }

    /// How far the input has come, or what can't be about it.
    pub(crate) fn received(&self, record: usize, input: usize, link: &str) -> Result<u64, String> {
        let received = self.in_position(record, input).load(Ordering::Relaxed);
        if received <= POSITION_MAX {
            Ok(received)
        } else {
            Err(format!(
                "by its record {received} messages of `{link}` were received, more than can have been sent"
            ))
        }
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }
}
