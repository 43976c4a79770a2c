//! Which partition runs on which core.

use airssys_rt::prelude::*;

/// A core for each partition, or as near to it as these cores come.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// By partition, in the order of the pipeline.
    pub(crate) cores: Vec<usize>,
    /// Whether some share one.
    pub(crate) shared: bool,
}

impl Placement {
    /// Places `partitions` on `cores`, of which there is at least one. Where they are too few, the first partition, which has a
    /// schedule to keep, has a core of its own still, and the others take turns on the rest.
    pub(crate) fn new(partitions: usize, cores: &[usize]) -> Self {
        let shared = cores.len() < partitions;
        let (first, rest) = match cores {
            [first, rest @ ..] if shared && !rest.is_empty() => (*first, rest),
            all => (all[0], all),
        };
        let place = |partition: usize| {
            if shared {
                rest[partition.saturating_sub(1) % rest.len()]
            } else {
                cores[partition]
            }
        };
        let mut placed: Vec<usize> = (0..partitions).map(place).collect();
        placed[0] = first;
        Self {
            cores: placed,
            shared,
        }
    }

    /// A core of one's own is spun on; a shared one is yielded to the others between looks.
    pub(crate) fn wait(&self) -> Wait {
        if self.shared {
            Wait::spin_then_yield()
        } else {
            Wait::spin()
        }
    }

    /// Every core that is used, once.
    pub(crate) fn distinct(&self) -> Vec<usize> {
        let mut cores = self.cores.clone();
        cores.sort_unstable();
        cores.dedup();
        cores
    }
}

/// The cores that this process may run on.
pub(crate) fn allowed() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    cores.iter().map(|core| core.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_cores_are_shared_but_the_first() {
        let placed = |cores: &[usize]| Placement::new(4, cores);
        assert_eq!(placed(&[2, 4, 6, 8, 9]).cores, [2, 4, 6, 8]);
        assert!(!placed(&[2, 4, 6, 8]).shared);
        assert_eq!(placed(&[2, 4, 6]).cores, [2, 4, 6, 4]);
        assert_eq!(placed(&[0, 1]).cores, [0, 1, 1, 1]);
        assert_eq!(placed(&[7]).cores, [7; 4]);
        assert!(placed(&[7]).shared);
        assert_eq!(placed(&[0, 1]).distinct(), [0, 1]);
    }
}
