//! Making the regions of a bus: each on the memory node of its partition's core, and in huge pages where it is long enough.

use std::path::Path;
use std::thread;

use airssys_ringbuf::memory::HUGE_PAGE;
use airssys_ringbuf::region::{CreateError, Region, RegionPlan};

use crate::bus::directory::BusDirectory;
use crate::host::MemoryError;
use crate::host::cores::pin_current_thread;
use crate::host::pages::nodes;
use crate::machine::huge_part;
use crate::partition::view::BusView;
use crate::topology::layout::regions;
use crate::topology::model::{Plan, Want};

/// Creates every region's file in the bus's directory.
pub(super) fn create(plan: &Plan, directory: &Path, boot_id: [u8; 16]) -> Result<(), CreateError> {
    let several = nodes() > 1;
    let create = |region: &RegionPlan, owner: &str| {
        let file = BusDirectory::region_file_name(owner);
        region.create(directory, &file, boot_id)
    };
    for (party, (owner, region)) in regions(plan).into_iter().enumerate() {
        let partition = plan.partitions.get(party);
        match partition.and_then(|partition| partition.core) {
            Some(core) if several => on_core(core, || create(&region, owner))?,
            Some(_) | None => create(&region, owner)?,
        }
    }
    Ok(())
}

/// Runs `make` on a thread that is pinned to `core`: a page lies where it is first written. Without a thread, here.
fn on_core<T: Send>(core: usize, make: impl Fn() -> T + Send + Sync) -> T {
    thread::scope(|scope| {
        let make = &make;
        let pinned = thread::Builder::new()
            .name("airssys-region".to_owned())
            .spawn_scoped(scope, move || {
                // The launch has tried this core already; a region on another node is slower, not wrong.
                let _ = pin_current_thread(core);
                make()
            });
        match pinned.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(made)) => made,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => make(),
        }
    })
}

/// Moves what was created into huge pages, before anybody uses it.
///
/// # Errors
///
/// The first region that has none, if the plan requires them.
pub(super) fn make_huge(plan: &Plan, view: &BusView) -> Result<(), MemoryError> {
    if plan.huge_pages == Want::No {
        return Ok(());
    }
    let parties = (0..plan.parties()).map(|party| view.partition(party));
    for region in parties.chain([view.supervisor()]) {
        if region.memory().len() < HUGE_PAGE {
            continue;
        }
        let collapsed = region.memory().collapse();
        if plan.huge_pages == Want::Require {
            require(plan, region, collapsed)?;
        }
    }
    Ok(())
}

fn require(
    plan: &Plan,
    region: &Region,
    collapsed: std::io::Result<()>,
) -> Result<(), MemoryError> {
    let needed = huge_part(region.memory().len() as u64);
    let found = region.memory().huge_bytes().unwrap_or(0) as u64;
    if found == needed {
        return Ok(());
    }
    Err(MemoryError::NotHuge {
        bus: plan.bus.clone(),
        region: region.owner().to_owned(),
        needed,
        found,
        why: match collapsed {
            Ok(()) => "the kernel gives no more, and no reason".to_owned(),
            Err(error) => error.to_string(),
        },
    })
}
