//! What the owners of a bus's regions have of this machine's memory.

use airssys_ringbuf::pulse::{Locked, Pages, PulseView};
use airssys_ringbuf::region::Region;

use super::{Had, MemoryReport, NOT_WANTED, OWN_MEMORY, RegionMemory, TOO_SMALL, huge_part};
use crate::host::pages::{lock_limit, try_huge_page};
use crate::partition::view::{BusView, pulse};
use crate::topology::bill::Bytes;
use crate::topology::model::{Plan, Want};

/// As every present life has said, or the last one of a partition that doesn't live.
pub(crate) fn report(plan: &Plan, view: &BusView) -> MemoryReport {
    let parties = (0..plan.parties()).map(|party| view.partition(party));
    let regions = parties.chain([view.supervisor()]);
    MemoryReport {
        regions: regions.map(|region| of(plan, region)).collect(),
    }
}

fn of(plan: &Plan, region: &Region) -> RegionMemory {
    let bytes = region.memory().len() as u64;
    let said = pulse(region)
        .ok()
        .and_then(|section| PulseView::new(region, section).ok())
        .map(|pulse| pulse.pages());
    let pages = said.unwrap_or_default();
    let (locked, huge) = if region.file().is_some() {
        (locked(plan, pages.locked, bytes), huge(plan, region, pages))
    } else {
        let heap = Had::No(OWN_MEMORY.to_owned());
        (heap.clone(), heap)
    };
    RegionMemory {
        name: region.owner().to_owned(),
        bytes,
        locked,
        huge,
        huge_bytes: pages.huge_bytes,
        nodes: region.memory().nodes().unwrap_or_default(),
    }
}

fn locked(plan: &Plan, said: Locked, bytes: u64) -> Had {
    match said {
        Locked::Yes => Had::Yes,
        Locked::Untried if plan.lock_memory == Want::No => Had::No(NOT_WANTED.to_owned()),
        Locked::Untried => Had::No("nobody has tried".to_owned()),
        Locked::Refused(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            let limit = lock_limit().filter(|limit| *limit < bytes);
            let limit = limit.map_or(String::new(), |limit| {
                format!("; RLIMIT_MEMLOCK is {}", Bytes(limit))
            });
            Had::No(format!("{error}{limit}"))
        }
    }
}

fn huge(plan: &Plan, region: &Region, said: Pages) -> Had {
    let possible = huge_part(region.memory().len() as u64);
    if plan.huge_pages == Want::No {
        return Had::No(NOT_WANTED.to_owned());
    }
    if possible == 0 {
        return Had::No(TOO_SMALL.to_owned());
    }
    if said.huge_bytes == possible {
        return Had::Yes;
    }
    let (found, possible) = (Bytes(said.huge_bytes), Bytes(possible));
    let directory = region.path().parent().unwrap_or(region.path());
    Had::No(match try_huge_page(directory) {
        Ok(()) => format!("{found} of {possible}; no more were free when it was made"),
        Err(why) => format!("{found} of {possible}; {why}"),
    })
}
