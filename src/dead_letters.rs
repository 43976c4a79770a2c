//! Messages that were set aside since each life that had them in work died of it: looked at, handled again, or dropped.

use std::collections::HashMap;
use std::fmt;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::{Note, Observer, Seen, Tally, read_cell};

use crate::monitor::{Monitor, ReadError};
use crate::partition::charges;
use crate::partition::progress::counts_of;
use crate::supervisor::Command;
use crate::supervisor::blame::LetterOrder;
use crate::supervisor::cause;
use crate::topology::model::{LettersPlan, LinkPlan};

/// What has become of the messages of a link that were to be set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LetterCounts {
    /// Room for so many.
    pub capacity: u64,
    /// Those that lie there at present.
    pub waiting: u64,
    /// The position of the message that is about to be set aside. While there is no room its actor waits, unless the link has
    /// it dropped.
    pub held: Option<u64>,
    /// Set aside, from the beginning on.
    pub set_aside: u64,
    /// Dropped instead, since there was no room.
    pub overflowed: u64,
    /// Handled after all.
    pub requeued: u64,
    /// Dropped on command.
    pub dropped: u64,
}

/// A message that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter<T> {
    /// The message.
    pub message: T,
    /// The position that it had on its link.
    pub position: u64,
    /// Deaths that were laid to its charge.
    pub attempts: u64,
    /// What the last of them was.
    pub cause: String,
    /// Steps that its actor had committed by then.
    pub steps: u64,
}

/// A handle on the dead letters of one link, made by [`Monitor::dead_letters`]. Good for reading also after the end.
#[derive(Clone)]
pub struct DeadLetters {
    monitor: Monitor,
    link: usize,
    letters: LettersPlan,
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeadLetters")
            .field(&self.plan().name)
            .finish()
    }
}

impl DeadLetters {
    pub(crate) fn new(monitor: Monitor, link: usize, letters: LettersPlan) -> Self {
        Self {
            monitor,
            link,
            letters,
        }
    }

    fn plan(&self) -> &LinkPlan {
        &self.monitor.plan.links[self.link]
    }

    /// How many there are at present.
    #[must_use]
    pub fn len(&self) -> usize {
        let (kept, handled) = self.range();
        (kept - handled) as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the ring of the letters ends, and where it begins.
    fn range(&self) -> (u64, u64) {
        let Monitor { plan, view, .. } = &self.monitor;
        let (kept, handled) = counts_of(plan, view, self.letters.letters.0);
        (kept.max(handled), handled)
    }

    /// What has become of all of them.
    #[must_use]
    pub fn counts(&self) -> LetterCounts {
        let Monitor { plan, view, .. } = &self.monitor;
        let link = self.plan();
        let actor = plan.actor(link.to);
        let ends = (actor.inputs.len(), actor.outputs.len());
        let cell = (
            actor.cells[self.letters.tally].name.as_str(),
            self.letters.tally,
        );
        let region = view.partition(link.to.partition);
        // A section that the bus was opened with; before the actor's first life nothing has become of anything.
        let tally = read_cell::<Tally>(region, &actor.name, ends, cell);
        let [set_aside, overflowed, requeued, dropped] = tally.ok().flatten().unwrap_or_default();
        LetterCounts {
            capacity: self.letters.policy.capacity,
            waiting: self.len() as u64,
            held: self.held(),
            set_aside,
            overflowed,
            requeued,
            dropped,
        }
    }

    fn held(&self) -> Option<u64> {
        let Monitor { plan, view, .. } = &self.monitor;
        let (_, received) = counts_of(plan, view, self.link);
        let actor = self.plan().to;
        let mut inputs = plan.actor(actor).inputs.iter();
        let input = inputs.position(|input| input.0 == self.link)?;
        let aside = charges(plan, view, actor)?.aside(input)?;
        (aside.position == received).then_some(received)
    }

    /// Copies of those that lie there, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ReadError::Attach`]: the link carries another message.
    pub fn read<T: Message>(&self) -> Result<Vec<DeadLetter<T>>, ReadError> {
        let (_, from) = self.range();
        let plan = &self.monitor.plan;
        let notes: HashMap<u64, Note> = self
            .messages(&plan.link(self.letters.notes).name, from)?
            .collect();
        let letters = self.messages::<T>(&plan.link(self.letters.letters).name, from)?;
        Ok(letters
            .filter_map(|(place, message)| {
                let [position, attempts, cause, steps] = *notes.get(&place)?;
                Some(DeadLetter {
                    message,
                    position,
                    attempts,
                    cause: cause::of_code(cause),
                    steps,
                })
            })
            .collect())
    }

    fn messages<M: Message>(
        &self,
        name: &str,
        from: u64,
    ) -> Result<impl Iterator<Item = (u64, M)>, ReadError> {
        let region = self.monitor.view.partition(self.plan().to.partition);
        let mut observer = Observer::<M>::attach(region, region, name)?;
        let seen = std::iter::from_fn(move || observer.next());
        Ok(seen.filter_map(move |seen| match seen {
            Seen::Message(place, message) if place >= from => Some((place, message)),
            Seen::Message(..) | Seen::Missed(_) => None,
        }))
    }

    /// Hands the `count` oldest to the actor again, each in place of the link's next message, and each as part of the step that
    /// handles it: a kill leaves it here or handled. One that ends the actor again stays where it is, and those behind it with it.
    /// An actor that is done handles none any more, nor does one of a bus that has ended. Returns at once, before any of them is
    /// handled; more than there are is all that there are now.
    ///
    /// So does one that the handler can't answer, for want of room or since nobody receives any more; what closes a link doesn't
    /// hold its letters back. In such a step [`Receiver::received`](crate::Receiver::received) is of the link itself; the letter's
    /// [`Receiver::key`](crate::Receiver::key) is the one that it had.
    pub fn requeue(&self, count: usize) {
        self.order(LetterOrder::Requeue, count);
    }

    /// Drops the `count` oldest for good, and counts them, also those that were to be handled again. Returns at once; the actor
    /// drops each by a step of its own.
    pub fn drop(&self, count: usize) {
        self.order(LetterOrder::Drop, count);
    }

    fn order(&self, order: LetterOrder, count: usize) {
        self.monitor.commands.send(Command::Letters {
            link: self.link,
            order,
            count: count as u64,
        });
    }
}
