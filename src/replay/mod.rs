//! Running the step of a capsule again.

mod check;
mod error;

use std::fmt;
use std::sync::Arc;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::{
    ActorState, ClockSource, CollectionView, InputState, ManualClock, Observer, OutputState, Seen,
    progress, read_cell, restore,
};

use crate::actor::{Refused, Step, verdict};
use crate::capsule::{Capsule, CapsuleInput, CapsuleOutput, CapsuleSection};
use crate::local::LocalRings;
use crate::partition::letters::DeadLetters;
use crate::partition::ports::PortOpener;
use crate::partition::progress::view_of;
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, LinkPlan, Plan};
use crate::topology::{LinkId, Topology, letters};

use check::{check, find, listed};
pub use error::ReplayError;

/// The life that a replayed step is of.
const INCARNATION: u64 = 1;

/// What a replayed step did.
pub struct Replayed {
    plan: Arc<Plan>,
    view: BusView,
    id: ActorId,
    /// Messages that each output had sent before.
    sent_before: Vec<u64>,
    received_before: Vec<u64>,
    result: Result<Step, Refused>,
    committed: bool,
}

impl fmt::Debug for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayed")
            .field("actor", &self.plan.actor(self.id).name)
            .field("result", &self.result)
            .field("committed", &self.committed)
            .finish_non_exhaustive()
    }
}

/// Runs the step of `capsule` again, with the state that it found, the messages that it had in work and the clock that it
/// read: on the calling thread, over heap memory, with the actor of `topology`.
///
/// A step that crashed crashes again, here: a panic goes on to the caller, a fault ends this process or stops it under its
/// debugger, a hang hangs. What was mended returns what it did instead, to be asserted:
///
/// ```no_run
/// # use airssys_rt::prelude::*;
/// # fn quotes() -> Result<Topology, TopologyError> { Topology::builder("quotes").build() }
/// use airssys_rt::{Capsule, replay};
///
/// #[test]
/// fn a_crossed_book_is_no_crash() {
///     let capsule = Capsule::open("tests/capsules/crossed-book.capsule.json").unwrap();
///     let replayed = replay(&capsule, &quotes().unwrap()).unwrap();
///     assert!(replayed.is_committed());
///     assert_eq!(replayed.sent::<u64>("orders").unwrap(), []);
/// }
/// ```
///
/// The step gets the messages in work and no others, so that a later program does the same with them. The actor is made by its
/// factory, as in a new life; its plain fields are new, its local links are empty. Of all other actors none runs. A clock that
/// the step hadn't read says 0.
///
/// A dead letter that the step was handling again comes as it did. An actor with collections needs its partition declared as it
/// was: what the step had changed in them is undone by places in the region.
///
/// # Errors
///
/// [`ReplayError`]: the topology has no such actor, its ends, cells and collections are others than the capsule's or of other
/// types, the capsule has fewer messages than were in work, or the step can't be ended. An end that the capsule doesn't know is
/// empty.
///
/// # Panics
///
/// If the actor does.
pub fn replay(capsule: &Capsule, topology: &Topology) -> Result<Replayed, ReplayError> {
    let plan = topology.plan();
    let id = find(capsule, plan)?;
    check(capsule, plan, id)?;
    let clock = ManualClock::default();
    clock.set(
        capsule.clock.monotonic_ns.unwrap_or_default(),
        capsule.clock.realtime_ns.unwrap_or_default(),
    );
    let view = BusView::heap(plan, capsule.instance(), ClockSource::Manual(clock))?;
    let actor = plan.actor(id);
    let state = state(capsule, plan, &view, id);
    let own = view.partition(id.partition);
    restore(own, &actor.name, &state).map_err(|source| ReplayError::Restore {
        actor: actor.name.clone(),
        source,
    })?;
    let before = progress(own, &actor.name, actor.inputs.len(), actor.outputs.len())?;
    let (result, committed) = run(plan, &view, id)?;
    Ok(Replayed {
        plan: Arc::clone(plan),
        id,
        sent_before: before.sent,
        received_before: before.received,
        result,
        committed,
        view,
    })
}

