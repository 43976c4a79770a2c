//! A region on the heap is laid out as its file would be, and is its holders' alone.

use std::path::Path;

use airssys_ringbuf::region::{Access, Region, SectionKind};

use super::{Scratch, plan};

#[test]
fn it_says_of_itself_what_its_file_would() {
    let scratch = Scratch::new();
    let file = Region::observe(&scratch.region()).unwrap();
    let heap = Region::heap(&plan()).unwrap();
    assert!(file.file().is_some() && heap.file().is_none());
    assert_eq!(heap.memory().access(), Access::ReadWrite);
    assert_eq!(heap.memory().len(), plan().size());
    assert_eq!((heap.bus(), heap.owner()), ("quotes", "feed"));

    let mut expected = file.inspection().clone();
    expected.boot_id = [0; 16];
    assert_eq!(*heap.inspection(), expected);
    for section in file.sections() {
        let found = heap.section(section.kind, &section.name).unwrap();
        assert_eq!(found, section);
    }
}

#[test]
fn its_path_names_it() {
    let heap = Region::heap(&plan()).unwrap();
    assert_eq!(heap.path(), Path::new("memory:quotes/feed"));
    let missing = heap.section(SectionKind::Ring, "none").unwrap_err();
    assert!(
        missing.to_string().contains("memory:quotes/feed"),
        "{missing}"
    );
}

#[test]
fn its_lock_is_free_to_take_and_to_ask() {
    let heap = Region::heap(&plan()).unwrap();
    assert!(!heap.is_locked().unwrap());
    heap.lock_for_life().unwrap();
    heap.clone().lock_for_life().unwrap();
    assert!(heap.is_locked().unwrap());
    Region::heap(&plan()).unwrap().lock_for_life().unwrap();
}
