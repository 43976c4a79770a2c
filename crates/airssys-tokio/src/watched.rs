//! When a port sleeps in the runtime, and how it gets up.
//!
//! ```text
//! poll:  try                                      -> something: get up, ready
//!        arm   (says ARMED, then looks again)     -> news: try again
//!        is the descriptor readable?              -> no: pending, and the runtime has the task's waker
//!        yes: disarm (says AWAKE, reads the descriptor empty), forget that it was readable, try again
//! ```
//!
//! # No wake-up is lost
//!
//! A peer that shows something after the look in `arm` finds the port ARMED and makes the descriptor readable; that stays so
//! until `disarm` reads it, and between `arm` and the task's sleep nobody does. The runtime's note that it is readable is
//! edge-triggered: `clear_ready` takes back only the event that the guard saw, and a ring after `disarm`'s read is a new
//! edge, hence a new event. A ring that comes late, for a sleep that is over, costs one look.
//!
//! # No wake-up is wasted
//!
//! A peer rings once for a sleep, so a task that gets up for nothing and arms again has done it once. A port stays armed
//! while nobody polls it: a future that is dropped has changed nothing but that, and the next poll goes on from there. It is
//! awake as soon as a poll has got something, and when it is dropped.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, ready};

use airssys_rt::{HostReceiver, HostSender, Message};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::coop;

use crate::error::WatchError;

/// A host port of either kind.
pub(crate) trait Port {
    fn name(&self) -> &str;
    fn descriptor(&mut self) -> io::Result<BorrowedFd<'_>>;
    fn arm(&self) -> bool;
    fn disarm(&self);
}

macro_rules! port {
    ($kind:ident) => {
        impl<T: Message> Port for $kind<T> {
            fn name(&self) -> &str {
                self.name()
            }
            fn descriptor(&mut self) -> io::Result<BorrowedFd<'_>> {
                self.descriptor()
            }
            fn arm(&self) -> bool {
                self.arm()
            }
            fn disarm(&self) {
                self.disarm();
            }
        }
    };
}

port!(HostSender);
port!(HostReceiver);

/// A port, and its descriptor as the runtime watches it.
#[derive(Debug)]
pub(crate) struct Watched<P> {
    pub(crate) port: P,
    /// A duplicate of the port's own descriptor.
    bell: AsyncFd<OwnedFd>,
    armed: bool,
}

impl<P: Port> Watched<P> {
    pub(crate) fn new(mut port: P) -> Result<Self, WatchError> {
        match watch(&mut port) {
            Ok(bell) => Ok(Self {
                port,
                bell,
                armed: false,
            }),
            Err(refused) => Err(refused.about(port.name().to_owned())),
        }
    }

    /// Polls for what `attempt` returns, within the task's budget.
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut P) -> Option<R>,
    ) -> Poll<R> {
        let budget = ready!(coop::poll_proceed(cx));
        let mut refused = false;
        loop {
            if let Some(result) = attempt(&mut self.port) {
                self.get_up();
                budget.made_progress();
                return Poll::Ready(result);
            }
            if !self.armed {
                self.armed = self.port.arm();
            }
            if !self.armed {
                if refused {
                    // The kernel refuses the bus's barrier at present, so nobody can be trusted to ring.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                refused = true;
                continue;
            }
            match ready!(self.bell.poll_read_ready(cx)) {
                Ok(mut rung) => {
                    self.armed = false;
                    self.port.disarm();
                    rung.clear_ready();
                }
                Err(gone) => panic!("host port of link `{}`: {gone}", self.port.name()),
            }
        }
    }

    /// Says that the port is awake, if it said that it sleeps, and takes out what was rung.
    pub(crate) fn get_up(&mut self) {
        if !std::mem::take(&mut self.armed) {
            return;
        }
        let mut disarmed = false;
        // Forgets that it was readable only if that was known before it was read empty.
        let _ = self.bell.try_io(Interest::READABLE, |_| {
            disarmed = true;
            self.port.disarm();
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        if !disarmed {
            self.port.disarm();
        }
    }

    pub(crate) fn into_port(mut self) -> P {
        self.get_up();
        self.port
    }
}

/// Why a port can't be watched.
enum Refused {
    NoRuntime,
    NoIo,
    Kernel(io::Error),
}

impl Refused {
    fn about(self, link: String) -> WatchError {
        match self {
            Self::NoRuntime => WatchError::NoRuntime { link },
            Self::NoIo => WatchError::NoIo { link },
            Self::Kernel(source) => WatchError::Descriptor { link, source },
        }
    }
}

fn watch(port: &mut impl Port) -> Result<AsyncFd<OwnedFd>, Refused> {
    Handle::try_current().map_err(|_| Refused::NoRuntime)?;
    let bell = port.descriptor().map_err(Refused::Kernel)?;
    let bell = bell.try_clone_to_owned().map_err(Refused::Kernel)?;
    // Tokio tells by a panic that a runtime has no IO driver, and by nothing else.
    let watched = catch_unwind(AssertUnwindSafe(|| register(bell)));
    watched.map_err(|_| Refused::NoIo)?.map_err(Refused::Kernel)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe because a type may lie about its descriptor; an owned one stays the same and open"
)]
fn register(bell: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(bell, Interest::READABLE)
}
