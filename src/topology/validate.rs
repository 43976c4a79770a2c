//! What `build` checks, in the order in which it reports.

use std::collections::{HashMap, HashSet};

use super::TopologyError;
use super::builder::{HOST_DRAFT, LinkDraft, LocalDraft, TopologyBuilder};
use super::layout::region_plan;
use super::limits::{
    ACTOR_LINKS_MAX, CAPACITY_MAX, CAPSULE_BYTES_MIN, CELL_SIZE_MAX, CELLS_MAX, CHANGES_MAX,
    ENTRIES_MAX, HOST_PORTS_MAX, MESSAGE_ALIGN_MAX, PARTITIONS_MAX, is_valid_name,
};
use super::links::check_link;
use super::model::{
    ActorId, ActorPlan, CellPlan, CollectionPlan, HOST, LinkPlan, LocalPlan, PartitionPlan, Plan,
    SUPERVISOR,
};
use crate::mode::Launch;

/// Checks the topology's own names and policies.
pub(super) fn settings(draft: &TopologyBuilder, bus: &str) -> Result<(), TopologyError> {
    let topology = || draft.name.clone();
    if !is_valid_name(&draft.name) {
        return Err(TopologyError::TopologyName {
            topology: topology(),
        });
    }
    if !is_valid_name(bus) {
        return Err(TopologyError::BusName {
            topology: topology(),
            bus: bus.to_owned(),
        });
    }
    if draft.period.is_zero() {
        return Err(TopologyError::IntensityPeriodZero {
            topology: topology(),
            intensity: draft.intensity,
        });
    }
    if draft.backoff_first > draft.backoff_max {
        return Err(TopologyError::BackoffOrder {
            topology: topology(),
            first: draft.backoff_first,
            max: draft.backoff_max,
        });
    }
    if let Some(capsules) = &draft.capsules
        && (capsules.max_files == 0 || capsules.max_bytes < CAPSULE_BYTES_MIN)
    {
        return Err(TopologyError::CapsuleBounds {
            topology: topology(),
            max_files: capsules.max_files,
            max_bytes: capsules.max_bytes,
        });
    }
    if draft.drain_timeout.is_zero() {
        return Err(TopologyError::DrainTimeoutZero {
            topology: topology(),
        });
    }
    Ok(())
}

/// Checks the partitions and their actors.
pub(super) fn partitions(draft: &TopologyBuilder) -> Result<(), TopologyError> {
    let topology = || draft.name.clone();
    if draft.partitions.is_empty() {
        return Err(TopologyError::NoPartitions {
            topology: topology(),
        });
    }
    if draft.partitions.len() > PARTITIONS_MAX {
        return Err(TopologyError::TooManyPartitions {
            topology: topology(),
            found: draft.partitions.len(),
        });
    }
    let mut partitions_seen = HashSet::new();
    let mut actors_seen = HashMap::new();
    for (place, partition) in draft.partitions.iter().enumerate() {
        if !partitions_seen.insert(partition.name.as_str()) {
            return Err(TopologyError::DuplicatePartition {
                topology: topology(),
                partition: partition.name.clone(),
            });
        }
        partition_settings(partition, &draft.name)?;
        for (actor_place, actor) in partition.actors.iter().enumerate() {
            let first = actors_seen.insert(actor.name.as_str(), partition.name.as_str());
            if let Some(first) = first {
                return Err(TopologyError::DuplicateActor {
                    topology: topology(),
                    actor: actor.name.clone(),
                    first: first.to_owned(),
                    second: partition.name.clone(),
                });
            }
            let id = ActorId {
                partition: place,
                actor: actor_place,
            };
            check_actor(draft, partition, actor, id)?;
        }
    }
    Ok(())
}

fn partition_settings(partition: &PartitionPlan, topology: &str) -> Result<(), TopologyError> {
    let topology = topology.to_owned();
    let name = partition.name.clone();
    if name == SUPERVISOR || name == HOST {
        return Err(TopologyError::ReservedPartition {
            topology,
            partition: name,
        });
    }
    if let (true, Some(core)) = (partition.hosted, partition.core) {
        return Err(TopologyError::HostedPinned {
            topology,
            partition: name,
            core,
        });
    }
    if !is_valid_name(&name) {
        return Err(TopologyError::PartitionName {
            topology,
            partition: name,
        });
    }
    if partition.hang_after.is_zero() {
        return Err(TopologyError::HangAfterZero {
            topology,
            partition: name,
        });
    }
    if partition.actors.is_empty() {
        return Err(TopologyError::NoActors {
            topology,
            partition: name,
        });
    }
    Ok(())
}

