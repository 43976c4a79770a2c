//! A file is created complete, or an error says why there is none.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use airssys_ringbuf::region::{CreateError, Region, RegionPlan, Section, SectionKind};

use super::{BOOT, DIGEST, Scratch, plan, section};

#[test]
fn the_file_is_private_and_all_its_pages_exist() {
    let scratch = Scratch::new();
    let status = fs::metadata(scratch.region()).unwrap();
    assert_eq!(status.permissions().mode() & 0o7777, 0o600);
    assert_eq!(status.len(), plan().size() as u64);
    assert!(
        status.blocks() * 512 >= status.len(),
        "{} blocks",
        status.blocks()
    );
    assert_eq!(scratch.names(), ["feed"]);
}

#[test]
fn a_full_file_system_is_an_error_and_leaves_no_file() {
    let scratch = Scratch::new();
    assert!(
        scratch.0.starts_with("/dev/shm"),
        "elsewhere this test could fill a disk"
    );
    let status = rustix::fs::statvfs(&scratch.0).unwrap();
    let total = status.f_blocks * status.f_frsize;
    assert!(total > 0, "this test needs a file system with a size");
    let mut plan = plan();
    plan.add(section(
        SectionKind::Ring,
        "huge",
        usize::try_from(total).unwrap() + (1 << 20),
    ));
    let error = plan.create(&scratch.0, "feed", BOOT).unwrap_err();
    let CreateError::NoSpace { needed, free, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*needed, plan.size() as u64);
    assert!(free <= &total);
    assert!(
        error
            .to_string()
            .contains(&format!("/feed: the region needs {needed} bytes")),
        "{error}"
    );
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn an_existing_region_is_never_replaced() {
    let scratch = Scratch::new();
    let path = scratch.region();
    let before = fs::metadata(&path).unwrap().ino();
    let error = plan().create(&scratch.0, "feed", BOOT).unwrap_err();
    assert!(matches!(error, CreateError::Exists { .. }), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    assert_eq!(scratch.names(), ["feed"]);
}

#[test]
fn what_a_killed_creator_left_is_not_in_the_way() {
    let scratch = Scratch::new();
    let left = format!(".feed.{}.0", std::process::id());
    fs::write(scratch.file(&left), "half a region").unwrap();
    scratch.region();
    assert_eq!(scratch.names(), [left, "feed".to_owned()]);
}

#[test]
fn a_directory_behind_a_symlink_is_refused() {
    let (scratch, real) = (Scratch::new(), Scratch::new());
    let link = scratch.file("bus");
    symlink(&real.0, &link).unwrap();
    let error = plan().create(&link, "feed", BOOT).unwrap_err();
    assert!(
        matches!(
            error,
            CreateError::Io {
                doing: "opening the bus's directory",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(real.names(), [""; 0]);
}

#[test]
fn file_names_that_lead_elsewhere_are_refused() {
    let scratch = Scratch::new();
    for name in [
        "",
        ".",
        "..",
        ".feed",
        "a/b",
        "../feed",
        "a\0b",
        &"x".repeat(201),
    ] {
        let error = plan().create(&scratch.0, name, BOOT).unwrap_err();
        assert!(
            matches!(error, CreateError::FileName { .. }),
            "{name:?}: {error}"
        );
    }
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn each_impossible_section_is_named() {
    let sound = || section(SectionKind::Ring, "trades", 4096);
    let cases = [
        (Section { len: 0, ..sound() }, "its length is 0"),
        (
            Section {
                align: 96,
                ..sound()
            },
            "its alignment is 96",
        ),
        (
            Section {
                align: 32,
                ..sound()
            },
            "its alignment is 32",
        ),
        (
            Section {
                align: 8192,
                ..sound()
            },
            "its alignment is 8192",
        ),
        (
            Section {
                count: 65,
                stride: 64,
                ..sound()
            },
            "65 items of 64 bytes do not fit its length of 4096",
        ),
        (
            Section {
                count: u64::MAX,
                stride: 2,
                ..sound()
            },
            "items of 2 bytes do not fit",
        ),
        (
            Section {
                name: "x".repeat(128),
                ..sound()
            },
            "its name has 128 bytes",
        ),
        (
            Section {
                name: "a\nb".to_owned(),
                ..sound()
            },
            "control character '\\n'",
        ),
        (
            Section {
                len: usize::MAX,
                ..sound()
            },
            "expected at most 70368744177664",
        ),
    ];
    let scratch = Scratch::new();
    for (bad, text) in cases {
        let mut plan = plan();
        plan.add(bad);
        let error = plan
            .create(&scratch.0, "feed", BOOT)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("region of `feed` on bus `quotes`, ring section `"),
            "{error}"
        );
        assert!(error.contains(text), "{error}");
        assert_eq!(plan.size(), usize::MAX);
        assert_eq!(Region::heap(&plan).unwrap_err().to_string(), error);
    }
    let mut twice = plan();
    twice.add(sound()).add(sound());
    let error = twice
        .create(&scratch.0, "feed", BOOT)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ring section `trades`: there is another one"),
        "{error}"
    );
    assert_eq!(scratch.names(), [""; 0]);
}

#[test]
fn impossible_plans_are_refused() {
    let long = "x".repeat(128);
    for (bus, owner) in [("", "o"), ("b", ""), ("b\n", "o"), ("b", long.as_str())] {
        let error = Region::heap(&RegionPlan::new(bus, owner, DIGEST)).unwrap_err();
        assert!(matches!(error, CreateError::Name { .. }), "{error}");
    }
    let mut wordy = plan();
    wordy.add(Section {
        schema: "x".repeat(16 << 20),
        ..section(SectionKind::Ring, "wordy", 64)
    });
    assert!(matches!(
        Region::heap(&wordy).unwrap_err(),
        CreateError::TooLarge { .. }
    ));
    let mut many = plan();
    for index in 0..65_532 {
        many.add(section(SectionKind::Ring, &index.to_string(), 64));
    }
    assert!(matches!(
        Region::heap(&many).unwrap_err(),
        CreateError::TooLarge { .. }
    ));
}
