//! What a launch would have of this machine's memory.

use std::path::Path;

use super::{Had, MemoryReport, NOT_WANTED, OWN_MEMORY, RegionMemory, TOO_SMALL, huge_part};
use crate::host::pages::{lock_limit, locked_bytes, node_of, nodes, try_huge_page};
use crate::mode::Launch;
use crate::topology::bill::{Bytes, MemoryBill};
use crate::topology::model::{Plan, Want};

/// Whether each region of the bill could be locked by whoever would own it: a process of its own, with all of the limit, or
/// this one, which owns several.
pub(super) fn locks(plan: &Plan, launch: Launch, bill: &MemoryBill) -> Vec<Had> {
    let limit = lock_limit();
    let mut room = limit.map(|limit| limit.saturating_sub(locked_bytes()));
    let regions = bill.regions.iter().enumerate();
    regions
        .map(|(party, (_, bytes))| {
            if plan.lock_memory == Want::No {
                return Had::No(NOT_WANTED.to_owned());
            }
            if launch == Launch::Inline {
                return Had::No(OWN_MEMORY.to_owned());
            }
            let partition = plan.partitions.get(party);
            let alone =
                launch == Launch::Processes && partition.is_some_and(|partition| !partition.hosted);
            let free = if alone { limit } else { room };
            match free {
                Some(free) if free < *bytes => Had::No(format!(
                    "RLIMIT_MEMLOCK leaves {} to {} process",
                    Bytes(free),
                    if alone { "its" } else { "this" }
                )),
                Some(free) if !alone => {
                    room = Some(free - bytes);
                    Had::Yes
                }
                Some(_) | None => Had::Yes,
            }
        })
        .collect()
}

/// Whether each region of the bill could lie in huge pages of the file system of `directory`.
pub(super) fn huge_pages(
    plan: &Plan,
    launch: Launch,
    bill: &MemoryBill,
    directory: &Path,
) -> Vec<Had> {
    let mut tried = None;
    let regions = bill.regions.iter();
    regions
        .map(|(_, bytes)| {
            if plan.huge_pages == Want::No {
                return Had::No(NOT_WANTED.to_owned());
            }
            if launch == Launch::Inline {
                return Had::No(OWN_MEMORY.to_owned());
            }
            if huge_part(*bytes) == 0 {
                return Had::No(TOO_SMALL.to_owned());
            }
            match tried.get_or_insert_with(|| try_huge_page(directory)) {
                Ok(()) => Had::Yes,
                Err(why) => Had::No(why.clone()),
            }
        })
        .collect()
}

/// All of it, region by region.
pub(super) fn report(
    plan: &Plan,
    bill: &MemoryBill,
    locks: Vec<Had>,
    huge: Vec<Had>,
) -> MemoryReport {
    let several = nodes() > 1;
    let regions = bill.regions.iter().zip(locks).zip(huge).enumerate();
    let regions = regions.map(|(party, (((name, bytes), locked), huge))| {
        let partition = plan.partitions.get(party);
        let node = match partition.and_then(|partition| partition.core) {
            _ if !several => Some(0),
            core => core.and_then(node_of),
        };
        RegionMemory {
            name: name.clone(),
            bytes: *bytes,
            locked,
            huge_bytes: if huge == Had::Yes {
                huge_part(*bytes)
            } else {
                0
            },
            huge,
            nodes: node.into_iter().collect(),
        }
    });
    MemoryReport {
        regions: regions.collect(),
    }
}
