//! The commit records of one actor, as words.

use std::sync::Arc;

use crate::layout::{CONTROL_WORDS, actor_words, record_word, record_words};
use crate::memory::{Memory, RangeError, Words};
use crate::word::{AtomicU64, Ordering, Run, Word as _};

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
    /// Where each record begins.
    firsts: [usize; 2],
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
        let words = Words::any(memory, offset, actor_words(inputs, outputs))?;
        Ok(Self::over(words, inputs, outputs))
    }

    /// A record's words up to the positions, those of the inputs, and two of each output: one check of their place for all.
    #[inline]
    pub(crate) fn parts(&self, record: usize) -> (&[AtomicU64], &[AtomicU64], &[[AtomicU64; 2]]) {
        let words = &self.words.as_slice()[self.firsts[record & 1]..];
        let (head, words) = words.split_at(record_word::POSITIONS);
        let (inputs, words) = words.split_at(self.inputs);
        (head, inputs, words[..2 * self.outputs].as_chunks().0)
    }
}

impl<R: Run> Records<R> {
    /// The records in a run of [`actor_words`].
    pub(crate) fn over(words: R, inputs: usize, outputs: usize) -> Self {
        Self {
            words,
            firsts: [0, 1].map(|record| CONTROL_WORDS + record * record_words(inputs, outputs)),
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
        self.words.at(self.firsts[record] + index)
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
