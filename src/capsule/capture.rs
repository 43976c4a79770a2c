//! Reading a crash off the regions: what the records, the rings and the cells of the actor say that was in its step.
//!
//! Nobody writes there meanwhile: the life is over, and the next one hasn't begun. Its peers live on, but don't overwrite what
//! it hasn't given back.

use airssys_ringbuf::Instance;
use airssys_ringbuf::clock::realtime_ns;
use airssys_ringbuf::memory::RangeError;
use airssys_ringbuf::pulse::{Phase, PulseView};
use airssys_ringbuf::region::{Region, SectionKind};
use airssys_ringbuf::step::{
    AttachError, InWork, ObserveError, in_work, progress, raw_cell, raw_link, raw_messages,
    raw_section, read_clock,
};

use super::{
    Capsule, CapsuleCell, CapsuleClock, CapsuleInput, CapsuleMessage, CapsuleOutput,
    CapsuleSection, Crash, FORMAT, VERSION,
};
use crate::partition::view::{BusView, pulse};
use crate::topology::LinkId;
use crate::topology::model::{ActorId, LinkPlan, Plan};

/// How many of the messages that waited behind those in work are kept of each input.
const NEXT: usize = 16;

/// Why there is no capsule of a crash.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("it died in no actor's step")]
    NoStep,
    #[error("its state takes more than the {0} bytes that `plan.capsules(..)` allows")]
    TooLarge(u64),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// What is kept of the end of life `incarnation` of `partition`.
pub(crate) fn capture(
    plan: &Plan,
    view: &BusView,
    (partition, incarnation): (usize, u64),
    crash: Crash,
) -> Result<Capsule, CaptureError> {
    let region = view.partition(partition);
    let id = actor_in_step(plan, region, partition, incarnation)?.ok_or(CaptureError::NoStep)?;
    let actor = plan.actor(id);
    let (inputs, outputs) = (actor.inputs.len(), actor.outputs.len());
    let before = progress(region, &actor.name, inputs, outputs)?;
    let work = in_work(region, &actor.name, inputs, outputs)?;
    let clock = read_clock(region, &actor.name, before.steps);
    let received = before.received.iter();
    let capsule_inputs = actor.inputs.iter().zip(received).enumerate();
    let capsule_outputs = actor.outputs.iter().zip(&before.sent);
    Ok(Capsule {
        format: FORMAT.to_owned(),
        version: VERSION,
        topology: plan.name.clone(),
        bus: plan.bus.clone(),
        instance: view.instance().to_string(),
        partition: plan.partitions[partition].name.clone(),
        actor: actor.name.clone(),
        incarnation,
        crash,
        died_at_ns: realtime_ns(),
        steps: before.steps,
        clock: CapsuleClock {
            monotonic_ns: clock.monotonic_ns,
            realtime_ns: clock.realtime_ns,
        },
        inputs: capsule_inputs
            .map(|(index, (&link, &received))| {
                let in_work = in_work_of(&work, index, incarnation);
                input(plan, view, link, received, in_work)
            })
            .collect::<Result<_, _>>()?,
        outputs: capsule_outputs
            .map(|(&link, &sent)| output(plan, view, link, sent))
            .collect::<Result<_, _>>()?,
        cells: cells(plan, region, id)?,
        sections: sections(plan, region, id)?,
    })
}

/// Messages in work of an input, if it is this life's work.
fn in_work_of(work: &InWork, input: usize, incarnation: u64) -> u64 {
    let range = work.inputs.get(input);
    range
        .filter(|_| work.incarnation == incarnation)
        .map_or(0, |range| range.end - range.start)
}

/// The actor in whose step the life ended: the one with messages in work; without any the one that ran last, if its loop ran.
fn actor_in_step(
    plan: &Plan,
    region: &Region,
    partition: usize,
    incarnation: u64,
) -> Result<Option<ActorId>, ObserveError> {
    let vitals = pulse(region)
        .ok()
        .and_then(|section| PulseView::new(region, section).ok())
        .map(|pulse| pulse.vitals());
    let last = vitals
        .filter(|vitals| {
            vitals.identity.incarnation == incarnation && vitals.phase == Phase::Running
        })
        .map(|vitals| vitals.actor as usize)
        .filter(|&actor| actor < plan.actors(partition).len());
    for (index, actor) in plan.actors(partition).iter().enumerate() {
        let work = in_work(region, &actor.name, actor.inputs.len(), actor.outputs.len())?;
        let has = work.incarnation == incarnation && work.inputs.iter().any(|one| !one.is_empty());
        if has {
            return Ok(Some(ActorId {
                partition,
                actor: index,
            }));
        }
    }
    Ok(last.map(|actor| ActorId { partition, actor }))
}

