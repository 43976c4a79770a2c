//! Whether a capsule's step fits a topology: everything is refused before a region is laid out.

use airssys_ringbuf::schema;

use super::ReplayError;
use crate::capsule::Capsule;
use crate::capsule::capture::is_state_of;
use crate::topology::LinkId;
use crate::topology::layout::region_plan;
use crate::topology::model::{ActorId, Plan};

pub(super) fn find(capsule: &Capsule, plan: &Plan) -> Result<ActorId, ReplayError> {
    let all = || {
        plan.partitions
            .iter()
            .enumerate()
            .flat_map(|(partition, one)| {
                let actors = one.actors.iter().enumerate();
                actors.map(move |(actor, plan)| (ActorId { partition, actor }, plan.name.as_str()))
            })
    };
    let found = all().find(|(_, name)| *name == capsule.actor);
    found.map(|(id, _)| id).ok_or_else(|| ReplayError::NoActor {
        topology: plan.name.clone(),
        actor: capsule.actor.clone(),
        known: listed(all().map(|(_, name)| name)),
    })
}

pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Whether the actor has every end and cell of the capsule, each of the same type.
pub(super) fn check(capsule: &Capsule, plan: &Plan, id: ActorId) -> Result<(), ReplayError> {
    let actor = plan.actor(id);
    let links = |links: &[LinkId]| -> Vec<(&str, &str)> {
        let links = links.iter().map(|&link| plan.link(link));
        links
            .map(|link| (link.name.as_str(), link.schema_text.as_str()))
            .collect()
    };
    let cells = actor.cells.iter();
    let cells = cells.map(|cell| (cell.name.as_str(), cell.schema_text.as_str()));
    let cells: Vec<(&str, &str)> = cells.collect();
    let check_all = |kind: &'static str, ours: &[(&str, &str)], theirs: &[(&str, &str)]| {
        theirs.iter().try_for_each(|&(name, schema)| {
            let our = ours.iter().find(|(our, _)| *our == name);
            let &(_, our) = our.ok_or_else(|| ReplayError::NoEnd {
                actor: actor.name.clone(),
                kind,
                name: name.to_owned(),
                known: listed(ours.iter().map(|(name, _)| *name)),
            })?;
            schema::difference_to(our, schema, "the capsule").map_or(Ok(()), |difference| {
                Err(ReplayError::Schema {
                    actor: actor.name.clone(),
                    kind,
                    name: name.to_owned(),
                    difference,
                })
            })
        })
    };
    let theirs: Vec<_> = capsule
        .inputs
        .iter()
        .map(|input| (input.link.as_str(), input.schema.as_str()))
        .collect();
    check_all("input", &links(&actor.inputs), &theirs)?;
    let theirs: Vec<_> = capsule
        .outputs
        .iter()
        .map(|output| (output.link.as_str(), output.schema.as_str()))
        .collect();
    check_all("output", &links(&actor.outputs), &theirs)?;
    let theirs: Vec<_> = capsule
        .cells
        .iter()
        .map(|cell| (cell.cell.as_str(), cell.schema.as_str()))
        .collect();
    check_all("cell", &cells, &theirs)?;
    for input in &capsule.inputs {
        let kept = input.messages.len();
        if (kept as u64) < input.in_work {
            return Err(ReplayError::Incomplete {
                link: input.link.clone(),
                in_work: input.in_work,
                kept,
            });
        }
    }
    let is_known = |name: &str| {
        let mut cells = capsule.cells.iter();
        cells.any(|cell| cell.cell == name && cell.bytes.is_some())
    };
    // Before any step every cell has the value that the actor's declaration gives it. What counts dead letters that the link
    // has got since is zero then, as it is in a region that nobody has written; but it may have moved what an undo log names
    // by its place.
    let needed = if capsule.sections.is_empty() {
        &actor.cells[..actor.declared.cells]
    } else {
        &actor.cells[..]
    };
    let unknown = needed.iter().find(|cell| !is_known(&cell.name));
    match unknown.filter(|_| capsule.steps > 0) {
        None => check_sections(capsule, plan, id),
        Some(cell) => Err(ReplayError::NoValue {
            actor: actor.name.clone(),
            cell: cell.name.clone(),
        }),
    }
}

/// Whether the actor's other sections are those of the capsule, each of the same content.
fn check_sections(capsule: &Capsule, plan: &Plan, id: ActorId) -> Result<(), ReplayError> {
    let actor = &plan.actor(id).name;
    let region = region_plan(plan, id.partition);
    let ours = region.sections().iter();
    let ours = ours.filter(|section| is_state_of(actor, section.kind, &section.name));
    let ours: Vec<(String, &str, &str)> = ours
        .map(|section| (section.kind.to_string(), &*section.name, &*section.schema))
        .collect();
    for kept in &capsule.sections {
        let our = ours
            .iter()
            .find(|(kind, name, _)| *kind == kept.kind && *name == kept.name);
        let &(_, name, schema) = our.ok_or_else(|| ReplayError::NoEnd {
            actor: actor.clone(),
            kind: "section",
            name: kept.name.clone(),
            known: listed(ours.iter().map(|(_, name, _)| *name)),
        })?;
        if let Some(difference) = schema::difference_to(schema, &kept.schema, "the capsule") {
            return Err(ReplayError::Schema {
                actor: actor.clone(),
                kind: "section",
                name: name.to_owned(),
                difference,
            });
        }
    }
    let is_kept = |(kind, name, _): &&(String, &str, &str)| {
        let mut kept = capsule.sections.iter();
        kept.any(|one| one.kind == *kind && one.name == *name)
    };
    match ours.iter().find(|one| !is_kept(one)) {
        None => Ok(()),
        Some((_, name, _)) => Err(ReplayError::NoValue {
            actor: actor.clone(),
            cell: (*name).to_owned(),
        }),
    }
}
