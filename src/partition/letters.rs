//! One actor's dead letters in one life: what the supervisor holds against its messages is carried out, each by one step.
//!
//! All of it is told by positions, which hold for good: a life that dies before it has obeyed leaves it to the next one, and
//! what was obeyed lies behind.

use airssys_ringbuf::blame::{Aside, ChargesView};
use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::{Letters, SetAside, StepCore, StepError};

use crate::actor::{Actor, verdict};
use crate::partition::ports::{PortError, PortOpener};
use crate::partition::progress::progress_of;
use crate::partition::runner::Turn;
use crate::partition::view::BusView;
use crate::report::{Level, say};
use crate::topology::model::{ActorId, Plan};

/// What is held against the messages of an actor; nothing if it has no inputs.
pub(crate) fn charges(plan: &Plan, view: &BusView, id: ActorId) -> Option<ChargesView> {
    let supervisor = view.supervisor();
    let actor = plan.actor(id);
    let section = supervisor.section(SectionKind::Blame, &actor.name);
    ChargesView::new(supervisor, section.ok()?, actor.declared.inputs).ok()
}

/// Inputs of which messages are received one at a time, each up to a position.
pub(super) fn suspects(plan: &Plan, view: &BusView, id: ActorId) -> Vec<(usize, u64)> {
    let Some(charges) = charges(plan, view, id) else {
        return Vec::new();
    };
    let inputs = 0..plan.actor(id).declared.inputs;
    inputs
        .map(|input| (input, charges.suspect_to(input)))
        .filter(|&(_, to)| to > 0)
        .collect()
}

/// The messages that this life has to set aside, by input.
fn asides(plan: &Plan, view: &BusView, id: ActorId) -> Vec<Option<Aside>> {
    let received = progress_of(plan, view, id).received;
    let Some(charges) = charges(plan, view, id) else {
        return Vec::new();
    };
    let inputs = 0..plan.actor(id).declared.inputs;
    inputs
        .map(|input| {
            charges
                .aside(input)
                .filter(|aside| aside.position == received[input])
        })
        .collect()
}

/// The dead letters of one link.
struct OfLink {
    name: String,
    input: usize,
    letters: Letters,
    drops: bool,
    aside: Option<Aside>,
    /// Said already that there is no room.
    is_told: bool,
    /// The letter that was shown to the handler, which left it.
    left: Option<u64>,
}

/// What there is to do with a letter.
enum Due {
    Drop,
    Requeue,
}

impl OfLink {
    fn due(&self, charges: &ChargesView) -> Option<Due> {
        let (oldest, end) = (self.letters.oldest(), self.letters.end());
        if oldest < end.min(charges.drop_to(self.input)) {
            Some(Due::Drop)
        } else if oldest < end.min(charges.requeue_to(self.input)) {
            Some(Due::Requeue)
        } else {
            None
        }
    }

    fn has_news(&self, charges: &ChargesView) -> bool {
        match self.due(charges) {
            Some(Due::Drop) => true,
            Some(Due::Requeue) => self.left != Some(self.letters.oldest()),
            None => false,
        }
    }
}

/// The dead letters of one actor.
pub(crate) struct DeadLetters {
    actor: String,
    charges: ChargesView,
    links: Vec<OfLink>,
}

/// What came of a look at them.
pub(super) enum Looked {
    /// A step was taken.
    Turned(Turn),
    /// There is no room for a message that has to be set aside: the actor waits.
    Blocked,
    /// There is nothing to do.
    Nothing,
}

impl DeadLetters {
    /// Those of an actor whose other ends are open; `None` if it has none.
    pub(crate) fn open(
        plan: &Plan,
        view: &BusView,
        id: ActorId,
        opener: &mut PortOpener<'_>,
    ) -> Result<Option<Box<Self>>, PortError> {
        let actor = plan.actor(id);
        let mut asides = asides(plan, view, id);
        let mut links = Vec::new();
        for input in 0..actor.declared.inputs {
            let link = plan.link(actor.inputs[input]);
            if let Some(letters) = &link.letters {
                links.push(OfLink {
                    name: link.name.clone(),
                    input,
                    letters: opener.letters(input, letters)?,
                    drops: letters.policy.drops,
                    aside: asides.get_mut(input).and_then(Option::take),
                    is_told: false,
                    left: None,
                });
            }
        }
        let charges = charges(plan, view, id).filter(|_| !links.is_empty());
        Ok(charges.map(|charges| {
            Box::new(Self {
                actor: actor.name.clone(),
                charges,
                links,
            })
        }))
    }

