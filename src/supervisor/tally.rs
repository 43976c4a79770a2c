//! The counting of deaths, apart from where it is written down and what follows from it.

use airssys_ringbuf::blame::Account;

/// What is counted of one actor's deaths.
#[derive(Debug, Default)]
pub(super) struct Tally(pub(super) Account);

impl Tally {
    /// Counts a death with these first messages in work, so many in all and of one input: the attempts so far if it is one,
    /// and whether the blame gets nearer to a message.
    pub(super) fn count(
        &mut self,
        starts: &[(usize, u64)],
        total: u64,
        widest: u64,
    ) -> (Option<u64>, bool) {
        let Account {
            starts: before,
            attempts,
            ..
        } = &mut self.0;
        let again = before == starts;
        if !again {
            *before = starts.to_vec();
            *attempts = 0;
        }
        // A step that needs a message of each of several inputs is blamed as a whole, once it was tried with fewer.
        let counts = total == 1 || (widest == 1 && again);
        if counts {
            *attempts += 1;
        }
        (counts.then_some(*attempts), counts || !again)
    }

    /// Counts messages that are set aside now, after so many steps: how many there were in a row.
    pub(super) fn set_aside(&mut self, messages: u64, steps: u64) -> u64 {
        let account = &mut self.0;
        let row = if account.steps == steps {
            account.row
        } else {
            0
        };
        // What one step had in work together counts once.
        account.row = row + 1;
        account.steps = steps.saturating_add(messages);
        account.starts.clear();
        account.attempts = 0;
        account.row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_one_message() {
        let mut tally = Tally::default();
        assert_eq!(tally.count(&[(0, 10)], 64, 64), (None, true));
        // One at a time: three were handled, the fourth is the culprit.
        assert_eq!(tally.count(&[(0, 13)], 1, 1), (Some(1), true));
        assert_eq!(tally.count(&[(0, 13)], 1, 1), (Some(2), true));
        assert_eq!(tally.count(&[(0, 14)], 1, 1), (Some(1), true));
    }

    #[test]
    fn a_batch_that_can_not_be_smaller_gets_no_nearer() {
        let mut tally = Tally::default();
        assert_eq!(tally.count(&[(0, 10)], 2, 2), (None, true));
        assert_eq!(tally.count(&[(0, 10)], 2, 2), (None, false));
    }

    #[test]
    fn a_step_of_several_inputs_is_blamed_as_a_whole() {
        let mut tally = Tally::default();
        let both = [(0, 10), (1, 3)];
        assert_eq!(tally.count(&both, 2, 1), (None, true));
        assert_eq!(tally.count(&both, 2, 1), (Some(1), true));
        assert_eq!(tally.count(&both, 2, 1), (Some(2), true));
    }

    #[test]
    fn a_row_ends_with_a_step_that_commits() {
        let mut tally = Tally::default();
        assert_eq!(tally.set_aside(1, 100), 1);
        assert_eq!(tally.set_aside(1, 101), 2);
        // One more step than the two that set messages aside.
        assert_eq!(tally.set_aside(1, 103), 1);
        assert_eq!(tally.set_aside(2, 104), 2);
        assert_eq!(tally.set_aside(1, 106), 3);
    }
}
