//! The regions of a bus as one party maps them.

use std::io;
use std::path::Path;

use airssys_ringbuf::Instance;
use airssys_ringbuf::layout::port_pulse_name;
use airssys_ringbuf::region::{
    Access, CreateError, Expected, OpenError, Region, SectionEntry, SectionKind,
};
use airssys_ringbuf::step::ClockSource;

use crate::bus::directory::BusDirectory;
use crate::partition::alarm::Alarm;
use crate::topology::layout::{region_plan, supervisor_plan};
use crate::topology::model::{Plan, SUPERVISOR};

/// Every region of a bus: the partitions', the host's if it has ports, and the supervisor's.
#[derive(Clone, Debug)]
pub(crate) struct BusView {
    parties: Vec<Region>,
    supervisor: Region,
    /// One for each host port.
    alarms: Vec<Alarm>,
    instance: Instance,
    /// What actors' clocks read.
    clock: ClockSource,
}

/// Who looks: what it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// A partition, or the host, by its place.
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
        let parties = (0..plan.parties())
            .map(|index| open(plan.party_name(index), party == Party::Partition(index)))
            .collect::<Result<_, _>>()?;
        let alarms = plan.host.iter();
        let supervisor = open(SUPERVISOR, party == Party::Supervisor)?;
        Ok(Self {
            parties,
            instance: instance_in(&supervisor)?,
            supervisor,
            alarms: alarms.map(|port| Alarm::in_bus(path, &port.name)).collect(),
            clock: ClockSource::System,
        })
    }

    /// Makes every region in this process's heap, for everybody to write: nobody else can reach them. Its messages' keys are
    /// those of `instance`, its actors' clocks read `clock`.
    pub(crate) fn heap(
        plan: &Plan,
        instance: Instance,
        clock: ClockSource,
    ) -> Result<Self, CreateError> {
        let parties = (0..plan.parties())
            .map(|index| Region::heap(&region_plan(plan, index)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            parties,
            supervisor: Region::heap(&supervisor_plan(plan))?,
            alarms: plan.host.iter().map(|_| Alarm::in_heap()).collect(),
            instance,
            clock,
        })
    }

    /// The region of a partition, or of the host.
    pub(crate) fn partition(&self, index: usize) -> &Region {
        &self.parties[index]
    }

    pub(crate) fn supervisor(&self) -> &Region {
        &self.supervisor
    }

    /// Which bus this is.
    pub(crate) fn instance(&self) -> Instance {
        self.instance
    }

    pub(crate) fn clock(&self) -> &ClockSource {
        &self.clock
    }

    /// Gives a new bus its instance, in the supervisor's own region; one that has it keeps it.
    pub(crate) fn sign(&mut self, random: impl FnOnce() -> io::Result<Instance>) -> io::Result<()> {
        if self.instance != Instance::default() {
            return Ok(());
        }
        let instance = random()?;
        let section = self.supervisor.section(SectionKind::Instance, INSTANCE);
        let section = section.map_err(io::Error::other)?;
        instance
            .write(&self.supervisor, section)
            .map_err(io::Error::other)?;
        self.instance = instance;
        Ok(())
    }

    /// What wakes a host port that sleeps in an event loop.
    pub(crate) fn alarm(&self, port: usize) -> &Alarm {
        &self.alarms[port]
    }
}

const INSTANCE: &str = "instance";

/// The bus's instance; zero before its supervisor has written it. A section that is too small is as good as none.
fn instance_in(supervisor: &Region) -> Result<Instance, OpenError> {
    let section = supervisor.section(SectionKind::Instance, INSTANCE)?;
    Ok(Instance::read(supervisor, section).unwrap_or_default())
}

/// The pulse section of a region: every region has one.
pub(crate) fn pulse(region: &Region) -> Result<&SectionEntry, OpenError> {
    region.section(SectionKind::Pulse, "pulse")
}

/// The pulse section of a host port.
pub(crate) fn port_pulse<'a>(host: &'a Region, link: &str) -> Result<&'a SectionEntry, OpenError> {
    host.section(SectionKind::Pulse, &port_pulse_name(link))
}

/// The doorbells of a region: every region has them.
pub(crate) fn doorbells(region: &Region) -> Result<&SectionEntry, OpenError> {
    region.section(SectionKind::Doorbells, "doorbells")
}