/// A link as bytes: its regions, its name, and how long its messages are.
fn ends_of<'a>(view: &'a BusView, link: &'a LinkPlan) -> (&'a Region, &'a Region, &'a str, usize) {
    (
        view.partition(link.from.partition),
        view.partition(link.to.partition),
        &link.name,
        link.payload_size,
    )
}

fn input(
    plan: &Plan,
    view: &BusView,
    link: LinkId,
    received: u64,
    in_work: u64,
) -> Result<CapsuleInput, CaptureError> {
    let link = plan.link(link);
    let ends = ends_of(view, link);
    let most = (in_work as usize).saturating_add(NEXT);
    let messages = raw_messages(ends, received, most)?;
    Ok(CapsuleInput {
        link: link.name.clone(),
        schema: link.schema_text.clone(),
        received,
        in_work,
        sender_ended: raw_link(ends)?.sender_ended,
        messages: messages
            .into_iter()
            .map(|message| CapsuleMessage {
                sequence: message.position,
                stamp_ns: message.stamp_ns,
                bytes: message.bytes,
            })
            .collect(),
    })
}

fn output(
    plan: &Plan,
    view: &BusView,
    link: LinkId,
    sent: u64,
) -> Result<CapsuleOutput, CaptureError> {
    let link = plan.link(link);
    let ends = ends_of(view, link);
    let words = raw_link(ends)?;
    Ok(CapsuleOutput {
        link: link.name.clone(),
        schema: link.schema_text.clone(),
        capacity: link.capacity,
        sent,
        // A hostile receiver's word is any number: what can't be is taken for the nearest that can.
        given_back: words
            .given_back
            .clamp(sent.saturating_sub(link.capacity), sent),
        receiver_ended: words.receiver_ended.is_some(),
    })
}

fn cells(plan: &Plan, region: &Region, id: ActorId) -> Result<Vec<CapsuleCell>, ObserveError> {
    let actor = plan.actor(id);
    let ends = (actor.inputs.len(), actor.outputs.len());
    let cells = actor.cells.iter().enumerate();
    cells
        .map(|(index, cell)| {
            let place = (cell.name.as_str(), index, cell.size);
            Ok(CapsuleCell {
                cell: cell.name.clone(),
                schema: cell.schema_text.clone(),
                bytes: raw_cell(region, &actor.name, ends, place)?,
            })
        })
        .collect()
}

/// Whether a section of that kind and name is durable state of `actor` that lies there as a whole: neither its records and
/// cells, which are read by the step that was committed last, nor a part of a link.
pub(crate) fn is_state_of(actor: &str, kind: SectionKind, name: &str) -> bool {
    // With its undo log: a life that finds both undoes what the step in work had changed.
    let is_state = kind == SectionKind::Undo || kind.is_collection();
    let of_actor = name.strip_prefix(actor);
    is_state && of_actor.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn sections(
    plan: &Plan,
    region: &Region,
    id: ActorId,
) -> Result<Vec<CapsuleSection>, CaptureError> {
    let actor = &plan.actor(id).name;
    let of_actor = region.sections().iter();
    let of_actor = of_actor.filter(|entry| is_state_of(actor, entry.kind, &entry.name));
    let most = plan.capsules.as_ref().map_or(0, |plan| plan.max_bytes);
    let mut left = most;
    of_actor
        .map(|entry| {
            // Two digits a byte: what can't be kept isn't copied.
            left = left
                .checked_sub(2 * entry.len as u64)
                .ok_or(CaptureError::TooLarge(most))?;
            Ok(CapsuleSection {
                kind: entry.kind.to_string(),
                name: entry.name.clone(),
                schema: entry.schema.clone(),
                bytes: raw_section(region, entry)?,
            })
        })
        .collect()
}

impl Capsule {
    /// The bus's instance. It was checked when the capsule was opened or made.
    pub(crate) fn instance(&self) -> Instance {
        Instance(self.instance_number().unwrap_or_default())
    }
}
