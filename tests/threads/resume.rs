//! What an escalation left is taken up again, or not, and why not.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{BusError, Cause, LaunchError, RunError};

use crate::common::{
    Item, Seen, Sink, Source, assert_no_trace, await_that, bus_name, bus_path, join,
};
use crate::ending::falling_over;

/// Falls so often at its 10th message; more than once is too often.
fn again(bus: &str, falls: u64, leftover: Leftover, capacity: u64) -> Topology {
    let mut plan = falling_over(bus, Restart::permanent(), falls, capacity);
    plan.intensity(1, Duration::from_secs(3_600))
        .leftover(leftover);
    plan.build().unwrap()
}

/// Leaves a bus on which 10 messages were sent.
fn leave(bus: &str) -> PathBuf {
    let topology = again(bus, 2, Leftover::Resume, 64);
    let error = join(topology.launch(Launch::Threads).unwrap()).unwrap_err();
    assert!(matches!(error, RunError::Escalated { .. }), "{error}");
    bus_path(bus)
}

fn refused(bus: &str, capacity: u64) -> BusError {
    let topology = again(bus, 0, Leftover::Resume, capacity);
    let error = topology.launch(Launch::Threads).unwrap_err();
    let LaunchError::Bus(error) = error else {
        panic!("{error}");
    };
    error
}

/// Starts it once more, lets it come to its end, and returns how many lives each partition has had.
fn comes_through(bus: &str, leftover: Leftover) -> Vec<u64> {
    let topology = again(bus, 0, leftover, 64);
    let running = topology.launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!((report.links[0].sent, report.links[0].received), (20, 20));
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(20)));
    assert_no_trace(bus);
    let lives = report.partitions.iter();
    lives.map(|partition| partition.incarnations).collect()
}

#[test]
fn what_an_escalation_left_goes_on_with_every_message_once() {
    let bus = bus_name("resumed");
    leave(&bus);
    // Two lives and the last rites lie behind the falling one, and one behind the sink.
    let lives = comes_through(&bus, Leftover::Resume);
    assert_eq!(lives, [4, 2]);
}

#[test]
fn where_nothing_was_left_it_starts() {
    let bus = bus_name("nothing-left");
    assert_eq!(comes_through(&bus, Leftover::Resume), [1, 1]);
}

#[test]
fn it_goes_on_where_one_resumption_was_refused() {
    let bus = bus_name("refused-once");
    let path = leave(&bus);
    let error = refused(&bus, 128);
    assert_eq!(
        error.to_string(),
        format!(
            "bus `{bus}`: what an earlier run left in {} is of another topology and can't be resumed: link `items`: capacity \
             is 128 in this program, 64 in what was left; start the program that left it, or give it up with \
             `.leftover(Leftover::Discard)`",
            path.display()
        )
    );
    // The regions tell, too.
    fs::remove_file(path.join("topology")).unwrap();
    let error = refused(&bus, 128).to_string();
    assert!(
        error.contains("ring `items`: its count is 128 in this program, 64 in the region"),
        "{error}"
    );
    assert_eq!(comes_through(&bus, Leftover::Resume), [4, 2]);
}

/// When the sink of [`moody`] panics.
const NEVER: u64 = 0;
const AT_BIRTH: u64 = 1;
const AT_ITS_STEP: u64 = 2;

struct Moody {
    sink: Sink,
    mood: u64,
}

impl Actor for Moody {
    fn step(&mut self) -> Result<Step, Refused> {
        assert_ne!(self.mood, AT_ITS_STEP);
        self.sink.step()
    }
}

fn moody(bus: &str, mood: u64) -> Topology {
    let mut plan = Topology::builder(bus);
    plan.intensity(0, Duration::from_secs(3_600))
        .leftover(Leftover::Resume);
    let (out, input) = plan.link::<Item>("items", 16);
    plan.partition("source").actor("source", out, |out| Source {
        out,
        total: 100,
        batch: 4,
    });
    plan.partition("sink")
        .actor("sink", (input, durable("seen")), move |(input, seen)| {
            assert_ne!(mood, AT_BIRTH);
            let batch = 8;
            let sink = Sink { input, seen, batch };
            Moody { sink, mood }
        });
    plan.build().unwrap()
}

#[test]
fn a_failed_start_leaves_what_it_was_to_resume() {
    let bus = bus_name("moody");
    let running = moody(&bus, AT_ITS_STEP).launch(Launch::Threads).unwrap();
    assert!(matches!(join(running), Err(RunError::Escalated { .. })));
    for _ in 0..2 {
        let error = moody(&bus, AT_BIRTH).launch(Launch::Threads).unwrap_err();
        assert!(
            matches!(&error, LaunchError::Start { partition, .. } if partition == "sink"),
            "{error}"
        );
    }
    let running = moody(&bus, NEVER).launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    let report = join(running).unwrap();
    assert_eq!(report.links[0].sent, 100);
    assert_eq!(monitor.read("sink", "seen").unwrap(), Some(Seen::of(100)));
    assert!(report.partitions[0].incarnations > 3);
    assert_no_trace(&bus);
}

