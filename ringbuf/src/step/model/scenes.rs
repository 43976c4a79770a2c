//! What the model of the step runs, and the mistakes that it has to find.

use loom::thread;

use super::{Kill, Mistake, POINTS, Peers, Point, Region};
use crate::ring::model::deeper;

/// What runs, and how much of it.
#[derive(Clone, Copy)]
pub(super) struct Scene {
    pub(super) messages: u64,
    kill: Kill,
    pub(super) peers: Where,
    observed: bool,
    pub(super) mistake: Mistake,
    preemptions: usize,
}

/// Where the peers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    OnTheirThread,
    /// On the actor's, when it has nothing to do: they aren't what is explored.
    Aside,
}

impl Scene {
    const fn new(messages: u64, preemptions: usize) -> Self {
        Self {
            messages,
            kill: None,
            peers: Where::OnTheirThread,
            observed: false,
            mistake: Mistake::Nothing,
            preemptions,
        }
    }

    const fn killed(self, step: u64, point: Point) -> Self {
        Self {
            kill: Some((step, point)),
            ..self
        }
    }

    const fn observed(self, peers: Where) -> Self {
        Self {
            observed: true,
            peers,
            ..self
        }
    }

    const fn with(self, mistake: Mistake) -> Self {
        Self { mistake, ..self }
    }

    fn explore(self) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(deeper(self.preemptions));
        model.check(move || {
            let (region, to, from) = Region::new(self);
            let observer = self.observed.then(|| {
                let region = region.clone();
                thread::spawn(move || region.observe())
            });
            let peers = Peers {
                to,
                from,
                messages: self.messages,
            };
            if self.peers == Where::Aside {
                region.live(self.kill, || while peers.turn() {});
                peers.run();
            } else {
                let peers = thread::spawn(move || peers.run());
                region.live(self.kill, thread::yield_now);
                peers.join().unwrap();
            }
            if let Some(observer) = observer {
                observer.join().unwrap();
            }
            let left = region.records.load_control();
            assert_eq!(left.steps, self.messages, "each message once");
        });
    }
}

#[test]
fn messages_pass_through_steps() {
    Scene::new(2, 3).explore();
}

/// Two messages, and a kill in each step after each of its parts.
#[test]
fn a_kill_at_any_point_loses_and_repeats_nothing() {
    for step in 0..2 {
        for point in POINTS {
            Scene::new(2, 2).killed(step, point).explore();
        }
    }
}

#[test]
fn an_observer_sees_what_one_commit_left() {
    Scene::new(3, 3).observed(Where::Aside).explore();
}

#[test]
fn an_observer_sees_what_one_commit_left_also_over_a_kill() {
    for point in POINTS {
        Scene::new(2, 3)
            .observed(Where::Aside)
            .killed(1, point)
            .explore();
    }
}

#[test]
fn actor_peers_and_observer_together() {
    Scene::new(2, 1).observed(Where::OnTheirThread).explore();
    let killed = Scene::new(2, 1).killed(1, Point::Committed);
    killed.observed(Where::OnTheirThread).explore();
}

macro_rules! finds {
    ($($name:ident: $mistake:ident, $scene:expr, $expected:literal;)*) => {$(
        #[test]
        #[should_panic(expected = $expected)]
        fn $name() {
            $scene.with(Mistake::$mistake).explore();
        }
    )*};
}

const WATCHED: Scene = Scene::new(3, 3).observed(Where::Aside);

finds! {
    a_relaxed_control_store_is_found: RelaxedControl, WATCHED, "what step";
    a_step_without_its_last_fence_is_found: NoStepFence, WATCHED, "what step";
    a_record_filled_in_place_is_found: RecordInPlace, WATCHED, "what step";
    a_cell_stored_in_place_is_found: CellInPlace, WATCHED, "what step";
    an_observer_that_looks_once_is_found: OneLook, WATCHED, "what step";
    publishing_before_the_commit_is_found: PublishBeforeCommit,
        Scene::new(2, 2).killed(0, Point::Published), "Causality violation";
    credit_before_the_commit_is_found: CreditBeforeCommit,
        Scene::new(2, 2).killed(0, Point::GivenBack), "Causality violation";
    recovery_from_the_other_record_is_found: RecoverInactive,
        Scene::new(2, 2).killed(1, Point::HalfFilled), "exceeded";
    recovery_that_publishes_nothing_is_found: NoRepublish,
        Scene::new(2, 2).killed(0, Point::Committed), "exceeded maximum number of branches";
    recovery_that_closes_nothing_is_found: NoClose,
        Scene::new(2, 2).killed(1, Point::Published), "exceeded maximum number of branches";
}