fn check_actor(
    draft: &TopologyBuilder,
    partition: &PartitionPlan,
    actor: &ActorPlan,
    id: ActorId,
) -> Result<(), TopologyError> {
    let topology = || draft.name.clone();
    if !is_valid_name(&actor.name) {
        return Err(TopologyError::ActorName {
            topology: topology(),
            partition: partition.name.clone(),
            actor: actor.name.clone(),
        });
    }
    if let Some(end) = draft.foreign.iter().find(|end| end.actor == id) {
        return Err(TopologyError::ForeignEnd {
            topology: topology(),
            actor: actor.name.clone(),
            link: end.link.clone(),
        });
    }
    for (direction, links) in [
        ("incoming links", &actor.inputs),
        ("outgoing links", &actor.outputs),
    ] {
        if links.len() > ACTOR_LINKS_MAX {
            return Err(TopologyError::TooManyLinks {
                topology: topology(),
                actor: actor.name.clone(),
                direction,
                found: links.len(),
            });
        }
    }
    if actor.cells.len() > CELLS_MAX {
        return Err(TopologyError::TooManyCells {
            topology: topology(),
            actor: actor.name.clone(),
            found: actor.cells.len(),
        });
    }
    let mut seen = HashSet::new();
    for cell in &actor.cells {
        if !seen.insert(cell.name.as_str()) {
            return Err(TopologyError::DuplicateCell {
                topology: topology(),
                actor: actor.name.clone(),
                cell: cell.name.clone(),
            });
        }
        check_cell(cell, &actor.name, &draft.name)?;
    }
    check_changes(draft, actor)?;
    for collection in &actor.collections {
        if !seen.insert(collection.name.as_str()) {
            return Err(TopologyError::DuplicateCell {
                topology: topology(),
                actor: actor.name.clone(),
                cell: collection.name.clone(),
            });
        }
        check_collection(collection, &actor.name, &draft.name)?;
    }
    Ok(())
}

fn check_changes(draft: &TopologyBuilder, actor: &ActorPlan) -> Result<(), TopologyError> {
    let topology = draft.name.clone();
    if draft.bounded_twice.contains(&actor.name) {
        return Err(TopologyError::ChangesTwice {
            topology,
            actor: actor.name.clone(),
        });
    }
    if !(1..=CHANGES_MAX).contains(&actor.changes) {
        return Err(TopologyError::ChangesOutOfRange {
            topology,
            actor: actor.name.clone(),
            found: actor.changes,
        });
    }
    Ok(())
}

/// That an entry isn't too large, nor empty, is settled when the actor's ends are compiled.
fn check_collection(
    plan: &CollectionPlan,
    actor: &str,
    topology: &str,
) -> Result<(), TopologyError> {
    let topology = topology.to_owned();
    let actor = actor.to_owned();
    let (kind, collection) = (plan.kind.to_string(), plan.name.clone());
    if !is_valid_name(&collection) {
        return Err(TopologyError::CellName {
            topology,
            actor,
            cell: collection,
        });
    }
    match plan.capacity {
        0 => Err(TopologyError::CollectionEmpty {
            topology,
            actor,
            kind,
            collection,
        }),
        1..=ENTRIES_MAX => Ok(()),
        capacity => Err(TopologyError::CollectionTooLarge {
            topology,
            actor,
            kind,
            collection,
            capacity,
        }),
    }
}

fn check_cell(plan: &CellPlan, actor: &str, topology: &str) -> Result<(), TopologyError> {
    let topology = topology.to_owned();
    let actor = actor.to_owned();
    let cell = plan.name.clone();
    let CellPlan { size, align, .. } = *plan;
    if !is_valid_name(&cell) {
        return Err(TopologyError::CellName {
            topology,
            actor,
            cell,
        });
    }
    if size == 0 {
        return Err(TopologyError::StateEmpty {
            topology,
            actor,
            cell,
        });
    }
    if size > CELL_SIZE_MAX {
        return Err(TopologyError::StateTooLarge {
            topology,
            actor,
            cell,
            size,
        });
    }
    if align > MESSAGE_ALIGN_MAX {
        return Err(TopologyError::StateAlignment {
            topology,
            actor,
            cell,
            align,
        });
    }
    Ok(())
}

