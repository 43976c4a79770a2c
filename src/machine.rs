//! A topology against this machine: what it would have here, and what a running bus has.
//!
//! Before a launch (`predict`) these are predictions: limits compared with needs, and trials that leave nothing behind. Of a running bus
//! (`found`) they are what each owner found when its life began, read off its pulse, and where the kernel says that the pages lie.

mod found;
mod predict;

use std::fmt;

use airssys_ringbuf::memory::HUGE_PAGE;

use crate::bus::directory::BusDirectory;
use crate::host::MemoryError;
use crate::host::cgroup::Cgroups;
use crate::host::cores::{HostCores, check_core_map};
use crate::host::pages::{lock_limit, nodes};
use crate::host::shm::{check_memory, existing, free_bytes};
use crate::launch::LaunchError;
use crate::mode::Launch;
use crate::topology::bill::{Bytes, CoreMap, MemoryBill, Table};
use crate::topology::model::{Plan, Want};
use crate::topology::{Topology, validate};

pub(crate) use found::report as found_report;

const NOT_WANTED: &str = "not asked for";
const OWN_MEMORY: &str = "memory of this process alone";
const TOO_SMALL: &str = "smaller than one";

/// Whether something is had of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Had {
    /// It is, or would be.
    Yes,
    /// It isn't, or would not be, for this reason.
    No(String),
}

impl fmt::Display for Had {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No(why) => write!(f, "no: {why}"),
        }
    }
}

/// One region's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionMemory {
    /// Whose region it is.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is locked into memory.
    pub locked: Had,
    /// Whether it lies in huge pages, but for a rest shorter than one.
    pub huge: Had,
    /// The bytes that do.
    pub huge_bytes: u64,
    /// The NUMA nodes that it lies on, ascending; none before a launch if its partition is pinned nowhere, and none where the
    /// kernel doesn't say.
    pub nodes: Vec<usize>,
}

/// Every region's memory; shown as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryReport {
    /// In the order of the partitions, then the host's if there is one, then the supervisor's.
    pub regions: Vec<RegionMemory>,
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["region", "memory", "locked", "huge pages", "node"]);
        for region in &self.regions {
            let huge = match &region.huge {
                Had::Yes => Bytes(region.huge_bytes).to_string(),
                no @ Had::No(_) => no.to_string(),
            };
            let nodes: Vec<String> = region.nodes.iter().map(ToString::to_string).collect();
            let nodes = if nodes.is_empty() {
                "any".to_owned()
            } else {
                nodes.join(" ")
            };
            table.row([
                region.name.clone(),
                Bytes(region.bytes).to_string(),
                region.locked.to_string(),
                huge,
                nodes,
            ]);
        }
        table.fmt(f)
    }
}

/// What a launch on this machine would have; shown as tables. Made by [`Topology::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MachinePlan {
    /// Every region's memory, as it would be had.
    pub memory: MemoryReport,
    /// Bytes of all regions together.
    pub needed: u64,
    /// Free bytes of the file system that they would lie in; `None` for no limit.
    pub shm_free: Option<u64>,
    /// Bytes that this process's control groups leave; `None` for no limit.
    pub cgroup_free: Option<u64>,
    /// Bytes that a process may lock into memory; `None` for no limit.
    pub lock_limit: Option<u64>,
    /// CPUs in this thread's affinity mask, as the kernel lists them.
    pub cpus_allowed: String,
    /// CPUs that the kernel's scheduler leaves alone.
    pub cpus_isolated: String,
    /// NUMA nodes.
    pub nodes: usize,
    cores: CoreMap,
}

impl fmt::Display for MachinePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |limit: Option<u64>| match limit {
            Some(bytes) => Bytes(bytes).to_string(),
            None => "no limit".to_owned(),
        };
        writeln!(f, "{}\n{}", self.cores, self.memory)?;
        writeln!(
            f,
            "memory: needs {}; free in /dev/shm: {}; below memory.max: {}; RLIMIT_MEMLOCK: {}",
            Bytes(self.needed),
            limit(self.shm_free),
            limit(self.cgroup_free),
            limit(self.lock_limit),
        )?;
        let (allowed, isolated) = (&self.cpus_allowed, &self.cpus_isolated);
        writeln!(
            f,
            "CPUs: allowed {allowed}, isolated {isolated}; NUMA nodes: {}",
            self.nodes
        )
    }
}

