//! What actors have committed, and what links have carried: read off the records, by anybody who maps the regions.

use airssys_ringbuf::step::{
    CollectionView, LinkFault, ObserveError, Progress, link_fault, progress,
};

use crate::partition::view::BusView;
use crate::topology::LinkId;
use crate::topology::model::{ActorId, CollectionPlan, LinkPlan, Plan};

/// What an actor has committed; nothing if its state can't be read just now.
pub(crate) fn progress_of(plan: &Plan, view: &BusView, id: ActorId) -> Progress {
    let actor = plan.actor(id);
    let (inputs, outputs) = (actor.inputs.len(), actor.outputs.len());
    progress(view.partition(id.partition), &actor.name, inputs, outputs).unwrap_or_else(|_| {
        Progress {
            received: vec![0; inputs],
            sent: vec![0; outputs],
            ..Progress::default()
        }
    })
}

/// A collection of an actor.
pub(crate) fn view_of(
    plan: &Plan,
    view: &BusView,
    id: ActorId,
    collection: &CollectionPlan,
) -> Result<CollectionView, ObserveError> {
    let actor = plan.actor(id);
    let ends = (actor.inputs.len(), actor.outputs.len());
    let section = (collection.kind.section_kind(), collection.name.as_str());
    CollectionView::new(view.partition(id.partition), &actor.name, ends, section)
}

/// Messages committed at both ends of a link: (sent, received).
pub(crate) fn counts_of(plan: &Plan, view: &BusView, link: usize) -> (u64, u64) {
    let ends = &plan.links[link];
    let place = |links: &[LinkId]| links.iter().position(|id| id.0 == link);
    // The receiver first: what it has received was sent before.
    let received = place(&plan.actor(ends.to).inputs)
        .map_or(0, |index| progress_of(plan, view, ends.to).received[index]);
    let sent = place(&plan.actor(ends.from).outputs)
        .map_or(0, |index| progress_of(plan, view, ends.from).sent[index]);
    (sent, received)
}

/// Why an end of the link has given it up, if it is an untrusted one and an end did.
pub(crate) fn fault_of(view: &BusView, link: &LinkPlan) -> Option<LinkFault> {
    let (from, to) = (
        view.partition(link.from.partition),
        view.partition(link.to.partition),
    );
    // A link's two sections were found when the bus was opened.
    link_fault(from, to, &link.name).ok().flatten()
}
