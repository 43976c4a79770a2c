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
}

impl LinkOptions {
    /// Room for `capacity` messages: a power of two, at most 2^24.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            stamped: false,
            layout: None,
            trusted: true,
        }
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
