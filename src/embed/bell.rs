//! How a host port wakes the partition at its link's other end, and sleeps until that has done something.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use airssys_ringbuf::clock::{monotonic_ns, nanos};
use airssys_ringbuf::park::{Sleeper, Waker};
use airssys_ringbuf::pulse::{CommandView, Order};
use airssys_ringbuf::region::SectionKind;

use crate::partition::alarm::{Alarm, Listening};
use crate::partition::bells::{BellError, Waiting};
use crate::partition::view::BusView;
use crate::topology::model::{HOST, Plan, WaitKind};

/// Looks before a sleep, where there is a core to spin on.
const SPINS: u32 = 200;

/// The longest sleep: what a partition that was killed between its stores and its doorbell costs at the most.
const PARK_MAX: Duration = Duration::from_secs(1);

/// One host port's bells, in both directions.
#[derive(Debug)]
pub(super) struct PortBell {
    port: usize,
    waker: Waker,
    sleeper: Sleeper,
    order: CommandView,
    spins: u32,
    listening: Option<Listening>,
    /// Keeps the regions mapped and the host's one locked.
    view: BusView,
}

impl PortBell {
    pub(super) fn new(
        plan: &Plan,
        view: &BusView,
        waiting: Waiting,
        port: usize,
    ) -> Result<Self, BellError> {
        let supervisor = view.supervisor();
        let order = supervisor.section(SectionKind::Command, HOST)?;
        let spins = if waiting.auto == WaitKind::SpinThenPark {
            0
        } else {
            SPINS
        };
        Ok(Self {
            port,
            waker: waiting.port_waker(plan, view, port)?,
            sleeper: waiting.port_sleeper(plan, view, port)?,
            order: CommandView::new(supervisor, order)?,
            spins,
            listening: None,
            view: view.clone(),
        })
    }

    /// The peer was shown something.
    #[inline]
    pub(super) fn ring(&self) {
        self.waker.wake();
    }

    /// The port was just opened: what its last opener showed may not have been rung for.
    pub(super) fn ring_anyhow(&self) {
        self.waker.wake_all();
    }

    /// Whether the bus takes no more messages from the host.
    #[inline]
    pub(super) fn is_draining(&self) -> bool {
        self.order.order() != Order::Run
    }

    /// Whether nobody lives on the bus any more.
    pub(super) fn has_ended(&self) -> bool {
        self.order.order() == Order::Stop
    }

    /// Sleeps until `is_ready` or the time, on the monotonic clock in nanoseconds, is over; whether it is ready.
    pub(super) fn wait(&self, until_ns: Option<u64>, is_ready: impl Fn() -> bool) -> bool {
        for _ in 0..self.spins {
            if is_ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        while !is_ready() {
            let left = until_ns.map(|until| until.saturating_sub(monotonic_ns()));
            if left == Some(0) {
                return false;
            }
            let bound = left.map_or(PARK_MAX, |left| PARK_MAX.min(Duration::from_nanos(left)));
            self.sleeper.park(bound, &is_ready);
        }
        true
    }

    /// Says that the port sleeps in an event loop; false if it is ready.
    pub(super) fn arm(&self, is_ready: impl FnOnce() -> bool) -> bool {
        // Without a descriptor nothing would wake it.
        self.listening.is_some() && self.sleeper.arm(is_ready)
    }

    /// The port is awake: what has rung is taken out.
    pub(super) fn disarm(&self) {
        self.sleeper.disarm();
        if let Some(listening) = &self.listening {
            listening.clear();
        }
    }

    /// What gets readable when the armed port is rung for; opened the first time.
    pub(super) fn descriptor(&mut self) -> io::Result<BorrowedFd<'_>> {
        let listening = match self.listening.take() {
            Some(listening) => listening,
            None => match self.view.alarm(self.port).listen() {
                // The bus's directory is gone with the bus: nobody rings any more, and the port is ready for good.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.has_ended() => {
                    Alarm::in_heap().listen()?
                }
                opened => opened?,
            },
        };
        Ok(self.listening.insert(listening).0.as_fd())
    }
}

impl Drop for PortBell {
    /// A port that was dropped while it slept in an event loop would be rung for in vain.
    fn drop(&mut self) {
        if self.listening.is_some() {
            self.disarm();
        }
    }
}

/// The end of a time span from now, in monotonic nanoseconds.
pub(super) fn deadline(timeout: Duration) -> u64 {
    monotonic_ns().saturating_add(nanos(timeout))
}
