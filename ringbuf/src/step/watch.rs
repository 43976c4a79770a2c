//! Reading a link's messages without being known to anyone.

use std::fmt;
use std::marker::PhantomData;

use crate::message::Message;
use crate::region::Region;
use crate::ring::look::{Look, look_at, oldest};
use crate::slots::MappedRing;
use crate::step::sections::{AttachError, ring_of};

/// What an [`Observer`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// The message at this position, as it was published.
    Message(u64, T),
    /// So many messages were overwritten before they could be copied. The next look is at the oldest one left.
    Missed(u64),
}

/// Somebody who looks at a link's messages, live or after a crash, while its sender and its receiver know nothing of it.
///
/// It never waits for anyone and nobody for it: one that is slower than the link misses messages, and is told how many. What
/// it shows was published, whole and in this order. It stores nothing: regions mapped read-only are enough.
pub struct Observer<T: Message> {
    ring: MappedRing,
    position: u64,
    message: PhantomData<T>,
}

impl<T: Message> Observer<T> {
    /// Looks at `link`, whose slots lie in the region `sender` and whose credit in `receiver`, from the oldest message on that
    /// wasn't overwritten.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    pub fn attach(sender: &Region, receiver: &Region, link: &str) -> Result<Self, AttachError> {
        let ring = ring_of::<T>(sender, receiver, link)?;
        Ok(Self {
            position: oldest(&ring),
            ring,
            message: PhantomData,
        })
    }

    /// What comes next; `None` if nothing was published yet.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's `None` would be final"
    )]
    pub fn next(&mut self) -> Option<Seen<T>> {
        // No link comes so far; only a word that somebody made up leads here.
        if self.position == u64::MAX {
            return None;
        }
        match look_at(&self.ring, self.position) {
            Look::Message(message) => {
                let position = self.position;
                self.position += 1;
                Some(Seen::Message(position, message))
            }
            Look::Nothing => None,
            Look::Missed => {
                // At least one: a sequence that is ahead was seen before `reserved` was.
                let next = oldest(&self.ring).max(self.position + 1);
                let missed = next - self.position;
                self.position = next;
                Some(Seen::Missed(missed))
            }
        }
    }

    /// Leaves what lies before `position` out: the next look is there, if it isn't further already.
    pub fn skip_to(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    /// The position of the next look: how many messages were published before it.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl<T: Message> fmt::Debug for Observer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
