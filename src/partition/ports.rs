//! Opening an actor's ends, in the order of their declaration.

use std::fmt;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::{
    Attach, AttachError, Clock, Durable, End, LetterNames, Letters, Receiver, Receivers, Sender,
    StepCore,
};

use crate::local::{AnyLocal, LocalEnd, LocalReceiver, LocalRings, LocalSender};
use crate::partition::view::BusView;
use crate::topology::LinkId;
use crate::topology::model::{ActorId, ActorPlan, LettersPlan, LinkPlan, Plan};

/// An actor's ends could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("actor `{actor}`: {problem}")]
pub struct PortError {
    actor: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error(
        "local link `{link}`: its end is held by somebody else of this process; drop that one first"
    )]
    LocalTaken { link: String },
}

/// Opens the ends of one actor in one incarnation; handed to its factory.
pub struct PortOpener<'a> {
    attach: Attach<'a>,
    plan: &'a Plan,
    view: &'a BusView,
    locals: &'a LocalRings,
    local_ends: Vec<LocalEnd>,
    actor: &'a ActorPlan,
}

impl fmt::Debug for PortOpener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortOpener")
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl<'a> PortOpener<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        view: &'a BusView,
        locals: &'a LocalRings,
        (id, incarnation): (ActorId, u64),
    ) -> Result<Self, PortError> {
        let actor = plan.actor(id);
        let attach = Attach::new(
            view.partition(id.partition),
            &actor.name,
            actor.inputs.len(),
            actor.outputs.len(),
        );
        let mut attach = attach.map_err(|source| failed(actor, source))?;
        attach.incarnation(incarnation).instance(view.instance());
        Ok(Self {
            attach,
            plan,
            view,
            locals,
            local_ends: Vec::new(),
            actor,
        })
    }

    pub(crate) fn sender<T: Message>(&mut self, link: LinkId) -> Result<Sender<T>, PortError> {
        let link = self.plan.link(link);
        let receiver = self.view.partition(link.to.partition);
        self.attach
            .trusting(link.trusted)
            .sender(&link.name, receiver)
            .map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn receiver<T: Message>(&mut self, link: LinkId) -> Result<Receiver<T>, PortError> {
        let link = self.plan.link(link);
        let sender = self.view.partition(link.from.partition);
        self.attach
            .trusting(link.trusted)
            .receiver(&link.name, sender)
            .map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn receivers<T: Message>(
        &mut self,
        links: &[LinkId],
    ) -> Result<Receivers<T>, PortError> {
        let links = links.iter().map(|&link| {
            let link = self.plan.link(link);
            let sender = self.view.partition(link.from.partition);
            (link.name.as_str(), sender)
        });
        let links: Vec<_> = links.collect();
        self.attach
            .receivers(&links)
            .map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn durable<S: Message>(
        &mut self,
        cell: usize,
        initial: S,
    ) -> Result<Durable<S>, PortError> {
        self.attach
            .durable(&self.actor.cells[cell].name, initial)
            .map_err(|source| failed(self.actor, source))
    }

    /// Opens something else that the actor's region has.
    pub(crate) fn attach<P>(
        &mut self,
        open: impl FnOnce(&mut Attach<'a>) -> Result<P, AttachError>,
    ) -> Result<P, PortError> {
        open(&mut self.attach).map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn clock(&mut self) -> Result<Clock, PortError> {
        self.attach
            .clock(self.view.clock())
            .map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn local_sender<T: Send + 'static>(
        &mut self,
        link: usize,
    ) -> Result<LocalSender<T>, PortError> {
        let port = self.local(link).sender();
        self.opened(link, true, port)
    }

    pub(crate) fn local_receiver<T: Send + 'static>(
        &mut self,
        link: usize,
    ) -> Result<LocalReceiver<T>, PortError> {
        let port = self.local(link).receiver();
        self.opened(link, false, port)
    }

    fn local(&self, link: usize) -> &AnyLocal {
        &self.locals.0[link]
    }

    fn opened<P>(&mut self, link: usize, sends: bool, port: Option<P>) -> Result<P, PortError> {
        let port = port.ok_or_else(|| PortError {
            actor: self.actor.name.clone(),
            problem: Problem::LocalTaken {
                link: self.plan.locals[link].name.clone(),
            },
        })?;
        self.local_ends.push(self.local(link).end(sends));
        Ok(port)
    }

    /// The dead letters of input `input`, after all ends that the actor's author declared.
    pub(super) fn letters(
        &mut self,
        input: usize,
        letters: &LettersPlan,
    ) -> Result<Letters, PortError> {
        let (ring, notes) = (
            self.plan.link(letters.letters),
            self.plan.link(letters.notes),
        );
        let names = LetterNames {
            letters: &ring.name,
            notes: &notes.name,
            tally: &self.actor.cells[letters.tally].name,
            payload: ring.payload_size,
        };
        self.attach
            .letters(input, &names)
            .map_err(|source| failed(self.actor, source))
    }

    pub(crate) fn finish(self) -> (StepCore, Vec<LocalEnd>) {
        (self.attach.finish(), self.local_ends)
    }
}

fn failed(actor: &ActorPlan, source: AttachError) -> PortError {
    PortError {
        actor: actor.name.clone(),
        problem: source.into(),
    }
}

/// Does again what follows the actor's last commit; whether it is done.
pub(crate) fn recover(plan: &Plan, view: &BusView, id: ActorId) -> Result<bool, PortError> {
    let actor = plan.actor(id);
    let (inputs, outputs) = ends(plan, view, actor);
    airssys_ringbuf::step::recover(view.partition(id.partition), &actor.name, &inputs, &outputs)
        .map_err(|source| failed(actor, source))
}

/// Has the durable state that the actor's author declared start anew by one step, if step `after` is its last one; whether it was.
/// Counts of dead letters go on.
pub(crate) fn start_anew(
    plan: &Plan,
    view: &BusView,
    id: ActorId,
    after: u64,
) -> Result<bool, PortError> {
    let actor = plan.actor(id);
    let (inputs, outputs) = ends(plan, view, actor);
    let cells = actor.cells.iter().take(actor.declared.cells);
    let cells: Vec<_> = cells
        .map(|cell| (cell.name.as_str(), &*cell.initial))
        .collect();
    airssys_ringbuf::step::reset::<{ airssys_ringbuf::step::mistake::NONE }>(
        view.partition(id.partition),
        &actor.name,
        (&inputs, &outputs),
        &cells,
        after,
    )
    .map_err(|source| failed(actor, source))
}

fn ends<'a>(plan: &'a Plan, view: &'a BusView, actor: &ActorPlan) -> (Vec<End<'a>>, Vec<End<'a>>) {
    let ends = |links: &[LinkId], peer: fn(&LinkPlan) -> usize| -> Vec<End<'a>> {
        let links = links.iter().map(|&link| plan.link(link));
        links
            .map(|link| End {
                link: &link.name,
                peer: view.partition(peer(link)),
                payload: link.payload_size,
            })
            .collect()
    };
    (
        ends(&actor.inputs, |link| link.from.partition),
        ends(&actor.outputs, |link| link.to.partition),
    )
}
