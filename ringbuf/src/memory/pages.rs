//! The pages of a span: mapped where huge ones fit, made huge, locked, and asked about.
//!
//! A mapped span lies inside of a reservation of addresses that nobody may access: at least a page before it and one behind
//! it. What strays beyond a region, by our mistake or by what a peer wrote, faults instead of reading a neighbour. The
//! reservation, with what lies in it, is unmapped as one.
//!
//! The kernel maps a huge page of a file as one only where the address and the offset agree modulo its size. A long span
//! therefore lies at a multiple of [`HUGE_PAGE`], and its reservation is that much longer.
//!
//! Nothing here changes a byte: huge pages hold what the small ones held. What is had is never a promise: it is read back from the kernel.

#![allow(unsafe_code, reason = "the calls that place and keep pages")]

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags};

use super::{Access, Memory, Owner};

/// Bytes of a huge page, with pages of 4 KiB. Shorter spans have none.
pub const HUGE_PAGE: usize = 2 << 20;

/// Addresses of ours, with what was mapped there; unmapped as one. Not accessible: so they are neither counted nor filled as
/// memory (`vm.overcommit_memory=2`, `mlockall`), and a stray store next to a region faults.
#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

impl Reserved {
    fn new(len: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let anywhere = std::ptr::null_mut();
        // SAFETY: a new mapping, wherever the kernel likes: it replaces nothing.
        let start =
            unsafe { rustix::mm::mmap_anonymous(anywhere, len, ProtFlags::empty(), flags) }?;
        let start = NonNull::new(start.cast()).expect("mmap never maps page zero");
        Ok(Self { start, len })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: our own addresses, of which no view is left: each holds the `Memory` that holds this. An error would leave
        // them mapped, and nobody to use them.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Maps between two guards, from [`HUGE_PAGE`] bytes on at a multiple of that.
pub(super) fn map(file: &File, len: usize, access: Access) -> io::Result<(NonNull<u8>, Reserved)> {
    let guard = rustix::param::page_size();
    let align = if len < HUGE_PAGE { guard } else { HUGE_PAGE };
    let reserved_len = len
        .checked_next_multiple_of(guard)
        .and_then(|len| len.checked_add(align + guard))
        .ok_or(io::ErrorKind::OutOfMemory)?;
    let reserved = Reserved::new(reserved_len)?;
    let start = reserved.start;
    let address = start.as_ptr().addr();
    let distance = (address + guard).next_multiple_of(align) - address;
    // SAFETY: `address` lies on a page, so the distance is at most `align`, by which, and by a guard, the reservation is longer
    // than `len`.
    let base = unsafe { start.add(distance) };
    let protection = match access {
        Access::ReadOnly => ProtFlags::READ,
        Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
    };
    let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::POPULATE;
    // SAFETY: `base .. base + len` lies in our own reservation, of which nobody has a view: what is replaced is nobody's.
    let mapped = unsafe { rustix::mm::mmap(base.as_ptr().cast(), len, protection, flags, file, 0) };
    if let Err(errno) = mapped {
        // The kernel may have made a hole already, and another thread mapped something there: unmapping would take that.
        std::mem::forget(reserved);
        return Err(errno.into());
    }
    Ok((base, reserved))
}

fn of_a_file_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "memory of this process alone, not of a mapped file",
    )
}

impl Memory {
    /// Keeps the span's pages in memory until it is unmapped.
    ///
    /// # Errors
    ///
    /// What `mlock` says: mostly that the process's limit on locked memory is too low. `Unsupported` for heap memory.
    pub fn lock(&self) -> io::Result<()> {
        if matches!(self.owner, Owner::Heap(_)) {
            return Err(of_a_file_only());
        }
        // SAFETY: the range is mapped as long as `self` is; a lock changes neither content nor access.
        unsafe { rustix::mm::mlock(self.base.as_ptr().cast(), self.len) }?;
        Ok(())
    }

    /// Moves what lies in the span into huge pages, for everybody who maps the file; a rest shorter than one stays where it
    /// is. Does nothing to a span that has them.
    ///
    /// It works whatever the file system was mounted with and `shmem_enabled` says, `deny` excepted. It copies, and takes as
    /// long: for a file that nobody uses yet.
    ///
    /// # Errors
    ///
    /// What `madvise` says: no huge page is free, or a kernel before 6.1, or one that refuses. Some pages may be huge even so.
    /// `Unsupported` for heap memory.
    pub fn collapse(&self) -> io::Result<()> {
        if matches!(self.owner, Owner::Heap(_)) {
            return Err(of_a_file_only());
        }
        let len = self.len / HUGE_PAGE * HUGE_PAGE;
        // SAFETY: the range is mapped as long as `self` is; the kernel keeps its content and whoever accesses it waits.
        let result = unsafe { libc::madvise(self.base.as_ptr().cast(), len, libc::MADV_COLLAPSE) };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// How many of the span's bytes this process maps as huge pages at present, by the kernel's account.
    ///
    /// It reads a file about all of the process's memory, which takes as long as the process is large.
    ///
    /// # Errors
    ///
    /// What reading that file says; a kernel without that account, or without this mapping in it.
    pub fn huge_bytes(&self) -> io::Result<usize> {
        if self.len < HUGE_PAGE {
            return Ok(0);
        }
        let head = format!("{:x}-", self.address());
        let mut lines = BufReader::new(File::open("/proc/self/smaps")?).lines();
        let mut inside = false;
        while let Some(line) = lines.next().transpose()? {
            if inside && let Some(size) = line.strip_prefix("ShmemPmdMapped:") {
                let kib = size.trim().trim_end_matches(" kB").parse::<usize>();
                return kib.map(|kib| kib << 10).map_err(|_| unknown("smaps"));
            }
            inside |= line.starts_with(&head);
        }
        Err(unknown("smaps"))
    }

    /// The NUMA nodes on which the span's pages lie, ascending, by the kernel's account.
    ///
    /// # Errors
    ///
    /// As [`huge_bytes`](Self::huge_bytes).
    pub fn nodes(&self) -> io::Result<Vec<usize>> {
        let head = format!("{:x} ", self.address());
        for line in BufReader::new(File::open("/proc/self/numa_maps")?).lines() {
            let line = line?;
            if line.starts_with(&head) {
                let nodes = line.split(' ').filter_map(|word| {
                    let (node, _) = word.strip_prefix('N')?.split_once('=')?;
                    node.parse().ok()
                });
                return Ok(nodes.collect());
            }
        }
        Err(unknown("numa_maps"))
    }
}

fn unknown(file: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("/proc/self/{file} doesn't say"),
    )
}