impl Topology {
    /// Compares the topology with this machine, as a launch does before it creates anything, and tells what that launch would
    /// have: memory, locked or not, huge pages or not, and where.
    ///
    /// Nothing is created, but for a trial with a file of 2 MiB that has no name.
    ///
    /// # Errors
    ///
    /// What [`launch`](Self::launch) would refuse.
    pub fn check(&self, launch: Launch) -> Result<MachinePlan, LaunchError> {
        let plan = self.plan();
        validate::launch(plan, launch)?;
        if launch != Launch::Inline {
            check(plan, launch)?;
        }
        let root = BusDirectory::usual_path(&plan.bus);
        let directory = existing(&root);
        let bill = MemoryBill::of(plan);
        let huge = predict::huge_pages(plan, launch, &bill, directory);
        if launch != Launch::Inline {
            require_huge(plan, &bill, &huge)?;
        }
        let locks = predict::locks(plan, launch, &bill);
        let cores = HostCores::of_this_thread()?;
        Ok(MachinePlan {
            memory: predict::report(plan, &bill, locks, huge),
            needed: bill.total,
            shm_free: free_bytes(directory).ok().flatten(),
            cgroup_free: Cgroups::of_this_process()
                .memory_room()
                .map(|room| room.free),
            lock_limit: lock_limit(),
            cpus_allowed: cores.allowed.to_string(),
            cpus_isolated: cores.isolated.to_string(),
            nodes: nodes(),
            cores: CoreMap::of(plan),
        })
    }
}

/// What a launch has to know before it creates anything; whether there are huge pages it finds out by making them.
pub(crate) fn check(plan: &Plan, launch: Launch) -> Result<(), LaunchError> {
    check_core_map(plan, &HostCores::of_this_thread()?)?;
    let root = BusDirectory::usual_path(&plan.bus);
    let bill = MemoryBill::of(plan);
    let needed = bill.total.saturating_sub(BusDirectory::space_of(&plan.bus));
    check_memory(&plan.bus, needed, &root)?;
    let locks = predict::locks(plan, launch, &bill);
    Ok(require_locked(plan, &bill, &locks)?)
}

/// The first region that couldn't be locked and has to be.
fn require_locked(plan: &Plan, bill: &MemoryBill, locks: &[Had]) -> Result<(), MemoryError> {
    let missing = locks.iter().position(|lock| *lock != Had::Yes);
    match missing {
        Some(index) if plan.lock_memory == Want::Require => {
            let (region, needed) = bill.regions[index].clone();
            Err(MemoryError::NotLocked {
                bus: plan.bus.clone(),
                region,
                needed,
                limit: lock_limit(),
                source: rustix::io::Errno::NOMEM.into(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// The first region that wouldn't lie in huge pages and has to.
fn require_huge(plan: &Plan, bill: &MemoryBill, huge: &[Had]) -> Result<(), MemoryError> {
    let mut regions = bill.regions.iter().zip(huge);
    let missing = regions.find_map(|((name, bytes), had)| match had {
        Had::No(why) if huge_part(*bytes) > 0 => Some((name, bytes, why)),
        Had::No(_) | Had::Yes => None,
    });
    match missing {
        Some((region, bytes, why)) if plan.huge_pages == Want::Require => {
            Err(MemoryError::NotHuge {
                bus: plan.bus.clone(),
                region: region.clone(),
                needed: huge_part(*bytes),
                found: 0,
                why: why.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// The bytes of a region that huge pages can hold.
pub(crate) fn huge_part(bytes: u64) -> u64 {
    let huge = HUGE_PAGE as u64;
    bytes / huge * huge
}
