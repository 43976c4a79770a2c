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

/// Runs `work` on a thread that is pinned to `core`: a page lies where it is first written. Without a thread, here.
fn on_core<T: Send>(core: usize, work: impl Fn() -> T + Send + Sync) -> T {
    thread::scope(|scope| {
        let work = &work;
        let pinned = thread::Builder::new()
            .name("airssys-region".to_owned())
            .spawn_scoped(scope, move || {
                // The launch has tried this core already; a region on another node is slower, not wrong.
                let _ = pin_current_thread(core);
                work()
            });
        match pinned.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => work(),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use airssys_ringbuf::region::boot_id;

    use super::*;
    use crate::actor::{Actor, Refused, Step};
    use crate::partition::view::Party;
    use crate::topology::Topology;

    struct Nothing;

    impl Actor for Nothing {
        fn step(&mut self) -> Result<Step, Refused> {
            Ok(Step::Done)
        }
    }

    #[test]
    fn regions_that_must_be_huge_and_are_not_are_named() {
        let mut draft = Topology::builder("quotes");
        let (out, into) = draft.link::<u64>("ticks", 1 << 18);
        draft.huge_pages(Want::Require);
        draft
            .partition("feed")
            .core(0)
            .actor("feed", (out, into), |_| Nothing);
        let topology = draft.build().unwrap();
        let plan = topology.plan();
        let directory = std::env::temp_dir().join(format!("airssys-huge-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let boot_id = boot_id().unwrap();
        create(plan, &directory, boot_id).unwrap();
        let view = BusView::open(&directory, plan, Party::Observer, boot_id).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        // It was mapped a moment ago, and nobody has asked for anything yet.
        let refused = std::io::Error::from_raw_os_error(12);
        let error = require(plan, view.partition(0), Err(refused)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bus `quotes`, region `feed`: 4 MiB of it have to lie in huge pages, 0 B do: Cannot allocate memory \
             (os error 12); free some memory (/proc/sys/vm/compact_memory), or ask for `Want::Try`"
        );
    }

    #[test]
    fn work_on_a_core_that_is_not_there_is_done_even_so() {
        assert_eq!(on_core(1_000_000, || 7), 7);
    }
}