fn run(
    plan: &Plan,
    view: &BusView,
    id: ActorId,
) -> Result<(Result<Step, Refused>, bool), ReplayError> {
    let locals = LocalRings::of(plan);
    let mut opener = PortOpener::new(plan, view, &locals, (id, INCARNATION))?;
    let factory = &plan.partitions[id.partition].factories.0[id.actor];
    let mut actor = factory(&mut opener)?;
    let mut letters = DeadLetters::open(plan, view, id, &mut opener)?;
    let (mut core, _ends) = opener.finish();
    // Of letters there is the one that was in work, if one was.
    let mut letters = letters.as_deref_mut().and_then(DeadLetters::first);
    match &letters {
        Some(letters) => core.begin_requeue(letters),
        None => core.begin(u64::MAX),
    }
    let result = actor.step();
    let verdict = verdict(result);
    let ended = match &mut letters {
        Some(letters) => core
            .finish_requeue(letters, verdict)
            .map(|(ended, _)| ended),
        None => core.finish(verdict),
    };
    let ended = ended.map_err(|source| ReplayError::Step {
        actor: plan.actor(id).name.clone(),
        source,
    })?;
    Ok((result, ended.committed))
}

/// What the actor's step is to find. The capsule was checked against the plan.
fn state<'a>(
    capsule: &'a Capsule,
    plan: &'a Plan,
    view: &'a BusView,
    id: ActorId,
) -> ActorState<'a> {
    let actor = plan.actor(id);
    let inputs = actor.inputs.iter().map(|&link| {
        let link = plan.link(link);
        let kept = capsule.inputs.iter().find(|input| input.link == link.name);
        let shown = kept.map_or(0, |input| input.in_work);
        // A letter comes with its note, which nobody is shown.
        let noted = u64::from(has_letter_in_work(capsule, &link.name));
        input_state(link, view, (kept, shown.max(noted)))
    });
    let outputs = actor.outputs.iter().map(|&link| {
        let link = plan.link(link);
        let mut kept = capsule.outputs.iter();
        let kept = kept.find(|output| output.link == link.name);
        output_state(link, view, kept)
    });
    let cells = actor.cells.iter().filter_map(|cell| {
        let kept = capsule.cells.iter().find(|kept| kept.cell == cell.name)?;
        Some((cell.name.as_str(), kept.bytes.as_deref()?))
    });
    let sections = view.partition(id.partition).sections().iter();
    let sections = sections.filter_map(|entry| {
        let named =
            |kept: &&CapsuleSection| kept.name == entry.name && kept.kind == entry.kind.to_string();
        let kept = capsule.sections.iter().find(named)?;
        Some((entry.kind, kept.name.as_str(), kept.bytes.as_slice()))
    });
    ActorState {
        steps: capsule.steps,
        inputs: inputs.collect(),
        outputs: outputs.collect(),
        cells: cells.collect(),
        sections: sections.collect(),
    }
}

/// Whether `notes` are of a link of which a dead letter was in work.
fn has_letter_in_work(capsule: &Capsule, notes: &str) -> bool {
    notes.strip_suffix(letters::NOTES).is_some_and(|link| {
        let letters = capsule.inputs.iter().filter(|input| input.in_work > 0);
        letters
            .filter_map(|input| input.link.strip_suffix(letters::LETTERS))
            .any(|of| of == link)
    })
}

fn input_state<'a>(
    link: &'a LinkPlan,
    view: &'a BusView,
    (kept, in_work): (Option<&'a CapsuleInput>, u64),
) -> InputState<'a> {
    let messages = kept.map_or(&[][..], |input| &input.messages);
    let messages = messages.iter().take(in_work as usize);
    let received = kept.map_or(0, |input| input.received);
    InputState {
        link: &link.name,
        peer: view.partition(link.from.partition),
        payload: link.payload_size,
        received,
        messages: messages
            .map(|message| (message.stamp_ns.unwrap_or_default(), &*message.bytes))
            .collect(),
        ended: kept.is_some_and(|input| input.sender_ended == Some(received + in_work)),
    }
}

