//! Which CPUs a partition may have, whether the plan's core map fits them, and pinning.
//!
//! A CPU is usable if it is in the affinity mask of the thread that asks, or among the isolated CPUs, and the kernel
//! accepts a trial pin there that reads back as asked. The kernel compares a pin with the process's cpuset, not with its
//! mask, and `isolcpus=` takes a CPU out of the mask that processes inherit but not out of any cpuset: such a one can be had.
//! A CPU of another's isolated cpuset is shown as isolated too, and there the trial fails. Trials run on a thread of their own, so the asking thread's
//! affinity stays as it was.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::cgroup::Cgroups;
use crate::topology::bill::CoreMap;
use crate::topology::model::Plan;

/// CPU numbers from here on don't fit the kernel interface's fixed-size set.
const CPU_MAX: usize = CpuSet::MAX_CPU;

/// A set of CPU numbers, shown as the kernel shows them: `0-3,8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CoreSet(BTreeSet<usize>);

impl CoreSet {
    /// The affinity mask of the calling thread.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        Ok(Self::from_mask(&sched_getaffinity(None)?))
    }

    /// The CPUs that the kernel's scheduler leaves alone; empty where it doesn't say.
    fn isolated() -> Self {
        let text = fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    fn from_mask(mask: &CpuSet) -> Self {
        Self((0..CPU_MAX).filter(|&core| mask.is_set(core)).collect())
    }

    /// Reads the kernel's list format; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut cores = BTreeSet::new();
        for part in text.trim().split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            if last >= CPU_MAX {
                return None;
            }
            cores.extend(first..=last);
        }
        Some(Self(cores))
    }

    pub(crate) fn contains(&self, core: usize) -> bool {
        self.0.contains(&core)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cores = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = cores.next() {
            let mut last = first;
            while let Some(next) = cores.next_if_eq(&(last + 1)) {
                last = next;
            }
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
            comma = ",";
        }
        if comma.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// The CPUs that a launch from this thread may try.
#[derive(Clone, Debug)]
pub(crate) struct HostCores {
    pub(crate) allowed: CoreSet,
    pub(crate) isolated: CoreSet,
}

impl HostCores {
    /// Those of the calling thread. Ask before pinning anything: a pinned thread sees one CPU only.
    pub(crate) fn of_this_thread() -> Result<Self, CoreError> {
        let allowed = CoreSet::of_this_thread().map_err(CoreError::Affinity)?;
        Ok(Self {
            allowed,
            isolated: CoreSet::isolated(),
        })
    }

    fn offers(&self, core: usize) -> bool {
        self.allowed.contains(core) || self.isolated.contains(core)
    }
}

impl fmt::Display for HostCores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed {}, isolated {}", self.allowed, self.isolated)
    }
}

/// How many of the plan's partitions can run at the same time: CPUs in the calling thread's mask and those outside of it that
/// partitions are pinned to, or fewer where control groups grant less CPU time. At least 1.
pub(crate) fn usable_cores(plan: &Plan) -> usize {
    let mut cores = CoreSet::of_this_thread().unwrap_or_default();
    let pinned = plan
        .partitions
        .iter()
        .filter_map(|partition| partition.core);
    cores.0.extend(pinned);
    let quota = Cgroups::of_this_process().cpu_quota();
    quota
        .map_or(cores.len(), |quota| cores.len().min(quota))
        .max(1)
}

/// Why a core map was refused. Each message ends with the map and with what this machine offers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's fields are the words of its message"
)]
pub enum CoreError {
    /// The kernel didn't tell which CPUs this thread may use.
    #[error(
        "the affinity mask of this thread can't be read: {0}; the kernel may have more than {CPU_MAX} CPUs"
    )]
    Affinity(#[source] io::Error),

    /// Two partitions on one CPU.
    #[error(
        "topology `{topology}`: partitions `{first}` and `{second}` are both pinned to CPU {core}; give one another CPU, or both `.share_core()`\n{view}"
    )]
    Shared {
        topology: String,
        first: String,
        second: String,
        core: usize,
        /// The core map, and what the machine offers.
        view: String,
    },

    /// A CPU that is neither allowed nor isolated.
    #[error(
        "topology `{topology}`, partition `{partition}`: CPU {core} is not among those that this process may use; pin it to another, or widen the cpuset (taskset, --cpuset-cpus)\n{view}"
    )]
    NotAllowed {
        topology: String,
        partition: String,
        core: usize,
        /// The core map, and what the machine offers.
        view: String,
    },

    /// The kernel didn't take a trial pin.
    #[error("topology `{topology}`, partition `{partition}`: {source}\n{view}")]
    TrialPin {
        topology: String,
        partition: String,
        #[source]
        source: PinError,
        /// The core map, and what the machine offers.
        view: String,
    },
}

