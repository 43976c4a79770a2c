//! One receiving end of many links.
//!
//! A queue holds the links that may have something. A link enters it by a hint (`hints.rs`); where nobody hints each step
//! begins by a look at the slot that its next message would lie in. It leaves when a step begins and finds it empty. So what
//! an aborted step has taken is still there for the next one, without anybody having to notice that there was an abort.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use crate::message::Message;
use crate::step::gate::Gate;
use crate::step::hints::HintReader;
use crate::step::receiver::Receiver;

/// The most messages that one link gets before the next has its turn.
const BURST: usize = 32;

/// No link of this end.
const NONE: u32 = u32::MAX;

/// Hints of one sending partition, and which link of this end each number means.
#[derive(Debug)]
pub(crate) struct Hinted {
    pub(crate) reader: Rc<HintReader>,
    pub(crate) links: Box<[u32]>,
}

impl Hinted {
    /// No number means a link yet.
    pub(crate) fn new(reader: Rc<HintReader>, numbers: usize) -> Self {
        Self {
            reader,
            links: vec![NONE; numbers].into(),
        }
    }
}

/// The receiving ends of many links as one port: whichever has a message is received from, and none is starved.
///
/// What is received in a step counts as consumed when the step commits, as with a [`Receiver`]. Messages of one link come in
/// their order; between links there is none.
pub struct Receivers<T: Message> {
    links: Vec<Receiver<T>>,
    gate: Rc<Gate>,
    hinted: Vec<Hinted>,
    /// Links that nobody hints at: looked at in each step.
    scanned: Vec<u32>,
    ready: VecDeque<u32>,
    /// Emptied by the last step that used this port, if that counted: the next one looks.
    emptied: Vec<u32>,
    /// In one of the two queues.
    queued: Box<[bool]>,
    closed: Box<[bool]>,
    open: usize,
    /// What the link at the front has had in this turn.
    burst: usize,
    step: u64,
    /// Not hinted at.
    is_scanned: Box<[bool]>,
    /// Of the scanned ones, whose turn it is to be looked at for its close; all are when a look has found one.
    next_close: usize,
    closes: u64,
}

impl<T: Message> Receivers<T> {
    /// `scanned` are those links that `hinted` doesn't know.
    pub(crate) fn new(
        links: Vec<Receiver<T>>,
        gate: Rc<Gate>,
        hinted: Vec<Hinted>,
        scanned: Vec<u32>,
    ) -> Self {
        let count = links.len();
        let mut is_scanned = vec![false; count];
        for &link in &scanned {
            is_scanned[link as usize] = true;
        }
        Self {
            links,
            is_scanned: is_scanned.into(),
            next_close: 0,
            closes: u64::MAX,
            gate,
            hinted,
            scanned,
            ready: VecDeque::with_capacity(count),
            emptied: Vec::with_capacity(count),
            queued: vec![false; count].into(),
            closed: vec![false; count].into(),
            open: count,
            burst: 0,
            step: 0,
        }
    }

    /// The next message of whichever link has one, copied out, with the link's place; `None` if this step gets no more.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    #[inline]
    pub fn try_recv(&mut self) -> Option<(usize, T)> {
        loop {
            let link = self.front()?;
            if let Some(message) = self.links[link].try_recv() {
                self.took(1);
                return Some((link, message));
            }
            self.leave();
        }
    }

