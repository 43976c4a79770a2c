//! Words of the middle's region that never go back, whoever was killed when.

use airssys_ringbuf::region::SectionKind;

use crate::actors::{IN, MIDDLE, OUT};
use crate::bus::Place;
use crate::failure::{Failure, ensure};

/// The words, and what they last were.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    what: String,
    offset: usize,
    last: u64,
}

impl Watch {
    /// Over the control word, the credits, and both rings' sequence and close words.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if `middle` isn't the middle's.
    pub(crate) fn new(middle: &Place) -> Result<Self, Failure> {
        let mut words = vec![Word::new(
            "the control word",
            middle.offset(SectionKind::Actor, MIDDLE)?,
        )];
        for link in IN {
            words.push(Word::new(
                format!("the credit of `{}`", link.name),
                middle.offset(SectionKind::Credit, link.name)?,
            ));
        }
        for link in OUT {
            let close = middle.offset(SectionKind::Ring, link.name)?;
            words.push(Word::new(format!("the close of `{}`", link.name), close));
            for (slot, offset) in middle.sequences(link.name)?.into_iter().enumerate() {
                let what = format!("the sequence word of slot {slot} of `{}`", link.name);
                words.push(Word::new(what, offset));
            }
        }
        Ok(Self { words })
    }

    /// Looks at a later image.
    ///
    /// # Errors
    ///
    /// [`Failure::Violated`] if a word went back.
    pub(crate) fn look(&mut self, image: &[u8]) -> Result<(), Failure> {
        for word in &mut self.words {
            let now = word_at(image, word.offset);
            ensure!(
                now >= word.last,
                "{} went back from {} to {now}",
                word.what,
                word.last
            );
            word.last = now;
        }
        Ok(())
    }
}

impl Word {
    fn new(what: impl Into<String>, offset: usize) -> Self {
        Self {
            what: what.into(),
            offset,
            last: 0,
        }
    }
}

/// The word at a byte offset of an image.
pub(crate) fn word_at(image: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&image[offset..offset + 8]);
    u64::from_ne_bytes(word)
}
