//! Bounds of a topology's capsules.

use airssys_rt::prelude::*;

struct Nothing;

impl Actor for Nothing {
    fn step(&mut self) -> Result<Step, Refused> {
        Ok(Step::Done)
    }
}

#[test]
fn no_room_for_a_capsule_is_refused() {
    for (files, bytes) in [(0, 1 << 20), (8, 4095)] {
        let mut plan = Topology::builder("quotes");
        plan.capsules("/nowhere", files, bytes);
        plan.partition("feed").actor("feed", (), |()| Nothing);
        let error = plan.build().unwrap_err();
        assert!(matches!(error, TopologyError::CapsuleBounds { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "topology `quotes`: capsules in {files} files of {bytes} bytes together have no room for one; allow at \
                 least 1 file and 4096 bytes"
            )
        );
    }
}

/// Of a run, not of what two programs have to agree about.
#[test]
fn where_they_lie_is_no_part_of_the_digest() {
    let built = |directory: Option<&str>| {
        let mut plan = Topology::builder("quotes");
        if let Some(directory) = directory {
            plan.capsules(directory, 8, 1 << 20);
        }
        plan.partition("feed").actor("feed", (), |()| Nothing);
        plan.build().unwrap().digest()
    };
    assert_eq!(built(None), built(Some("/nowhere")));
}
