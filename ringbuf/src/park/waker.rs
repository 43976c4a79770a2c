//! A partition's waking of others.
//!
//! A waker writes doorbells of its own region and loads its peers' `parked`.

use std::cell::Cell;
use std::fmt;

use rustix::thread::futex;

use crate::layout::pulse_word;
use crate::memory::{Access, Bells, PeerWords, RangeError};
use crate::park::barrier::{Barrier, WakerBarrier};
use crate::park::{ARMED, ASLEEP, wake};
use crate::region::{Region, SectionEntry};
use crate::word::Ordering;

/// A partition's ability to wake its peers.
#[derive(Debug)]
pub struct Waker {
    bells: Bells,
    barrier: WakerBarrier,
    peers: Vec<Peer>,
}

type Notify = Box<dyn Fn() -> bool + Send>;

/// Somebody who may park.
struct Peer {
    parked: PeerWords,
    /// Which of our doorbells it listens to.
    bell: usize,
    /// The last of its sleeps that this waker rang for. Not a sleep at first.
    last: Cell<u64>,
    notify: Option<Notify>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("bell", &self.bell)
            .field("last", &self.last)
            .field("notified", &self.notify.is_some())
            .finish_non_exhaustive()
    }
}

impl Waker {
    /// A waker that rings the doorbells of its own region. `barrier` is the bus's, the same for all its parties; this process
    /// is registered with the kernel where it asks for that.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section is too small for its count.
    ///
    /// # Panics
    ///
    /// If the region is mapped read-only.
    pub fn new(own: &Region, bells: &SectionEntry, barrier: Barrier) -> Result<Self, RangeError> {
        assert!(
            own.memory().access() == Access::ReadWrite,
            "doorbells are rung in one's own region"
        );
        Ok(Self {
            bells: Bells::new(own.memory(), bells.offset, bells.count as usize)?,
            barrier: WakerBarrier::new(barrier),
            peers: Vec::new(),
        })
    }

    /// Adds a peer that may park: its pulse section, and which of our doorbells it listens to.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if its pulse section is too small.
    pub fn add(
        &mut self,
        sleeper: &Region,
        pulse: &SectionEntry,
        index: usize,
    ) -> Result<(), RangeError> {
        self.add_peer(sleeper, pulse, index, None)
    }

    /// As [`add`](Self::add), for a peer that may also sleep in an event loop ([`Sleeper::arm`](crate::park::Sleeper::arm)).
    ///
    /// `notify` is called once for each such sleep, from [`wake`](Self::wake), and by each [`wake_all`](Self::wake_all). It
    /// returns whether it could: if not, it is called for the same sleep again. It must not block, and what it does has to stay pending until the peer takes notice: the count of an eventfd, a byte in a
    /// FIFO (a full one is pending too).
    ///
    /// # Errors
    ///
    /// [`RangeError`] if its pulse section is too small.
    pub fn add_notified(
        &mut self,
        sleeper: &Region,
        pulse: &SectionEntry,
        index: usize,
        notify: Box<dyn Fn() -> bool + Send>,
    ) -> Result<(), RangeError> {
        self.add_peer(sleeper, pulse, index, Some(notify))
    }

    fn add_peer(
        &mut self,
        sleeper: &Region,
        pulse: &SectionEntry,
        bell: usize,
        notify: Option<Notify>,
    ) -> Result<(), RangeError> {
        self.peers.push(Peer {
            parked: PeerWords::new(sleeper.memory(), pulse.offset, pulse_word::COUNT)?,
            bell,
            last: Cell::new(0),
            notify,
        });
        Ok(())
    }

    /// Wakes each peer that is parked, unless it was rung for this sleep already. To be called after everything that a turn
    /// has shown; costs a load for each peer that may park and, on a bus of [`Barrier::Fences`], one fence; nothing where no
    /// peer may park.
    #[inline]
    pub fn wake(&self) {
        if self.peers.is_empty() {
            return;
        }
        self.barrier.pass();
        for peer in &self.peers {
            let parked = peer.parked.word(pulse_word::PARKED);
            wake(parked, &peer.last, |how| self.ring(peer, how));
        }
    }

    /// Rings and notifies every peer, parked or not: the start of an incarnation, whose last one may have died before it rang.
    pub fn wake_all(&self) {
        for peer in &self.peers {
            self.ring(peer, ASLEEP | ARMED);
        }
    }

    /// `how` the peer sleeps, as far as this waker knows.
    #[cold]
    fn ring(&self, peer: &Peer, how: u64) -> bool {
        let bell = self.bells.at(peer.bell);
        // In one go: wakers of one process may share their region's doorbells (its host ports do), and of two that load and
        // store, the later one could set the doorbell back to what a sleeper has in its snapshot.
        bell.fetch_add(1, Ordering::Release);
        let notify = peer.notify.as_ref().filter(|_| how & ARMED != 0);
        let told = notify.is_none_or(|notify| notify());
        if how & ASLEEP != 0 {
            // Nobody waiting is no error.
            let _ = futex::wake(bell, futex::Flags::empty(), u32::MAX >> 1);
        }
        told
    }
}
