//! Whose fault a death was: the messages that an actor had in work when it died by its own doing.
//!
//! ```text
//! a death with many in work   -> the next lives receive them one at a time
//! a death with one in work    -> an attempt; after the last one it is set aside, by a step of the next life
//! three set aside in a row    -> the state is to blame: it starts anew, or the topology gives up
//! ```
//!
//! What the next life has to know lies in the supervisor's region, and so survives whatever happens to it; the counting is
//! done here. A life that was killed from outside changes nothing of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use airssys_ringbuf::blame::{Aside, Charges};
use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::{InWork, in_work};

use crate::partition::PartitionError;
use crate::partition::progress::{counts_of, progress_of};
use crate::partition::view::BusView;
use crate::report::{Level, say};
use crate::supervisor::cause::Cause;
use crate::supervisor::kept::KeptState;
use crate::topology::model::{ActorId, LinkPlan, Plan};

/// Messages set aside in a row, with no step between them that committed, that lay the blame on the state.
const IN_A_ROW: u32 = 3;

/// What is to be done with the oldest of a link's dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LetterOrder {
    /// The actor gets them again.
    Requeue,
    /// They are dropped.
    Drop,
}

/// What a death came to.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// It is a message's fault that is going to be set aside in time: no failure of the partition.
    pub(crate) excuses: bool,
    /// Why restarts won't mend it.
    pub(crate) gives_up: Option<String>,
    /// What a restart has to wait for.
    pub(crate) resets: Option<Reset>,
}

/// An actor's state that is to start anew, and the messages that are set aside with it: once what it was is kept.
#[derive(Debug)]
pub(crate) struct Reset {
    id: ActorId,
    guilty: Vec<(usize, u64)>,
    attempts: u32,
    cause: Cause,
    why: String,
    pub(crate) state: Arc<KeptState>,
}

/// What is held against one actor's messages.
struct Accused {
    id: ActorId,
    charges: Charges,
    tally: Tally,
}

/// The counting, apart from where it is written down.
#[derive(Debug, Default)]
struct Tally {
    /// The first messages in work at the last death that was blamed on any, by input.
    starts: Vec<(usize, u64)>,
    attempts: u32,
    /// Times that something was set aside with nothing committed between them.
    row: u32,
    /// The actor's steps once the last of them is set aside.
    steps: u64,
}

impl Tally {
    /// Counts a death with these first messages in work, so many in all and of one input: the attempts so far if it is one,
    /// and whether the blame gets nearer to a message.
    fn count(&mut self, starts: &[(usize, u64)], total: u64, widest: u64) -> (Option<u32>, bool) {
        let again = self.starts == starts;
        if !again {
            self.starts = starts.to_vec();
            self.attempts = 0;
        }
        // A step that needs a message of each of several inputs is blamed as a whole, once it was tried with fewer.
        let counts = total == 1 || (widest == 1 && again);
        if counts {
            self.attempts += 1;
        }
        (counts.then_some(self.attempts), counts || !again)
    }

    /// Counts messages that are set aside now, after so many steps: how many there were in a row.
    fn set_aside(&mut self, messages: u32, steps: u64) -> u32 {
        let row = if self.steps == steps { self.row } else { 0 };
        // What one step had in work together counts once.
        self.row = row + 1;
        self.steps = steps + u64::from(messages);
        self.starts.clear();
        self.attempts = 0;
        self.row
    }
}

/// The supervisor's account of all actors' messages.
pub(crate) struct Blame(Vec<Accused>);

impl Blame {
    /// Opens the account in the supervisor's own region.
    pub(crate) fn new(plan: &Plan, view: &BusView) -> Result<Self, PartitionError> {
        let supervisor = view.supervisor();
        let mut all = Vec::new();
        for partition in 0..plan.partitions.len() {
            for (actor, found) in plan.partitions[partition].actors.iter().enumerate() {
                if found.declared.inputs > 0 {
                    let section = supervisor.section(SectionKind::Blame, &found.name)?;
                    all.push(Accused {
                        id: ActorId { partition, actor },
                        charges: Charges::new(supervisor, section, found.declared.inputs)?,
                        tally: Tally::default(),
                    });
                }
            }
        }
        Ok(Self(all))
    }

