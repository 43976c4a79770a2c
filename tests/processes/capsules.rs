//! What is kept of processes: the reading of a clock, and what becomes of it on a disk that takes nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use airssys_rt::prelude::*;
use airssys_rt::{Capsule, replay};

use crate::child::Helper;
use crate::common::{Item, Seen, join, source};
use crate::topologies::{CAPSULES, builder, faulty, once};

/// Where the step that dies leaves what it has read.
const READING: &str = "reading";

/// Sends on what it reads of its clock at each item; dies once, with a reading that nobody has seen.
struct Timed {
    items: Receiver<Item>,
    out: Sender<[u64; 2]>,
    clock: Clock,
}

impl Actor for Timed {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(item) = self.items.try_recv() else {
            return Ok(if self.items.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        let reading = [self.clock.now(), self.clock.realtime()];
        self.out.send(reading)?;
        if item.seq == 100 && once("timed") {
            fs::write(READING, format!("{} {}", reading[0], reading[1])).unwrap();
            std::process::abort();
        }
        Ok(Step::Busy)
    }
}

pub(crate) fn timed() -> Result<Topology, TopologyError> {
    let mut plan = builder("timed");
    plan.capsules(CAPSULES, 16, 1 << 20);
    let (item_out, item_in) = plan.link::<Item>("items", 16);
    let (out, readings) = plan.link::<[u64; 2]>("readings", 256);
    source(&mut plan, item_out, 200, 4);
    let ends = (item_in, out, clock());
    plan.partition("timed")
        .actor("timed", ends, |(items, out, clock)| Timed {
            items,
            out,
            clock,
        });
    plan.host().receives(readings);
    plan.build()
}

pub(crate) fn reading_of_a_killed_step() {
    let running = timed().unwrap().launch(Launch::Processes).unwrap();
    let mut readings = running.receiver::<[u64; 2]>("readings").unwrap();
    let report = join(running).unwrap();
    let kept = report.monitor.capsules();
    assert_eq!((kept.written, kept.lost, kept.waiting), (1, 0, 0));
    let capsule = Capsule::open(kept.newest.unwrap()).unwrap();
    let text = fs::read_to_string(READING).unwrap();
    let words = text.split(' ').map(|word| word.parse().unwrap());
    let words: Vec<u64> = words.collect();
    let clock = (capsule.clock.monotonic_ns, capsule.clock.realtime_ns);
    assert_eq!(clock, (Some(words[0]), Some(words[1])), "{capsule}");
    let replayed = replay(&capsule, &timed().unwrap()).unwrap();
    let sent = replayed.sent::<[u64; 2]>("readings").unwrap();
    assert_eq!(sent, [[words[0], words[1]]]);
    // The next life looked at its own clock.
    let mut seen = Vec::new();
    readings
        .drain(usize::MAX, |reading| seen.push(*reading))
        .unwrap();
    assert_eq!(seen.len(), 200);
    assert!(seen[100][0] > words[0], "{:?} after {words:?}", seen[100]);
}

/// Has what follows it run as the same user, where it may mount.
const UNSHARE: [&str; 5] = [
    "unshare",
    "--user",
    "--map-current-user",
    "--keep-caps",
    "--mount",
];

/// Mounts a disk of one page where the capsules go, and runs the rest.
const ON_A_SMALL_DISK: [&str; 4] = [
    "sh",
    "-c",
    "mkdir capsules && mount -t tmpfs -o size=4k tmpfs capsules && exec \"$@\"",
    "sh",
];

pub(crate) fn on_a_full_disk() {
    let with_disk: Vec<&str> = UNSHARE.into_iter().chain(ON_A_SMALL_DISK).collect();
    let tried = Command::new(with_disk[0])
        .args(&with_disk[1..])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    fs::remove_dir(CAPSULES).unwrap_or_default();
    if !tried.is_ok_and(|status| status.success()) {
        println!("skipped: no disk can be mounted here");
        return;
    }
    let mut inner = Helper::start_through(&with_disk, "crash-on-a-full-disk", &[]);
    assert_eq!(inner.line(), "0 written, 4 lost, 0 waiting");
    let warned = inner.rest_of_stderr();
    assert!(inner.wait().success(), "{warned}");
    let lines = warned.lines().filter(|line| {
        line.contains("its capsule is lost: writing capsules/.") && line.contains("No space left")
    });
    assert_eq!(lines.count(), 4, "{warned}");
}

/// All that happens is that nothing is kept.
pub(crate) fn crash_on_a_full_disk() {
    let mut filler = File::create_new(format!("{CAPSULES}/filler")).unwrap();
    let full = loop {
        if let Err(error) = filler.write_all(&[0; 512]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let running = faulty().unwrap().launch(Launch::Processes).unwrap();
    let report = join(running).unwrap();
    let seen = report.monitor.read("sink", "seen").unwrap();
    assert_eq!(seen, Some(Seen::of(1_000)));
    assert_eq!(fs::read_dir(CAPSULES).unwrap().count(), 1, "no half a file");
    let kept = report.monitor.capsules();
    println!(
        "{} written, {} lost, {} waiting",
        kept.written, kept.lost, kept.waiting
    );
}
