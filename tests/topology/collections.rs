//! What a topology says of its durable collections before it is launched.

use airssys_rt::prelude::*;

use crate::{Nothing, Tick};

fn ledger(capacity: usize, changes: usize) -> Topology {
    let mut plan = Topology::builder("ledger");
    let ends = (
        durable::<u64>("cell"),
        durable::changes(changes),
        durable::vector::<Tick>("trades", 100),
        [durable::last::<u8>("last", 10)],
        durable::map::<u64, Tick>("orders", capacity),
        durable::table::<Tick>("rows", 1 << 22),
    );
    plan.partition("ledger")
        .actor("ledger", ends, |(_, (), _, [_], _, _)| Nothing);
    plan.build().unwrap()
}

#[test]
fn they_are_in_its_text_its_digest_and_its_bill() {
    let topology = ledger(100, 1000);
    let text = topology.describe();
    let expected = "\
actor ledger
  partition ledger
  inputs 
  outputs 
  changes 1000
cell ledger/cell
  schema u64 8 8
vector ledger/trades
  capacity 100
  schema Tick 16 8 | seq u64 0 | price f64 8
last ledger/last
  capacity 10
  schema u8 1 1
map ledger/orders
  capacity 100
  schema entry 24 8 | key u64 0 | value.seq u64 8 | value.price f64 16
table ledger/rows
  capacity 4194304
  schema Tick 16 8 | seq u64 0 | price f64 8
";
    assert!(text.contains(expected), "{text}");
    for other in [ledger(101, 1000), ledger(100, 1001)] {
        assert_ne!(topology.digest(), other.digest());
    }
    let told = topology.difference(&ledger(120, 1000).describe()).unwrap();
    assert_eq!(
        told,
        "map `ledger/orders`: capacity is 100 in this program, 120 in the region"
    );
    let plan = topology.plan_text();
    for line in [
        "ledger/trades  100      1.8 KiB\n",
        "ledger/last    10       256 B\n",
        "ledger/orders  100      8.2 KiB\n",
        "ledger/rows    4194304  64.1 MiB\n",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
}