/// Checks the host ports.
pub(super) fn host(draft: &TopologyBuilder) -> Result<(), TopologyError> {
    let topology = || draft.name.clone();
    if draft.host.len() > HOST_PORTS_MAX {
        return Err(TopologyError::TooManyHostPorts {
            topology: topology(),
            found: draft.host.len(),
        });
    }
    let foreign = |end: &&super::builder::ForeignEnd| end.actor.partition == HOST_DRAFT;
    match draft.foreign.iter().find(foreign) {
        None => Ok(()),
        Some(end) => Err(TopologyError::ForeignEnd {
            topology: topology(),
            actor: format!("({HOST})"),
            link: end.link.clone(),
        }),
    }
}

/// Checks the links, and takes those whose ends are both wired into the plan; `host` is the host's place.
pub(super) fn links(
    drafts: Vec<LinkDraft>,
    topology: &str,
    host: usize,
) -> Result<Vec<LinkPlan>, TopologyError> {
    let mut seen = HashSet::new();
    let mut plans = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if !seen.insert(draft.name.clone()) {
            return Err(TopologyError::DuplicateLink {
                topology: topology.to_owned(),
                link: draft.name,
            });
        }
        plans.push(check_link(draft, topology, host)?);
    }
    Ok(plans)
}

/// Checks the local links, and takes those whose ends are both wired into the plan.
pub(super) fn locals(
    drafts: Vec<LocalDraft>,
    links: &[LinkPlan],
    topology: &str,
) -> Result<Vec<LocalPlan>, TopologyError> {
    let topology = || topology.to_owned();
    let mut seen: HashSet<String> = links.iter().map(|link| link.name.clone()).collect();
    let mut plans = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let link = draft.name;
        if !is_valid_name(&link) {
            return Err(TopologyError::LinkName {
                topology: topology(),
                link,
            });
        }
        if !seen.insert(link.clone()) {
            return Err(TopologyError::DuplicateLink {
                topology: topology(),
                link,
            });
        }
        let capacity = draft.capacity as u64;
        if capacity == 0 {
            return Err(TopologyError::LocalCapacityZero {
                topology: topology(),
                link,
            });
        }
        if capacity > CAPACITY_MAX {
            return Err(TopologyError::CapacityTooLarge {
                topology: topology(),
                link,
                capacity,
            });
        }
        let (Some(from), Some(to)) = (draft.from, draft.to) else {
            let end = if draft.from.is_none() {
                "sending"
            } else {
                "receiving"
            };
            return Err(TopologyError::Unwired {
                topology: topology(),
                link,
                end,
            });
        };
        plans.push(LocalPlan {
            name: link,
            capacity: draft.capacity,
            from,
            to,
            make: draft.make,
        });
    }
    Ok(plans)
}

/// Checks that what is warmed up can be rolled back.
pub(super) fn warm_ups(plan: &Plan) -> Result<(), TopologyError> {
    for local in &plan.locals {
        for end in [local.from, local.to] {
            let partition = &plan.partitions[end.partition];
            if partition.warm_up > 0 {
                return Err(TopologyError::WarmUpLocal {
                    topology: plan.name.clone(),
                    partition: partition.name.clone(),
                    link: local.name.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Checks what depends on how the topology is to be launched.
pub(crate) fn launch(plan: &Plan, launch: Launch) -> Result<(), TopologyError> {
    match (launch, plan.locals.first()) {
        (Launch::Processes, Some(local)) => Err(TopologyError::LocalLinkAcrossProcesses {
            topology: plan.name.clone(),
            link: local.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// Where an end lies, now that the host's place is known.
pub(super) fn placed(end: ActorId, host: usize) -> ActorId {
    match end.partition {
        HOST_DRAFT => ActorId {
            partition: host,
            ..end
        },
        _ => end,
    }
}

/// Checks that each region can be laid out at all; whether this machine has the memory is for `launch` to see.
pub(super) fn regions(plan: &Plan) -> Result<(), TopologyError> {
    for place in 0..plan.parties() {
        if region_plan(plan, place).size() == usize::MAX {
            return Err(TopologyError::RegionTooLarge {
                topology: plan.name.clone(),
                partition: plan.party_name(place).to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port of such a type doesn't compile, so this can't be seen from outside.
    #[test]
    fn a_large_state_is_refused() {
        let cell = |size| CellPlan {
            name: "last".to_owned(),
            schema_text: String::new(),
            size,
            align: 8,
            initial: Vec::new(),
        };
        assert_eq!(check_cell(&cell(CELL_SIZE_MAX), "book", "quotes"), Ok(()));
        let error = check_cell(&cell(CELL_SIZE_MAX + 1), "book", "quotes")
            .map_err(|error| error.to_string());
        let text = "topology `quotes`, actor `book`, durable cell `last`: 4097 bytes are above the maximum of 4096; split \
                    it into several cells";
        assert_eq!(error, Err(text.to_owned()));
    }
}
