//! An actor's clock: one reading a step, kept in its region before the step has it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use airssys_ringbuf::clock::monotonic_ns;
use airssys_ringbuf::layout::{actor_section, cell_section, clock_section};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{
    Attach, AttachError, Clock, ClockReading, ClockSource, Durable, ManualClock, StepCore, Verdict,
    read_clock,
};
use airssys_ringbuf::{Instance, Message};

fn region() -> Region {
    let mut plan = RegionPlan::new("clocks", "own", 1);
    plan.add(actor_section("actor", 0, 0))
        .add(cell_section("actor/cell", &u64::SCHEMA.to_text(), 8))
        .add(clock_section("actor"));
    Region::heap(&plan).unwrap()
}

fn attach(region: &Region, source: &ClockSource) -> (StepCore, Clock, Durable<u64>) {
    let mut attach = Attach::new(region, "actor", 0, 0).unwrap();
    attach.instance(Instance(7));
    let clock = attach.clock(source).unwrap();
    let cell = attach.durable("cell", 0).unwrap();
    (attach.finish(), clock, cell)
}

#[test]
fn a_step_has_one_reading_and_the_region_has_it_too() {
    let (region, manual) = (region(), ManualClock::default());
    let (mut core, clock, mut cell) = attach(&region, &ClockSource::Manual(manual.clone()));
    let steps = core.steps();
    manual.set(100, 9_000);
    core.begin(1);
    assert_eq!(
        read_clock(&region, "actor", steps),
        ClockReading::default(),
        "nothing was asked for yet"
    );
    assert_eq!(clock.now(), 100);
    let only_monotonic = ClockReading {
        monotonic_ns: Some(100),
        realtime_ns: None,
    };
    assert_eq!(read_clock(&region, "actor", steps), only_monotonic);
    manual.advance(Duration::from_nanos(5));
    assert_eq!(clock.now(), 100, "the same step");
    assert_eq!(clock.realtime(), 9_005, "first asked for now");
    let both = ClockReading {
        monotonic_ns: Some(100),
        realtime_ns: Some(9_005),
    };
    assert_eq!(read_clock(&region, "actor", steps), both);
    // Aborted: the next try reads anew.
    assert!(!core.finish(Verdict::Abort).unwrap().committed);
    core.begin(1);
    assert_eq!(clock.now(), 105);
    cell.set(clock.now());
    assert!(core.finish(Verdict::Keep).unwrap().committed);
    assert_eq!(
        read_clock(&region, "actor", core.steps()),
        ClockReading::default(),
        "what is there is the last step's"
    );
}

#[test]
fn two_clocks_of_an_actor_are_one() {
    let (region, manual) = (region(), ManualClock::default());
    let mut attach: Attach<'_> = Attach::new(&region, "actor", 0, 0).unwrap();
    let source = ClockSource::Manual(manual.clone());
    let (one, other) = (
        attach.clock(&source).unwrap(),
        attach.clock(&source).unwrap(),
    );
    let _cell = attach.durable::<u64>("cell", 0).unwrap();
    let mut core = attach.finish();
    core.begin(1);
    assert_eq!(one.now(), 0);
    manual.set(1, 1);
    assert_eq!(other.now(), 0);
    let _ = core.finish(Verdict::Keep).unwrap();
}

#[test]
fn outside_of_a_step_there_is_no_reading() {
    let region = region();
    let (mut core, clock, _cell) = attach(&region, &ClockSource::System);
    for _ in 0..2 {
        let asked = catch_unwind(AssertUnwindSafe(|| clock.now()));
        assert!(asked.is_err());
        core.begin(1);
        let (before, now, after) = (monotonic_ns(), clock.now(), monotonic_ns());
        assert!(before <= now && now <= after, "{before} {now} {after}");
        let _ = core.finish(Verdict::Keep).unwrap();
    }
}

#[test]
fn a_region_without_the_section_is_refused() {
    let mut plan = RegionPlan::new("clocks", "own", 1);
    plan.add(actor_section("actor", 0, 0));
    let region = Region::heap(&plan).unwrap();
    let mut attach: Attach<'_> = Attach::new(&region, "actor", 0, 0).unwrap();
    let refused = attach.clock(&ClockSource::System).map(|_| ());
    assert!(
        matches!(refused, Err(AttachError::Region(_))),
        "{refused:?}"
    );
}