#[test]
fn a_damaged_region_is_not_resumed() {
    let bus = bus_name("damaged");
    let path = leave(&bus);
    let region = path.join("sink.region");
    let file = fs::OpenOptions::new().write(true).open(&region).unwrap();
    // Within its directory.
    file.write_all_at(b"!", 140).unwrap();
    let error = refused(&bus, 64);
    assert!(matches!(error, BusError::Unsound { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&region.display().to_string())
            && text.ends_with("or give the bus up with `.leftover(Leftover::Discard)`"),
        "{text}"
    );
    file.set_len(4096).unwrap();
    assert!(matches!(refused(&bus, 64), BusError::Unsound { .. }));
    assert_eq!(comes_through(&bus, Leftover::Discard), [1, 1]);
}

#[test]
fn a_bus_without_one_of_its_regions_is_not_resumed() {
    let bus = bus_name("incomplete");
    let path = leave(&bus);
    fs::remove_file(path.join("sink.region")).unwrap();
    let error = refused(&bus, 64);
    assert!(
        matches!(&error, BusError::Incomplete { missing, .. } if *missing == ["sink.region"]),
        "{error}"
    );
    assert!(path.join("falling.region").exists());
    assert_eq!(comes_through(&bus, Leftover::Discard), [1, 1]);
}

#[test]
fn a_bus_whose_creation_was_cut_short_is_made_anew() {
    let bus = bus_name("cut-short");
    let path = bus_path(&bus);
    let mut made = fs::DirBuilder::new();
    made.mode(0o700).recursive(true).create(&path).unwrap();
    fs::write(path.join(".topology.1"), "x").unwrap();
    assert_eq!(comes_through(&bus, Leftover::Resume), [1, 1]);

    // Its first region was made, and nobody has lived in it.
    made.create(&path).unwrap();
    let boot_id = airssys_rt::ringbuf::region::boot_id().unwrap();
    let mut region = airssys_rt::ringbuf::region::RegionPlan::new(&bus, "falling", 1);
    region.add(airssys_rt::ringbuf::layout::pulse_section());
    region.create(&path, "falling.region", boot_id).unwrap();
    assert_eq!(comes_through(&bus, Leftover::Resume), [1, 1]);
}

#[test]
fn a_bus_whose_removal_was_cut_short_is_made_anew() {
    let bus = bus_name("half-removed");
    let path = leave(&bus);
    let supervisor = path.join("supervisor.region");
    fs::rename(supervisor, path.join(".supervisor.removed")).unwrap();
    fs::remove_file(path.join("sink.region")).unwrap();
    assert_eq!(comes_through(&bus, Leftover::Resume), [1, 1]);
}

#[test]
fn a_bus_that_lived_and_lost_its_supervisors_region_is_not_resumed() {
    let bus = bus_name("robbed");
    let path = leave(&bus);
    fs::remove_file(path.join("supervisor.region")).unwrap();
    let error = refused(&bus, 64);
    assert!(
        matches!(&error, BusError::Incomplete { missing, .. } if *missing == ["supervisor.region"]),
        "{error}"
    );
    assert_eq!(comes_through(&bus, Leftover::Discard), [1, 1]);
}

/// Sends one job to somebody of this process, and is done.
struct Giver(LocalSender<u32>);

impl Actor for Giver {
    fn step(&mut self) -> Result<Step, Refused> {
        self.0.try_send(1).unwrap();
        Ok(Step::Done)
    }
}

/// Is done when the giver is, but not in the first run; or falls, in the first run, when it is told to.
struct Taker {
    jobs: LocalReceiver<u32>,
    falls: Option<Arc<AtomicBool>>,
}

impl Actor for Taker {
    fn step(&mut self) -> Result<Step, Refused> {
        if let Some(falls) = &self.falls {
            assert!(!falls.load(Ordering::Relaxed), "told to fall");
            return Ok(Step::Retry);
        }
        Ok(if self.jobs.is_closed() {
            Step::Done
        } else {
            Step::Idle
        })
    }
}

fn jobs(bus: &str, falls: Option<&Arc<AtomicBool>>) -> Topology {
    let mut plan = Topology::builder(bus);
    plan.intensity(0, Duration::from_secs(3_600))
        .leftover(Leftover::Resume);
    let (out, input) = plan.local_link::<u32>("jobs", 4);
    plan.partition("giver").actor("giver", out, Giver);
    let falls = falls.map(Arc::clone);
    plan.partition("taker")
        .actor("taker", input, move |jobs| Taker {
            jobs,
            falls: falls.clone(),
        });
    plan.build().unwrap()
}

#[test]
fn a_resumed_bus_knows_of_the_ends_of_its_local_links() {
    let bus = bus_name("jobs");
    let falls = Arc::new(AtomicBool::new(false));
    let running = jobs(&bus, Some(&falls)).launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    await_that("the giver's end", || {
        monitor.partitions()[0].last_cause == Some(Cause::Done)
    });
    falls.store(true, Ordering::Relaxed);
    assert!(matches!(join(running), Err(RunError::Escalated { .. })));

    let running = jobs(&bus, None).launch(Launch::Threads).unwrap();
    join(running).unwrap();
    assert_no_trace(&bus);
}
