//! A long region lies where huge pages fit, has them where the kernel gives them, and is mapped before it is used.

use std::fs;
use std::path::Path;

use airssys_ringbuf::memory::{HUGE_PAGE, Memory, PeerWords, Words};
use airssys_ringbuf::pulse::{Locked, Pages, Pulse, PulseView};
use airssys_ringbuf::region::{Access, Region, RegionPlan, SectionKind};
use airssys_ringbuf::word::Ordering;

use super::{BOOT, DIGEST, EXPECTED, Scratch, section};

const PAGE: usize = 4096;

/// A region with one ring of that many bytes.
fn long(scratch: &Scratch, bytes: usize) -> Region {
    let mut plan = RegionPlan::new("quotes", "feed", DIGEST);
    plan.add(airssys_ringbuf::layout::pulse_section());
    plan.add(section(SectionKind::Ring, "ticks", bytes));
    plan.create(&scratch.0, "feed", BOOT).unwrap();
    open(scratch, Access::ReadWrite)
}

fn open(scratch: &Scratch, access: Access) -> Region {
    Region::open(&scratch.file("feed"), access, &EXPECTED).unwrap()
}

/// Each page's first word below the ring's end.
fn marks(region: &Region) -> impl Iterator<Item = usize> {
    let ring = region.section(SectionKind::Ring, "ticks").unwrap();
    let first = ring.offset.next_multiple_of(PAGE);
    (first..ring.offset + ring.len).step_by(PAGE)
}

fn write_marks(region: &Region) {
    for at in marks(region) {
        let words = Words::new(region.memory(), at, 1).unwrap();
        words.at(0).store(at as u64, Ordering::Relaxed);
    }
}

fn assert_marks(region: &Region) {
    for at in marks(region) {
        let words = PeerWords::new(region.memory(), at, 1).unwrap();
        assert_eq!(words.load(0, Ordering::Relaxed), at as u64);
    }
}

/// The line of `/proc/self/maps` that maps the file.
fn mapped_at(path: &Path) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let name = path.to_str().unwrap();
    let line = maps.lines().find(|line| line.ends_with(name)).unwrap();
    usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
}

#[test]
fn a_long_region_is_mapped_where_huge_pages_fit_and_unmapped_whole() {
    let scratch = Scratch::new();
    let region = long(&scratch, 5 << 20);
    write_marks(&region);
    assert_eq!(mapped_at(region.path()) % HUGE_PAGE, 0);
    let reader = open(&scratch, Access::ReadOnly);
    assert_marks(&reader);
    let path = region.path().to_owned();
    drop((region, reader));
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains(path.to_str().unwrap()), "{maps}");
}

#[test]
fn huge_pages_hold_what_the_small_ones_held_and_later_mappings_have_them() {
    let scratch = Scratch::new();
    let region = long(&scratch, 5 << 20);
    write_marks(&region);
    let had = match region.memory().collapse() {
        Ok(()) => 4 << 20,
        // Not every machine has them; what is there stays the same.
        Err(error) => {
            assert!(error.raw_os_error().is_some(), "{error}");
            region.memory().huge_bytes().unwrap()
        }
    };
    let later = open(&scratch, Access::ReadOnly);
    for region in [&region, &later] {
        assert_eq!(region.memory().huge_bytes().unwrap(), had);
        assert_marks(region);
    }
}

#[test]
fn a_short_region_has_no_huge_page_and_asking_for_some_is_an_error() {
    let scratch = Scratch::new();
    let region = long(&scratch, 1 << 20);
    assert_eq!(region.memory().huge_bytes().unwrap(), 0);
    let heap = Memory::heap(PAGE);
    for refused in [heap.lock(), heap.collapse()] {
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    }
}

/// The lines about one mapping in `/proc/self/smaps`.
fn locked_kib(path: &Path) -> usize {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let own = maps.split(path.to_str().unwrap()).nth(1).unwrap();
    let line = own.lines().find(|line| line.starts_with("Locked:"));
    let size = line.unwrap().split_whitespace().nth(1).unwrap();
    size.parse().unwrap()
}

#[test]
fn a_locked_region_is_locked_as_a_whole() {
    let scratch = Scratch::new();
    let region = long(&scratch, 1 << 20);
    assert_eq!(locked_kib(region.path()), 0);
    region.memory().lock().unwrap();
    assert_eq!(locked_kib(region.path()) << 10, region.memory().len());
}

/// Page faults of this thread so far.
fn faults() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name
        .split_whitespace()
        .nth(7)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn a_first_pass_over_a_ring_takes_no_page_fault() {
    for bytes in [1 << 20, 4 << 20] {
        let scratch = Scratch::new();
        let own = long(&scratch, bytes);
        let peer = open(&scratch, Access::ReadOnly);
        let writes: Vec<Words> = marks(&own)
            .map(|at| Words::new(own.memory(), at, 1).unwrap())
            .collect();
        let reads: Vec<PeerWords> = marks(&peer)
            .map(|at| PeerWords::new(peer.memory(), at, 1).unwrap())
            .collect();
        // Whatever asking itself needs is there afterwards.
        let _ = faults();
        let before = faults();
        for (write, read) in writes.iter().zip(&reads) {
            write.at(0).store(7, Ordering::Relaxed);
            assert_eq!(read.load(0, Ordering::Relaxed), 7);
        }
        // The kernel maps 16 pages with a fault. The few are for what it does with this thread of its own accord.
        let met = faults() - before;
        assert!(met < 4, "{met} page faults over {} pages", writes.len());
    }
}

#[test]
fn the_kernel_tells_the_nodes_of_a_region_where_it_knows_nodes() {
    let scratch = Scratch::new();
    let region = long(&scratch, 1 << 20);
    if Path::new("/proc/self/numa_maps").exists() {
        assert!(!region.memory().nodes().unwrap().is_empty());
    }
}

#[test]
fn a_pulse_says_what_was_had_of_the_pages() {
    let scratch = Scratch::new();
    let region = long(&scratch, 4096);
    let section = region.section(SectionKind::Pulse, "pulse").unwrap();
    let pulse = Pulse::new(&region, section).unwrap();
    let view = PulseView::new(&region, section).unwrap();
    assert_eq!(view.pages(), Pages::default());
    for locked in [Locked::Yes, Locked::Refused(12), Locked::Untried] {
        let pages = Pages {
            locked,
            huge_bytes: 4 << 20,
        };
        pulse.pages(pages);
        assert_eq!(view.pages(), pages);
    }
    pulse.begin(airssys_ringbuf::pulse::Identity::default());
    assert_eq!(view.pages(), Pages::default());
}
