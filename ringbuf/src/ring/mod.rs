//! The SPSC ring: its two ends, and the ring alone.

pub(crate) mod bare;
pub(crate) mod inlet;
pub(crate) mod look;
pub(crate) mod outlet;
pub(crate) mod shared;
pub(crate) mod slot;

#[cfg(test)]
pub(crate) mod model;
