//! The table of all children that the executors of this process started.
//!
//! There is one, because a pid means the same to every executor: the child of one may be killed through another, and
//! what a dropped executor leaves is reaped by the next. A child stays in it until it is reaped; then only its pid and
//! its end are remembered, for the latest [`REMEMBERED`], so that a late kill does not hit a stranger.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::exit::ExitStatus;
use super::state::ChildState;

/// A pid is reused at the soonest after the kernel has gone once through its range, 32,768 at the least: who is
/// forgotten after this many other ends was given that much time to be asked for.
const REMEMBERED: usize = 4096;

/// Children, by pid.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    children: Mutex<Children>,
}

#[derive(Debug, Default)]
struct Children {
    kept: HashMap<u32, Arc<ChildState>>,
    ended: VecDeque<(u32, ExitStatus)>,
}

/// Whose process a pid stands for.
#[must_use]
#[derive(Debug)]
pub(crate) enum Owner {
    /// A child that has not been reaped.
    Ours(Arc<ChildState>),
    /// A child that has been.
    Ended(ExitStatus),
    /// None of our children.
    Stranger,
}

impl Registry {
    /// The table of this process.
    pub(crate) fn of_this_process() -> Arc<Self> {
        static TABLE: LazyLock<Arc<Registry>> = LazyLock::new(Arc::default);
        Arc::clone(&TABLE)
    }

    /// Enters a child.
    pub(crate) fn keep(&self, child: &Arc<ChildState>) {
        self.lock().keep(child);
    }

    /// Reaps those that are dead and have no handle which would be waited on.
    pub(crate) fn reap_dropped(&self) {
        self.lock().reap_dropped();
    }

    /// Whose process this pid stands for.
    pub(crate) fn owner_of(&self, pid: u32) -> Owner {
        let mut children = self.lock();
        children.reap_dropped();
        children.owner_of(pid)
    }

    fn lock(&self) -> MutexGuard<'_, Children> {
        // No panic can come between two changes that belong together.
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Children {
    fn keep(&mut self, child: &Arc<ChildState>) {
        // Whoever had this pid before is gone, reaped by somebody else if not by us: the kernel gave it anew.
        self.kept.insert(child.pid(), Arc::clone(child));
    }

    fn reap_dropped(&mut self) {
        let ended = &mut self.ended;
        self.kept.retain(|&pid, child| {
            // Only this table can make a second owner out of one, and it is locked.
            let dropped = Arc::strong_count(child) == 1;
            let status = if dropped {
                child.try_reap().ok().flatten()
            } else {
                child.status()
            };
            ended.extend(status.map(|status| (pid, status)));
            status.is_none()
        });
        let surplus = self.ended.len().saturating_sub(REMEMBERED);
        self.ended.drain(..surplus);
    }

    fn owner_of(&self, pid: u32) -> Owner {
        if let Some(child) = self.kept.get(&pid) {
            return Owner::Ours(Arc::clone(child));
        }
        // The latest first: a pid may have had several ends.
        let ended = self.ended.iter().rev().find(|(one, _)| *one == pid);
        ended.map_or(Owner::Stranger, |&(_, status)| Owner::Ended(status))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::process::Command;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[expect(clippy::zombie_processes, reason = "the table under test reaps it")]
    fn start(registry: &Registry, program: &str) -> Arc<ChildState> {
        let spawned = Command::new(program).spawn().unwrap();
        let child = Arc::new(ChildState::take_hold(spawned.id()).unwrap());
        registry.keep(&child);
        child
    }

    fn await_death(child: &ChildState) {
        poll(
            &mut [PollFd::from_borrowed_fd(child.pidfd(), PollFlags::IN)],
            None,
        )
        .unwrap();
    }

    #[test]
    fn a_dead_child_without_a_handle_is_reaped_and_its_end_remembered() {
        let registry = Registry::default();
        let child = start(&registry, "false");
        let pid = child.pid();
        await_death(&child);
        assert!(
            matches!(registry.owner_of(pid), Owner::Ours(_)),
            "its handle is still there"
        );
        drop(child);
        assert!(matches!(
            registry.owner_of(pid),
            Owner::Ended(ExitStatus::Exited(1))
        ));
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "no zombie is left"
        );
    }

    #[test]
    fn a_child_reaped_through_its_handle_is_ended_while_the_handle_lives() {
        let registry = Registry::default();
        let child = start(&registry, "true");
        await_death(&child);
        assert_eq!(child.try_reap().unwrap(), Some(ExitStatus::Exited(0)));
        assert!(matches!(
            registry.owner_of(child.pid()),
            Owner::Ended(ExitStatus::Exited(0))
        ));
    }

    #[test]
    fn only_the_latest_ends_are_remembered() {
        let registry = Registry::default();
        let first = u32::MAX - 2 * u32::try_from(REMEMBERED).unwrap();
        registry
            .lock()
            .ended
            .extend((first..=first + REMEMBERED as u32).map(|pid| (pid, ExitStatus::Unknown)));
        assert!(matches!(registry.owner_of(first), Owner::Stranger));
        assert!(matches!(
            registry.owner_of(first + 1),
            Owner::Ended(ExitStatus::Unknown)
        ));
    }

    #[test]
    fn a_pid_given_anew_is_ours_again() {
        let registry = Registry::default();
        let child = start(&registry, "true");
        registry
            .lock()
            .ended
            .push_back((child.pid(), ExitStatus::Exited(9)));
        registry.keep(&child);
        await_death(&child);
        child.try_reap().unwrap();
        assert!(matches!(
            registry.owner_of(child.pid()),
            Owner::Ended(ExitStatus::Exited(0))
        ));
    }
}
