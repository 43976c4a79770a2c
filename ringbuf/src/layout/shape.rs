//! How a ring's slots lie: layout, stride, capacity.

use super::{CAPACITY_MAX, MESSAGE_ALIGN_MAX, MESSAGE_SIZE_MAX};

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of a word.
const WORD: usize = 8;

/// How a ring's messages lie, and by which word its receiver learns of them.
///
/// A topology chooses by the message's size ([`Layout::of`]) unless the link's options say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each slot ends with a sequence word: slots of whole cache lines, or of 16 or 32 bytes. The receiver waits on the slot itself and gets message
    /// and signal in one transfer: the lowest latency, and neither side slows the other when one is faster.
    Sequenced,
    /// Messages lie side by side, and one tail word says how far they are published. The most messages a cache line: for
    /// slices, for batches of small messages, and for sizes to which a sequence word would add a line.
    Contiguous,
}

impl Layout {
    /// The layout for messages of `payload` bytes: sequenced, unless the sequence word would take a cache line of its own.
    #[must_use]
    pub const fn of(payload: usize) -> Self {
        let lines = payload.div_ceil(LINE);
        if (payload + WORD).div_ceil(LINE) > lines {
            Self::Contiguous
        } else {
            Self::Sequenced
        }
    }

    /// Bytes from slot to slot. The two layouts never give the same for one payload, which is how a reader tells them apart:
    /// a sequenced slot has room for a word after the payload's last.
    fn stride(self, payload: usize, stamped: bool) -> usize {
        let tail = if stamped { 2 * WORD } else { WORD };
        match self {
            // Small slots share a line, and none lies across two: a whole line for eight bytes would cost its transfer.
            Self::Sequenced if payload + tail <= LINE / 2 => {
                (payload + tail).next_power_of_two().max(2 * WORD)
            }
            Self::Sequenced => (payload + tail).next_multiple_of(LINE),
            Self::Contiguous => payload.next_multiple_of(WORD),
        }
    }
}

/// The shape of a ring: capacity, stride and what a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingShape {
    /// Slots, a power of two in `1..=CAPACITY_MAX`.
    pub capacity: u64,
    /// Bytes from slot to slot, a multiple of 8; 16, 32 or a multiple of 64 in the sequenced layout.
    pub stride: usize,
    /// Bytes of a payload.
    pub payload: usize,
    /// Whether each slot carries the monotonic time of its send.
    pub stamped: bool,
    /// How slots lie.
    pub layout: Layout,
}

impl RingShape {
    /// The shape for messages of `payload` bytes in the layout that suits their size; `None` if the size or the capacity is
    /// out of range. Stamps lie in sequenced slots alone.
    #[must_use]
    pub fn new(payload: usize, capacity: u64, stamped: bool) -> Option<Self> {
        let layout = if stamped {
            Layout::Sequenced
        } else {
            Layout::of(payload)
        };
        Self::with_layout(payload, capacity, stamped, layout)
    }

    /// The same, in this layout; `None` for stamps in contiguous slots, too.
    #[must_use]
    pub fn with_layout(
        payload: usize,
        capacity: u64,
        stamped: bool,
        layout: Layout,
    ) -> Option<Self> {
        let fits = (1..=MESSAGE_SIZE_MAX).contains(&payload)
            && capacity.is_power_of_two()
            && capacity <= CAPACITY_MAX
            && !(stamped && layout == Layout::Contiguous);
        fits.then(|| Self {
            capacity,
            stride: layout.stride(payload, stamped),
            payload,
            stamped,
            layout,
        })
    }

    /// The shape that has this stride, if one of the layouts does.
    #[must_use]
    pub fn with_stride(payload: usize, capacity: u64, stamped: bool, stride: u64) -> Option<Self> {
        [Layout::Sequenced, Layout::Contiguous]
            .into_iter()
            .filter_map(|layout| Self::with_layout(payload, capacity, stamped, layout))
            .find(|shape| shape.stride as u64 == stride)
    }

    /// Bytes of all slots together.
    #[must_use]
    pub fn slots_len(&self) -> usize {
        self.stride * self.capacity as usize
    }

    /// Whether a `T` has this shape's payload size and an alignment that slots have.
    pub(crate) fn holds<T>(&self) -> bool {
        size_of::<T>() == self.payload && align_of::<T>() <= MESSAGE_ALIGN_MAX
    }

    /// Whether the payloads alone make a slice of `T`.
    pub(crate) fn is_dense<T>(&self) -> bool {
        self.layout == Layout::Contiguous && self.stride == size_of::<T>()
    }
}
