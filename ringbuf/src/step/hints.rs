//! Which of many links have something: a ring of link numbers from one partition to another.
//!
//! A receiver of thousands of links can't look at each of them to find the one with a message. Where a partition has many
//! incoming links each partition that sends to it keeps one section of hints in its own region:
//!
//! | word | writer | pairs |
//! |---|---|---|
//! | count | the sending partition, Release | the reader's Acquire: the numbers below it, and what was published before |
//! | number `count % capacity`, ... | the sending partition, Relaxed, after fence(Release) | the reader's fence(Acquire) |
//!
//! A hint follows the publication that it is about, and comes before the waker's look at who sleeps. It may be spurious,
//! never missing: a reader that is a whole ring behind looks at all of that partition's links, and a life of the sender
//! begins by putting every reader so far behind, since the life before may have been killed between a publication and its
//! hint.
//!
//! A number counts the links from that partition to this one, in the order in which their rings lie in the sender's region:
//! whatever a peer writes names one of its own links or none.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use crate::layout::hint_word;
use crate::memory::{PeerWords, RangeError, Words};
use crate::region::{Region, SectionEntry, SectionKind};
use crate::word::{Ordering, Run, Word};

#[cfg(test)]
mod model;

/// The links from `sender` to `receiver`, by their numbers.
pub(crate) fn links_between<'a>(
    sender: &'a Region,
    receiver: &'a Region,
) -> impl Iterator<Item = &'a str> {
    let credits: HashSet<&str> = receiver
        .sections()
        .iter()
        .filter(|section| section.kind == SectionKind::Credit)
        .map(|section| section.name.as_str())
        .collect();
    let sent = sender.sections().iter();
    sent.filter(move |section| {
        section.kind == SectionKind::Ring && credits.contains(section.name.as_str())
    })
    .map(|section| section.name.as_str())
}

/// The section that hints from `sender` to `receiver` lie in, where there is one.
pub(crate) fn section_of<'a>(sender: &'a Region, receiver: &Region) -> Option<&'a SectionEntry> {
    let section = sender.section(SectionKind::Hints, receiver.owner()).ok()?;
    let capacity = section.count;
    let fits = capacity.is_power_of_two()
        && (hint_word::NUMBERS as u64).checked_add(capacity)? * 8 <= section.len as u64;
    fits.then_some(section)
}

/// The writing side, shared by all ports of an incarnation that send to one partition.
#[derive(Debug)]
pub(crate) struct Hints<R = Words> {
    words: R,
    capacity: u64,
}

impl Hints {
    pub(crate) fn new(own: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        let count = hint_word::NUMBERS + section.count as usize;
        Ok(Self {
            words: Words::new(own.memory(), section.offset, count)?,
            capacity: section.count,
        })
    }
}

impl<R: Run> Hints<R> {
    /// Says that link `number` has something.
    #[inline]
    fn push(&self, number: u32) {
        let count = self.words.at(hint_word::COUNT);
        // Ours alone: nobody else writes it.
        let at = count.load(Ordering::Relaxed);
        // Release: a reader that sees the number below finds a count that tells what it overwrote.
        R::Word::fence(Ordering::Release);
        self.words
            .at(hint_word::NUMBERS + (at & (self.capacity - 1)) as usize)
            .store(u64::from(number), Ordering::Relaxed);
        // Release: the number, and what was published before, are visible to whom sees the count.
        count.store(at.wrapping_add(1), Ordering::Release);
    }

    /// Makes every reader look at all links.
    pub(crate) fn overflow(&self) {
        let count = self.words.at(hint_word::COUNT);
        let at = count.load(Ordering::Relaxed);
        count.store(at.wrapping_add(self.capacity + 1), Ordering::Release);
    }
}

/// What a sending port does hints with.
#[derive(Debug)]
pub(crate) struct Hinting {
    pub(crate) hints: Rc<Hints>,
    pub(crate) number: u32,
}

impl Hinting {
    #[inline]
    pub(crate) fn push(&self) {
        self.hints.push(self.number);
    }
}

/// The reading side, of one set of receivers.
#[derive(Debug)]
pub(crate) struct HintReader<R = PeerWords> {
    words: R,
    capacity: u64,
    read: Cell<u64>,
    /// The count at the last look of a partition about to park.
    looked_at: Cell<u64>,
}

impl HintReader {
    /// A reader that has read nothing: it begins by a look at all links.
    pub(crate) fn new(sender: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        let count = hint_word::NUMBERS + section.count as usize;
        let words = PeerWords::new(sender.memory(), section.offset, count)?;
        Ok(Self::over(words, section.count))
    }
}

impl<R: Run> HintReader<R> {
    fn over(words: R, capacity: u64) -> Self {
        let now = words.at(hint_word::COUNT).load(Ordering::Acquire);
        Self {
            words,
            capacity,
            read: Cell::new(now.wrapping_sub(capacity + 1)),
            looked_at: Cell::new(now),
        }
    }

    #[inline]
    fn count(&self, order: Ordering) -> u64 {
        self.words.at(hint_word::COUNT).load(order)
    }

    /// Whether there is a hint that wasn't read.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.count(Ordering::Acquire) != self.read.get()
    }

    /// Whether there is a hint that no look has seen yet. One that the author leaves unread is none, else the partition would
    /// never park.
    pub(crate) fn has_unseen(&self) -> bool {
        let count = self.count(Ordering::Acquire);
        self.looked_at.replace(count) != count && count != self.read.get()
    }

    /// Calls `hint` with each number that is new; false if some were missed and all links have to be looked at. A peer may
    /// have written anything: at most a whole ring of numbers is read, and the caller checks each.
    pub(crate) fn read(&self, mut hint: impl FnMut(u64)) -> bool {
        let from = self.read.get();
        // Acquire: pairs with the store in `push`.
        let to = self.count(Ordering::Acquire);
        if to.wrapping_sub(from) >= self.capacity {
            self.read.set(to);
            return false;
        }
        let mut at = from;
        while at != to {
            let place = hint_word::NUMBERS + (at & (self.capacity - 1)) as usize;
            hint(self.words.at(place).load(Ordering::Relaxed));
            at = at.wrapping_add(1);
        }
        // The numbers were read before this look at the count.
        R::Word::fence(Ordering::Acquire);
        let now = self.count(Ordering::Relaxed);
        self.read.set(to);
        now.wrapping_sub(from) < self.capacity
    }
}
