//! What a partition's pulse tells its supervisor.

use std::time::Duration;

use airssys_ringbuf::pulse::{Phase, PulseView, Vitals};

use crate::supervisor::status::Recovery;

/// What a look at a life's pulse found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing new.
    Nothing,
    /// Its loop has begun.
    Running,
    /// Its first step ended, at this monotonic time.
    FirstStep(u64),
    /// No heartbeat for too long.
    Silent(Duration),
}

/// The supervisor's watch on one life.
#[derive(Debug)]
pub(super) struct Watch {
    pulse: PulseView,
    incarnation: u64,
    /// When the supervisor began to spawn it, and when it had.
    begun_ns: u64,
    spawned_ns: u64,
    beats: u64,
    /// When the beats last changed, by the supervisor's clock.
    beat_at_ns: u64,
    running: bool,
    stepped: bool,
}

impl Watch {
    pub(super) fn new(pulse: PulseView, incarnation: u64, begun_ns: u64, spawned_ns: u64) -> Self {
        Self {
            pulse,
            incarnation,
            begun_ns,
            spawned_ns,
            beats: 0,
            beat_at_ns: spawned_ns,
            running: false,
            stepped: false,
        }
    }

    pub(super) fn vitals(&self) -> Vitals {
        self.pulse.vitals()
    }

    /// Whether this life has said that it ends by its own word.
    pub(super) fn is_stopping(&self) -> bool {
        let vitals = self.vitals();
        self.is_own(&vitals) && vitals.phase == Phase::Stopping
    }

    /// Whether this life has come as far as its loop.
    pub(super) fn has_run(&self) -> bool {
        let vitals = self.vitals();
        self.running || self.is_own(&vitals) && is_beyond_start(vitals.phase)
    }

    /// When this life's first step ended, if no look has told yet.
    pub(super) fn unseen_first_step(&self) -> Option<u64> {
        let vitals = self.vitals();
        let unseen = !self.stepped && self.is_own(&vitals) && vitals.first_step_at_ns != 0;
        unseen.then_some(vitals.first_step_at_ns)
    }

    /// What lay between a death and the end of this life's first step.
    pub(super) fn recovery(&self, died_at_ns: u64, first_step_at_ns: u64) -> Recovery {
        let between = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
        // A thread may write before its spawner gets on.
        let started_ns = self.vitals().started_at_ns.max(self.spawned_ns);
        Recovery {
            death: between(died_at_ns, self.begun_ns),
            spawn: between(self.begun_ns, self.spawned_ns),
            start: between(self.spawned_ns, started_ns),
            first_step: between(started_ns, first_step_at_ns),
        }
    }

    fn is_own(&self, vitals: &Vitals) -> bool {
        vitals.identity.incarnation == self.incarnation
    }

    /// Forgives the time that the watcher itself was late.
    pub(super) fn forgive(&mut self, late_ns: u64) {
        self.beat_at_ns = self.beat_at_ns.saturating_add(late_ns);
    }

    /// Looks once. A silence counts from the start: a life that never begins is silent too.
    pub(super) fn look(&mut self, now_ns: u64, hang_after: Duration) -> Finding {
        let vitals = self.vitals();
        let own = self.is_own(&vitals);
        // A sleeper owes no beats: its sleep may be longer than the limit.
        if own && (vitals.beats != self.beats || vitals.phase == Phase::Parked) {
            self.beats = vitals.beats;
            self.beat_at_ns = now_ns;
        }
        if own && !self.running && is_beyond_start(vitals.phase) {
            self.running = true;
            return Finding::Running;
        }
        if own && !self.stepped && vitals.first_step_at_ns != 0 {
            self.stepped = true;
            return Finding::FirstStep(vitals.first_step_at_ns);
        }
        let silent = Duration::from_nanos(now_ns.saturating_sub(self.beat_at_ns));
        if silent >= hang_after {
            return Finding::Silent(silent);
        }
        Finding::Nothing
    }

    /// Starts the silence anew: somebody has an explanation for it.
    pub(super) fn excuse(&mut self, now_ns: u64) {
        self.beat_at_ns = now_ns;
    }
}

fn is_beyond_start(phase: Phase) -> bool {
    matches!(phase, Phase::Running | Phase::Parked | Phase::Stopping)
}

/// Whether the process is stopped by a signal or held by a debugger: then its silence says nothing.
pub(super) fn is_held(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return false;
    };
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let stopped = field("State:").is_some_and(|state| state.starts_with(['T', 't']));
    let traced = field("TracerPid:").is_some_and(|tracer| tracer != "0");
    stopped || traced
}
