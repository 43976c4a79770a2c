//! A panic as a message's fault, where partitions are threads.

use airssys_rt::Cause;
use airssys_rt::prelude::*;

use crate::common::poison::{Bad, Handled, Kind, picky_in};
use crate::common::{Item, bus_name, join, source};

const TOTAL: u64 = 10_000;
const BAD: Bad = &[
    (0, Kind::Panic),
    (4_999, Kind::Panic),
    (TOTAL - 1, Kind::Panic),
];

#[test]
fn panics_name_their_messages_and_the_others_are_handled_once() {
    let mut plan = Topology::builder("poison");
    plan.bus(bus_name("threads-poison"));
    let options = LinkOptions::new(128).dead_letters(4);
    let (out, input) = plan.link_with::<Item>("items", options);
    source(&mut plan, out, TOTAL, 16);
    picky_in(&mut plan.partition("picky"), input, (64, BAD));
    let running = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let report = join(running).unwrap();
    let letters = report.monitor.dead_letters("items").unwrap();
    let positions: Vec<u64> = letters
        .read::<Item>()
        .unwrap()
        .iter()
        .map(|letter| letter.position)
        .collect();
    assert_eq!(positions, [0, 4_999, TOTAL - 1]);
    let handled = report.monitor.read::<Handled>("picky", "handled").unwrap();
    let expected = Handled::all_but(TOTAL, &[0, 4_999, TOTAL - 1]);
    assert_eq!(handled, Some(expected));
    assert_eq!(report.partitions[1].last_cause, Some(Cause::Done));
}
