//! Looks at a link's messages through the bus's monitor.

use airssys_rt::prelude::*;
use airssys_rt::{Monitor, Observer, ReadError, Seen as Look};

use crate::common::{Item, assert_no_trace, await_that, bus_name, join, sink};

const CAPACITY: u64 = 16;

/// Looks until nothing is left: positions go up without a gap that isn't told, and each message is the one sent there.
fn look_on(observer: &mut Observer<Item>) -> Vec<u64> {
    let mut positions = Vec::new();
    let mut next = observer.position();
    while let Some(look) = observer.next() {
        match look {
            Look::Message(position, item) => {
                assert_eq!(position, next);
                let sent = Item::new(position);
                assert_eq!((item.seq, item.value), (sent.seq, sent.value));
                positions.push(position);
                next += 1;
            }
            Look::Missed(count) => {
                assert!(count > 0);
                next += count;
            }
        }
        assert_eq!(observer.position(), next);
    }
    positions
}

fn is_received(monitor: &Monitor, count: u64) {
    await_that("the messages", || monitor.links()[0].received == count);
}

#[test]
fn a_link_is_watched_live_and_after_the_end() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        let bus = bus_name(&format!("observed-{layout:?}").to_lowercase());
        let mut plan = Topology::builder(&bus);
        let options = LinkOptions::new(CAPACITY).layout(layout);
        let (out, input) = plan.link_with::<Item>("items", options);
        plan.host().sends(out);
        sink(&mut plan, input, 4);
        let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
        let monitor = running.monitor();
        let mut port = running.sender::<Item>("items").unwrap();
        let mut watcher = monitor.observe::<Item>("items").unwrap();
        assert!(watcher.next().is_none());

        for seq in 0..10 {
            port.send(Item::new(seq)).unwrap();
        }
        // Received or not: they lie where they were sent.
        is_received(&monitor, 10);
        assert!(look_on(&mut watcher).into_iter().eq(0..10));
        for seq in 10..1_000 {
            port.send(Item::new(seq)).unwrap();
            let _ = look_on(&mut watcher);
        }
        assert_eq!(watcher.position(), 1_000);
        for seq in 1_000..2_000 {
            port.send(Item::new(seq)).unwrap();
        }
        port.close().unwrap();
        join(running).unwrap();
        assert_no_trace(&bus);

        let last = look_on(&mut watcher);
        assert_eq!((watcher.position(), last.last()), (2_000, Some(&1_999)));
        let mut late = monitor.observe::<Item>("items").unwrap();
        // A slot counts as gone from when it may be written again: an eighth of the ring ahead.
        let oldest = late.position();
        assert!((2_000 - CAPACITY..=2_000 - CAPACITY + CAPACITY / 8).contains(&oldest));
        assert!(look_on(&mut late).into_iter().eq(oldest..2_000));
    }
}

#[test]
fn what_is_not_there_to_watch_is_named() {
    let bus = bus_name("observed-wrongly");
    let mut plan = Topology::builder(&bus);
    let (out, input) = plan.link::<Item>("items", CAPACITY);
    plan.host().sends(out);
    sink(&mut plan, input, 4);
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let error = running.observe::<Item>("item").unwrap_err();
    let expected = format!("topology `{bus}` has no link `item`; it has: items");
    assert_eq!(error.to_string(), expected);
    let error = running.observe::<u64>("items").unwrap_err();
    assert!(matches!(error, ReadError::Attach(_)), "{error:?}");
    running.stop();
    join(running).unwrap();
    assert_no_trace(&bus);
}
