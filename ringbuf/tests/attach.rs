//! An actor, a link or a cell is attached once in a process.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, ring_section,
};
use airssys_ringbuf::region::{Access, Expected, Region, RegionPlan, boot_id};
use airssys_ringbuf::step::{Attach, AttachError};
use airssys_ringbuf::{Message, step::StepCore};

/// A region with one actor that sends to itself, opened twice; its file is gone already.
fn regions(name: &str) -> [Region; 2] {
    let schema = u64::SCHEMA.to_text();
    let mut plan = RegionPlan::new("attach", "own", 1);
    plan.add(actor_section("actor", 1, 1))
        .add(cell_section("actor/cell", &schema, 8))
        .add(ring_section(
            "loop",
            &schema,
            &RingShape::new(8, 4, false).unwrap(),
        ))
        .add(credit_section("loop"));
    let directory = std::path::Path::new("/dev/shm");
    let file = format!("airssys-test-attach-{name}-{}", std::process::id());
    let boot_id = boot_id().unwrap();
    plan.create(directory, &file, boot_id).unwrap();
    let expected = Expected {
        bus: "attach",
        owner: "own",
        digest: 1,
        boot_id,
    };
    let path = directory.join(file);
    let open = || Region::open(&path, Access::ReadWrite, &expected).unwrap();
    let both = [open(), open()];
    std::fs::remove_file(&path).unwrap();
    both
}

fn attach(region: &Region) -> Result<StepCore, AttachError> {
    let mut attach = Attach::new(region, "actor", 1, 1)?;
    let _receiver = attach.receiver::<u64>("loop", region)?;
    let _sender = attach.sender::<u64>("loop", region)?;
    let _cell = attach.durable::<u64>("cell", 0)?;
    Ok(attach.finish())
}

#[test]
fn a_second_attach_is_refused_until_the_first_is_dropped() {
    let [one, other] = regions("twice");
    let first = attach(&one).unwrap();
    for again in [&one, &other] {
        let refused = attach(again).unwrap_err();
        assert!(matches!(refused, AttachError::Attached { .. }), "{refused}");
    }
    drop(first);
    attach(&other).unwrap();
}

#[test]
fn a_link_is_attached_once_by_one_actor_too() {
    let [region, _] = regions("link");
    let mut attach = Attach::<0>::new(&region, "actor", 1, 2).unwrap();
    let _sender = attach.sender::<u64>("loop", &region).unwrap();
    let refused = attach.sender::<u64>("loop", &region).unwrap_err();
    assert!(matches!(refused, AttachError::Attached { .. }), "{refused}");
}