    /// Shows up to `most` messages to `receive`, in place and without a copy, with the place of the link of each, and returns
    /// how many.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn drain(&mut self, most: usize, mut receive: impl FnMut(usize, &T)) -> usize {
        let shown = self.try_drain(most, |link, message| {
            receive(link, message);
            Ok::<(), std::convert::Infallible>(())
        });
        match shown {
            Ok(count) => count,
            Err(never) => match never {},
        }
    }

    /// Like [`drain`](Self::drain), but stops at the first error and returns it, for handlers that send.
    ///
    /// # Errors
    ///
    /// What `receive` returned. The message it returned it for isn't consumed; those before it are, if the step commits.
    ///
    /// # Panics
    ///
    /// Outside of a step.
    pub fn try_drain<E>(
        &mut self,
        most: usize,
        mut receive: impl FnMut(usize, &T) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut shown = 0;
        while shown < most {
            let Some(link) = self.front() else {
                break;
            };
            let share = (most - shown).min(BURST - self.burst);
            let count = self.links[link].try_drain(share, |message| receive(link, message))?;
            shown += count;
            if count < share {
                self.leave();
            } else {
                self.took(count);
            }
        }
        Ok(shown)
    }

    /// The link whose turn it is.
    #[inline]
    fn front(&mut self) -> Option<usize> {
        if self.step != self.gate.step() {
            self.begin();
        }
        if self.ready.is_empty() {
            self.read_hints();
        }
        self.ready.front().map(|&link| link as usize)
    }

    /// The first use in a step.
    fn begin(&mut self) {
        self.step = self.gate.step();
        self.burst = 0;
        for index in 0..self.emptied.len() {
            let link = self.emptied[index];
            self.queued[link as usize] = false;
            self.look(link);
        }
        self.emptied.clear();
        if self.gate.requeues().is_some() {
            self.enter_requeued();
        }
        self.scan();
        self.read_hints();
    }

    /// Enters the link that has a letter to show: it may be closed, or have nothing else.
    #[cold]
    fn enter_requeued(&mut self) {
        let requeued = |link: &Receiver<T>| link.port().requeued().is_some();
        if let Some(place) = self.links.iter().position(requeued)
            && !self.queued[place]
        {
            self.queued[place] = true;
            self.ready.push_front(place as u32);
        }
    }

    /// Looks at the links that nobody hints at. A close lies in a line of its own and comes once: one link a step is looked at
    /// for it.
    #[inline]
    fn scan(&mut self) {
        let closes = self.gate.closes();
        if self.closes != closes {
            self.closes = closes;
            for index in 0..self.scanned.len() {
                self.look(self.scanned[index]);
            }
            return;
        }
        for &link in &self.scanned {
            let place = link as usize;
            if self.links[place].is_ready() && !self.queued[place] && !self.closed[place] {
                self.queued[place] = true;
                self.ready.push_back(link);
            }
        }
        if let Some(&link) = self.scanned.get(self.next_close) {
            self.next_close += 1;
            self.look(link);
        } else {
            self.next_close = 0;
        }
    }

    /// Enters a link that has something, and notes one that never will. A link that this step has taken from is in a queue, or
    /// isn't looked at again before the next one.
    #[inline]
    fn look(&mut self, link: u32) {
        let place = link as usize;
        if self.queued[place] || self.closed[place] {
            return;
        }
        if self.links[place].is_ready() {
            self.queued[place] = true;
            self.ready.push_back(link);
        } else if self.links[place].is_closed() {
            self.closed[place] = true;
            self.open -= 1;
        }
    }

    fn read_hints(&mut self) {
        for index in 0..self.hinted.len() {
            if self.hinted[index].reader.has_news() {
                self.read_hints_of(index);
            }
        }
    }

    fn read_hints_of(&mut self, index: usize) {
        let Self {
            hinted,
            ready,
            queued,
            closed,
            ..
        } = self;
        let peer = &hinted[index];
        // A number that the peer has no link for means nothing.
        let complete = peer.reader.read(|number| {
            let number = usize::try_from(number).ok();
            let link = number.and_then(|number| peer.links.get(number));
            if let Some(&link) = link.filter(|&&link| link != NONE) {
                let place = link as usize;
                if !queued[place] && !closed[place] {
                    queued[place] = true;
                    ready.push_back(link);
                }
            }
        });
        if !complete {
            for number in 0..self.hinted[index].links.len() {
                let link = self.hinted[index].links[number];
                if link != NONE {
                    self.look(link);
                }
            }
        }
    }

    /// The front link has had so many messages; when it has had its share it goes to the back.
    #[inline]
    fn took(&mut self, count: usize) {
        self.burst += count;
        if self.burst >= BURST {
            self.burst = 0;
            self.ready.rotate_left(1);
        }
    }

    /// The front link has nothing more for this step.
    fn leave(&mut self) {
        self.burst = 0;
        let Some(place) = self.ready.pop_front() else {
            return;
        };
        if self.is_scanned[place as usize] {
            self.queued[place as usize] = false;
        } else {
            self.emptied.push(place);
        }
    }

    /// How many links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are no links.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether every sender has ended, and a step has begun with nothing left on any link: the one after that which received
    /// the last message. Known from this step's first look for messages on.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.open == 0
    }

    /// Messages received on link `link`, this step's included.
    ///
    /// # Panics
    ///
    /// If there is no such link.
    #[must_use]
    pub fn received(&self, link: usize) -> u64 {
        self.links[link].received()
    }

    /// The name of link `link`.
    ///
    /// # Panics
    ///
    /// If there is no such link.
    #[must_use]
    pub fn name(&self, link: usize) -> &str {
        self.links[link].name()
    }
}

impl<T: Message> fmt::Debug for Receivers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receivers")
            .field("links", &self.links.len())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
