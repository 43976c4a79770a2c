//! Reading a bus: durable state, counts, lives, latencies, and every way to ask wrongly.

use airssys_rt::prelude::*;
use airssys_rt::{Cause, ReadError};

use crate::common::{Item, Seen, Sink, Source, assert_no_trace, await_that, bus_name, join};

const PAGE_WORDS: usize = 512;

#[message]
#[derive(Debug, PartialEq, Eq)]
struct Page {
    words: [u64; PAGE_WORDS],
}

/// Sets every word of its page to the same number, and moves on to the next with each step.
struct Pages {
    page: Durable<Page>,
    start: Durable<u64>,
    out: Sender<u64>,
    last: u64,
}

impl Actor for Pages {
    fn step(&mut self) -> Result<Step, Refused> {
        let number = self.page.borrow().words[0];
        assert!(self.page.borrow().words.iter().all(|&word| word == number));
        if number == self.last {
            return Ok(Step::Done);
        }
        self.page.borrow_mut().words = [number + 1; PAGE_WORDS];
        self.out.send(self.start.get() + number)?;
        Ok(Step::Busy)
    }
}

/// Adds up.
struct Adding {
    input: Receiver<u64>,
    sum: Durable<u64>,
}

impl Actor for Adding {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(number) = self.input.try_recv() else {
            return Ok(if self.input.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        *self.sum.borrow_mut() += number;
        Ok(Step::Busy)
    }
}

#[test]
fn four_kib_of_state_are_read_whole_while_they_change() {
    const LAST: u64 = 20_000;
    let bus = bus_name("pages");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<u64>("numbers", 16);
    let zero = Page {
        words: [0; PAGE_WORDS],
    };
    plan.partition("pages").actor(
        "pages",
        (
            durable_with("page", zero),
            durable_with("start", 7_u64),
            out,
        ),
        |(page, start, out)| Pages {
            page,
            start,
            out,
            last: LAST,
        },
    );
    plan.partition("adding").actor(
        "adding",
        (input, durable_with("sum", 1_000_u64)),
        |(input, sum)| Adding { input, sum },
    );
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    // Launched, every factory has run: the first values are there.
    assert_eq!(monitor.read("pages", "start").unwrap(), Some(7_u64));
    let mut before = 0;
    await_that("the last page", || {
        let page = match monitor.read::<Page>("pages", "page") {
            Ok(page) => page.unwrap(),
            // It may commit faster than a page can be copied.
            Err(ReadError::Observe(_)) => return false,
            Err(error) => panic!("{error}"),
        };
        let number = page.words[0];
        assert!(
            page.words.iter().all(|&word| word == number),
            "torn at {number}"
        );
        assert!(number >= before, "{number} after {before}");
        before = number;
        number == LAST
    });
    join(running).unwrap();
    let sum = (0..LAST).map(|number| 7 + number).sum::<u64>() + 1_000;
    assert_eq!(monitor.read("adding", "sum").unwrap(), Some(sum));
    assert_no_trace(&bus);
}

/// One stamped link and one plain.
fn two_links(bus: &str) -> Topology {
    let mut plan = Topology::builder(bus);
    let (stamped_out, stamped_in) =
        plan.link_with::<Item>("stamped", LinkOptions::new(32).stamped());
    let (plain_out, plain_in) = plan.link::<Item>("plain", 32);
    plan.partition("sources")
        .actor("one", stamped_out, |out| Source {
            out,
            total: 5_000,
            batch: 4,
        })
        .actor("two", plain_out, |out| Source {
            out,
            total: 3_000,
            batch: 4,
        });
    let sink = |(input, seen)| Sink {
        input,
        seen,
        batch: 8,
    };
    plan.partition("sinks")
        .actor("three", (stamped_in, durable::<Seen>("seen")), sink)
        .actor("four", (plain_in, durable::<Seen>("seen")), sink);
    plan.build().unwrap()
}

#[test]
fn counts_lives_and_latencies_are_there_to_read_after_the_end_too() {
    let bus = bus_name("links");
    let running = two_links(&bus).launch(Launch::Threads).unwrap();
    let monitor = running.monitor();
    for link in monitor.links() {
        assert!(
            link.sent >= link.received && link.depth() <= link.capacity,
            "{link:?}"
        );
    }
    let report = join(running).unwrap();
    let links: Vec<_> = report
        .links
        .iter()
        .map(|link| (link.name.as_str(), link.sent, link.received, link.capacity))
        .collect();
    assert_eq!(
        links,
        [("stamped", 5_000, 5_000, 32), ("plain", 3_000, 3_000, 32)]
    );
    assert_eq!(monitor.links(), report.links);

    let lives = monitor.partitions();
    assert_eq!(lives, report.partitions);
    for (life, name) in lives.iter().zip(["sources", "sinks"]) {
        assert_eq!(life.name, name);
        assert_eq!((life.incarnations, life.restarts, life.pid), (1, 0, None));
        assert_eq!(life.last_cause, Some(Cause::Done));
        assert!(life.recoveries.is_empty());
    }

    let latency = monitor.latency("stamped").unwrap();
    assert_eq!(latency.len(), 5_000);
    assert!(latency.min() > 0 && latency.min() <= latency.max());
    assert_no_trace(&bus);
}

#[test]
fn whoever_asks_for_what_is_not_there_is_told_what_is() {
    let bus = bus_name("asked");
    let running = two_links(&bus).launch(Launch::Threads).unwrap();
    let unknown = [
        (
            running.read::<Seen>("five", "seen").unwrap_err(),
            "has no actor `five`; it has: one, two, three, four",
        ),
        (
            running.read::<Seen>("three", "seem").unwrap_err(),
            "has no cell `seem`; it has: seen",
        ),
        (
            running.latency("stampede").unwrap_err(),
            "has no link `stampede`; it has: stamped, plain",
        ),
        (
            running.kill("source").unwrap_err(),
            "has no partition `source`; it has: sources, sinks",
        ),
    ];
    for (error, expected) in unknown {
        assert!(matches!(error, ReadError::Unknown { .. }));
        assert_eq!(error.to_string(), format!("topology `{bus}` {expected}"));
    }
    let error = running.latency("plain").unwrap_err();
    assert_eq!(
        error.to_string(),
        "link `plain` isn't stamped; declare it with `LinkOptions::new(..).stamped()`"
    );
    let error = running.read::<Item>("three", "seen").unwrap_err();
    assert!(matches!(error, ReadError::Observe(_)), "{error:?}");
    assert!(
        error.to_string().starts_with("cell `three/seen`: "),
        "{error}"
    );
    // Threads can't be killed: nothing happens.
    running.kill("sinks").unwrap();
    let report = join(running).unwrap();
    assert!(report.partitions.iter().all(|life| life.restarts == 0));
    assert_no_trace(&bus);
}