    /// Judges the end of a life that is reaped, before the next one begins.
    pub(crate) fn judge(
        &mut self,
        plan: &Plan,
        view: &BusView,
        (partition, incarnation): (usize, u64),
        cause: &Cause,
    ) -> Judgement {
        let mut all = Judgement::default();
        if !cause.is_own_doing() {
            return all;
        }
        for accused in self
            .0
            .iter_mut()
            .filter(|one| one.id.partition == partition)
        {
            let work = work_of(plan, view, accused.id);
            if work
                .as_ref()
                .is_some_and(|work| work.incarnation == incarnation)
            {
                let work = work.unwrap_or_default();
                let one = accused.judge(plan, view, &work, cause);
                all.excuses |= one.excuses;
                all.gives_up = all.gives_up.or(one.gives_up);
                all.resets = all.resets.or(one.resets);
            }
        }
        all
    }

    /// Has the state start anew with the next life, since what it was is kept; else says why the topology gives up.
    pub(crate) fn reset(
        &mut self,
        plan: &Plan,
        reset: &Reset,
        kept: io::Result<PathBuf>,
    ) -> Result<(), String> {
        let why = &reset.why;
        let file = kept.map_err(|error| format!("{why}; what it was can't be kept: {error}"))?;
        let actor = &plan.actor(reset.id).name;
        say(
            Level::Error,
            format_args!(
                "{}/{actor}: {why}; it starts anew, what it was is in {}",
                plan.bus,
                file.display()
            ),
        );
        if let Some(accused) = self.0.iter_mut().find(|one| one.id == reset.id) {
            accused.tally.row = 0;
            let attempts = (reset.attempts, &reset.cause);
            accused.set_aside(plan, &reset.guilty, attempts, true);
        }
        Ok(())
    }

    /// Has the `count` oldest dead letters of `link` handled again, or dropped.
    pub(crate) fn order(
        &self,
        plan: &Plan,
        view: &BusView,
        link: usize,
        (order, count): (LetterOrder, u64),
    ) {
        let plan_of = &plan.links[link];
        let letters = plan_of.letters.as_ref();
        let accused = self.0.iter().find(|one| one.id == plan_of.to);
        let (Some(letters), Some(accused)) = (letters, accused) else {
            return;
        };
        let Some(input) = input_of(plan, accused.id, link) else {
            return;
        };
        let (kept, handled) = counts_of(plan, view, letters.letters.0);
        let to = handled.saturating_add(count).min(kept);
        let view = accused.charges.view();
        match order {
            LetterOrder::Requeue => {
                let to = to.max(view.requeue_to(input));
                accused.charges.requeue(input, to);
            }
            LetterOrder::Drop => {
                let to = to.max(view.drop_to(input));
                accused.charges.drop_letters(input, to);
            }
        }
    }
}

fn work_of(plan: &Plan, view: &BusView, id: ActorId) -> Option<InWork> {
    let actor = plan.actor(id);
    let (inputs, outputs) = (actor.inputs.len(), actor.outputs.len());
    in_work(view.partition(id.partition), &actor.name, inputs, outputs).ok()
}

fn input_of(plan: &Plan, id: ActorId, link: usize) -> Option<usize> {
    plan.actor(id)
        .inputs
        .iter()
        .position(|input| input.0 == link)
}

