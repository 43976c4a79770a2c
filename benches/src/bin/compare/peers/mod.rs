//! The published peers, each used as its documentation says is best between one sender and one receiver, and with capacities
//! of the same bytes. A peer that can't do a thing is left out of it; `catalog` says so.

pub(crate) mod crossbeam;
pub(crate) mod disruptor;
pub(crate) mod iceoryx2;
pub(crate) mod nexus;
pub(crate) mod ringbuf;
pub(crate) mod ringfire;
pub(crate) mod rtrb;
pub(crate) mod shaq;
pub(crate) mod std_mpsc;