/// Compares the plan's cores with what the machine offers, with a trial pin for each.
///
/// # Errors
///
/// The first partition, in the order of declaration, that can't have its core.
pub(crate) fn check_core_map(plan: &Plan, cores: &HostCores) -> Result<CoreMap, CoreError> {
    let map = CoreMap::of(plan);
    let view = || format!("{map}CPUs: {cores}");
    let topology = || plan.name.clone();
    for (place, partition) in plan.partitions.iter().enumerate() {
        let Some(core) = partition.core else {
            continue;
        };
        let rival = plan.partitions[..place]
            .iter()
            .find(|other| other.core == Some(core) && !(other.share_core && partition.share_core));
        if let Some(rival) = rival {
            return Err(CoreError::Shared {
                topology: topology(),
                first: rival.name.clone(),
                second: partition.name.clone(),
                core,
                view: view(),
            });
        }
        if !cores.offers(core) {
            return Err(CoreError::NotAllowed {
                topology: topology(),
                partition: partition.name.clone(),
                core,
                view: view(),
            });
        }
        trial_pin(core).map_err(|source| CoreError::TrialPin {
            topology: topology(),
            partition: partition.name.clone(),
            source,
            view: view(),
        })?;
    }
    Ok(map)
}

/// Why a thread is not where it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant's fields are the words of its message"
)]
pub enum PinError {
    /// A CPU number beyond the kernel interface's fixed-size set.
    #[error("CPU {core} can't be pinned to: CPU numbers end at {}; choose a smaller one", CPU_MAX - 1)]
    NumberTooLarge { core: usize },

    /// The kernel said no.
    #[error("pinning to CPU {core} was refused: {source}; is the CPU online and in the cpuset?")]
    Refused {
        core: usize,
        #[source]
        source: io::Error,
    },

    /// The kernel said yes, but the thread's mask is another one.
    #[error(
        "pinned to CPU {core}, but the kernel reports CPUs {found}; something else sets this process's affinity"
    )]
    NotHeld { core: usize, found: String },

    /// No thread for the trial.
    #[error(
        "no thread for a trial pin to CPU {core}: {source}; check the limits on threads and memory"
    )]
    NoThread {
        core: usize,
        #[source]
        source: io::Error,
    },
}

/// Pins the calling thread to `core`, and reads back whether it is so.
///
/// # Errors
///
/// If the number is out of range, the kernel refuses, or the mask reads back as another one.
pub(crate) fn pin_current_thread(core: usize) -> Result<(), PinError> {
    if core >= CPU_MAX {
        return Err(PinError::NumberTooLarge { core });
    }
    if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        // Its answer has no reason in it: asking once more gives one, or succeeds.
        let mut mask = CpuSet::new();
        mask.set(core);
        sched_setaffinity(None, &mask).map_err(|errno| PinError::Refused {
            core,
            source: errno.into(),
        })?;
    }
    let found = CoreSet::of_this_thread().map_err(|source| PinError::Refused { core, source })?;
    if found.len() == 1 && found.contains(core) {
        return Ok(());
    }
    Err(PinError::NotHeld {
        core,
        found: found.to_string(),
    })
}

