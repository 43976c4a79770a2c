//! Messages that know whether they are whole, in order and meant to be seen.
//!
//! A message's words follow from its link, its sequence number and the *nonce* of the incarnation that sent it. Two
//! incarnations never send the same message: one that was staged by a killed try and slipped out shows in the digests.

use airssys_ringbuf::message;

/// A link of the judged bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its name.
    pub(crate) name: &'static str,
    salt: u64,
}

/// Source to middle, in the order of the source's outputs and the middle's inputs.
pub(crate) const IN: [Link; 2] = [
    Link {
        name: "in",
        salt: 0x1111_1111_1111_1111,
    },
    Link {
        name: "side",
        salt: 0x8888_8888_8888_8888,
    },
];
/// Middle to sink, in the order of the middle's outputs and the sink's inputs.
pub(crate) const OUT: [Link; 2] = [
    Link {
        name: "a",
        salt: 0x2222_2222_2222_2222,
    },
    Link {
        name: "b",
        salt: 0x4444_4444_4444_4444,
    },
];

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const WORDS: usize = 5;

/// What travels on every link.
#[message]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The place on the link that its sender meant, from 0.
    pub(crate) seq: u64,
    /// The incarnation that sent it.
    pub(crate) nonce: u64,
    words: [u64; WORDS],
}

impl Item {
    /// The message with that number, sent by that incarnation.
    #[inline]
    #[must_use]
    pub(crate) fn new(link: Link, seq: u64, nonce: u64) -> Self {
        let mut word = (seq ^ link.salt).wrapping_mul(FACTOR) ^ nonce;
        let mut words = [0; WORDS];
        for place in &mut words {
            word = word.wrapping_mul(FACTOR).rotate_left(23);
            *place = word;
        }
        Self { seq, nonce, words }
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

    /// The flow after `count` messages of one incarnation.
    #[must_use]
    pub(crate) fn of(link: Link, count: u64, nonce: u64) -> Self {
        let mut flow = Self::NONE;
        for _ in 0..count {
            flow.next(link, nonce);
        }
        flow
    }

    /// Makes the next message, and counts it as sent.
    #[inline]
    pub(crate) fn next(&mut self, link: Link, nonce: u64) -> Item {
        let item = Item::new(link, self.count, nonce);
        self.pass(&item);
        item
    }

    /// Counts a received message, and what is wrong with it.
    #[inline]
    pub(crate) fn receive(&mut self, link: Link, item: &Item) {
        self.misordered += u64::from(item.seq != self.count);
        self.torn += u64::from(*item != Item::new(link, item.seq, item.nonce));
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
