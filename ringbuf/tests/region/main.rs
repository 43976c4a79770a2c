//! Region files in a real tmpfs: what is created opens, and nothing else does.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod create;
mod earlier;
mod heap;
mod hostile;
mod layout;
mod lock;
mod pages;
mod round_trip;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use airssys_ringbuf::fnv1a64;
use airssys_ringbuf::region::{Expected, RegionPlan, Section, SectionKind};

const BOOT: [u8; 16] = [7; 16];
const DIGEST: u64 = 0x0123_4567_89ab_cdef;

const EXPECTED: Expected<'static> = Expected {
    bus: "quotes",
    owner: "feed",
    digest: DIGEST,
    boot_id: BOOT,
};

/// A directory in shared memory, removed at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let shm = Path::new("/dev/shm");
        let parent = if shm.is_dir() {
            shm.to_owned()
        } else {
            std::env::temp_dir()
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("region-test-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of a sound region of [`plan`].
    fn region(&self) -> PathBuf {
        plan().create(&self.0, "feed", BOOT).unwrap();
        self.file("feed")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The bytes of a region file of [`plan`].
fn bytes() -> Vec<u8> {
    fs::read(Scratch::new().region()).unwrap()
}

/// Bytes that the checksum covers.
fn preamble_len(bytes: &[u8]) -> usize {
    let u64_at = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
    usize::try_from(u64_at(80) + u64_at(88)).unwrap()
}

fn seal(bytes: &mut [u8], preamble_len: usize) {
    bytes[120..128].fill(0);
    let checksum = fnv1a64(&bytes[..preamble_len]);
    bytes[120..128].copy_from_slice(&checksum.to_ne_bytes());
}

fn section(kind: SectionKind, name: &str, len: usize) -> Section {
    Section {
        kind,
        name: name.to_owned(),
        len,
        align: 64,
        count: 1,
        stride: 8,
        schema: String::new(),
    }
}

/// One section of most kinds, unaligned lengths, two equal names of different kinds, text beyond ASCII.
fn plan() -> RegionPlan {
    let mut plan = RegionPlan::new("quotes", "feed", DIGEST);
    plan.add(section(SectionKind::Pulse, "", 200));
    plan.add(section(SectionKind::Actor, "feed/quoter", 1000));
    plan.add(Section {
        schema: "Tick 16 8\nseq u64 0\nprice f64 8\n".to_owned(),
        count: 64,
        stride: 64,
        ..section(SectionKind::Ring, "ticks", 64 * 64)
    });
    plan.add(Section {
        align: 4096,
        ..section(SectionKind::Cell, "ticks", 8)
    });
    plan.add(section(SectionKind::Credit, "größe", 128));
    plan
}
