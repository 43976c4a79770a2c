//! Which words of the two records differ from what they should hold.
//!
//! The record that a commit fills is the one before the active one, so it lacks what two commits moved: its own and the one
//! before. A commit that writes just those costs what its step touched, however many ports the actor has. Of an output the
//! commit after that has to write once more: a range that was published is replaced by an empty one.
//!
//! An incarnation knows the active record alone; what lies in the other may be torn. So its first commit writes all of it,
//! and the second all of the one that was active, whose ranges nobody remembers. An actor with few ports has all of them
//! written by each commit: that is less work than to keep account.

/// A record that a commit may fill in part.
#[derive(Debug)]
pub(crate) struct Delta {
    /// Commits of this incarnation that have yet to fill a record from end to end.
    whole: u8,
    pub(crate) inputs: Stale,
    pub(crate) outputs: Stale,
}

impl Delta {
    pub(crate) fn new(inputs: usize, outputs: usize) -> Self {
        Self {
            whole: 2,
            inputs: Stale::new(inputs),
            outputs: Stale::new(outputs),
        }
    }

    /// Whether this commit has to fill its record from end to end.
    #[inline]
    pub(crate) fn take_whole(&mut self) -> bool {
        let whole = self.whole > 0;
        self.whole = self.whole.saturating_sub(1);
        whole
    }
}

/// Ports of one kind whose words in a record are out of date.
#[derive(Debug)]
pub(crate) struct Stale {
    /// By record: the places of its stale ports, each once.
    places: [Vec<u32>; 2],
    /// By port: one bit for each record that it is stale in.
    marks: Box<[u8]>,
}

impl Stale {
    fn new(ports: usize) -> Self {
        Self {
            places: [Vec::with_capacity(ports), Vec::with_capacity(ports)],
            marks: vec![0; ports].into(),
        }
    }

    /// The port's words have changed since `record` was filled.
    #[inline]
    pub(crate) fn mark(&mut self, record: usize, port: usize) {
        let mark = 1 << record;
        if self.marks[port] & mark == 0 {
            self.marks[port] |= mark;
            // Within the capacity: a port is there once.
            self.places[record].push(port as u32);
        }
    }

    /// Writes the stale ports of `record`; those for which `write` returns true stay stale.
    #[inline]
    pub(crate) fn settle(&mut self, record: usize, mut write: impl FnMut(usize) -> bool) {
        let places = &mut self.places[record];
        let mut stay = 0;
        for read in 0..places.len() {
            let place = places[read];
            if write(place as usize) {
                places[stay] = place;
                stay += 1;
            } else {
                self.marks[place as usize] &= !(1 << record);
            }
        }
        places.truncate(stay);
    }
}
