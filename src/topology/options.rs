//! How a link is made, beyond its message type.

use airssys_ringbuf::Layout;

/// How a link is made, beyond its message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    pub(super) capacity: u64,
    pub(super) stamped: bool,
    /// By the message's size if `None`.
    pub(super) layout: Option<Layout>,
    pub(super) trusted: bool,
    /// Room among the dead letters, if there are any.
    pub(super) letters: Option<u64>,
    pub(super) attempts: u32,
    pub(super) drops: bool,
}

/// What becomes of a link's messages that kill their receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LetterPolicy {
    /// Room for so many of them.
    pub(crate) capacity: u64,
    /// Deaths before one is set aside.
    pub(crate) attempts: u32,
    /// With no room left one is dropped and counted; else its actor waits for room.
    pub(crate) drops: bool,
}

impl std::fmt::Display for LetterPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let full = if self.drops { "drops" } else { "waits" };
        write!(
            f,
            "{} after {} attempts, {full} when full",
            self.capacity, self.attempts
        )
    }
}

/// Deaths before a message is set aside: one may be chance, and a third says little that the second didn't.
const ATTEMPTS: u32 = 3;

impl LinkOptions {
    /// Room for `capacity` messages: a power of two, at most 2^24.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            stamped: false,
            layout: None,
            trusted: true,
            letters: None,
            attempts: ATTEMPTS,
            drops: false,
        }
    }

    /// Sets a message aside that kills its receiving actor again and again, with room for `capacity` of them: a power of two, at
    /// most 2^24, which is memory that the bus takes as a link's is.
    ///
    /// A death that is the actor's own doing (a fault signal, an abort, a panic, an exit with a code other than zero, a hang) is
    /// laid to the charge of the message that it had in work. A batch names its culprit first: the messages of a step that died
    /// are received one at a time by the next lives. After [`max_attempts`](Self::max_attempts) deaths the message is moved to
    /// the link's dead letters, past the handler, and the actor goes on with the next one; a line names the link, the position,
    /// the attempts and the cause. [`Monitor::dead_letters`](crate::Monitor::dead_letters) shows them, hands them to the actor
    /// again, or drops them. A `SIGKILL` from outside is nobody's fault, wherever it strikes.
    ///
    /// To set aside, to hand over again and to drop are atomic steps of that actor, which a kill at any instruction leaves undone
    /// or done. What is charged lies in the supervisor's region and outlives every life of the partition.
    ///
    /// Those deaths don't count for the topology's intensity: their number is bounded by the messages. Three different messages
    /// set aside with no step between them that committed say that the actor's state is to blame: the topology gives up, or the
    /// state starts anew ([`reset_state`](crate::PartitionBuilder::reset_state)).
    ///
    /// Without dead letters such a message kills each life of its actor until the topology gives up by its intensity. `build`
    /// refuses another capacity, a link that the host receives from, and an actor whose cells and links with dead letters are more
    /// than 64 together. In a hosted partition nothing is set aside: nobody restarts it. On an inline bus panics are counted, and
    /// nobody gives up.
    #[must_use]
    pub fn dead_letters(mut self, capacity: u64) -> Self {
        self.letters = Some(capacity);
        self
    }

    pub(super) fn letter_policy(&self) -> Option<LetterPolicy> {
        self.letters.map(|capacity| LetterPolicy {
            capacity,
            attempts: self.attempts,
            drops: self.drops,
        })
    }

    /// Deaths with it alone in work after which a message is set aside, at least 1: 0 counts as 1. Default: 3. Means nothing
    /// without [`dead_letters`](Self::dead_letters).
    #[must_use]
    pub fn max_attempts(mut self, deaths: u32) -> Self {
        self.attempts = deaths.max(1);
        self
    }

    /// Drops and counts a message that is to be set aside while there is no room among the dead letters. Without this its actor
    /// waits until some were handled again or dropped, and says so on stderr. Means nothing without
    /// [`dead_letters`](Self::dead_letters).
    #[must_use]
    pub fn drop_when_full(mut self) -> Self {
        self.drops = true;
        self
    }

    /// Stamps each message with the monotonic time of its send, and keeps the one-way latencies where anyone can read
    /// them. Costs a clock reading at both ends of each message. Stamps lie in the sequenced layout alone.
    #[must_use]
    pub fn stamped(mut self) -> Self {
        self.stamped = true;
        self
    }

    /// Lays the link's messages out in this way. Without this their size decides: [`Layout::of`], sequenced if stamped.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Takes nothing that the peer writes on trust, at either end.
    ///
    /// Receivers get copies instead of borrows (free up to 56 bytes), and a position that cannot be ends this link alone: both
    /// its ends count as closed from then on and `fault()` tells why, while the partition's other links go on. Without this
    /// such a position means that the bus is corrupt, and ends the partition. Layout and recovery are the same.
    #[must_use]
    pub fn untrusted(mut self) -> Self {
        self.trusted = false;
        self
    }
}
