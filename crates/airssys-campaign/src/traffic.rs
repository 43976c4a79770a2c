//! Messages that know whether they are whole, in order and meant to be seen.
//!
//! A message's words follow from its link, its sequence number and the *nonce* of the incarnation that sent it. Two
//! incarnations never send the same message: one that was staged by a killed try and slipped out shows in the digests.

use airssys_ringbuf::layout::SCANNED_LINKS_MAX;
use airssys_ringbuf::message;

/// The most links into an actor, or out of it: one more than a receiver scans, so that its senders hint.
pub(crate) const LINKS_MAX: usize = SCANNED_LINKS_MAX + 1;

/// A link of the judged bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: &'static str,
    salt: u64,
}

/// Source to middle, in the order of the source's outputs and the middle's inputs.
pub(crate) const IN: [Link; LINKS_MAX] = links(
    &[
        "in", "side", "in-2", "in-3", "in-4", "in-5", "in-6", "in-7", "in-8", "in-9", "in-10",
        "in-11", "in-12", "in-13", "in-14", "in-15", "in-16",
    ],
    0x1111_1111_1111_1111,
);
/// Middle to sink, in the order of the middle's outputs and the sink's inputs.
pub(crate) const OUT: [Link; LINKS_MAX] = links(
    &[
        "a", "b", "out-2", "out-3", "out-4", "out-5", "out-6", "out-7", "out-8", "out-9", "out-10",
        "out-11", "out-12", "out-13", "out-14", "out-15", "out-16",
    ],
    0x2222_2222_2222_2222,
);

const fn links(names: &[&'static str; LINKS_MAX], salt: u64) -> [Link; LINKS_MAX] {
    let mut links = [Link { name: "", salt }; LINKS_MAX];
    let mut index = 0;
    while index < LINKS_MAX {
        links[index].name = names[index];
        links[index].salt = salt.wrapping_mul(2 * index as u64 + 1).rotate_left(7);
        index += 1;
    }
    links
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const WORDS: usize = 4;

/// What travels on every link.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The place on the link that its sender meant, from 0.
    pub(crate) seq: u64,
    /// The incarnation that sent it.
    pub(crate) nonce: u64,
    /// Which received message it answers; 0 for none.
    pub(crate) answers: u64,
    words: [u64; WORDS],
}

impl Item {
    /// The message with that number, sent by that incarnation, which answers none.
    #[inline]
    #[must_use]
    pub(crate) fn new(link: Link, seq: u64, nonce: u64) -> Self {
        Self::answering(link, seq, nonce, 0)
    }

    #[inline]
    fn answering(link: Link, seq: u64, nonce: u64, answers: u64) -> Self {
        let mut word = (seq ^ link.salt).wrapping_mul(FACTOR) ^ nonce;
        word = word.wrapping_mul(FACTOR) ^ answers;
        let mut words = [0; WORDS];
        for place in &mut words {
            word = word.wrapping_mul(FACTOR).rotate_left(23);
            *place = word;
        }
        Self {
            seq,
            nonce,
            answers,
            words,
        }
    }
}

/// Which received messages were answered, on whatever link.
#[message]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// How many.
    pub(crate) count: u64,
    /// A digest of which; their order doesn't matter.
    pub(crate) digest: u64,
}

impl Answers {
    /// None yet.
    pub(crate) const NONE: Self = Self {
        count: 0,
        digest: 0,
    };

    /// What an answer to message `seq` of `link` carries.
    #[inline]
    #[must_use]
    pub(crate) fn to(link: Link, seq: u64) -> u64 {
        ((seq ^ link.salt).wrapping_mul(FACTOR).rotate_left(31) ^ seq).max(1)
    }

    /// Counts the answer that carries `answers`; 0 is none.
    #[inline]
    pub(crate) fn add(&mut self, answers: u64) {
        self.count += u64::from(answers != 0);
        self.digest = self
            .digest
            .wrapping_add(answers.wrapping_mul(FACTOR) ^ (answers >> 29));
    }
}

/// What has passed one end of a link: part of that end's durable state.
#[message]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Messages.
    pub(crate) count: u64,
    /// A digest of them and of their order.
    pub(crate) digest: u64,
    /// Received messages that weren't the next one.
    pub(crate) misordered: u64,
    /// Received messages that weren't as they were sent.
    pub(crate) torn: u64,
}

impl Flow {
    /// Nothing has passed yet.
    pub(crate) const NONE: Self = Self {
        count: 0,
        digest: 0,
        misordered: 0,
        torn: 0,
    };

    /// Makes the next message, which answers none, and counts it as sent.
    #[inline]
    pub(crate) fn next(&mut self, link: Link, nonce: u64) -> Item {
        self.answer(link, nonce, 0)
    }

    /// Makes the next message, which carries `answers`, and counts it as sent.
    #[inline]
    pub(crate) fn answer(&mut self, link: Link, nonce: u64, answers: u64) -> Item {
        let item = Item::answering(link, self.count, nonce, answers);
        self.pass(&item);
        item
    }

    /// Counts a received message, and what is wrong with it.
    #[inline]
    pub(crate) fn receive(&mut self, link: Link, item: &Item) {
        self.misordered += u64::from(item.seq != self.count);
        let whole = Item::answering(link, item.seq, item.nonce, item.answers);
        self.torn += u64::from(*item != whole);
        self.pass(item);
    }

    #[inline]
    fn pass(&mut self, item: &Item) {
        self.count += 1;
        self.digest = (self.digest ^ item.words[0])
            .wrapping_mul(FACTOR)
            .rotate_left(29);
    }
}
