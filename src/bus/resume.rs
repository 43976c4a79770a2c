//! Whether what an earlier run left can be taken up again.
//!
//! Regions are created in one order, the supervisor's last, before any partition is started. A removal begins with the
//! supervisor's: it gets another name, [`REMOVED`], and goes last. So where the supervisor's region is missing there are
//! three cases. Under its other name, a removal was cut short, and whoever began it has reported what was not delivered. If
//! no region there has ever had a life, the creation was cut short, and nothing was ever sent. Otherwise somebody else has
//! taken it away, and nothing is known about what is pending.
//!
//! What is resumed stays as it is: committed records, cells, rings and positions are made to outlive any kill, and each
//! partition's next life recovers from them as after any other death. Only its number has to go on from the one before, so
//! that nobody takes the old life's pulse for the new one's.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use airssys_ringbuf::pulse::{Identity, PulseView};
use airssys_ringbuf::region::{
    Access, Expected, Inspection, OpenError, Region, RegionPlan, SectionKind, inspect,
};

use super::described;
use super::directory::BusDirectory;
use super::error::{BusError, io_error};
use super::leftover::is_region;
use crate::topology::describe::{Side, describe, difference};
use crate::topology::layout::regions;
use crate::topology::model::{Plan, SUPERVISOR};

/// What the supervisor's region is called while its bus is being removed.
pub(super) const REMOVED: &str = ".supervisor.removed";

/// What lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Every region, sound and of this topology.
    Whole,
    /// A bus whose creation or removal was cut short: nothing is pending on it.
    CutShort,
}

/// Looks at these files in the bus directory `dir`, whose lock the caller holds and whose regions nobody does.
pub(super) fn examine(
    dir: &Path,
    files: &[OsString],
    plan: &Plan,
    boot_id: [u8; 16],
) -> Result<Found, BusError> {
    let expected = regions(plan);
    let missing = missing(dir, plan, &expected)?;
    let lacks_supervisor = missing.iter().any(|owner| owner == SUPERVISOR);
    if lacks_supervisor && (files.iter().any(|name| name == REMOVED) || never_lived(dir, files)) {
        return Ok(Found::CutShort);
    }
    // The supervisor's first: of another topology it says so before a partition that only we have is missed.
    for (owner, region) in expected.iter().rev() {
        if missing.iter().any(|name| name == owner) {
            continue;
        }
        check(dir, plan, owner, region, boot_id)?;
    }
    if missing.is_empty() {
        return Ok(Found::Whole);
    }
    let files = missing
        .iter()
        .map(|owner| BusDirectory::region_file_name(owner));
    Err(BusError::Incomplete {
        bus: plan.bus.clone(),
        dir: dir.to_owned(),
        missing: files.collect(),
    })
}

/// Whether no region among the files was ever its owner's: every life signs its own before anything else.
fn never_lived(dir: &Path, files: &[OsString]) -> bool {
    let mut regions = files.iter().filter(|name| is_region(name));
    regions.all(|name| identity(&dir.join(name)).is_some_and(|owner| owner.incarnation == 0))
}

/// Who has signed the region last; `None` if it can't be read.
pub(super) fn identity(region: &Path) -> Option<Identity> {
    let region = Region::observe(region).ok()?;
    let section = region.section(SectionKind::Pulse, "pulse").ok()?;
    Some(PulseView::new(&region, section).ok()?.vitals().identity)
}

/// The owners whose regions aren't there.
fn missing(
    dir: &Path,
    plan: &Plan,
    expected: &[(&str, RegionPlan)],
) -> Result<Vec<String>, BusError> {
    let mut missing = Vec::new();
    for (owner, _) in expected {
        let path = dir.join(BusDirectory::region_file_name(owner));
        match path.symlink_metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.push((*owner).to_owned());
            }
            Err(error) => return Err(io_error(&plan.bus, "looking at", &path, error)),
        }
    }
    Ok(missing)
}

/// Whether one region is sound, of this boot and of this topology.
fn check(
    dir: &Path,
    plan: &Plan,
    owner: &str,
    region: &RegionPlan,
    boot_id: [u8; 16],
) -> Result<(), BusError> {
    let path = dir.join(BusDirectory::region_file_name(owner));
    let unsound = |source: OpenError| BusError::Unsound {
        bus: plan.bus.clone(),
        dir: dir.to_owned(),
        source: Box::new(source),
    };
    let found = inspect(&path).map_err(unsound)?;
    let expected = Expected {
        bus: &plan.bus,
        owner,
        // Whose digest it is has a sentence of its own, below.
        digest: found.digest,
        boot_id,
    };
    Region::open(&path, Access::ReadOnly, &expected).map_err(unsound)?;
    let of_this_one = found.digest == plan.digest && region.difference(&found).is_none();
    if of_this_one {
        return Ok(());
    }
    Err(BusError::OtherTopology {
        bus: plan.bus.clone(),
        dir: dir.to_owned(),
        difference: first_difference(dir, plan, region, &found),
    })
}

/// One sentence on what the topology in `dir` and this program's disagree about.
fn first_difference(dir: &Path, plan: &Plan, region: &RegionPlan, found: &Inspection) -> String {
    let by_text = || {
        let theirs = described::read(dir, found.digest)?;
        difference(&describe(plan), &theirs, Side::Leftover)
    };
    // Without its text: what the regions' directories show.
    let by_regions = || {
        regions(plan).iter().find_map(|(owner, region)| {
            let theirs = inspect(&dir.join(BusDirectory::region_file_name(owner))).ok()?;
            region.difference(&theirs)
        })
    };
    by_text()
        .or_else(|| region.difference(found))
        .or_else(by_regions)
        .unwrap_or_else(|| {
            format!(
                "its digest is {:016x} in this program, {:016x} in what was left, and its regions look the same: a policy or \
                 a wiring differs",
                plan.digest, found.digest
            )
        })
}
