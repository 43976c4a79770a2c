//! The regions of a bus as one party maps them.

use std::path::Path;

use airssys_ringbuf::region::{Access, Expected, OpenError, Region, SectionEntry, SectionKind};

use crate::bus::directory::BusDirectory;
use crate::topology::model::{Plan, SUPERVISOR};

/// Every region of a bus, by partition, and the supervisor's.
#[derive(Clone, Debug)]
pub(crate) struct BusView {
    partitions: Vec<Region>,
    supervisor: Region,
}

/// Who looks: what it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Partition(usize),
    Supervisor,
    /// Reads only.
    Observer,
}

impl BusView {
    /// Maps every region in the bus directory `path`; the party's own one for writing.
    pub(crate) fn open(
        path: &Path,
        plan: &Plan,
        party: Party,
        boot_id: [u8; 16],
    ) -> Result<Self, OpenError> {
        let open = |owner: &str, own: bool| {
            let access = if own {
                Access::ReadWrite
            } else {
                Access::ReadOnly
            };
            let expected = Expected {
                bus: &plan.bus,
                owner,
                digest: plan.digest,
                boot_id,
            };
            Region::open(
                &path.join(BusDirectory::region_file_name(owner)),
                access,
                &expected,
            )
        };
        let partitions = plan
            .partitions
            .iter()
            .enumerate()
            .map(|(index, partition)| open(&partition.name, party == Party::Partition(index)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            partitions,
            supervisor: open(SUPERVISOR, party == Party::Supervisor)?,
        })
    }

    pub(crate) fn partition(&self, index: usize) -> &Region {
        &self.partitions[index]
    }

    pub(crate) fn supervisor(&self) -> &Region {
        &self.supervisor
    }
}

/// The pulse section of a region: every region has one.
pub(crate) fn pulse(region: &Region) -> Result<&SectionEntry, OpenError> {
    region.section(SectionKind::Pulse, "pulse")
}

/// The doorbells of a region: every region has them.
pub(crate) fn doorbells(region: &Region) -> Result<&SectionEntry, OpenError> {
    region.section(SectionKind::Doorbells, "doorbells")
}
