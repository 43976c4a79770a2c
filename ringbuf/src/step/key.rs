//! What names a message for ever.

use std::fmt;

use crate::instance::Instance;

/// The idempotency key of one message: no other one, of this bus or of another, on this machine or elsewhere, has the same,
/// and a step that runs again handles its messages under the same keys. On an inline bus the instance is zero.
///
/// It goes with whatever a handler does outside of the bus, which may happen twice: whoever is asked to do it remembers the
/// key, and does it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The bus, from its creation to its removal.
    pub bus: Instance,
    /// The link.
    pub link: &'a str,
    /// The message's position on it, counted from zero.
    pub sequence: u64,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.bus, self.link, self.sequence)
    }
}