fn output_state<'a>(
    link: &'a LinkPlan,
    view: &'a BusView,
    kept: Option<&CapsuleOutput>,
) -> OutputState<'a> {
    let sent = kept.map_or(0, |output| output.sent);
    let given_back = kept.map_or(0, |output| output.given_back);
    OutputState {
        link: &link.name,
        peer: view.partition(link.to.partition),
        payload: link.payload_size,
        sent,
        // Of a link that has fewer slots now, as many as it has are taken.
        given_back: given_back.max(sent.saturating_sub(link.capacity)),
        ended: kept.is_some_and(|output| output.receiver_ended),
    }
}

impl Replayed {
    /// What the step returned.
    ///
    /// # Errors
    ///
    /// [`Refused`], if that is what it returned.
    pub fn result(&self) -> Result<Step, Refused> {
        self.result
    }

    /// Whether the step counts: whether it commits what it has done.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.committed
    }

    /// The messages that the step sent on `link`; none if it doesn't commit.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the actor doesn't send on such a link, or it carries another message.
    pub fn sent<T: Message>(&self, link: &str) -> Result<Vec<T>, ReplayError> {
        let outputs = &self.plan.actor(self.id).outputs;
        let index = self.place("output", outputs, link)?;
        let ends = self.plan.link(outputs[index]);
        let mut observer = Observer::attach(
            self.view.partition(ends.from.partition),
            self.view.partition(ends.to.partition),
            link,
        )?;
        observer.skip_to(self.sent_before[index]);
        let mut sent = Vec::new();
        while let Some(seen) = observer.next() {
            if let Seen::Message(_, message) = seen {
                sent.push(message);
            }
        }
        Ok(sent)
    }

    /// How many messages the step received from `link`; none if it doesn't commit.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the actor doesn't receive from such a link.
    pub fn received(&self, link: &str) -> Result<u64, ReplayError> {
        let actor = self.plan.actor(self.id);
        let index = self.place("input", &actor.inputs, link)?;
        let ends = (actor.inputs.len(), actor.outputs.len());
        let own = self.view.partition(self.id.partition);
        let after = progress(own, &actor.name, ends.0, ends.1)?;
        Ok(after.received[index] - self.received_before[index])
    }

    /// What a cell holds after the step.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the actor has no such cell, or it holds another type.
    ///
    /// # Panics
    ///
    /// Never: every cell has a value once its actor was made.
    pub fn cell<S: Message>(&self, cell: &str) -> Result<S, ReplayError> {
        let actor = self.plan.actor(self.id);
        let index = actor.cells.iter().position(|one| one.name == cell);
        let index = index.ok_or_else(|| ReplayError::NoEnd {
            actor: actor.name.clone(),
            kind: "cell",
            name: cell.to_owned(),
            known: listed(actor.cells.iter().map(|cell| cell.name.as_str())),
        })?;
        let ends = (actor.inputs.len(), actor.outputs.len());
        let own = self.view.partition(self.id.partition);
        let value = read_cell(own, &actor.name, ends, (cell, index))?;
        Ok(value.expect("the actor was made, which commits first values"))
    }

    /// A collection after the step, to be looked at.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the actor has no such collection.
    pub fn collection(&self, collection: &str) -> Result<CollectionView, ReplayError> {
        let actor = self.plan.actor(self.id);
        let all = &actor.collections;
        let found = all.iter().find(|one| one.name == collection);
        let found = found.ok_or_else(|| ReplayError::NoEnd {
            actor: actor.name.clone(),
            kind: "collection",
            name: collection.to_owned(),
            known: listed(all.iter().map(|one| one.name.as_str())),
        })?;
        Ok(view_of(&self.plan, &self.view, self.id, found)?)
    }

    fn place(
        &self,
        kind: &'static str,
        links: &[LinkId],
        link: &str,
    ) -> Result<usize, ReplayError> {
        let name = |&id: &LinkId| self.plan.link(id).name.as_str();
        let place = links.iter().position(|id| name(id) == link);
        place.ok_or_else(|| ReplayError::NoEnd {
            actor: self.plan.actor(self.id).name.clone(),
            kind,
            name: link.to_owned(),
            known: listed(links.iter().map(name)),
        })
    }
}
