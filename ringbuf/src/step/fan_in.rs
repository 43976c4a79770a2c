//! One receiving end of many links.
//!
//! A queue holds the links that may have something. A link enters it by a hint (`hints.rs`), or at each step where nobody
//! hints; it leaves when a visit finds it empty and this step has taken nothing from it. So what an aborted step has taken is
//! still in the queue for the next one, without anybody having to notice that there was an abort.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use crate::message::Message;
use crate::step::gate::Gate;
use crate::step::hints::HintReader;
use crate::step::ports::Receiver;

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
    /// Emptied in this step, to be visited again in the next.
    emptied: Vec<u32>,
    /// In one of the two queues.
    queued: Box<[bool]>,
    closed: Box<[bool]>,
    open: usize,
    /// What the link at the front has had in this turn.
    burst: usize,
    step: u64,
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
        Self {
            links,
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
        self.ready.extend(self.emptied.drain(..));
        self.read_hints();
        for index in 0..self.scanned.len() {
            self.enter(self.scanned[index]);
        }
    }

    fn read_hints(&mut self) {
        let Self {
            hinted,
            ready,
            queued,
            closed,
            ..
        } = self;
        for peer in hinted.iter().filter(|peer| peer.reader.has_news()) {
            let mut enter = |link: u32| enter(ready, queued, closed, link);
            // A number that the peer has no link for means nothing.
            let complete = peer.reader.read(|number| {
                let link = usize::try_from(number).ok();
                if let Some(&link) = link.and_then(|number| peer.links.get(number)) {
                    enter(link);
                }
            });
            if !complete {
                peer.links.iter().copied().for_each(enter);
            }
        }
    }

    fn enter(&mut self, link: u32) {
        enter(&mut self.ready, &mut self.queued, &self.closed, link);
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
        let link = &self.links[place as usize];
        if link.has_moved() || link.is_ready() {
            self.emptied.push(place);
            return;
        }
        self.queued[place as usize] = false;
        if link.is_closed() {
            self.closed[place as usize] = true;
            self.open -= 1;
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

    /// Whether every sender has ended, and a step that received nothing more has found each link empty.
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

#[inline]
fn enter(ready: &mut VecDeque<u32>, queued: &mut [bool], closed: &[bool], link: u32) {
    let place = link as usize;
    if link != NONE && !queued[place] && !closed[place] {
        queued[place] = true;
        ready.push_back(link);
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