fn trial_pin(core: usize) -> Result<(), PinError> {
    let trial = thread::Builder::new()
        .name("airssys-trial".to_owned())
        .spawn(move || pin_current_thread(core))
        .map_err(|source| PinError::NoThread { core, source })?;
    trial.join().expect("pinning doesn't panic")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::actor::{Actor, Refused, Step};
    use crate::topology::{PartitionBuilder, Topology};

    struct Nothing;

    impl Actor for Nothing {
        fn step(&mut self) -> Result<Step, Refused> {
            Ok(Step::Done)
        }
    }

    type Settings = fn(&mut PartitionBuilder<'_>);

    fn pinned<const N: usize>(partitions: [(&str, Settings); N]) -> Result<CoreMap, CoreError> {
        let mut draft = Topology::builder("quotes");
        for (name, settings) in partitions {
            let mut partition = draft.partition(name);
            partition.actor(name, (), |()| Nothing);
            settings(&mut partition);
        }
        let cores = HostCores::of_this_thread().unwrap();
        check_core_map(draft.build().unwrap().plan(), &cores)
    }

    fn first_core() -> usize {
        *CoreSet::of_this_thread().unwrap().0.first().unwrap()
    }

    #[test]
    fn core_sets_read_and_show_the_kernels_format() {
        for (text, shown, len) in [
            ("0-3,8\n", "0-3,8", 5),
            ("1,2,3", "1-3", 3),
            ("7", "7", 1),
            ("\n", "none", 0),
        ] {
            let cores = CoreSet::parse(text).unwrap();
            assert_eq!((cores.to_string().as_str(), cores.len()), (shown, len));
        }
        for bad in ["a", "1-", "0-18446744073709551615", "1024"] {
            assert_eq!(CoreSet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn some_core_is_usable_and_none_is_lost_by_a_trial() {
        let before = CoreSet::of_this_thread().unwrap();
        let mut draft = Topology::builder("quotes");
        draft.partition("feed").actor("feed", (), |()| Nothing);
        let usable = usable_cores(draft.build().unwrap().plan());
        assert!((1..=before.len()).contains(&usable));
        trial_pin(first_core()).unwrap();
        assert_eq!(CoreSet::of_this_thread().unwrap(), before);
    }

    #[test]
    fn a_pin_is_read_back_and_a_bad_number_never_reaches_the_kernel() {
        let core = first_core();
        let pinned = thread::spawn(move || {
            pin_current_thread(core).unwrap();
            CoreSet::of_this_thread().unwrap()
        });
        assert_eq!(pinned.join().unwrap().to_string(), core.to_string());
        let error = trial_pin(CPU_MAX).unwrap_err();
        assert_eq!(
            error.to_string(),
            "CPU 1024 can't be pinned to: CPU numbers end at 1023; choose a smaller one"
        );
        // No machine that runs the tests has this one.
        let error = trial_pin(CPU_MAX - 1).unwrap_err();
        assert!(
            matches!(&error, PinError::Refused { source, .. } if source.raw_os_error().is_some()),
            "{error}"
        );
    }

    #[test]
    fn two_partitions_share_a_core_only_if_both_say_so() {
        let zero: Settings = |partition| {
            partition.core(first_core());
        };
        let shared: Settings = |partition| {
            partition.core(first_core()).share_core();
        };
        let free: Settings = |_| {};
        pinned([("feed", shared), ("book", shared), ("log", free)]).unwrap();
        for second in [zero, shared] {
            let error = pinned([("feed", zero), ("book", second)]).unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with(&format!(
                    "topology `quotes`: partitions `feed` and `book` are both pinned to CPU {}; give one another CPU, \
                     or both `.share_core()`\npartition  CPU",
                    first_core()
                )),
                "{text}"
            );
            assert!(text.contains("\nCPUs: allowed "), "{text}");
        }
    }

    #[test]
    fn a_core_outside_the_mask_is_refused_with_the_map() {
        let error = pinned([("feed", |partition| {
            partition.core(1023);
        })])
        .unwrap_err();
        assert!(
            error.to_string().starts_with(
                "topology `quotes`, partition `feed`: CPU 1023 is not among those that this process may use;"
            ),
            "{error}"
        );
    }

    #[test]
    fn an_isolated_core_is_tried() {
        let mut draft = Topology::builder("quotes");
        let mut feed = draft.partition("feed");
        feed.core(1023).actor("feed", (), |()| Nothing);
        let cores = HostCores {
            allowed: CoreSet::default(),
            isolated: CoreSet::parse("1023").unwrap(),
        };
        let error = check_core_map(draft.build().unwrap().plan(), &cores).unwrap_err();
        assert!(matches!(error, CoreError::TrialPin { .. }), "{error}");
    }

    #[test]
    fn an_isolated_core_outside_of_the_mask_is_had_and_counts() {
        let all = CoreSet::of_this_thread().unwrap();
        let [first, second] = *all.0.iter().copied().take(2).collect::<Vec<_>>() else {
            return; // a machine with one core has none outside of a mask
        };
        let mut draft = Topology::builder("quotes");
        let mut feed = draft.partition("feed");
        feed.core(second).actor("feed", (), |()| Nothing);
        let topology = draft.build().unwrap();
        let narrow = thread::spawn(move || {
            pin_current_thread(first).unwrap();
            let cores = HostCores {
                allowed: CoreSet::of_this_thread().unwrap(),
                isolated: CoreSet([second].into()),
            };
            assert!(!cores.allowed.contains(second));
            check_core_map(topology.plan(), &cores).unwrap();
            let quota = Cgroups::of_this_process().cpu_quota();
            assert_eq!(
                usable_cores(topology.plan()),
                quota.unwrap_or(2).clamp(1, 2)
            );
        });
        narrow.join().unwrap();
    }
}
