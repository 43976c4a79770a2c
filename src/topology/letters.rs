//! Where the dead letters of links lie: two links more from the receiving actor to itself, and a cell that counts.
//!
//! Their names have a slash in them, which no name of a user's has.

use airssys_ringbuf::step::{Note, Tally};
use airssys_ringbuf::{Layout, Message};

use super::TopologyError;
use super::limits::CELLS_MAX;
use super::links::check_capacity;
use super::model::{CellPlan, Declared, LettersPlan, LinkId, LinkPlan, Plan};
use super::options::LetterPolicy;

/// Adds them to the plan, behind everything that was declared.
/// What the hidden links of a link are called, behind its name, which has no slash.
pub(crate) const LETTERS: &str = "/letters";
pub(crate) const NOTES: &str = "/notes";

pub(super) fn add(plan: &mut Plan, policies: &[Option<LetterPolicy>]) -> Result<(), TopologyError> {
    for actor in plan.partitions.iter_mut().flat_map(|one| &mut one.actors) {
        actor.declared = Declared {
            inputs: actor.inputs.len(),
            cells: actor.cells.len(),
        };
    }
    for (link, policy) in policies.iter().enumerate() {
        if let Some(policy) = policy {
            check(plan, link, policy, policies)?;
        }
    }
    // In the order of each actor's inputs, which is that in which its ends are attached.
    for partition in 0..plan.partitions.len() {
        for actor in 0..plan.partitions[partition].actors.len() {
            for input in 0..plan.partitions[partition].actors[actor].declared.inputs {
                let link = plan.partitions[partition].actors[actor].inputs[input];
                if let Some(policy) = policies[link.0] {
                    add_to(plan, link, policy);
                }
            }
        }
    }
    Ok(())
}

fn check(
    plan: &Plan,
    link: usize,
    policy: &LetterPolicy,
    policies: &[Option<LetterPolicy>],
) -> Result<(), TopologyError> {
    let found = &plan.links[link];
    let topology = plan.name.clone();
    if found.to.partition == plan.host_index() {
        return Err(TopologyError::DeadLettersOfHost {
            topology,
            link: found.name.clone(),
        });
    }
    check_capacity(&topology, &letters_name(&found.name), policy.capacity)?;
    let actor = plan.actor(found.to);
    let with_letters = |input: &&LinkId| policies[input.0].is_some();
    let cells = actor.cells.len() + actor.inputs.iter().filter(with_letters).count();
    if cells > CELLS_MAX {
        return Err(TopologyError::TooManyCells {
            topology,
            actor: actor.name.clone(),
            found: cells,
        });
    }
    Ok(())
}

fn add_to(plan: &mut Plan, link: LinkId, policy: LetterPolicy) {
    let of = &plan.links[link.0];
    let actor = of.to;
    let letters = LinkPlan {
        name: letters_name(&of.name),
        schema_text: of.schema_text.clone(),
        capacity: policy.capacity,
        stamped: false,
        from: actor,
        letters: None,
        hidden: true,
        ..*of
    };
    let notes = LinkPlan {
        name: format!("{}{NOTES}", of.name),
        schema_text: Note::SCHEMA.to_text(),
        payload_size: size_of::<Note>(),
        layout: Layout::of(size_of::<Note>()),
        ..letters.clone()
    };
    let tally = CellPlan {
        name: letters.name.clone(),
        schema_text: Tally::SCHEMA.to_text(),
        size: size_of::<Tally>(),
        align: align_of::<Tally>(),
        initial: vec![0; size_of::<Tally>()],
    };
    let ids = [LinkId(plan.links.len()), LinkId(plan.links.len() + 1)];
    plan.links.extend([letters, notes]);
    let actor = &mut plan.partitions[actor.partition].actors[actor.actor];
    plan.links[link.0].letters = Some(LettersPlan {
        policy,
        letters: ids[0],
        notes: ids[1],
        tally: actor.cells.len(),
    });
    actor.inputs.extend(ids);
    actor.outputs.extend(ids);
    actor.cells.push(tally);
}

fn letters_name(link: &str) -> String {
    format!("{link}{LETTERS}")
}
