//! What a program that aborts at a panic can't run: threads that are to be restarted.
//!
//! A thread partition's restart follows a panic that unwinds its stack alone. With `panic = "abort"` the first one ends the
//! process and every partition in it, so the plan promises what nobody can keep; a process partition's panic ends that process
//! in either case.

use crate::launch::LaunchError;
use crate::supervisor::LaunchMode;
use crate::topology::model::{Plan, RestartKind};

/// Whether a panic in this program aborts it.
pub(crate) const PANIC_ABORTS: bool = cfg!(panic = "abort");

/// Refuses threads that are to be restarted where a panic aborts the process.
pub(crate) fn check_panics(
    plan: &Plan,
    mode: LaunchMode,
    panic_aborts: bool,
) -> Result<(), LaunchError> {
    if !panic_aborts || mode != LaunchMode::Threads {
        return Ok(());
    }
    let mut partitions = plan.partitions.iter();
    let restarted = partitions.find(|partition| partition.restart.kind() != RestartKind::Temporary);
    restarted.map_or(Ok(()), |partition| {
        Err(LaunchError::PanicAborts {
            topology: plan.name.clone(),
            partition: partition.name.clone(),
            restart: partition.restart,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;
    use crate::{Actor, Refused, Restart, Step, Topology};

    struct Nothing;

    impl Actor for Nothing {
        fn step(&mut self) -> Result<Step, Refused> {
            Ok(Step::Done)
        }
    }

    fn topology(restarts: [Restart; 2]) -> Topology {
        let mut plan = Topology::builder("quotes");
        for (name, restart) in ["feed", "book"].into_iter().zip(restarts) {
            plan.partition(name)
                .restart(restart)
                .actor(name, (), |()| Nothing);
        }
        plan.build().unwrap()
    }

    fn refused(restarts: [Restart; 2], mode: LaunchMode, aborts: bool) -> Option<String> {
        let checked = check_panics(topology(restarts).plan(), mode, aborts);
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn restarted_threads_need_panics_that_unwind() {
        let (never, always) = (Restart::temporary(), Restart::permanent());
        assert_eq!(
            refused([never, Restart::transient()], LaunchMode::Threads, true).unwrap(),
            "topology `quotes`, partition `book` is transient, and this program is built with panic = \"abort\": as a thread \
             it can't be restarted, since its first panic ends the process; build with panic = \"unwind\", declare it with \
             `.restart(Restart::temporary())`, or launch with Launch::Processes"
        );
        let first = refused([always, always], LaunchMode::Threads, true).unwrap();
        assert!(first.contains("partition `feed` is permanent"), "{first}");

        assert_eq!(refused([never, never], LaunchMode::Threads, true), None);
        assert_eq!(refused([always, always], LaunchMode::Processes, true), None);
        assert_eq!(refused([always, always], LaunchMode::Threads, false), None);
    }
}
