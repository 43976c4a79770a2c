//! Whose fault a death was: the messages that an actor had in work when it died by its own doing.
//!
//! ```text
//! a death with many in work   -> the next lives receive them one at a time
//! a death with one in work    -> an attempt; after the last one it is set aside, by a step of the next life
//! three set aside in a row    -> the state is to blame: it starts anew, or the topology gives up
//! ```
//!
//! What the next life has to know lies in the supervisor's region, and so survives whatever happens to it. So does the count,
//! which goes on when another supervisor takes the bus up: each end of a life is judged once, or again if that was cut short. A
//! life that was killed from outside changes nothing of it.

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
use crate::supervisor::tally::Tally;
use crate::topology::model::{ActorId, LinkPlan, Plan};

/// Messages set aside in a row, with no step between them that committed, that lay the blame on the state.
const IN_A_ROW: u64 = 3;

/// Deaths with a message in work, of which nobody saw the cause, before it is set aside, however few attempts it has: any of them
/// may have been a kill from outside.
const UNSEEN_MIN: u64 = 2;

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
    /// The life that died.
    incarnation: u64,
    /// Steps committed by then.
    steps: u64,
    guilty: Vec<(usize, u64)>,
    attempts: u64,
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
                    let charges = Charges::new(supervisor, section, found.declared.inputs)?;
                    all.push(Accused {
                        id: ActorId { partition, actor },
                        tally: Tally(charges.read()),
                        charges,
                    });
                }
            }
        }
        Ok(Self(all))
    }

    /// Judges the end of a life, before the next one begins: once, whether it is told of by the reap, or by a later supervisor that finds
    /// what this one didn't live to judge.
    pub(crate) fn judge(
        &mut self,
        plan: &Plan,
        view: &BusView,
        (partition, incarnation): (usize, u64),
        cause: &Cause,
    ) -> Judgement {
        let mut all = Judgement::default();
        let is_open =
            |one: &&mut Accused| one.id.partition == partition && one.tally.0.judged != incarnation;
        for accused in self.0.iter_mut().filter(is_open) {
            let one = accused.judge_life(plan, view, incarnation, cause);
            all.excuses |= one.excuses;
            all.gives_up = all.gives_up.or(one.gives_up);
            all.resets = all.resets.or(one.resets);
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
            accused.tally.0.row = 0;
            accused.set_aside(plan, &reset.guilty, (reset.attempts, &reset.cause));
            // The next life does that first; it is at this step until then.
            accused.charges.reset_after(reset.steps);
            accused.judged(reset.incarnation);
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

    /// Judges the end of a life, and writes down that it was.
    fn judge_life(
        &mut self,
        plan: &Plan,
        view: &BusView,
        incarnation: u64,
        cause: &Cause,
    ) -> Judgement {
        let work = work_of(plan, view, self.id);
        let work = work.filter(|work| work.incarnation == incarnation && cause.blames());
        let judgement = match work {
            Some(work) => self.judge(plan, view, &work, cause),
            None => Judgement::default(),
        };
        // A reset is judged once the state is kept.
        if judgement.resets.is_none() {
            self.judged(incarnation);
        }
        judgement
    }

    /// Last of all: cut short before it, the death is judged again, with the same outcome.
    fn judged(&mut self, incarnation: u64) {
        self.tally.0.judged = incarnation;
        self.charges.write(&self.tally.0);
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
            Some(attempts) => {
                let life = work.incarnation;
                self.sentence(plan, view, life, &starts, (attempts, cause), judgement)
            }
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
        incarnation: u64,
        starts: &[(usize, u64)],
        (attempts, cause): (u64, &Cause),
        mut judgement: Judgement,
    ) -> Judgement {
        let used_up = |&&(input, _): &&(usize, u64)| {
            let letters = &self.link(plan, input).letters;
            letters.as_ref().is_some_and(|letters| {
                let allowed = u64::from(letters.policy.attempts);
                let least = if *cause == Cause::Unseen {
                    UNSEEN_MIN
                } else {
                    1
                };
                attempts >= allowed.max(least)
            })
        };
        let guilty: Vec<(usize, u64)> = starts.iter().filter(used_up).copied().collect();
        if guilty.is_empty() {
            return judgement;
        }
        let steps = progress_of(plan, view, self.id).steps;
        let row = self.tally.set_aside(guilty.len() as u64, steps);
        if row < IN_A_ROW {
            self.set_aside(plan, &guilty, (attempts, cause));
            return judgement;
        }
        let why = format!(
            "{row} messages in a row were to be set aside by actor `{}`, with no step between them that committed: its state is to \
             blame",
            plan.actor(self.id).name
        );
        match &plan.partitions[self.id.partition].reset_state {
            Some(directory) => {
                judgement.resets = Some(Reset {
                    id: self.id,
                    incarnation,
                    steps,
                    guilty,
                    attempts,
                    cause: cause.clone(),
                    why,
                    state: Arc::new(KeptState::new(view, self.id, directory)),
                });
            }
            None => {
                judgement.gives_up = Some(format!(
                    "{why}; `.reset_state(..)` would have it start anew"
                ));
            }
        }
        judgement
    }

    /// Has the next life set these messages aside.
    fn set_aside(&self, plan: &Plan, guilty: &[(usize, u64)], (attempts, cause): (u64, &Cause)) {
        let s = if attempts == 1 { "" } else { "s" };
        for &(input, position) in guilty {
            let aside = Aside {
                position,
                attempts,
                cause: cause.code(),
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::prelude::*;

    struct Poisoned(Receiver<u64>);

    impl Actor for Poisoned {
        fn step(&mut self) -> Result<Step, Refused> {
            assert!(self.0.try_recv().is_none(), "every message is a bad one");
            Ok(Step::Idle)
        }
    }

    /// A supervisor dies between any two of its stores: what the next one finds is judged again, or was.
    #[test]
    fn a_letter_is_withdrawn_once_however_often_that_is_cut_short() {
        let mut topology = Topology::builder("withdrawn");
        let options = LinkOptions::new(8).dead_letters(2).max_attempts(1);
        let (out, input) = topology.link_with::<u64>("bad", options);
        topology.host().sends(out);
        topology
            .partition("poisoned")
            .actor("poisoned", input, Poisoned);
        let mut bus = topology.build().unwrap().inline(0).unwrap();
        let mut bad = bus.sender::<u64>("bad").unwrap();
        let monitor = bus.monitor();
        let letters = bus.dead_letters("bad").unwrap();
        let mut turn = || catch_unwind(AssertUnwindSafe(|| bus.run_until_idle(100).unwrap()));
        for waiting in 1..=2 {
            bad.try_send(waiting).unwrap();
            assert!(turn().is_err());
            assert!(turn().is_ok());
            assert_eq!(letters.len() as u64, waiting);
        }
        letters.requeue(2);
        assert!(turn().is_err());

        let (plan, view) = (&*monitor.plan, &monitor.view);
        let id = ActorId {
            partition: 0,
            actor: 0,
        };
        let life = (0, work_of(plan, view, id).unwrap().incarnation);
        let cause = Cause::Panic(None);
        let supervisor = || Blame::new(plan, view).unwrap();
        let charges = supervisor().0[0].charges.clone();
        let unjudged = charges.read();
        assert_eq!(charges.view().requeue_to(0), 2);
        assert!(supervisor().judge(plan, view, life, &cause).excuses);
        let judged = charges.read();
        assert_eq!((charges.view().requeue_to(0), judged.judged), (0, life.1));
        // Killed behind the order, before the account.
        charges.write(&unjudged);
        assert!(supervisor().judge(plan, view, life, &cause).excuses);
        assert_eq!(charges.view().requeue_to(0), 0);
        assert_eq!(charges.read(), judged);
        // Once the account has it, an order that was given since stands.
        supervisor().order(plan, view, 0, (LetterOrder::Requeue, 1));
        assert!(!supervisor().judge(plan, view, life, &cause).excuses);
        assert_eq!(charges.view().requeue_to(0), 1);
    }
}