impl Accused {
    fn link<'a>(&self, plan: &'a Plan, input: usize) -> &'a LinkPlan {
        plan.link(plan.actor(self.id).inputs[input])
    }

    fn judge(&mut self, plan: &Plan, view: &BusView, work: &InWork, cause: &Cause) -> Judgement {
        if let Some(excused) = self.withdraw(plan, work, cause) {
            return excused;
        }
        let declared = plan.actor(self.id).declared.inputs;
        let ranges = work.inputs.iter().take(declared).enumerate();
        let ranges: Vec<_> = ranges.filter(|(_, range)| !range.is_empty()).collect();
        if ranges.is_empty() {
            return Judgement::default();
        }
        let mut starts = Vec::with_capacity(ranges.len());
        let (mut total, mut widest) = (0_u64, 0);
        for &(input, range) in &ranges {
            starts.push((input, range.start));
            let len = range.end - range.start;
            total = total.saturating_add(len);
            widest = widest.max(len);
            let known = self.charges.view().suspect_to(input);
            self.charges.suspect(input, range.end.max(known));
        }
        let (attempts, nearer) = self.tally.count(&starts, total, widest);
        let has_letters = |&(input, _): &(usize, u64)| self.link(plan, input).letters.is_some();
        let judgement = Judgement {
            excuses: nearer && starts.iter().all(has_letters),
            ..Judgement::default()
        };
        match attempts {
            Some(attempts) => self.sentence(plan, view, &starts, (attempts, cause), judgement),
            None => judgement,
        }
    }

    /// A letter that was handed to the actor again and killed it again stays where it is, and those behind it with it.
    fn withdraw(&self, plan: &Plan, work: &InWork, cause: &Cause) -> Option<Judgement> {
        let actor = plan.actor(self.id);
        (0..actor.declared.inputs).find_map(|input| {
            let link = self.link(plan, input);
            let letters = link.letters.as_ref()?;
            let place = input_of(plan, self.id, letters.letters.0)?;
            let range = work.inputs.get(place).filter(|range| !range.is_empty())?;
            self.charges.requeue(input, range.start);
            say(
                Level::Error,
                format_args!(
                    "{}/{}: link `{}`: its oldest dead letter ended its actor again ({cause}) and stays where it is; drop it, or \
                     requeue it when the cause is mended",
                    plan.bus, actor.name, link.name
                ),
            );
            Some(Judgement {
                excuses: true,
                ..Judgement::default()
            })
        })
    }

    /// Has the messages set aside whose attempts are used up.
    fn sentence(
        &mut self,
        plan: &Plan,
        view: &BusView,
        starts: &[(usize, u64)],
        (attempts, cause): (u32, &Cause),
        mut judgement: Judgement,
    ) -> Judgement {
        let used_up = |&&(input, _): &&(usize, u64)| {
            let letters = &self.link(plan, input).letters;
            letters
                .as_ref()
                .is_some_and(|letters| attempts >= letters.policy.attempts)
        };
        let guilty: Vec<(usize, u64)> = starts.iter().filter(used_up).copied().collect();
        if guilty.is_empty() {
            return judgement;
        }
        let steps = progress_of(plan, view, self.id).steps;
        let row = self.tally.set_aside(guilty.len() as u32, steps);
        if row < IN_A_ROW {
            self.set_aside(plan, &guilty, (attempts, cause), false);
            return judgement;
        }
        let why = format!(
            "{row} messages in a row were to be set aside by actor `{}`, with no step between them that committed: its state is to \
             blame",
            plan.actor(self.id).name
        );
        match self.state(plan, view) {
            Ok(state) => {
                judgement.resets = Some(Reset {
                    id: self.id,
                    guilty,
                    attempts,
                    cause: cause.clone(),
                    why,
                    state: Arc::new(state),
                });
            }
            Err(hindrance) => judgement.gives_up = Some(format!("{why}; {hindrance}")),
        }
        judgement
    }

    /// Has the next life set these messages aside; with the first of them the state starts anew, if it `resets`.
    fn set_aside(
        &self,
        plan: &Plan,
        guilty: &[(usize, u64)],
        (attempts, cause): (u32, &Cause),
        mut resets: bool,
    ) {
        let s = if attempts == 1 { "" } else { "s" };
        for &(input, position) in guilty {
            let aside = Aside {
                position,
                attempts: attempts.into(),
                cause: cause.code(),
                resets: std::mem::take(&mut resets),
            };
            self.charges.set_aside(input, aside);
            say(
                Level::Error,
                format_args!(
                    "{}/{}: link `{}`: message {position} is set aside after {attempts} attempt{s}, the last: {cause}",
                    plan.bus,
                    plan.actor(self.id).name,
                    self.link(plan, input).name
                ),
            );
        }
    }

    /// What the actor's state is, if it may start anew; else why not.
    fn state(&self, plan: &Plan, view: &BusView) -> Result<KeptState, String> {
        let keep = plan.partitions[self.id.partition].reset_state.as_ref();
        let keep = keep.ok_or("`.reset_state(..)` would have it start anew")?;
        if !plan.actor(self.id).collections.is_empty() {
            return Err("collections can't start anew".to_owned());
        }
        KeptState::of(plan, view, self.id, keep)
            .map_err(|error| format!("what it was can't be read: {error}"))
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
