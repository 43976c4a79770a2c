//! The limit: what two cores can do at all, with nothing but the words themselves.
//!
//! - `Bounce`: one side stores a word and the other, which spins on its cache line, answers by a word of the same line. After
//!   some round trips the next line of as many as a ring has takes its place: how far a line is to fetch depends on its address.
//! - `Stream`: line after line of a ring is stored, each with a word that says that it is there; the receiver says every
//!   eighth of the ring how far it has come.
//!
//! Words are stored one by one, as safe code can: a whole line takes eight stores.

use std::sync::atomic::{AtomicU64, Ordering};

use airssys_ringbuf::memory::{LINE_PAIR, Words};

use crate::Result;
use crate::control::map;
use crate::message::{STOP, value};
use crate::subject::{Ends, Mapped, Place, Rx, Subject, Tx, attached};

const LINE: usize = 64;
const LINE_WORDS: usize = LINE / 8;

/// What is stored for a number: zero is what is there before the first, and one is what the highest number comes to.
fn stored(number: u64) -> u64 {
    number.wrapping_add(2)
}

/// Round trips of one line before the next has its turn.
const TRIPS: u64 = 256;

/// Ping-pong of one cache line.
#[derive(Debug)]
pub(crate) struct Bounce;

/// A word of each line: both channels of a measurement lie in the same lines.
#[derive(Debug)]
pub(crate) struct BounceEnd {
    words: Words,
    word: usize,
    mask: u64,
    /// The next message.
    at: u64,
}

impl BounceEnd {
    fn attach(place: &Place) -> Result<Self> {
        let lines = place.slots(LINE);
        let memory = map(&place.files.path("lines"), lines * LINE)?;
        Ok(Self {
            words: Words::new(&memory, 0, lines * LINE_WORDS)?,
            word: usize::from(place.name == "back"),
            mask: lines as u64 - 1,
            at: 0,
        })
    }

    #[inline]
    fn current(&self) -> &AtomicU64 {
        let line = ((self.at / TRIPS) & self.mask) as usize;
        self.words.at(line * LINE_WORDS + self.word)
    }
}

impl Tx<1> for BounceEnd {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; 1])) -> bool {
        let [number] = value(write);
        self.current().store(stored(number), Ordering::Release);
        self.at += 1;
        true
    }
}

impl Rx<1> for BounceEnd {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; 1])) -> usize {
        let found = self.current().load(Ordering::Acquire);
        if found != stored(self.at) && found != stored(STOP) {
            return 0;
        }
        see(&[found.wrapping_sub(stored(0))]);
        self.at += 1;
        1
    }
}

impl Subject<1> for Bounce {
    type Tx = BounceEnd;
    type Rx = BounceEnd;

    fn channel(place: &Place) -> Result<Ends<BounceEnd, BounceEnd>> {
        Ok(attached::<Self, 1>(place))
    }
}

impl Mapped<1> for Bounce {
    fn sender(place: &Place) -> Result<BounceEnd> {
        BounceEnd::attach(place)
    }

    fn receiver(place: &Place) -> Result<BounceEnd> {
        BounceEnd::attach(place)
    }
}

/// One-way streaming of lines: `W` words and the one that says that they are there.
#[derive(Debug)]
pub(crate) struct Stream;

#[derive(Debug)]
pub(crate) struct StreamEnd {
    lines: Words,
    credit: Words,
    mask: u64,
    /// The next line.
    at: u64,
    /// What the other side was last seen, or told, to have given back.
    given: u64,
}

impl StreamEnd {
    fn attach(place: &Place) -> Result<Self> {
        let lines = place.slots(LINE);
        let memory = map(&place.path(), LINE_PAIR + lines * LINE)?;
        Ok(Self {
            credit: Words::new(&memory, 0, 1)?,
            lines: Words::new(&memory, LINE_PAIR, lines * LINE_WORDS)?,
            mask: lines as u64 - 1,
            at: 0,
            given: 0,
        })
    }

    #[inline]
    fn line(&self) -> &[AtomicU64; LINE_WORDS] {
        let (lines, _) = self.lines.as_slice().as_chunks::<LINE_WORDS>();
        &lines[(self.at & self.mask) as usize]
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        if self.at <= self.given + self.mask {
            return true;
        }
        self.given = self.credit.at(0).load(Ordering::Acquire);
        self.at <= self.given + self.mask
    }

    #[inline]
    fn give_back(&mut self, least: u64) {
        if self.at - self.given >= least {
            self.given = self.at;
            self.credit.at(0).store(self.at, Ordering::Release);
        }
    }
}

impl<const W: usize> Tx<W> for StreamEnd {
    #[inline]
    fn try_send(&mut self, write: impl Fn(&mut [u64; W])) -> bool {
        if !self.has_room() {
            return false;
        }
        let words = value(write);
        let line = self.line();
        if W > 1 {
            for (place, word) in line[..LINE_WORDS - 1].iter().zip(words) {
                place.store(word, Ordering::Relaxed);
            }
        }
        // The line's number; of a message of one word it is the message.
        let told = if W > 1 { self.at } else { words[0] };
        line[LINE_WORDS - 1].store(stored(told), Ordering::Release);
        self.at += 1;
        true
    }
}

impl<const W: usize> Rx<W> for StreamEnd {
    #[inline]
    fn try_recv(&mut self, mut see: impl FnMut(&[u64; W])) -> usize {
        let line = self.line();
        let told = line[LINE_WORDS - 1].load(Ordering::Acquire);
        // The difference and not equality: else the next line's place would depend on what was loaded.
        let behind = told.wrapping_sub(stored(self.at)).cast_signed() < 0;
        if behind && (W > 1 || told != stored(STOP)) {
            self.give_back(1);
            return 0;
        }
        if W > 1 {
            see(&std::array::from_fn(|index| {
                line[index % LINE_WORDS].load(Ordering::Relaxed)
            }));
        } else {
            see(&[if behind { STOP } else { self.at }; W]);
        }
        self.at += 1;
        self.give_back(self.mask / 8 + 1);
        1
    }
}

impl<const W: usize> Subject<W> for Stream {
    type Tx = StreamEnd;
    type Rx = StreamEnd;

    fn channel(place: &Place) -> Result<Ends<StreamEnd, StreamEnd>> {
        Ok(attached::<Self, W>(place))
    }
}

impl<const W: usize> Mapped<W> for Stream {
    fn sender(place: &Place) -> Result<StreamEnd> {
        StreamEnd::attach(place)
    }

    fn receiver(place: &Place) -> Result<StreamEnd> {
        StreamEnd::attach(place)
    }
}
