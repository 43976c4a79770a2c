//! The actor: a value with `step`.

use airssys_ringbuf::step::Verdict;
pub use airssys_ringbuf::step::{Refused, TrySendError};

/// What a partition runs: a value that owns its ports and its durable state.
///
/// One call of [`step`](Actor::step) is atomic: what it receives, changes and sends counts together when it returns, or not
/// at all, whatever instant the partition is killed at. So a step may run again with the same input, and a plain field may
/// hold what an aborted step left there: plain fields are caches. What has to survive, or has to be undone with the step, is
/// a [`Durable`](crate::Durable), or lies in a [durable collection](mod@crate::durable).
///
/// ```
/// use airssys_rt::prelude::*;
///
/// struct Double { numbers: Receiver<u64>, doubles: Sender<u64> }
///
/// impl Actor for Double {
///     fn step(&mut self) -> Result<Step, Refused> {
///         let Some(number) = self.numbers.try_recv() else {
///             return Ok(if self.numbers.is_closed() { Step::Done } else { Step::Idle });
///         };
///         self.doubles.send(2 * number)?;
///         Ok(Step::Busy)
///     }
/// }
/// ```
pub trait Actor: 'static {
    /// Does a piece of work that is all or nothing, and says how it went.
    ///
    /// It should take well below the time after which the partition counts as hung. A batch of messages in one step pays
    /// for one commit.
    ///
    /// # Errors
    ///
    /// [`Refused`], handed on with `?`. `Full`: nothing of the step counts, and it runs again when the receiver has given
    /// back, with fewer messages to receive at first. `Closed`: nothing of the step counts and the actor is done, as nobody
    /// is left to receive.
    fn step(&mut self) -> Result<Step, Refused>;
}

/// How a step went. What the step touched decides whether it commits, but for `Retry` and `Done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// There may be more to do at once.
    Busy,
    /// Nothing to do until a message arrives. An actor without inputs is asked again within a millisecond.
    Idle,
    /// Nothing of this step counts; run it again later.
    Retry,
    /// The step commits, and with it the actor ends: its links close, in both directions. It never runs again, in no
    /// incarnation.
    Done,
}

/// What a step's end means for its commit.
pub(crate) fn verdict(stepped: Result<Step, Refused>) -> Verdict {
    match stepped {
        Ok(Step::Busy | Step::Idle) => Verdict::Keep,
        Ok(Step::Done) => Verdict::Done,
        Ok(Step::Retry) | Err(Refused::Full | Refused::Closed) => Verdict::Abort,
    }
}

/// Counts of received messages: none is [`Idle`](Step::Idle).
impl From<usize> for Step {
    fn from(received: usize) -> Self {
        if received == 0 {
            Self::Idle
        } else {
            Self::Busy
        }
    }
}
