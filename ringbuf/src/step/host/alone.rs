//! One port and the core that commits for it, as one value that threads may hand on.
//!
//! Invariant: every `Rc` of the core and of the port (its gate, its end) lies in this value, and none is ever handed out:
//! the core made them, nothing else was attached to it, ports can't be cloned, and only `&mut` to the port leaves this file,
//! into a closure of `sender.rs` or `receiver.rs`. So whoever holds the value holds all of it.

#![allow(
    unsafe_code,
    reason = "counted references that only one value holds may move between threads"
)]

use crate::message::Message;
use crate::step::core::StepCore;
use crate::step::outcome::{StepError, Verdict};
use crate::step::receiver::Receiver;
use crate::step::sender::Sender;

/// A port with a core of its own.
pub(super) struct Alone<P> {
    core: StepCore,
    port: P,
    visible: bool,
}

// SAFETY: by the invariant above all of the `Rc`s move together, and without `Sync` one thread at a time reaches them. The
// rest is `Send` by itself: words and spans are, claims are names and the span's `Arc`, and messages are `Pod`, `Send` and own
// nothing.
unsafe impl<T: Message> Send for Alone<Sender<T>> {}
// SAFETY: as for the sender.
unsafe impl<T: Message> Send for Alone<Receiver<T>> {}

/// Why a call took no step.
pub(super) enum Ended {
    /// The port has closed its link.
    Closed,
    /// The step can't be ended.
    Fault(StepError),
}

impl<P> Alone<P> {
    /// `core` has `port` and no other end. It was just recovered, which may have shown peers something.
    pub(super) fn new(core: StepCore, port: P) -> Self {
        Self {
            core,
            port,
            visible: true,
        }
    }

    pub(super) fn port(&self) -> &P {
        &self.port
    }

    /// Runs `call` as one step and commits what it touched; if it unwinds, nothing of it remains.
    #[inline]
    pub(super) fn step<R>(&mut self, call: impl FnOnce(&mut P) -> R) -> Result<R, Ended> {
        if self.core.is_done() {
            return Err(Ended::Closed);
        }
        self.core.begin(u64::MAX);
        let unwinding = Abandon(&mut self.core);
        let result = call(&mut self.port);
        std::mem::forget(unwinding);
        let outcome = self.core.finish(Verdict::Keep).map_err(Ended::Fault)?;
        self.visible |= outcome.visible;
        Ok(result)
    }

    /// Commits the port's end.
    pub(super) fn close(&mut self) -> Result<(), StepError> {
        if self.core.is_done() {
            return Ok(());
        }
        self.core.begin(0);
        let outcome = self.core.finish(Verdict::Done)?;
        self.visible |= outcome.visible;
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        self.core.is_done()
    }

    #[inline]
    pub(super) fn take_visible(&mut self) -> bool {
        std::mem::take(&mut self.visible)
    }
}

/// Ends the step if its call unwinds.
struct Abandon<'a>(&'a mut StepCore);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