    /// Those of a link that has any.
    pub(crate) fn first(&mut self) -> Option<&mut Letters> {
        let mut letters = self.links.iter_mut().map(|link| &mut link.letters);
        letters.find(|letters| letters.has_letter())
    }

    pub(super) fn has_news(&self) -> bool {
        self.links.iter().any(|link| link.has_news(&self.charges))
    }

    /// Does what is due next.
    #[inline]
    pub(super) fn look(
        &mut self,
        core: &mut StepCore,
        actor: &mut dyn Actor,
    ) -> Result<Looked, StepError> {
        let due = |link: &OfLink| link.aside.is_some() || link.due(&self.charges).is_some();
        if self.links.iter().any(due) {
            self.act(core, actor)
        } else {
            Ok(Looked::Nothing)
        }
    }

    #[cold]
    fn act(&mut self, core: &mut StepCore, actor: &mut dyn Actor) -> Result<Looked, StepError> {
        // Room is made before it is needed.
        for link in &mut self.links {
            if matches!(link.due(&self.charges), Some(Due::Drop)) {
                let outcome = core.drop_letter(&mut link.letters)?;
                return Ok(turned(core, outcome.visible));
            }
        }
        for link in &mut self.links {
            if let Some(visible) = set_aside(core, link, &self.actor)? {
                return Ok(turned(core, visible));
            }
        }
        for link in &mut self.links {
            if matches!(link.due(&self.charges), Some(Due::Requeue))
                && let Some(visible) = requeue(core, link, actor)?
            {
                return Ok(turned(core, visible));
            }
        }
        let waits = self.links.iter().any(|link| link.aside.is_some());
        Ok(if waits {
            Looked::Blocked
        } else {
            Looked::Nothing
        })
    }
}

fn turned(core: &StepCore, visible: bool) -> Looked {
    Looked::Turned(Turn {
        busy: true,
        visible,
        ended: core.is_done(),
    })
}

/// Whether peers were shown anything, if it was done.
fn set_aside(
    core: &mut StepCore,
    link: &mut OfLink,
    actor: &str,
) -> Result<Option<bool>, StepError> {
    let Some(aside) = link.aside else {
        return Ok(None);
    };
    let OfLink { name, letters, .. } = link;
    let position = aside.position;
    match core.set_aside(letters, &aside, link.drops)? {
        SetAside::Kept(outcome) => {
            link.aside = None;
            Ok(Some(outcome.visible))
        }
        SetAside::Dropped(outcome) => {
            link.aside = None;
            say(
                Level::Error,
                format_args!(
                    "{actor}: link `{name}`: message {position} was dropped instead of set aside: there is no room among the dead \
                     letters"
                ),
            );
            Ok(Some(outcome.visible))
        }
        SetAside::Full(_) => {
            if !std::mem::replace(&mut link.is_told, true) {
                say(
                    Level::Error,
                    format_args!(
                        "{actor}: waits to set message {position} of link `{name}` aside until some of its dead letters are \
                         handled again or dropped: there is no room among them"
                    ),
                );
            }
            Ok(None)
        }
        SetAside::Behind => {
            link.aside = None;
            Ok(None)
        }
    }
}

/// Shows the oldest letter to the handler. Whether peers were shown anything, if it took it.
fn requeue(
    core: &mut StepCore,
    link: &mut OfLink,
    actor: &mut dyn Actor,
) -> Result<Option<bool>, StepError> {
    let oldest = link.letters.oldest();
    core.begin_requeue(&link.letters);
    // That there is nobody to send to, the next ordinary step finds out, too.
    let verdict = verdict(actor.step());
    let (outcome, taken) = core.finish_requeue(&mut link.letters, verdict)?;
    if taken {
        return Ok(Some(outcome.visible));
    }
    link.left = Some(oldest);
    Ok(outcome.committed.then_some(outcome.visible))
}
