//! What is sent: words that all hold the message's number, so that a torn, lost or repeated one shows.
//!
//! The sender writes every word. The receiver reads a word of each cache line and the last one: all of the message crosses,
//! whether the subject copies it or shows it in place, and the reading is cheap beside that.

/// The number of the message that says that none follows.
pub(crate) const STOP: u64 = u64::MAX;

/// Where the time of its send lies in a message that carries one: a word that [`Check`] doesn't read.
pub(crate) const STAMP: usize = 1;

const LINE_WORDS: usize = 8;

/// Writes message `number`.
#[inline]
pub(crate) fn fill<const W: usize>(number: u64, words: &mut [u64; W]) {
    *words = [number; W];
}

/// Message `number` by value.
#[inline]
pub(crate) fn value<const W: usize>(write: impl FnOnce(&mut [u64; W])) -> [u64; W] {
    let mut words = [0; W];
    write(&mut words);
    words
}

/// Reads what was received and holds it against what has to come.
#[derive(Debug, Default)]
pub(crate) struct Check {
    next: u64,
    stopped: bool,
    wrong: Option<String>,
}

impl Check {
    /// Looks at a message.
    #[inline]
    pub(crate) fn see<const W: usize>(&mut self, words: &[u64; W]) {
        let mut difference = words[W - 1] ^ self.next;
        for line in (0..W).step_by(LINE_WORDS) {
            difference |= words[line] ^ self.next;
        }
        if difference != 0 {
            self.see_other(words);
            return;
        }
        self.next += 1;
    }

    #[cold]
    #[inline(never)]
    fn see_other(&mut self, words: &[u64]) {
        if !self.stopped && words.iter().all(|&word| word == STOP) {
            self.stopped = true;
        } else if self.wrong.is_none() {
            let shown = &words[..words.len().min(LINE_WORDS)];
            self.wrong = Some(format!(
                "message {} was expected, and one of {} words that begin with {shown:?} came{}",
                self.next,
                words.len(),
                if self.stopped { " after the last" } else { "" }
            ));
            self.stopped = true;
        }
    }

    /// Messages seen.
    #[inline]
    pub(crate) fn seen(&self) -> u64 {
        self.next
    }

    /// Whether the last message was seen, or a wrong one.
    #[inline]
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// An error unless exactly `sent` messages came, in order and whole.
    pub(crate) fn finish(self, sent: u64) -> crate::Result<u64> {
        match self.wrong {
            Some(wrong) => Err(wrong.into()),
            None if self.next != sent => {
                Err(format!("{sent} messages were sent and {} came", self.next).into())
            }
            None => Ok(sent),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn seen(messages: &[[u64; 9]]) -> Check {
        let mut check = Check::default();
        for message in messages {
            check.see(message);
        }
        check
    }

    #[test]
    fn whole_messages_in_order_pass() {
        let check = seen(&[[0; 9], [1; 9], [STOP; 9]]);
        assert!(check.stopped());
        assert_eq!(check.finish(2).unwrap(), 2);
    }

    #[test]
    fn torn_lost_repeated_and_missing_ones_do_not() {
        let mut torn = [1; 9];
        torn[8] = 0;
        for wrong in [torn, [2; 9], [0; 9]] {
            let check = seen(&[[0; 9], wrong, [STOP; 9]]);
            assert!(check.finish(2).is_err(), "{wrong:?}");
        }
        assert!(seen(&[[0; 9], [STOP; 9]]).finish(2).is_err());
        assert!(seen(&[[0; 9], [STOP; 9], [1; 9]]).finish(1).is_err());
    }
}
