//! The three times of a message, and how they get from the partition that took them to the launching program.

use airssys_rt::prelude::*;

/// When a message was due, when it was sent, and when its last consequence was there.
#[message]
#[derive(Debug)]
#[allow(clippy::struct_field_names, reason = "units come last in names")]
pub(crate) struct Times {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
    pub(crate) done_ns: u64,
}

impl Times {
    /// From when it was due: what whoever waits for it sees.
    pub(crate) fn response_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.due_ns)
    }

    /// From when it was really sent: what the work alone took.
    pub(crate) fn service_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.sent_ns)
    }
}

/// Keeps times in plain memory while it matters, and sends them on when all is over.
///
/// Sending each at once would have the launching program at work all the time, on a core that the pipeline may need. Plain memory
/// doesn't survive a kill: what a killed partition had kept is missing from the result.
pub(crate) struct Logbook {
    kept: Vec<Times>,
    out: Sender<Times>,
}

impl Logbook {
    /// With room for `most`, in memory that has been written to: a page's first write asks the kernel for it.
    pub(crate) fn new(most: u64, out: Sender<Times>) -> Self {
        let written = Times {
            due_ns: 1,
            sent_ns: 1,
            done_ns: 1,
        };
        let mut kept = vec![written; most as usize];
        kept.clear();
        Self { kept, out }
    }

    pub(crate) fn keep(&mut self, times: Times) {
        self.kept.push(times);
    }

    /// Sends as much of what is still here as there is room for; done when all of it was received.
    pub(crate) fn hand_over(&mut self) -> Result<Step, Refused> {
        let left = self.kept.get(self.out.sent() as usize..);
        let Some(left @ [_, ..]) = left else {
            let received = self.out.room() == self.out.capacity();
            return Ok(if received { Step::Done } else { Step::Idle });
        };
        let some = left.len().min(self.out.room().max(1));
        self.out.send_slice(&left[..some])?;
        Ok(Step::Busy)
    }
}
