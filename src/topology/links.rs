//! What `build` checks of one link.

use airssys_ringbuf::Layout;

use super::TopologyError;
use super::builder::LinkDraft;
use super::limits::{CAPACITY_MAX, MESSAGE_ALIGN_MAX, MESSAGE_SIZE_MAX, is_valid_name};
use super::model::LinkPlan;
use super::validate::placed;

/// The link's plan, if everything about it can be had.
pub(super) fn check_link(
    draft: LinkDraft,
    topology: &str,
    host: usize,
) -> Result<LinkPlan, TopologyError> {
    let topology = topology.to_owned();
    if !is_valid_name(&draft.name) {
        return Err(TopologyError::LinkName {
            topology,
            link: draft.name,
        });
    }
    check_capacity(&topology, &draft.name, draft.options.capacity)?;
    check_message(&draft, &topology)?;
    let layout = check_layout(&draft, &topology)?;
    let unwired = |end| TopologyError::Unwired {
        topology: topology.clone(),
        link: draft.name.clone(),
        end,
    };
    let (from, to) = match (draft.from, draft.to) {
        (Some(from), Some(to)) => (placed(from, host), placed(to, host)),
        (None, _) => return Err(unwired("sending")),
        (Some(_), None) => return Err(unwired("receiving")),
    };
    if from.partition == host && to.partition == host {
        return Err(TopologyError::HostToHost {
            topology,
            link: draft.name,
        });
    }
    Ok(LinkPlan {
        name: draft.name,
        schema_text: draft.schema_text,
        payload_size: draft.payload_size,
        capacity: draft.options.capacity,
        stamped: draft.options.stamped,
        layout,
        trusted: draft.options.trusted,
        from,
        to,
        letters: None,
        hidden: false,
    })
}

/// Whether a ring can have that capacity.
pub(super) fn check_capacity(
    topology: &str,
    link: &str,
    capacity: u64,
) -> Result<(), TopologyError> {
    let (topology, link) = (topology.to_owned(), link.to_owned());
    if capacity == 0 {
        return Err(TopologyError::CapacityZero { topology, link });
    }
    if capacity > CAPACITY_MAX {
        return Err(TopologyError::CapacityTooLarge {
            topology,
            link,
            capacity,
        });
    }
    if !capacity.is_power_of_two() {
        return Err(TopologyError::CapacityNotPowerOfTwo {
            topology,
            link,
            capacity,
            next: capacity.next_power_of_two(),
        });
    }
    Ok(())
}

/// The layout asked for, or the one that suits the message.
fn check_layout(draft: &LinkDraft, topology: &str) -> Result<Layout, TopologyError> {
    let stamped = draft.options.stamped;
    match draft.options.layout {
        Some(Layout::Contiguous) if stamped => Err(TopologyError::StampedContiguous {
            topology: topology.to_owned(),
            link: draft.name.clone(),
        }),
        Some(layout) => Ok(layout),
        None if stamped => Ok(Layout::Sequenced),
        None => Ok(Layout::of(draft.payload_size)),
    }
}

fn check_message(draft: &LinkDraft, topology: &str) -> Result<(), TopologyError> {
    let topology = topology.to_owned();
    let link = draft.name.clone();
    if draft.payload_size == 0 {
        return Err(TopologyError::MessageEmpty { topology, link });
    }
    if draft.payload_size > MESSAGE_SIZE_MAX {
        return Err(TopologyError::MessageTooLarge {
            topology,
            link,
            size: draft.payload_size,
        });
    }
    if draft.payload_align > MESSAGE_ALIGN_MAX {
        return Err(TopologyError::MessageAlignment {
            topology,
            link,
            align: draft.payload_align,
        });
    }
    Ok(())
}
